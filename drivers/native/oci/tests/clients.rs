//! containerd, Docker and Podman on this runtime: what their users see is what they are used to.
//!
//! Each script in `clients/` starts its client under a directory of its own and prints a line a step; `.expected` has what
//! they are to be, which is also what the same script prints with runc in our place. Debian's packages are installed by
//! `tests/run.sh --only clients`, which runs these.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

#[path = "../../../../tests/support/mod.rs"]
mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{Need, USER, skip_unless};
use tempfile::TempDir;

const RUNTIME: &str = env!("CARGO_BIN_EXE_execdriver-oci");

/// Runs a client's script with a runtime.
fn compare(client: &str, runtime: &str) {
    let place = tempfile::Builder::new().prefix("oci-").tempdir().unwrap();
    let mut shell = Command::new("bash");
    shell.arg(scripts().join(format!("{client}.sh")));
    compare_by(shell, client, Path::new(runtime), &place);
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// The same by this shell in this place; every line that is expected has to be there.
fn compare_by(mut shell: Command, client: &str, runtime: &Path, place: &TempDir) {
    let output = shell
        .env("RUNTIME", runtime)
        .env("PLACE", place.path())
        .env("BUSYBOX", "/bin/busybox")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let expected = fs::read_to_string(scripts().join(format!("{client}.expected"))).unwrap();
    let mut wrong = Vec::new();
    for line in expected
        .lines()
        .filter(|line| !said.lines().any(|one| one == *line))
    {
        let name = line.split(':').next().unwrap_or_default();
        let got = said.lines().find(|one| one.split(':').next() == Some(name));
        wrong.push(format!("{line}\n  got {}", got.unwrap_or("nothing")));
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        wrong.is_empty(),
        "{client} on {runtime:?}:\n{}\n{errors}",
        wrong.join("\n")
    );
}

#[test]
#[ignore = "needs the clients: tests/run.sh --only clients"]
fn containerd_runs_its_containers_on_this_runtime() {
    if !skip_unless(&[Need::Root, Need::Busybox, Need::Program("ctr")]) {
        compare("containerd", RUNTIME);
    }
}

#[test]
#[ignore = "needs the clients: tests/run.sh --only clients"]
fn docker_runs_its_containers_on_this_runtime() {
    if !skip_unless(&[Need::Root, Need::Busybox, Need::Program("dockerd")]) {
        compare("docker", RUNTIME);
    }
}

#[test]
#[ignore = "needs the clients: tests/run.sh --only clients"]
fn podman_runs_its_containers_on_this_runtime() {
    if !skip_unless(&[Need::Root, Need::Busybox, Need::Program("podman")]) {
        compare("podman", RUNTIME);
    }
}

#[test]
#[ignore = "needs the clients: tests/run.sh --only clients"]
fn the_clients_say_the_same_with_runc() {
    if !skip_unless(&[Need::Root, Need::Busybox, Need::Program("runc")]) {
        for client in ["containerd", "docker"] {
            compare(client, "/usr/sbin/runc");
        }
    }
}

#[test]
#[ignore = "needs the clients: tests/run.sh --only clients"]
fn podman_of_an_ordinary_user_runs_its_containers_on_this_runtime() {
    let program = Need::Program;
    if skip_unless(&[
        Need::Root,
        Need::Busybox,
        program("podman"),
        program("setpriv"),
    ]) {
        return;
    }
    // With copies, for the user may not be let into where the project is.
    let all = tempfile::Builder::new()
        .prefix("oci-")
        .tempdir_in("/tmp")
        .unwrap();
    fs::set_permissions(all.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let runtime = all.path().join("execdriver-oci");
    fs::copy(RUNTIME, &runtime).unwrap();
    for script in ["common.sh", "podman.sh"] {
        fs::copy(scripts().join(script), all.path().join(script)).unwrap();
    }
    let place = tempfile::Builder::new()
        .prefix("place-")
        .tempdir_in(all.path())
        .unwrap();
    chown(place.path(), Some(USER), Some(USER)).unwrap();
    let mut shell = Command::new("setpriv");
    shell.args([&format!("--reuid={USER}"), &format!("--regid={USER}")]);
    shell.args(["--clear-groups", "--inh-caps=-all", "bash"]);
    shell.arg(all.path().join("podman.sh"));
    compare_by(shell, "podman-rootless", &runtime, &place);
}
