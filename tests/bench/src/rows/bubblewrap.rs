//! What bubblewrap is measured with: as near to the other rows' container as its options come, and as little as it can do.

use super::bundle::{CAPABILITIES, covered};
use crate::Result;
use crate::pairs::time;
use crate::place::Place;
use crate::watchdog;
use floor::Floor;
use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// What [`nearest`] does, for the table.
pub(crate) const NEAREST: &str = "`bwrap` with what it has of the same container: the namespaces, its `/proc` and `/dev`, mqueue, shm, \
     the host's `/sys` read-only with its cgroups (it makes no sysfs), the masked and the read-only paths, the \
     fourteen capabilities, the same filter, its payload as PID 1, both streams read by pipes. It makes no cgroup: what starts it \
     makes one in every hierarchy, with device rules, by the floor's calls, enters those of version 1 with the thread that starts it, \
     and removes them; that thread's way back out of them is not in the time. No state.";
/// What [`alone`] does, for the table.
pub(crate) const ALONE: &str =
    "The same `bwrap` without cgroups, its output thrown away: B does less than A.";
/// What [`least`] does, for the table.
pub(crate) const LEAST: &str = "`bwrap --unshare-all --proc /proc --dev /dev --bind R / /bin/true`: no cgroup, no sysfs, no masks, no state, no \
     filter, all capabilities.";

#[cfg(target_arch = "x86_64")]
const FILTER: &str = "fixtures/seccomp/docker-x86_64.bpf";
#[cfg(target_arch = "aarch64")]
const FILTER: &str = "fixtures/seccomp/docker-aarch64.bpf";

/// The docker profile's container as near as it comes with its options, and what its user has to add to that.
pub(crate) fn nearest(place: &Place, floor: &Floor) -> Result<Duration> {
    let mut command = with_all_options(place)?;
    watchdog::begin();
    let mut back = Duration::ZERO;
    let all = time(|| {
        let run = || watchdog::captured(&mut command).map_err(std::io::Error::other);
        let status;
        (status, back) = floor.in_cgroups("execdriver-bench-bwrap", run)?;
        succeeded(status, &command)
    })?;
    Ok(all.saturating_sub(back))
}

/// What its options give, and nothing beside it.
pub(crate) fn alone(place: &Place) -> Result<Duration> {
    run(with_all_options(place)?)
}

fn with_all_options(place: &Place) -> Result<Command> {
    let mut command = Command::new("bwrap");
    let namespaces = ["ipc", "pid", "net", "uts", "cgroup"];
    command.args(namespaces.map(|kind| format!("--unshare-{kind}")));
    command.args([
        "--as-pid-1",
        "--new-session",
        "--hostname",
        "execdriver-bench",
    ]);
    command.arg("--bind").arg(place.rootfs()).arg("/");
    command.args(["--proc", "/proc", "--dev", "/dev"]);
    command.args(["--mqueue", "/dev/mqueue", "--tmpfs", "/dev/shm"]);
    command.args(["--ro-bind", "/sys", "/sys"]);
    let covered = covered()?;
    let there = |path: &&String| Path::new(path).exists();
    for path in covered.masked.iter().filter(there) {
        if Path::new(path).is_dir() {
            command.args(["--tmpfs", path, "--remount-ro", path]);
        } else {
            command.args(["--ro-bind", "/dev/null", path]);
        }
    }
    for path in covered.read_only.iter().filter(there) {
        command.args(["--ro-bind", path, path]);
    }
    command.args(["--cap-drop", "ALL"]);
    for capability in CAPABILITIES {
        command.args(["--cap-add", capability]);
    }
    // It reads the filter and closes that descriptor: the payload has no input.
    let filter = File::open(place.workspace.join(FILTER))?;
    command.args(["--seccomp", "0", "/bin/true"]).stdin(filter);
    Ok(command)
}

/// What its own manual starts with.
pub(crate) fn least(place: &Place) -> Result<Duration> {
    let mut command = Command::new("bwrap");
    command
        .args(["--unshare-all", "--bind"])
        .arg(place.rootfs());
    command.args(["/", "--proc", "/proc", "--dev", "/dev", "/bin/true"]);
    command.stdin(Stdio::null());
    run(command)
}

/// From the start of the process to its end.
fn run(mut command: Command) -> Result<Duration> {
    command.stdout(Stdio::null());
    time(|| succeeded(watchdog::status(&mut command)?, &command))
}

fn succeeded(status: ExitStatus, command: &Command) -> Result<()> {
    match status.success() {
        true => Ok(()),
        false => Err(format!("{status}: {command:?}").into()),
    }
}
