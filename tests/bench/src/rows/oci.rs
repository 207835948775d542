//! The OCI runtime of this project against others: the same bundle, each as a process of its own.

use super::cold::{CGROUPFS, oci};
use crate::Result;
use crate::pairs::Pairs;
use crate::peers::version;
use crate::place::Place;
use crate::report::{Row, Unit};
use crate::version_one;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The container of every side.
const ID: &str = "execdriver-bench-oci";

pub(crate) fn measure(place: &Place, pairs: usize) -> Result<Vec<Row>> {
    version_one::within(&[ID], || rows(place, pairs))
}

fn rows(place: &Place, pairs: usize) -> Result<Vec<Row>> {
    let own = place.build_runtime()?;
    let own = own.to_str().ok_or("the workspace's path is not UTF-8")?;
    let run = || oci(place, own, &[], ID);
    let mut rows = Vec::new();
    if let Some(crun) = version("crun") {
        rows.push(Row {
            name: format!("`execdriver-oci run` against `crun run` ({crun})"),
            unit: Unit::Millis,
            target: Some(0.8),
            pairs: Pairs::take(pairs, run, || oci(place, "crun", CGROUPFS, ID))?,
            did: "A: `execdriver-oci run` of a static `true`, built as docs/oci.md says, from the start of the process to its end. \
                  B: `crun --cgroup-manager=cgroupfs run` of the same bundle, its document that of the cold rows. Both in a mount \
                  namespace in which version 2 is unmounted, their state on a tmpfs."
                .into(),
        });
    }
    if let Some(runc) = version("runc") {
        rows.push(Row {
            name: format!("`execdriver-oci run` against `runc run` ({runc})"),
            unit: Unit::Millis,
            target: Some(0.3),
            pairs: Pairs::take(pairs, run, || oci(place, "runc", &[], ID))?,
            did: "As the row before, B by runc.".into(),
        });
    }
    if let Some(crun) = version("crun") {
        rows.push(Row {
            name: format!("resident peak of `execdriver-oci run` against `crun run` ({crun})"),
            unit: Unit::Kibibytes,
            target: Some(1.0),
            pairs: peaks(place, own, pairs.min(200))?,
            did: "The same two, their `ru_maxrss` as wait4(2) tells it of the runtime's process: the most that it, or one of the \
                  processes that it waited for, had in memory at once, files that it maps included. The payload has three pages. \
                  Whoever starts a process counts in that figure until the exec, so both are started by a static program of \
                  some pages (`tests/bench/freestanding/peak.rs`)."
                .into(),
        });
    }
    Ok(rows)
}

/// Bytes of ours and of crun's, in turn.
fn peaks(place: &Place, own: &str, pairs: usize) -> Result<Pairs> {
    let starter = place.file("peak");
    fs::write(&starter, floor::PEAK)?;
    fs::set_permissions(&starter, fs::Permissions::from_mode(0o755))?;
    let crun = on_path("crun").ok_or("no crun on the PATH")?;
    let ours = || peak(place, &starter, Path::new(own), &[]);
    let theirs = || peak(place, &starter, &crun, CGROUPFS);
    // Neither is to pay for what the other, or a first run, has to read from the disk.
    ours()?;
    theirs()?;
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        a.push(ours()?);
        b.push(theirs()?);
    }
    Ok(Pairs::of(a, b))
}

fn peak(place: &Place, starter: &Path, runtime: &Path, global: &[&str]) -> Result<f64> {
    let name = runtime.file_name().ok_or("a runtime without a name")?;
    let mut command = Command::new(starter);
    command
        .arg(runtime)
        .arg("--root")
        .arg(place.state(&name.to_string_lossy()))
        .args(global)
        .arg("run");
    command.arg("--bundle").arg(place.bundle("true")).arg(ID);
    // The payload prints nothing.
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?.trim().parse()?),
        false => Err(format!("{}: {command:?}", output.status).into()),
    }
}

/// Where execvp(3) would find a program.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}
