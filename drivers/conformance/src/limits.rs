//! Statistics and limits: what is counted, what an update changes, and that a refused one changes nothing.

use crate::bench::{enforces, id, supports, while_running};
use crate::{Act, Subject};
use execdriver_core::{
    Command, Error, ExecRequest, Hooks, LinuxResources, Pipes, ResourceStats, Resources, Result,
    Rlimit, RunOptions,
};

const MIB: i64 = 1 << 20;

/// Limits for the platform of the subject's commands.
fn resources(subject: &dyn Subject, change: impl FnOnce(&mut Resources)) -> Resources {
    let mut resources = Resources {
        linux: is_linux(subject).then(LinuxResources::default),
        ..Resources::default()
    };
    change(&mut resources);
    resources
}

fn is_linux(subject: &dyn Subject) -> bool {
    let command = subject.command("which-platform", &Act::Exit(0));
    command.as_linux().is_some()
}

/// Memory of this many mebibytes, and swap on top of it up to `both` where the driver limits it.
fn memory(subject: &dyn Subject, mebibytes: i64, both: i64) -> Resources {
    let swap = enforces(subject.driver().as_ref(), "limits of swap");
    resources(subject, |all| {
        all.memory = mebibytes * MIB;
        if swap {
            linux(all).memory_swap = both * MIB;
        }
    })
}

/// A container that is limited to 64 MiB; `None` where the driver limits no memory, or counts none.
fn limited(subject: &dyn Subject, act: &Act) -> Option<Command> {
    let driver = subject.driver();
    let able = |operation: &str| driver.capabilities().enforces("operations", operation);
    let can = able("stats") && able("update") && enforces(driver.as_ref(), "limits of memory");
    can.then(|| Command {
        resources: Some(memory(subject, 64, 96)),
        ..subject.command(&id("limited"), act)
    })
}

fn limit(subject: &dyn Subject, command: &Command) -> i64 {
    subject.driver().stats(&command.id).unwrap().memory_limit
}

#[track_caller]
fn not_running<T: std::fmt::Debug>(answer: Result<T>) {
    let typed = matches!(
        answer,
        Err(Error::NotFound { .. } | Error::NotRunning { .. })
    );
    assert!(typed, "{answer:?}");
}

/// Stats of a running container, by any handle; before its start and after its end an error.
pub fn stats(subject: &dyn Subject) {
    let command = subject.command(&id("stats"), &Act::Sleep);
    let driver = subject.driver();
    if !supports(driver.as_ref(), "stats", || driver.stats("nobody-here")) {
        return;
    }
    not_running(driver.stats("nobody-here"));
    while_running(subject, &command, |driver| {
        let stats = driver.stats(&command.id).unwrap();
        assert!(stats.memory_limit > 0, "{stats:?}");
        assert_eq!(stats.system_usage, 0, "that is the host program's to fill");
        let json = stats.to_json().unwrap();
        assert_eq!(ResourceStats::from_json(&json).unwrap(), stats);
        subject.driver().stats(&command.id).unwrap();
    })
    .0
    .unwrap();
    not_running(driver.stats(&command.id));
    let early = subject.command(&id("early"), &Act::Exit(0));
    let hooks = Hooks::none().on_pre_start(|context| {
        not_running(driver.stats(context.id));
        Ok(())
    });
    let status = driver.run(&early, &RunOptions::default(), Pipes::null(), &hooks);
    assert!(status.unwrap().success());
}

/// No counter is ever less than it was, nor is the time of reading.
pub fn stats_never_go_back(subject: &dyn Subject) {
    let command = subject.command(&id("counters"), &Act::Sleep);
    let counters = |stats: &ResourceStats| {
        let cgroup = stats.cgroup.clone().unwrap_or_default();
        let cpu = cgroup.cpu_stats;
        let memory = cgroup.memory_stats;
        let received = stats.interfaces.iter().map(|one| one.rx_bytes).sum();
        [
            cpu.cpu_usage.total_usage,
            cpu.throttling_data.periods,
            cpu.throttling_data.throttled_time,
            memory.usage.max_usage,
            memory.usage.failcnt,
            memory.events.oom_kill,
            cgroup.pids_stats.peak,
            received,
        ]
    };
    while_running(subject, &command, |driver| {
        if !driver.capabilities().enforces("operations", "stats") {
            return;
        }
        let mut before = driver.stats(&command.id).unwrap();
        for _ in 0..20 {
            let request = ExecRequest::new(subject.process(&Act::Exit(0)));
            driver
                .exec(&command.id, &request, Pipes::null(), &Hooks::none())
                .unwrap();
            let now = driver.stats(&command.id).unwrap();
            assert!(now.read >= before.read, "{now:?} after {before:?}");
            let pairs = counters(&before).into_iter().zip(counters(&now));
            assert!(
                pairs.into_iter().all(|(old, new)| old <= new),
                "{now:?} after {before:?}"
            );
            before = now;
        }
    })
    .0
    .unwrap();
}

/// An update of nothing succeeds and changes nothing, where the driver has updates.
pub fn update(subject: &dyn Subject) {
    let command = subject.command(&id("update"), &Act::Sleep);
    while_running(subject, &command, |driver| {
        let update = || driver.update(&command.id, &Resources::default());
        if supports(driver.as_ref(), "update", update) {
            update().unwrap();
            let nothing = resources(subject, |_| {});
            driver.update(&command.id, &nothing).unwrap();
        }
    })
    .0
    .unwrap();
}

/// What is not there, has not started or is over has no limits to change.
pub fn update_of_what_does_not_run_is_an_error(subject: &dyn Subject) {
    let driver = subject.driver();
    let nothing = Resources::default();
    let update = || driver.update("nobody-here", &nothing);
    if !supports(driver.as_ref(), "update", update) {
        return;
    }
    not_running(update());
    let command = subject.command(&id("early"), &Act::Exit(0));
    let hooks = Hooks::none().on_pre_start(|context| {
        not_running(driver.update(context.id, &nothing));
        Ok(())
    });
    let options = RunOptions::default();
    let status = driver.run(&command, &options, Pipes::null(), &hooks);
    assert!(status.unwrap().success());
    not_running(driver.update(&command.id, &nothing));
}

/// Memory grows above the old total of memory and swap, and shrinks again, in one call each; what an update does not
/// name stays.
pub fn update_changes_what_it_names_and_nothing_else(subject: &dyn Subject) {
    let Some(command) = limited(subject, &Act::Sleep) else {
        return;
    };
    while_running(subject, &command, |driver| {
        assert_eq!(limit(subject, &command), 64 * MIB);
        for (mebibytes, both) in [(80, 96), (256, 512), (1024, 1024), (32, 64), (64, 96)] {
            let change = memory(subject, mebibytes, both);
            driver.update(&command.id, &change).unwrap();
            assert_eq!(limit(subject, &command), mebibytes * MIB);
        }
        if is_linux(subject) {
            let other = resources(subject, |all| linux(all).oom_score_adj = Some(700));
            driver.update(&command.id, &other).unwrap();
        }
        driver.update(&command.id, &Resources::default()).unwrap();
        assert_eq!(limit(subject, &command), 64 * MIB);
    })
    .0
    .unwrap();
}

/// One bad part and nothing of the update is done; the error names the field.
pub fn update_is_all_or_nothing(subject: &dyn Subject) {
    let Some(command) = limited(subject, &Act::Sleep) else {
        return;
    };
    while_running(subject, &command, |driver| {
        for (field, change) in bad(is_linux(subject)) {
            let mut update = memory(subject, 128, 192);
            change(&mut update);
            let refused = driver.update(&command.id, &update);
            names(&refused, field);
            assert_eq!(limit(subject, &command), 64 * MIB, "{field}");
        }
        driver
            .update(&command.id, &memory(subject, 128, 192))
            .unwrap();
        assert_eq!(limit(subject, &command), 128 * MIB);
    })
    .0
    .unwrap();
}

/// A limit that the container has outgrown already is refused, and kills nobody.
pub fn a_limit_below_what_is_in_use_is_refused(subject: &dyn Subject) {
    let Some(command) = limited(subject, &Act::Sleep) else {
        return;
    };
    let (status, ()) = while_running(subject, &command, |driver| {
        let stats = driver.stats(&command.id).unwrap();
        let current = stats.cgroup.unwrap_or_default().pids_stats.current;
        if !enforces(driver.as_ref(), "limits of processes") || current < 1 {
            return;
        }
        let request = ExecRequest::new(subject.process(&Act::SleepIgnoringTerm)).exec_id("more");
        let hooks = Hooks::none().on_start(|_| {
            let mut update = memory(subject, 128, 192);
            update.linux.as_mut().unwrap().pids_limit = 1;
            names(&driver.update(&command.id, &update), "resources.pids_limit");
            assert_eq!(limit(subject, &command), 64 * MIB);
            let target = execdriver_core::Target::exec(&command.id, "more");
            Ok(driver.kill(&target, execdriver_core::Signal::KILL)?)
        });
        driver
            .exec(&command.id, &request, Pipes::null(), &hooks)
            .unwrap();
    });
    assert!(!status.unwrap().oom_killed);
}

/// Limits that no kernel takes are refused by their field before any hook runs.
pub fn limits_of_a_run_that_no_kernel_takes_start_nothing(subject: &dyn Subject) {
    let driver = subject.driver();
    for (field, change) in bad(is_linux(subject)) {
        if field == "resources.oom_score_adj" {
            // A command has one of its own.
            continue;
        }
        let mut command = subject.command(&id("bad-limit"), &Act::Exit(0));
        let mut limits = resources(subject, |_| {});
        change(&mut limits);
        command.resources = Some(limits);
        let hooks = Hooks::none().on_pre_start(|_| panic!("nothing may start"));
        let refused = driver.run(&command, &RunOptions::default(), Pipes::null(), &hooks);
        names(&refused, field);
        assert!(driver.list().unwrap().iter().all(|c| c.id != command.id));
    }
}

/// An exec may have limits of its own; bad ones are refused before any hook runs.
pub fn exec_limits(subject: &dyn Subject) {
    let Some(command) = limited(subject, &Act::Sleep) else {
        return;
    };
    while_running(subject, &command, |driver| {
        let exec = |limits: Resources, hooks: &Hooks<'_>| {
            let request = ExecRequest::new(subject.process(&Act::Exit(9))).resources(limits);
            driver.exec(&command.id, &request, Pipes::null(), hooks)
        };
        let ended = exec(memory(subject, 32, 32), &Hooks::none());
        if let Err(Error::Unsupported { .. }) = ended {
            // Whole containers are all that it limits.
            return;
        }
        assert_eq!(ended.unwrap().code, 9);
        for (field, change) in bad(is_linux(subject)) {
            let mut limits = memory(subject, 32, 32);
            change(&mut limits);
            let hooks = Hooks::none().on_pre_start(|_| panic!("nothing may start"));
            names(&exec(limits, &hooks), field);
        }
        assert_eq!(limit(subject, &command), 64 * MIB);
    })
    .0
    .unwrap();
}

type Change = fn(&mut Resources);

fn linux(resources: &mut Resources) -> &mut LinuxResources {
    resources.linux.get_or_insert_default()
}

/// Values out of every kernel's range, by the field that the error names; those that both platforms have, or all of Linux's.
fn bad(is_linux: bool) -> Vec<(&'static str, Change)> {
    let both: [(&'static str, Change); 4] = [
        ("resources.memory", |all| all.memory = -2),
        ("resources.memory_reservation", |all| {
            all.memory_reservation = -2;
        }),
        ("resources.cpu_shares", |all| all.cpu_shares = -1),
        ("resources.blkio_weight", |all| all.blkio_weight = 1001),
    ];
    let of_linux: [(&'static str, Change); 8] = [
        ("resources.cpu_shares", |all| all.cpu_shares = 1),
        ("resources.memory_swap", |all| {
            all.memory = 128 * MIB;
            linux(all).memory_swap = 127 * MIB;
        }),
        ("resources.cpu_period", |all| linux(all).cpu_period = 999),
        ("resources.cpuset_cpus", |all| {
            linux(all).cpuset_cpus = "3-1".to_owned();
        }),
        ("resources.memory_swappiness", |all| {
            linux(all).memory_swappiness = 101;
        }),
        ("resources.pids_limit", |all| linux(all).pids_limit = -2),
        ("resources.oom_score_adj", |all| {
            linux(all).oom_score_adj = Some(1001);
        }),
        ("resources.rlimits[0].soft", |all| {
            linux(all).rlimits = vec![Rlimit {
                kind: 7,
                soft: 2,
                hard: 1,
            }];
        }),
    ];
    let of_linux = of_linux.into_iter().filter(|_| is_linux);
    both.into_iter().chain(of_linux).collect()
}

#[track_caller]
fn names<T: std::fmt::Debug>(answer: &Result<T>, field: &str) {
    let named = matches!(answer, Err(Error::InvalidCommand { field: found, .. }) if found == field);
    assert!(named, "{field}: {answer:?}");
}
