//! Cgroups that stay open between two execs in a container: of whom, for how long, and that a process enters those of now.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
#[path = "contract/descriptors.rs"]
mod descriptors;
#[path = "contract/host.rs"]
mod host;
mod support;

use contract::{Bench, process, refused};
use descriptors::{Limited, open};
use execdriver::{Driver, Error, ExecRequest, Hooks, Pipes, Signal, Stdio, Target};
use host::{assert_no_trace, cgroups_of};
use std::cell::Cell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use support::{Need, alone, among, skip_unless};

/// How often the entrance of a container's cgroups is open in this process, which none of its runs has open.
fn kept(id: &str) -> usize {
    let is_entrance = |target: &PathBuf| {
        let of = target.parent().and_then(Path::file_name);
        let name = target.file_name().and_then(|name| name.to_str());
        of.is_some_and(|of| of == id)
            && matches!(name, Some("notify_on_release" | "cgroup.controllers"))
    };
    let mut times: HashMap<PathBuf, usize> = HashMap::new();
    open()
        .filter(is_entrance)
        .for_each(|target| *times.entry(target).or_default() += 1);
    times.into_values().max().unwrap_or(0)
}

fn cgroups(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap()
}

/// The cgroups of a process that is executed in the container.
fn executed(driver: &dyn Driver, id: &str) -> execdriver::Result<String> {
    let (tell, told) = mpsc::channel();
    // Alive until it was looked at: the kernel moves the dead to the root cgroup.
    let (input, end) = std::io::pipe().unwrap();
    let request = ExecRequest::new(process(&["cat"]));
    let pipes = Pipes::null().stdin(Stdio::reader(input));
    let end = Cell::new(Some(end));
    let hooks = Hooks::none().on_start(move |context| {
        tell.send(cgroups(context.pid))?;
        drop(end.take());
        Ok(())
    });
    let status = driver.exec(id, &request, pipes, &hooks)?;
    assert_eq!(status.code, 0, "{status:?}");
    Ok(told.recv().unwrap())
}

#[test]
fn who_executes_again_keeps_cgroups_open_until_the_container_ends() {
    let _alone = alone();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let id = command.id.as_str();
    let other = bench.other_driver();
    bench.while_running(&command, |init| {
        let of_init = cgroups(init.pid);
        let executes = |driver: &dyn Driver| assert_eq!(executed(driver, id).unwrap(), of_init);
        executes(&*bench.driver);
        assert_eq!(kept(id), 0, "after one exec");
        for _ in 0..8 {
            executes(&*bench.driver);
            assert_eq!(kept(id), 1);
        }
        executes(&*other);
        executes(&*other);
        assert_eq!(kept(id), 2, "two drivers");
    });
    assert_eq!(kept(id), 1, "the other was not asked again");
    let (error, text) = refused(executed(&*other, id));
    assert!(matches!(error, Error::NotFound { .. }), "{text}");
    assert_eq!(kept(id), 0);
    assert_no_trace(&bench, id);
}

#[test]
fn execs_at_once_enter_by_the_same() {
    let _alone = alone();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let id = command.id.as_str();
    bench.while_running(&command, |init| {
        let of_init = cgroups(init.pid);
        let executes = || assert_eq!(executed(&*bench.driver, id).unwrap(), of_init);
        executes();
        executes();
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| (0..6).for_each(|_| executes()));
            }
        });
        assert_eq!(kept(id), 1);
    });
    assert_eq!(kept(id), 0);
    assert!(!open().any(|target| target.to_string_lossy().contains(id)));
    assert_no_trace(&bench, id);
}

#[test]
fn none_stays_open_where_that_was_asked_for() {
    let _alone = alone();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bench = Bench::new().with_option("native.kept_open=0");
    let command = bench.command(&["pause"]);
    let id = command.id.as_str();
    bench.while_running(&command, |init| {
        for _ in 0..4 {
            assert_eq!(executed(&*bench.driver, id).unwrap(), cgroups(init.pid));
            assert_eq!(kept(id), 0);
        }
    });
}

#[test]
fn the_upper_half_of_the_descriptors_is_left_for_others() {
    let _alone = alone();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let id = command.id.as_str();
    bench.while_running(&command, |init| {
        let of_init = cgroups(init.pid);
        let below: Vec<_> = (0..300).map(|_| fs::File::open("/dev/null")).collect();
        let limited = Limited::to(600);
        let all: Vec<_> = (0..4).map(|_| executed(&*bench.driver, id)).collect();
        let high = kept(id);
        drop(limited);
        drop(below);
        all.into_iter()
            .for_each(|one| assert_eq!(one.unwrap(), of_init));
        assert_eq!(high, 0);
        assert_eq!(executed(&*bench.driver, id).unwrap(), of_init);
        assert_eq!(kept(id), 1);
    });
}

#[test]
fn a_container_of_the_same_id_is_entered_by_its_own_cgroups() {
    let _alone = alone();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bench = Bench::new();
    let other = bench.other_driver();
    let first = bench.command(&["pause"]);
    let second = execdriver::Command {
        id: first.id.clone(),
        ..bench.command(&["pause"])
    };
    for (command, left) in [(&first, 0), (&second, 1)] {
        bench.while_running(command, |init| {
            assert_eq!(kept(&command.id), left, "of the one before");
            for _ in 0..3 {
                assert_eq!(executed(&*other, &command.id).unwrap(), cgroups(init.pid));
            }
            assert_eq!(kept(&command.id), 1);
        });
        assert_no_trace(&bench, &command.id);
    }
}

/// Somebody takes the first process out of one of its cgroups and removes that, in each hierarchy in turn.
#[test]
fn a_cgroup_that_is_gone_is_missed_as_by_who_enters_for_the_first_time() {
    let _alone = alone();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bench = Bench::new();
    for nth in 0.. {
        let command = bench.command(&["pause"]);
        let id = command.id.as_str();
        let (_, more) = bench.while_running(&command, |init| {
            for _ in 0..3 {
                executed(&*bench.driver, id).unwrap();
            }
            assert_eq!(kept(id), 1);
            let mut all = cgroups_of(id);
            all.sort();
            let Some(own) = all.get(nth) else {
                return false;
            };
            let root = own.parent().and_then(Path::parent).unwrap();
            fs::write(root.join("cgroup.procs"), init.pid.to_string()).unwrap();
            fs::remove_dir(own).unwrap();
            let told =
                |driver: &dyn Driver| executed(driver, id).map_err(|error| error.to_string());
            let as_first = told(&*bench.other_driver());
            assert_eq!(told(&*bench.driver), as_first, "{}", own.display());
            assert_eq!(told(&*bench.driver), as_first, "{}", own.display());
            true
        });
        assert_no_trace(&bench, id);
        if !more {
            return assert!(nth > 0);
        }
    }
}

/// Execs whose ids were made up are on record while they run, and no longer.
#[test]
fn a_made_up_exec_is_on_record_while_it_runs() {
    let _among = among();
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let id = command.id.as_str();
    let records = || {
        let dir = bench.rootfs.state().join("execdriver/native").join(id);
        let files = fs::read_dir(dir).unwrap().flatten();
        let names = files.map(|file| file.file_name().into_string().unwrap());
        names.filter(|name| name.contains("exec-")).count()
    };
    let acts = |words: &[&str], hooks: &Hooks<'_>| {
        let request = ExecRequest::new(process(words));
        bench.driver.exec(id, &request, Pipes::null(), hooks)
    };
    bench.while_running(&command, |_| {
        for _ in 0..4 {
            let runs = Hooks::none().on_start(|_| {
                assert_eq!(records(), 1);
                Ok(())
            });
            assert_eq!(acts(&["true"], &runs).unwrap().code, 0);
            assert_eq!(records(), 0);
            // Known to a hook that is called before there is a process of the program's: it can be asked for.
            let before = Hooks::none().on_pre_start(|context| {
                let target = Target::exec(id, context.exec_id.unwrap());
                let killed = bench.driver.kill(&target, Signal::TERM);
                assert!(
                    matches!(killed, Err(Error::NotRunning { .. })),
                    "{killed:?}"
                );
                Ok(())
            });
            assert_eq!(acts(&["true"], &before).unwrap().code, 0);
            assert_eq!(records(), 0);
            acts(&["/missing"], &Hooks::none()).unwrap_err();
            let refuses = Hooks::none().on_start(|_| Err("not now".into()));
            acts(&["pause"], &refuses).unwrap_err();
            assert_eq!(records(), 0);
        }
    });
    assert_no_trace(&bench, id);
}
