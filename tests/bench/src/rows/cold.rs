//! The command line as a process of its own against other runtimes as processes of their own.

use crate::Result;
use crate::pairs::{Pairs, time};
use crate::peers::{self, version};
use crate::place::Place;
use crate::report::{Row, Unit};
use crate::rows::bubblewrap;
use crate::version_one;
use crate::watchdog;
use std::process::{Command, Stdio};

/// crun's flag without which it asks systemd.
pub(crate) const CGROUPFS: &[&str] = &["--cgroup-manager=cgroupfs"];

/// crun and bwrap know a container by this name.
const ID: &str = "execdriver-bench-cold";

pub(crate) fn measure(place: &Place, pairs: usize) -> Result<Vec<Row>> {
    version_one::within(&[ID], || rows(place, pairs))
}

fn rows(place: &Place, pairs: usize) -> Result<Vec<Row>> {
    let own = place.build("execdriver", "execdriver")?;
    let floor = place.build("execdriver-bench", "floor")?;
    let execdriver = |flags: &[&str]| {
        let mut command = Command::new(&own);
        command
            .arg("--root")
            .arg(place.state("cold"))
            .arg("run")
            .args(flags);
        command.arg("--rootfs").arg(place.rootfs());
        command.args(["--", "/bin/true"]);
        run(command)
    };
    let floor = || {
        let mut command = Command::new(&floor);
        command.arg(place.rootfs());
        run(command)
    };
    let mut rows = Vec::new();
    if let Some(crun) = version("crun") {
        let run = || oci(place, "crun", CGROUPFS, ID);
        rows.push(Row {
            name: format!("`execdriver run --no-init`, cold, against `crun run` ({crun})"),
            unit: Unit::Millis,
            target: Some(0.7),
            pairs: Pairs::take(pairs, || execdriver(&["--no-init"]), run)?,
            did: "A: `execdriver run --no-init --rootfs R -- /bin/true` as a process, start of the process included. B: \
                  `crun --cgroup-manager=cgroupfs run` of a bundle with the same root file system, \
                  namespaces, mounts, nodes, device rules, masks, capabilities and seccomp document. Neither has an init, a \
                  terminal; both make a session keyring and a cgroup in each hierarchy of version 1, and keep state on a tmpfs. \
                  crun refuses hosts that have version 2 beside version 1, so both run in a mount namespace, made before, \
                  in which it is unmounted."
                .into(),
        });
        rows.push(Row {
            name: "`execdriver run`, cold, with its init, against the same `crun run`".into(),
            unit: Unit::Millis,
            target: None,
            pairs: Pairs::take(pairs, || execdriver(&[]), run)?,
            did: "As row 1, with the command line's default of an init that stays as PID 1, which crun has not.".into(),
        });
        rows.push(Row {
            name: "the floor as a process against the same `crun run`".into(),
            unit: Unit::Millis,
            target: None,
            pairs: Pairs::take(pairs, floor, run)?,
            did: "What can be reached: the straight-line program of the in-process row, started as a process.".into(),
        });
    }
    if let Some(runc) = version("runc") {
        let run = || oci(place, "runc", &[], ID);
        rows.push(Row {
            name: format!("`execdriver run --no-init`, cold, against `runc run` ({runc})"),
            unit: Unit::Millis,
            target: None,
            pairs: Pairs::take(pairs, || execdriver(&["--no-init"]), run)?,
            did: "As row 1, B by runc.".into(),
        });
    }
    if let Some(youki) = peers::youki(&place.workspace)
        && let Some(name) = version(&youki)
    {
        let run = || oci(place, &youki, &[], ID);
        rows.push(Row {
            name: format!("`execdriver run --no-init`, cold, against `youki run` ({name})"),
            unit: Unit::Millis,
            target: None,
            pairs: Pairs::take(pairs, || execdriver(&["--no-init"]), run)?,
            did: "As row 1, B by youki, built with its features v1, v2 and seccomp.".into(),
        });
    }
    if let Some(bwrap) = version("bwrap") {
        rows.push(Row {
            name: format!("`execdriver run --no-init`, cold, against `bwrap` ({bwrap})"),
            unit: Unit::Millis,
            target: None,
            pairs: Pairs::take(
                pairs,
                || execdriver(&["--no-init"]),
                || bubblewrap::alone(place),
            )?,
            did: "B: `bwrap` as where it is measured against `run` in process, without cgroups."
                .into(),
        });
    }
    Ok(rows)
}

/// `run` of the bundle by another runtime.
pub(crate) fn oci(
    place: &Place,
    runtime: &str,
    global: &[&str],
    id: &str,
) -> Result<std::time::Duration> {
    let mut command = Command::new(runtime);
    let name = runtime.rsplit('/').next().unwrap_or(runtime);
    command
        .arg("--root")
        .arg(place.state(name))
        .args(global)
        .arg("run");
    command.arg("--bundle").arg(place.bundle("true")).arg(id);
    run(command).inspect_err(|_| remove(place, runtime, id))
}

/// What a run that failed has left: the rows are measured once more.
fn remove(place: &Place, runtime: &str, id: &str) {
    let name = runtime.rsplit('/').next().unwrap_or(runtime);
    let mut command = Command::new(runtime);
    command.arg("--root").arg(place.state(name));
    let _ = run_quietly(command.args(["delete", "--force", id]));
}

fn run_quietly(command: &mut Command) -> Result<()> {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
    quiet.stderr(Stdio::null()).status()?;
    Ok(())
}

/// From the start of the process to its end.
fn run(mut command: Command) -> Result<std::time::Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    time(|| {
        let status = watchdog::status(&mut command)?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{status}: {command:?}").into())
        }
    })
}
