//! A test that root runs once more as an ordinary user, on a host that was prepared for it.

use super::{Need, payload, skip_unless};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// The ordinary user; nobody on any host.
pub(crate) const USER: u32 = 61_234;
/// Set to the test's name in its second run.
const INSIDE: &str = "EXECDRIVER_TEST_INSIDE";

/// True when the caller is done: this was the first run, of root, which ran `script` in a mount namespace of its own and
/// then the test `name` of this program as an ordinary user with the name `kim`; or it is skipped. False in that second run.
///
/// `$DIR` is a directory of the script's own; what it leaves elsewhere it removes by `trap ... EXIT`.
#[track_caller]
pub(crate) fn rerun_as_user(name: &str, script: &str) -> bool {
    rerun(
        name,
        script,
        &format!("setpriv --reuid={USER} --regid={USER} --clear-groups"),
    )
}

/// The same, by another program that executes its arguments.
#[track_caller]
pub(crate) fn rerun(name: &str, script: &str, by: &str) -> bool {
    if std::env::var(INSIDE).is_ok_and(|inside| inside == name) {
        return false;
    }
    let programs = ["unshare", "setpriv", "sh"].map(Need::Program);
    if skip_unless(&[Need::Root]) || skip_unless(&programs) {
        return true;
    }
    let dir = tempfile::Builder::new()
        .prefix("execdriver-user-")
        .tempdir()
        .expect("a directory");
    let dir = dir.path();
    let open = |path: &std::path::Path| fs::set_permissions(path, Permissions::from_mode(0o755));
    open(dir).expect("our own directory");
    for (from, to) in [
        (std::env::current_exe().expect("we run"), "test"),
        (payload().to_path_buf(), "payload"),
    ] {
        fs::copy(from, dir.join(to)).expect("a program can be copied");
        open(&dir.join(to)).expect("our own file");
    }
    let passwd = fs::read_to_string("/etc/passwd").expect("a host has users");
    fs::write(
        dir.join("passwd"),
        format!("{passwd}kim:x:{USER}:{USER}::/:/bin/sh\n"),
    )
    .expect("our own file");
    let whole = format!(
        "mount --bind \"$DIR/passwd\" /etc/passwd\n{script}\n{by} \"$DIR/test\" --exact {name} --nocapture"
    );
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-euc", &whole])
        .env("DIR", dir)
        .env("EXECDRIVER_PAYLOAD", dir.join("payload"))
        .env(INSIDE, name)
        .env("HOME", "/")
        .current_dir("/")
        .output()
        .expect("unshare is there");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    assert!(
        output.status.success() && out.contains("1 passed"),
        "{}\n{out}\n{err}",
        output.status
    );
    true
}
