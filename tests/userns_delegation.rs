//! Version 2 cgroups handed to an ordinary user, as `Delegate=yes` of systemd or an administrator does it.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod contract;
mod support;

use contract::{Bench, refused};
use execdriver::{Command, Error, LinuxResources, Resources};
use std::fs;
use support::{Need, USER, among, rerun, skip_unless};

/// A subtree of kim's with the controllers of limits.
const HANDED: &str = r#"
    D=/sys/fs/cgroup/kim$$
    export D
    trap 'for dir in $D/execdriver $D/host $D; do [ ! -d $dir ] || rmdir $dir; done' EXIT
    for name in cpu memory pids; do echo +$name >/sys/fs/cgroup/cgroup.subtree_control; done
    mkdir $D
    chown kim $D $D/cgroup.procs $D/cgroup.subtree_control $D/cgroup.threads
"#;

/// Runs as kim in this cgroup.
fn within(dir: &str) -> String {
    let become_kim = format!("setpriv --reuid={USER} --regid={USER} --clear-groups");
    format!(
        "sh -euc 'mkdir -p {dir}; chown kim {dir}; echo $$ >{dir}/cgroup.procs; exec {become_kim} \"$@\"' sh"
    )
}

fn limited(bench: &Bench, words: &[&str]) -> Command {
    let mut command = bench.command(words);
    command.resources = Some(Resources {
        memory: 64 << 20,
        linux: Some(LinuxResources {
            pids_limit: 17,
            ..LinuxResources::default()
        }),
        ..Resources::default()
    });
    command
}

fn own_cgroup(pid: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    text.lines()
        .find_map(|line| line.strip_prefix("0::"))
        .unwrap()
        .to_owned()
}

#[test]
fn the_containers_of_an_ordinary_user_lie_beside_it_in_what_it_was_handed() {
    let _among = among();
    const NAME: &str = "the_containers_of_an_ordinary_user_lie_beside_it_in_what_it_was_handed";
    if skip_unless(&[Need::CgroupV2]) || rerun(NAME, HANDED, &within("$D/host")) {
        return;
    }
    let bench = Bench::new();
    let sleeper = limited(&bench, &["pause"]);
    let host = own_cgroup("self");
    let expected = host.replace("/host", &format!("/execdriver/{}", sleeper.id));
    let (status, ()) = bench.while_running(&sleeper, |started| {
        let found = own_cgroup(&started.pid.to_string());
        assert_eq!(found, expected);
        let read =
            |file: &str| fs::read_to_string(format!("/sys/fs/cgroup{found}/{file}")).unwrap();
        assert_eq!(read("memory.max").trim(), "67108864");
        assert_eq!(read("pids.max").trim(), "17");
        assert_eq!(bench.exec(&sleeper.id, &["true"]).status.code, 0);
        assert_eq!(bench.driver.pids(&sleeper.id).unwrap().len(), 1);
    });
    let unenforced = status.unenforced.join("\n");
    assert!(!unenforced.contains("a cgroup of its own"), "{unenforced}");
    assert!(
        fs::metadata(format!("/sys/fs/cgroup{expected}")).is_err(),
        "it is removed"
    );
}

#[test]
fn a_limit_in_a_handed_cgroup_that_has_our_own_processes_is_an_error_with_the_mend() {
    let _among = among();
    const NAME: &str =
        "a_limit_in_a_handed_cgroup_that_has_our_own_processes_is_an_error_with_the_mend";
    if skip_unless(&[Need::CgroupV2]) || rerun(NAME, HANDED, &within("$D")) {
        return;
    }
    let bench = Bench::new();
    let (error, text) = refused(bench.try_run(&limited(&bench, &["true"])));
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    assert!(text.contains("has processes of its own"), "{text}");
    assert!(
        text.contains("start the host program in a cgroup below it"),
        "{text}"
    );
    // Without limits it still has one of its own, to be counted and killed by.
    let status = bench.run(&bench.command(&["true"])).status;
    let unenforced = status.unenforced.join("\n");
    assert!(!unenforced.contains("a cgroup of its own"), "{unenforced}");
}
