//! Who a container's program is, what it may do, and who may look at what the driver writes down.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
#[path = "hosts/own.rs"]
mod own;
mod support;

use contract::{Bench, process, refused};
use execdriver::{Error, ExecRequest, Hooks, Pipes, RunOptions, Signal, Target};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use support::{Need, skip_unless};

/// CVE-2016-3697: the rootfs has a user whose name is `1000` and whose uid is 0.
#[test]
fn cve_2016_3697_a_numeric_user_is_that_number_whatever_the_containers_files_call_so() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let mut command = bench.command(&["id"]);
    command.process.user = "1000".to_owned();
    let said = bench.output(&command);
    assert!(said.starts_with("uid=1000 1000 1000 "), "{said}");
    let sleeper = bench.command(&["pause"]);
    bench.while_running(&sleeper, |_| {
        let mut process = process(&["id"]);
        process.user = "1000".to_owned();
        let request = ExecRequest::new(process);
        let said = bench.try_exec_with(&sleeper.id, &request, Pipes::null());
        let said = said.unwrap().out;
        assert!(said.starts_with("uid=1000 1000 1000 "), "{said}");
    });
}

/// CVE-2026-46680: the rootfs has a user of such a name with uid 0.
#[test]
fn cve_2026_46680_a_number_that_is_no_id_is_refused_and_never_looked_up() {
    let bench = Bench::new();
    for user in ["4294967296", "4294967295", "2147483648", "-1", "+1", "0:-1"] {
        let mut command = bench.command(&["id"]);
        command.process.user = user.to_owned();
        let (error, text) = refused(bench.try_run(&command));
        assert!(matches!(error, Error::InvalidCommand { .. }), "{text}");
        assert!(text.contains("user"), "{text}");
    }
}

/// CVE-2026-30892: `1` was read as root.
#[test]
fn cve_2026_30892_an_execs_numeric_user_and_group_are_those() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let sleeper = bench.command(&["pause"]);
    bench.while_running(&sleeper, |_| {
        for (user, wanted) in [
            ("1", "uid=1 1 1 gid=1 1 1 "),
            ("1:2", "uid=1 1 1 gid=2 2 2 "),
            ("77:88", "uid=77 77 77 gid=88 88 88 "),
            ("0", "uid=0 0 0 gid=0 0 0 "),
        ] {
            let mut process = process(&["id"]);
            process.user = user.to_owned();
            let request = ExecRequest::new(process);
            let outcome = bench.try_exec_with(&sleeper.id, &request, Pipes::null());
            let said = outcome.unwrap().out;
            assert!(said.starts_with(wanted), "{user}: {said}");
        }
    });
}

/// CVE-2023-25173: groups that are missing get past a file which denies a group.
#[test]
fn cve_2023_25173_the_supplementary_groups_are_exactly_the_containers_own() {
    const NAME: &str = "cve_2023_25173_the_supplementary_groups_are_exactly_the_containers_own";
    if skip_unless(&[Need::Root]) || !own::in_own_process(NAME) {
        return;
    }
    // The host's own groups are none of the container's.
    let foreign = [4242, 4243].map(nix::unistd::Gid::from_raw);
    nix::unistd::setgroups(&foreign).unwrap();
    let bench = Bench::new();
    let groups = |said: &str| said.trim().rsplit_once("groups=").unwrap().1.to_owned();
    let mut command = bench.command(&["id"]);
    command.process.user = "daemon".to_owned();
    let command = command.with_linux(|linux| {
        linux.group_add = vec!["audio".to_owned(), "50".to_owned()];
    });
    assert_eq!(groups(&bench.output(&command)), "1,29,50");
    // root is in wheel as the group file says.
    assert_eq!(groups(&bench.says(&["id"])), "0,10");
    let mut unknown = bench.command(&["id"]);
    unknown.process.user = "4242:4242".to_owned();
    assert_eq!(groups(&bench.output(&unknown)), "4242");
}

/// CVE-2022-29162, CVE-2022-27650, CVE-2022-24769: a program with file capabilities would have got the inheritable ones.
#[test]
fn cve_2022_29162_neither_a_run_nor_an_exec_has_inheritable_or_ambient_capabilities() {
    let bench = Bench::new();
    let none = "CapInh 0000000000000000\nCapAmb 0000000000000000\n";
    let words = ["status", "CapInh", "CapAmb"];
    assert_eq!(bench.says(&words), none);
    let added = bench.command(&words).with_linux(|linux| {
        linux.cap_add = vec!["SYS_TIME".to_owned()];
    });
    assert_eq!(bench.output(&added), none);
    let sleeper = bench.command(&["pause"]);
    bench.while_running(&sleeper, |_| {
        assert_eq!(bench.exec(&sleeper.id, &words).out, none);
        let mut privileged = process(&words);
        privileged.privileged = true;
        for request in [
            ExecRequest::new(process(&words)).capabilities(vec!["CHOWN".to_owned()]),
            ExecRequest::new(privileged),
        ] {
            let outcome = bench.try_exec_with(&sleeper.id, &request, Pipes::null());
            assert_eq!(outcome.unwrap().out, none);
        }
    });
}

/// Everything below a directory, and the directory.
fn all_below(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::from([dir.to_path_buf()]);
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.append(&mut all_below(&entry.path()));
        } else {
            found.insert(entry.path());
        }
    }
    found
}

/// crun 1.20 to 1.29 made directories outside of its own for such ids.
#[test]
fn crun_1_20_an_id_that_leads_elsewhere_is_refused_by_every_method_and_nothing_is_made() {
    let bench = Bench::new();
    bench.says(&["true"]);
    let before = all_below(bench.rootfs.all());
    let long = "x".repeat(300);
    for id in [
        "../x", "a/b", "/x", "..", ".", ".x", "", "a\0b", "a b", "a\n", &long,
    ] {
        let invalid = |outcome: execdriver::Result<()>, what: &str| {
            let (error, text) = refused(outcome);
            let right = matches!(error, Error::InvalidCommand { .. });
            assert!(right, "{what} of {id:?}: {text}");
        };
        let driver = &bench.driver;
        let mut command = bench.command(&["true"]);
        command.id = id.to_owned();
        invalid(bench.try_run(&command).map(drop), "run");
        invalid(bench.try_exec(id, &["true"]).map(drop), "exec");
        invalid(driver.kill(&Target::from(id), Signal::KILL), "kill");
        invalid(driver.pids(id).map(drop), "pids");
        invalid(driver.terminate(id), "terminate");
        invalid(driver.clean(id), "clean");
    }
    assert_eq!(all_below(bench.rootfs.all()), before);
}

/// CVE-2021-41103, CVE-2024-25621: others could read the state, and run what lay in it.
#[test]
fn cve_2021_41103_others_may_look_at_nothing_that_the_driver_writes_whatever_the_umask() {
    if !own::in_own_process(
        "cve_2021_41103_others_may_look_at_nothing_that_the_driver_writes_whatever_the_umask",
    ) {
        return;
    }
    let bench = Bench::new();
    nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    let command = bench.command(&["pause"]);
    let hooks = Hooks::none().on_start(|context| {
        let all = all_below(&bench.rootfs.state().join("execdriver"));
        let own = |path: &&PathBuf| path.to_string_lossy().contains(context.id);
        assert!(all.iter().filter(own).count() > 1, "{all:?}");
        for path in all {
            let mode = std::fs::symlink_metadata(&path)?.permissions().mode();
            assert_eq!(mode & 0o077, 0, "{path:?} has mode {mode:o}");
        }
        Ok(bench.driver.terminate(context.id)?)
    });
    let (options, pipes) = (RunOptions::default(), Pipes::null());
    let run = bench.driver.run(&command, &options, pipes, &hooks);
    run.unwrap();
}
