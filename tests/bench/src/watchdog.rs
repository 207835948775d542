//! Peers that hang: youki waits for a SIGCHLD that has come already, once in some thousand runs.

use crate::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// No runtime takes this long on a machine that is quiet enough to measure on.
const LONG: Duration = Duration::from_secs(10);

/// The process that runs, and since when.
static RUNS: Mutex<Option<(Pid, Instant)>> = Mutex::new(None);
static WATCH: Once = Once::new();

/// Runs a program to its end. One that seems to hang is told that a child of its has ended, and one that hangs for longer is
/// killed, which its status says.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    let mut child = command.spawn()?;
    let status = watched(child.id(), || child.wait());
    Ok(status?)
}

/// The same with what it says on both streams read by pipes.
pub(crate) fn captured(command: &mut Command) -> Result<ExitStatus> {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let output = watched(child.id(), || child.wait_with_output());
    Ok(output?.status)
}

/// Starts the thread that watches, for who is about to enter cgroups that it must not keep.
pub(crate) fn begin() {
    WATCH.call_once(|| drop(thread::spawn(watch)));
}

fn watched<T>(pid: u32, wait: impl FnOnce() -> T) -> T {
    begin();
    *runs() = Some((Pid::from_raw(pid.cast_signed()), Instant::now()));
    let waited = wait();
    *runs() = None;
    waited
}

fn watch() {
    loop {
        thread::sleep(LONG / 2);
        let Some((pid, since)) = *runs() else {
            continue;
        };
        let signal = match since.elapsed() {
            short if short < LONG => continue,
            long if long < 3 * LONG => Signal::SIGCHLD,
            _ => Signal::SIGKILL,
        };
        eprintln!("bench: {pid} runs for {:?}: {signal}", since.elapsed());
        // It may have ended meanwhile.
        let _ = kill(pid, signal);
    }
}

fn runs() -> MutexGuard<'static, Option<(Pid, Instant)>> {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}
