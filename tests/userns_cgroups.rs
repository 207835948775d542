//! Cgroups of an ordinary user: those that an administrator has delegated, and what is said without them.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod contract;
mod support;

use contract::Bench;
use std::fs;
use support::{Need, USER, among, rerun, skip_unless};

/// A cgroup of kim's in every hierarchy, as an administrator would give it.
const DELEGATED: &str = r#"
    made=
    trap 'for dir in $made; do rmdir $dir/execdriver $dir; done' EXIT
    for mount in $(awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts); do
        name=$(basename $mount)
        case $name in unified) key=;; systemd) key=name=systemd;; *) key=$name;; esac
        above=$mount$(awk -F: -v key="$key" '$2 == key { print $3 }' /proc/self/cgroup)
        mine=$above/kim$$
        mkdir $mine
        made="$mine $made"
        if [ -e $mine/cpuset.cpus ] && [ $name = cpuset ]; then
            cat $above/cpuset.cpus > $mine/cpuset.cpus
            cat $above/cpuset.mems > $mine/cpuset.mems
        fi
        chown -R kim $mine
    done
    export made
"#;

/// Enters them and becomes kim.
fn delegated() -> String {
    let enter = "for dir in $made; do echo $$ > $dir/cgroup.procs; done";
    let become_kim = format!("setpriv --reuid={USER} --regid={USER} --clear-groups");
    format!("sh -euc '{enter}; exec {become_kim} \"$@\"' sh")
}

#[test]
fn a_delegated_version_1_cgroup_holds_the_containers_of_an_ordinary_user() {
    let _among = among();
    const NAME: &str = "a_delegated_version_1_cgroup_holds_the_containers_of_an_ordinary_user";
    if skip_unless(&[Need::CgroupV1("pids"), Need::Program("awk")])
        || rerun(NAME, DELEGATED, &delegated())
    {
        return;
    }
    let bench = Bench::new();
    let sleeper = bench.command(&["pause"]);
    let (status, ()) = bench.while_running(&sleeper, |started| {
        let text = fs::read_to_string(format!("/proc/{}/cgroup", started.pid)).unwrap();
        let ours = format!("/execdriver/{}", sleeper.id);
        for line in text.lines() {
            assert!(line.ends_with(&ours) && line.contains("/kim"), "{text}");
        }
        let said = bench.exec(&sleeper.id, &["cgroup"]).out;
        assert!(said.lines().all(|line| line.ends_with(":/")), "{said}");
    });
    let unenforced = status.unenforced.join("\n");
    assert!(!unenforced.contains("a cgroup of its own"), "{unenforced}");
    assert!(unenforced.contains("device rules"), "{unenforced}");
    for line in fs::read_to_string("/proc/self/cgroup").unwrap().lines() {
        assert!(!line.contains("execdriver"), "{line}");
    }
}
