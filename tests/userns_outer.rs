//! A host program that is root of a user namespace of somebody else's making, as inside a rootless container.
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
use execdriver::{Command, Ephemeral, Error, IdMap, Ipc, Network, Pid};
use support::{USER, among, rerun, rerun_as_user};

/// Becomes an ordinary user, and root of a user namespace with that one id.
fn outer(more: &str) -> String {
    format!(
        "setpriv --reuid={USER} --regid={USER} --clear-groups unshare --user --map-root-user {more}"
    )
}

fn everything_runs() {
    let bench = Bench::new();
    let map = ["read", "/proc/self/uid_map"];
    let said = bench.says(&map);
    assert_eq!(
        said.split_whitespace().collect::<Vec<_>>(),
        ["0", &USER.to_string(), "1"]
    );
    let output = |change: fn(&mut Command)| {
        let mut command = bench.command(&[
            "seq",
            "touch",
            "/tmp/x",
            ",",
            "write",
            "/dev/null",
            "x",
            ",",
            "mkdir",
            "/sys/fs/cgroup/x",
        ]);
        change(&mut command);
        bench.run(&command).out
    };
    let changes: [fn(&mut Command); 7] = [
        |_| {},
        |command| command.network = Some(Network::host()),
        |command| command.as_linux_mut().unwrap().pid = Some(Pid::host()),
        |command| command.as_linux_mut().unwrap().ipc = Some(Ipc::host()),
        |command| command.as_linux_mut().unwrap().ephemeral = Some(Ephemeral::default()),
        |command| command.process.privileged = true,
        |command| {
            let map = vec![IdMap {
                container_id: 0,
                host_id: 0,
                size: 1,
            }];
            let linux = command.as_linux_mut().unwrap();
            (linux.uid_mappings, linux.gid_mappings) = (map.clone(), map);
        },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        assert_eq!(output(change), "ok\nok\nEROFS\n", "{index}");
    }
    let mut terminal = bench.command(&["tty"]);
    terminal.process.tty = true;
    assert!(bench.output(&terminal).contains("/dev/"), "a terminal");
}

#[test]
fn root_of_an_outer_user_namespace_runs_containers() {
    let _among = among();
    const NAME: &str = "root_of_an_outer_user_namespace_runs_containers";
    if !rerun(NAME, "", &outer("")) {
        everything_runs();
    }
}

#[test]
fn so_it_does_with_mounts_and_processes_of_its_own() {
    let _among = among();
    const NAME: &str = "so_it_does_with_mounts_and_processes_of_its_own";
    if !rerun(
        NAME,
        "",
        &outer("--mount --net --ipc --pid --fork --mount-proc"),
    ) {
        everything_runs();
    }
}

#[test]
fn ids_that_the_outer_user_namespace_has_not_are_refused() {
    let _among = among();
    const NAME: &str = "ids_that_the_outer_user_namespace_has_not_are_refused";
    if rerun(NAME, "", &outer("")) {
        return;
    }
    let bench = Bench::new();
    let mut command = bench.command(&["id"]);
    command.process.user = "5".to_owned();
    let (_, text) = refused(bench.try_run(&command));
    assert!(
        text.contains("user 5 is not in the container's id map \"0 61234 1\""),
        "{text}"
    );
    let more = bench
        .command(&["id"])
        .with_linux(|linux| linux.group_add = vec!["audio".into()]);
    let (_, text) = refused(bench.try_run(&more));
    assert!(text.contains("denies setgroups"), "{text}");
}

#[test]
fn a_container_in_an_outer_user_namespace_is_entered_and_ended() {
    let _among = among();
    const NAME: &str = "a_container_in_an_outer_user_namespace_is_entered_and_ended";
    if rerun(NAME, "", &outer("")) {
        return;
    }
    let bench = Bench::new();
    let sleeper = bench.command(&["pause"]);
    let (_, ()) = bench.while_running(&sleeper, |_| {
        let said = bench.exec(&sleeper.id, &["id"]).out;
        assert!(said.starts_with("uid=0 0 0 gid=0 0 0"), "{said}");
        assert_eq!(bench.driver.pids(&sleeper.id).unwrap().len(), 1);
        bench.other_driver().terminate(&sleeper.id).unwrap();
    });
}

#[test]
fn what_of_procfs_is_covered_outside_is_named_where_the_kernel_mounts_no_other() {
    let _among = among();
    const NAME: &str =
        "what_of_procfs_is_covered_outside_is_named_where_the_kernel_mounts_no_other";
    if rerun_as_user(NAME, "mount --bind /dev/null /proc/version") {
        return;
    }
    let bench = Bench::new();
    let mut command = bench.command(&["true"]);
    let (error, text) = refused(bench.try_run(&command));
    assert!(matches!(error, Error::Setup { .. }), "{error:?}");
    for words in ["mount proc on /proc", "covered: /proc/version", "pid"] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    // The mend.
    command.as_linux_mut().unwrap().pid = Some(Pid::host());
    assert_eq!(bench.run(&command).status.code, 0);
}
