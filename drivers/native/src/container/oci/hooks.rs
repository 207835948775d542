//! The document's hooks that run in the runtime's own namespaces: told the container's state at points of its life.
//!
//! Those that run in the container's are steps of the plan (`plan/hooks.rs`).

use super::{OciError, OciResult, State};
use crate::sys::unmask::unmask;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use oci_spec::runtime::Hook;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How much of what a failed hook wrote is told.
const TOLD: u64 = 2048;

/// Runs the hooks of one kind in their order; the first failure is the error, and those behind it do not run.
pub(super) fn run(stage: &str, hooks: Option<&[Hook]>, state: &State) -> OciResult<()> {
    for (index, hook) in hooks.unwrap_or_default().iter().enumerate() {
        one(hook, state).map_err(|reason| OciError::Hook {
            field: format!("hooks.{stage}[{index}]"),
            path: hook.path().clone(),
            reason,
        })?;
    }
    Ok(())
}

/// Runs all of them whatever becomes of each; a sentence for every one that failed.
pub(super) fn run_all(stage: &str, hooks: Option<&[Hook]>, state: &State) -> Vec<String> {
    let numbered = hooks.unwrap_or_default().iter().enumerate();
    let failed = numbered.filter_map(|(index, hook)| {
        let reason = one(hook, state).err()?;
        let field = format!("hooks.{stage}[{index}]");
        let path = hook.path().clone();
        Some(
            OciError::Hook {
                field,
                path,
                reason,
            }
            .to_string(),
        )
    });
    failed.collect()
}

fn one(hook: &Hook, state: &State) -> Result<(), String> {
    let io = |error: std::io::Error| {
        let errno = error.raw_os_error().map(nix::errno::Errno::from_raw);
        errno.map_or_else(|| error.to_string(), |errno| errno.desc().to_lowercase())
    };
    // A file has an end and takes all at once, where a pipe that nobody reads would keep us.
    let mut input = unnamed().map_err(io)?;
    let text = serde_json::to_vec(state).map_err(|error| error.to_string())?;
    input
        .write_all(&text)
        .and_then(|()| input.rewind())
        .map_err(io)?;
    let mut output = unnamed().map_err(io)?;
    let both = output
        .try_clone()
        .and_then(|one| Ok((one, output.try_clone()?)));
    let (stdout, stderr) = both.map_err(io)?;
    let mut command = Command::new(hook.path());
    if let Some((name, rest)) = hook.args().as_deref().and_then(<[String]>::split_first) {
        command.arg0(name).args(rest);
    }
    command.env_clear();
    for entry in hook.env().iter().flatten() {
        let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
        command.env(name, value);
    }
    command.current_dir(&state.bundle).process_group(0);
    command
        .stdin(Stdio::from(input))
        .stdout(stdout)
        .stderr(stderr);
    unmask(&mut command);
    let child = command.spawn().map_err(io)?;
    let timeout = hook
        .timeout()
        .and_then(|seconds| u64::try_from(seconds).ok());
    let status = wait(child, timeout.map(Duration::from_secs)).map_err(io)?;
    let ended = match status {
        None => "it took longer than its timeout and was killed".to_owned(),
        Some(status) if status.success() => return Ok(()),
        Some(status) => words(status),
    };
    Err(match said(&mut output) {
        said if said.is_empty() => ended,
        said => format!("{ended}: {said}"),
    })
}

/// A file without a name, that goes with its descriptors.
fn unnamed() -> std::io::Result<File> {
    use nix::sys::memfd::{MFdFlags, memfd_create};
    let exec = MFdFlags::from_bits_retain(libc::MFD_NOEXEC_SEAL);
    let made = match memfd_create(c"execdriver-hook", MFdFlags::MFD_CLOEXEC | exec) {
        // Before Linux 6.3 there is no such difference.
        Err(nix::errno::Errno::EINVAL) => memfd_create(c"execdriver-hook", MFdFlags::MFD_CLOEXEC)?,
        made => made?,
    };
    Ok(File::from(made))
}

/// Its status, or none when it had to be killed.
fn wait(mut child: Child, timeout: Option<Duration>) -> std::io::Result<Option<ExitStatus>> {
    let Some(timeout) = timeout else {
        return child.wait().map(Some);
    };
    let deadline = Instant::now() + timeout;
    // Most hooks are done at once, and nobody hurries when one is not.
    let mut pause = Duration::from_millis(1);
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(pause.min(deadline.saturating_duration_since(Instant::now())));
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    let group = i32::try_from(child.id()).map(Pid::from_raw);
    if let Ok(group) = group {
        // It leads a group of its own, so what it started goes with it.
        let _ = killpg(group, Signal::SIGKILL);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with code {code}"),
        (None, Some(signal)) => format!("it was killed by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}

/// The end of what it wrote, on one line.
fn said(output: &mut File) -> String {
    let len = output.metadata().map_or(0, |data| data.len());
    let mut text = Vec::new();
    let start = std::io::SeekFrom::Start(len.saturating_sub(TOLD));
    let read = output
        .seek(start)
        .and_then(|_| output.read_to_end(&mut text));
    let text = read.map(|_| String::from_utf8_lossy(&text).into_owned());
    let text = text.unwrap_or_default();
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join(" ")
}
