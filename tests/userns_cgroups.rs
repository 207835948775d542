//! Cgroups of an ordinary user: those that an administrator has delegated, and what is said without them.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod contract;
mod support;

use contract::{Bench, process, refused};
use execdriver::{Error, ExecRequest, Hooks, LinuxResources, Pipes, Resources};
use std::fs;
use support::{Need, USER, among, rerun, rerun_as_user, skip_unless};

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
}

#[test]
fn limits_are_in_force_in_a_delegated_cgroup() {
    let _among = among();
    const NAME: &str = "limits_are_in_force_in_a_delegated_cgroup";
    if skip_unless(&[Need::CgroupV1("pids"), Need::Program("awk")])
        || rerun(NAME, DELEGATED, &delegated())
    {
        return;
    }
    let bench = Bench::new();
    let mut sleeper = bench.command(&["pause"]);
    sleeper.resources = Some(Resources {
        memory: 64 << 20,
        cpu_shares: 512,
        linux: Some(LinuxResources {
            pids_limit: 17,
            ..LinuxResources::default()
        }),
        ..Resources::default()
    });
    let read = |pid: u32, controller: &str, file: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let name = format!(":{controller}:");
        let path = text
            .lines()
            .find_map(|line| line.split_once(&name))
            .unwrap()
            .1
            .to_owned();
        fs::read_to_string(format!("/sys/fs/cgroup/{controller}{path}/{file}")).unwrap()
    };
    bench.while_running(&sleeper, |started| {
        let pid = started.pid;
        assert_eq!(
            read(pid, "memory", "memory.limit_in_bytes").trim(),
            "67108864"
        );
        assert_eq!(read(pid, "pids", "pids.max").trim(), "17");
        assert_eq!(read(pid, "cpu", "cpu.shares").trim(), "512");
    });
}

#[test]
fn a_limit_without_a_delegated_cgroup_is_an_error_with_the_mend() {
    let _among = among();
    const NAME: &str = "a_limit_without_a_delegated_cgroup_is_an_error_with_the_mend";
    if rerun_as_user(NAME, "") {
        return;
    }
    let bench = Bench::new();
    let mut command = bench.command(&["true"]);
    command.resources = Some(Resources {
        memory: 64 << 20,
        ..Resources::default()
    });
    let (error, text) = refused(bench.try_run(&command));
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    assert!(text.contains("memory"), "{text}");
    assert!(
        text.contains("Delegate=yes") || text.contains("chown"),
        "{text}"
    );
    let resources = command.resources.take().unwrap();
    let status = bench.run(&command).status;
    let unenforced = status.unenforced.join("\n");
    assert!(unenforced.contains("a cgroup of its own"), "{unenforced}");
    // Later it is no other: systemd hands over nothing of version 1.
    let sleeper = bench.command(&["pause"]);
    bench.while_running(&sleeper, |_| {
        let update = bench.driver.update(&sleeper.id, &resources);
        let mut request = ExecRequest::new(process(&["true"]));
        request.resources = Some(resources.clone());
        let exec = bench
            .driver
            .exec(&sleeper.id, &request, Pipes::null(), &Hooks::none());
        let v1 = fs::read_to_string("/proc/mounts")
            .unwrap()
            .contains(" cgroup ");
        for text in [refused(update).1, refused(exec).1] {
            assert!(text.contains("chown"), "{text}");
            assert!(!v1 || !text.contains("systemd-run"), "{text}");
        }
    });
}
