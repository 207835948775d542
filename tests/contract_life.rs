//! From a container's start to its end: state on disk, hooks, many at once, user namespaces.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
#[path = "contract/host.rs"]
mod host;
mod support;

use contract::{Bench, Outcome, refused, with_timeout};
use execdriver::{
    Command, ContainerState, Error, ExecRequest, HookStage, Hooks, IdMap, Network, Pipes,
    RemappedRoot,
};
use host::{alive, assert_gone, assert_no_trace, cgroups_of, state_dir};
use std::cell::{Cell, RefCell};
use std::os::unix::fs::PermissionsExt;
use std::{fs, thread};
use support::{Baseline, Need, Rootfs, alone, among, is_root, skip_unless, unique_id};

#[test]
fn statedir() {
    let _among = among();
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let dir = state_dir(&bench, &command.id);
    bench.while_running(&command, |init| {
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(dir.clone()), 0o700);
        let state = fs::read_to_string(dir.join("state.json")).unwrap();
        assert!(state.contains(&init.pid.to_string()), "{state}");
        let twice = bench.try_run(&command);
        let (error, text) = refused(twice);
        assert!(matches!(error, Error::AlreadyExists { .. }), "{text}");
        let (error, text) = refused(bench.driver.clean(&command.id));
        assert!(matches!(error, Error::Running { .. }), "{text}");
        assert!(alive(init.pid));
    });
    assert_no_trace(&bench, &command.id);

    fs::create_dir(&dir).unwrap();
    let (error, text) = refused(bench.try_run(&command));
    assert!(matches!(error, Error::AlreadyExists { .. }), "{text}");
    let listed = bench.driver.list().unwrap();
    assert_eq!(listed[0].state, ContainerState::Stopped);
    bench.driver.clean(&command.id).unwrap();
    bench.driver.clean(&command.id).unwrap();
    let again = Command {
        process: contract::process(&["true"]),
        ..command
    };
    assert!(bench.run(&again).status.success());
}

#[test]
fn a_start_whose_record_was_taken_away_is_given_up_and_leaves_nothing() {
    let _among = among();
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    // What a `terminate` does that met the start before its record.
    let dir = state_dir(&bench, &command.id);
    let hooks = Hooks::none().on_pre_start(|_| Ok(fs::remove_dir_all(&dir)?));
    let (error, text) = refused(bench.try_run_with(&command, Pipes::null(), &hooks));
    assert!(matches!(error, Error::Aborted { .. }), "{text}");
    assert_no_trace(&bench, &command.id);
}

#[test]
fn restart() {
    let _among = among();
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let (_, first) = bench.while_running(&command, |init| init.pid);
    let (_, second) = bench.while_running(&command, |init| init.pid);
    assert_ne!(first, second);
    assert_no_trace(&bench, &command.id);
}

#[test]
fn concurrent() {
    let _alone = alone();
    let bench = Bench::new();
    let stem = unique_id("contract-many");
    let run = |number: usize| -> Outcome {
        let words = [
            "seq",
            "sleep",
            "0.1",
            ",",
            "echo",
            &number.to_string(),
            ",",
            "exit",
            &number.to_string(),
        ];
        let mut command = bench.command(&words);
        command.id = format!("{stem}-{number}");
        bench.run(&command)
    };
    run(99);
    let baseline = Baseline::take(&bench.rootfs, &[&stem]);
    thread::scope(|scope| {
        let run = &run;
        let all: Vec<_> = (0..40).map(|n| scope.spawn(move || run(n))).collect();
        for (number, run) in all.into_iter().enumerate() {
            let outcome = run.join().unwrap();
            assert_eq!(outcome.status.code, i32::try_from(number).unwrap());
            assert_eq!(outcome.out, format!("{number}\n"));
        }
    });
    baseline.assert_back();
}

#[test]
fn hooks() {
    let _among = among();
    let bench = Bench::new();
    let calls = RefCell::new(Vec::new());
    let note = |what: &str| calls.borrow_mut().push(what.to_owned());
    let exe = |pid: u32| fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let command = bench.command(&["sleep", "0.3"]);
    let pid = Cell::new(0);
    let hooks = Hooks::none()
        .on_pre_start(|context| {
            note("first");
            assert_eq!(context.stage, HookStage::PreStart);
            assert!(alive(context.pid));
            // Nothing of the container has run, and its namespaces are there.
            assert!(!exe(context.pid).ends_with("payload"));
            let own = fs::read_link("/proc/self/ns/net")?;
            if is_root() {
                assert_ne!(fs::read_link(format!("/proc/{}/ns/net", context.pid))?, own);
                let cgroup = fs::read_to_string(format!("/proc/{}/cgroup", context.pid))?;
                assert!(cgroup.contains(&command.id), "{cgroup}");
            }
            pid.set(context.pid);
            Ok(())
        })
        .on_pre_start(|_| {
            note("second");
            Ok(())
        })
        .on_start(|context| {
            note("start");
            assert_eq!(context.pid, pid.get());
            assert!(state_dir(&bench, &command.id).join("state.json").exists());
            if is_root() {
                assert!(
                    exe(context.pid).ends_with("sleep"),
                    "{:?}",
                    exe(context.pid)
                );
            }
            Ok(())
        })
        .on_post_stop(|context| {
            note("stop");
            assert_eq!(context.pid, 0);
            assert_no_trace(&bench, &command.id);
            Err("told".into())
        });
    let outcome = bench.run_with(&command, Pipes::null(), &hooks);
    drop(hooks);
    assert_eq!(outcome.status.code, 0);
    assert_eq!(outcome.status.post_stop_errors.len(), 1);
    assert_eq!(calls.take(), ["first", "second", "start", "stop"]);
}

#[test]
fn a_hook_that_fails_aborts_the_start_or_kills_the_container() {
    let _among = among();
    let bench = Bench::new();
    let calls = RefCell::new(Vec::new());
    let note = |what: &str| calls.borrow_mut().push(what.to_owned());
    let pid = Cell::new(0);
    let command = bench.command(&["touch", "/tmp/ran"]);
    let hooks = Hooks::none()
        .on_pre_start(|context| {
            note("first");
            pid.set(context.pid);
            Err("no network today".into())
        })
        .on_pre_start(|_| {
            note("second");
            Ok(())
        })
        .on_start(|_| {
            note("start");
            Ok(())
        })
        .on_post_stop(|_| {
            note("stop");
            Ok(())
        });
    let (error, text) = refused(bench.try_run_with(&command, Pipes::null(), &hooks));
    drop(hooks);
    assert!(matches!(error, Error::Hook { .. }), "{text}");
    assert!(text.ends_with("no network today"), "{text}");
    assert_eq!(calls.take(), ["first", "stop"]);
    assert!(!bench.rootfs.inside("tmp/ran").exists());
    assert_gone(pid.get());
    assert_no_trace(&bench, &command.id);

    let sleeper = bench.command(&["pause"]);
    let hooks = Hooks::none().on_start(|context| {
        pid.set(context.pid);
        Err("not wanted".into())
    });
    let (error, text) = refused(bench.try_run_with(&sleeper, Pipes::null(), &hooks));
    drop(hooks);
    assert!(matches!(error, Error::Hook { .. }), "{text}");
    assert_gone(pid.get());
    assert_no_trace(&bench, &sleeper.id);

    // In any network mode, where the original skipped it.
    for network in [None, Some(Network::host())] {
        let mut command = bench.command(&["true"]);
        command.network = network;
        let called = Cell::new(false);
        let hooks = Hooks::none().on_pre_start(|_| {
            called.set(true);
            Ok(())
        });
        bench.run_with(&command, Pipes::null(), &hooks);
        assert!(called.get(), "{:?}", command.network);
    }

    // A panic cleans up and goes on.
    let command = bench.command(&["pause"]);
    let hooks = Hooks::none().on_start(|context| {
        pid.set(context.pid);
        panic!("the hook's own")
    });
    let run = std::panic::AssertUnwindSafe(|| bench.try_run_with(&command, Pipes::null(), &hooks));
    assert!(std::panic::catch_unwind(run).is_err());
    assert_gone(pid.get());
    assert_no_trace(&bench, &command.id);
}

#[test]
fn userns() {
    let _among = among();
    if skip_unless(&[Need::Root]) {
        return;
    }
    let rootfs = Rootfs::new();
    rootfs.give_to(100_000, 100_000);
    let bench = Bench::on(rootfs);
    let map = vec![IdMap {
        container_id: 0,
        host_id: 100_000,
        size: 65_536,
    }];
    let mapped = |words: &[&str]| {
        bench.command(words).with_linux(|linux| {
            linux.remapped_root = Some(RemappedRoot {
                uid: 100_000,
                gid: 100_000,
            });
            linux.uid_mappings = map.clone();
            linux.gid_mappings = map.clone();
        })
    };
    let words = [
        "seq",
        "id",
        ",",
        "read",
        "/proc/self/uid_map",
        ",",
        "read",
        "/proc/self/gid_map",
        ",",
        "touch",
        "/tmp/mine",
        ",",
        "split",
        ",",
        "exit",
        "3",
    ];
    let outcome = bench.run(&mapped(&words));
    assert_eq!(outcome.status.code, 3, "{outcome:?}");
    let lines: Vec<String> = outcome
        .out
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert!(lines[0].starts_with("uid=0 0 0 gid=0 0 0"), "{lines:?}");
    assert_eq!(
        lines[1..],
        ["0 100000 65536", "0 100000 65536", "ok", "out"]
    );
    assert_eq!(outcome.err, "err\n");
    let owner = fs::metadata(bench.rootfs.inside("tmp/mine")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), 100_000);

    // Both streams are complete at the return, without a descriptor of ours left open.
    let big = bench.run(&mapped(&["big", "3000000"]));
    assert_eq!(big.out.len(), 3_000_000);

    let sleeper = mapped(&["pause"]);
    bench.while_running(&sleeper, |init| {
        let said = bench.exec(&sleeper.id, &["id"]).out;
        assert!(said.starts_with("uid=0 0 0 gid=0 0 0"), "{said}");
        let status = fs::read_to_string(format!("/proc/{}/status", init.pid)).unwrap();
        assert!(status.contains("Uid:\t100000\t100000\t"), "{status}");
        let nodes = bench.exec(&sleeper.id, &["write", "/dev/null", "x"]);
        assert_eq!(nodes.out, "ok\n");
    });
}

#[test]
fn a_start_has_a_timeout_and_so_has_the_program() {
    let _among = among();
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let status = with_timeout(|options| {
        let hooks = Hooks::none();
        bench.driver.run(&command, &options, Pipes::null(), &hooks)
    });
    assert_eq!(status.unwrap().reason, execdriver::ExitReason::TimedOut);
    assert!(cgroups_of(&command.id).is_empty());
    let gone = bench
        .driver
        .exec(
            &command.id,
            &ExecRequest::new(contract::process(&["true"])),
            Pipes::null(),
            &Hooks::none(),
        )
        .unwrap_err();
    assert!(matches!(gone, Error::NotFound { .. }), "{gone:?}");
}
