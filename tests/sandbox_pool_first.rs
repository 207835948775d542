//! `native.sandbox_pool`: first processes that waited for their container, in cgroups that were made before.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "contract/ahead.rs"]
mod ahead;
mod contract;
mod support;

use ahead::{cgroup_name, has_waited, may_wait, own, processes, ready};
use contract::{Bench, Started};
use execdriver::{
    Command, Error, ExecRequest, Hooks, Mount, Pipes, ProcessConfig, Resources, RunOptions, Signal,
    Target,
};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use support::{Baseline, Need, alone, among, eventually, skip_unless};

const POOL: &str = "native.sandbox_pool=2";

/// A bench whose driver keeps first processes.
fn pooled() -> Bench {
    let bench = Bench::new().with_option(POOL);
    fill(&bench);
    bench
}

fn pause(bench: &Bench) -> Command {
    bench.command(&["pause"])
}

/// Until containers of this bench find one.
fn fill(bench: &Bench) {
    eventually("a first process waits for its container", || {
        bench.while_running(&pause(bench), has_waited).1
    });
}

/// Runs containers of this command until one finds a first process that waited.
fn while_one_that_waited_runs(bench: &Bench, command: &mut Command, act: impl Fn(&str)) {
    eventually("one waits", || {
        command.id = support::unique_id("waited");
        let look = |started: &Started| {
            let waited = has_waited(started);
            act(&command.id);
            waited
        };
        bench.while_running(command, look).1
    });
}

/// Neither for an ordinary user, nor where a filter of system calls, as of the stage with few calls, is in force.
fn skip() -> bool {
    skip_unless(&[Need::Root]) || !may_wait()
}

#[test]
fn each_has_cgroups_that_no_other_has_and_a_pid_namespace_whose_first_process_it_is() {
    if skip() {
        return;
    }
    let _among = among();
    let bench = pooled();
    let mut names = BTreeSet::new();
    for _ in 0..4 {
        fill(&bench);
        let command = pause(&bench);
        let (_, (name, said)) = bench.while_running(&command, |started| {
            let said = bench.exec(&command.id, &["cat", "/proc/1/comm"]).out;
            let cgroups = fs::read_to_string(format!("/proc/{}/cgroup", started.pid)).unwrap();
            let name = cgroup_name(started.pid);
            assert!(
                cgroups.lines().all(|line| line.ends_with(&name)),
                "{cgroups}"
            );
            (name, said)
        });
        assert_eq!(said, "pause\n");
        assert!(names.insert(name));
    }
}

/// What no test of its own says of them the whole contract does, once it is run with the option.
#[test]
fn limits_and_verbs_reach_a_container_whose_first_process_waited() {
    if skip() {
        return;
    }
    let _among = among();
    let bench = pooled();
    let mut command = pause(&bench);
    let mut limits = Resources {
        memory: 64 << 20,
        ..Resources::default()
    };
    limits.linux.get_or_insert_default().pids_limit = 17;
    command.resources = Some(limits);
    while_one_that_waited_runs(&bench, &mut command, |id| {
        let driver = &bench.driver;
        let stats = driver.stats(id).unwrap();
        assert_eq!(stats.memory_limit, 64 << 20);
        let counted = stats.cgroup.unwrap();
        assert_eq!(
            (counted.pids_stats.limit, counted.pids_stats.current),
            (17, 1)
        );
        let more = Resources {
            memory: 128 << 20,
            ..Resources::default()
        };
        driver.update(id, &more).unwrap();
        assert_eq!(driver.stats(id).unwrap().memory_limit, 128 << 20);
        driver.pause(id).unwrap();
        let request = ExecRequest::new(ProcessConfig::new("/bin/payload"));
        let refused = driver.exec(id, &request, Pipes::null(), &Hooks::none());
        assert!(matches!(refused, Err(Error::Paused { .. })), "{refused:?}");
        driver.unpause(id).unwrap();
        // By another process's driver as well.
        let pids = bench.other_driver().pids(id).unwrap();
        assert_eq!(pids.len(), 1);
        let other = bench.other_driver();
        other.kill(&Target::from(id), Signal::TERM).unwrap();
    });
}

#[test]
fn less_memory_than_it_may_have_already_is_not_given_to_one_that_waits() {
    if skip() {
        return;
    }
    let _among = among();
    let bench = pooled();
    let mut command = pause(&bench);
    command.resources = Some(Resources {
        memory: 8 << 20,
        ..Resources::default()
    });
    for _ in 0..4 {
        command.id = support::unique_id("small");
        assert!(!bench.while_running(&command, has_waited).1);
    }
}

/// It would die with the thread that has started it, and not with its host.
#[test]
fn a_container_that_dies_with_its_host_is_the_child_of_the_thread_that_runs_it() {
    if skip() {
        return;
    }
    let _among = among();
    let bench = pooled();
    let options = RunOptions::default().die_with_host(true);
    let name = Mutex::new(String::new());
    let hooks = Hooks::none().on_start(|context| {
        *name.lock().unwrap() = cgroup_name(context.pid);
        Ok(())
    });
    let command = bench.command(&["true"]);
    let status = bench.driver.run(&command, &options, Pipes::null(), &hooks);
    drop(hooks);
    assert_eq!(status.unwrap().code, 0);
    assert!(!name.into_inner().unwrap().starts_with("ready-"));
}

#[test]
fn what_was_mounted_on_the_host_since_is_there() {
    if skip() {
        return;
    }
    let _among = among();
    let bench = pooled();
    let later = bench.rootfs.outside().join("later");
    fs::create_dir(&later).unwrap();
    mount(
        Some("later"),
        &later,
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .unwrap();
    fs::write(later.join("word"), "found").unwrap();
    let mut command = pause(&bench);
    command.mounts = vec![Mount::bind(&later, "/later")];
    while_one_that_waited_runs(&bench, &mut command, |id| {
        assert_eq!(bench.exec(id, &["cat", "/later/word"]).out, "found");
    });
    umount2(&later, MntFlags::MNT_DETACH).unwrap();
}

/// Whoever starts a container hands down its processors, its priority, its limits. The thread that made what waits has others.
#[test]
fn a_thread_of_another_standing_hands_down_its_own() {
    let this = Pid::from_raw(0);
    let all = sched_getaffinity(this).unwrap();
    let mut cpus = (0..CpuSet::count()).filter(|cpu| all.is_set(*cpu).unwrap());
    // With one processor there is nothing to tell threads apart by.
    let (Some(first), true) = (cpus.next(), cpus.next().is_some()) else {
        return;
    };
    if skip() {
        return;
    }
    let _among = among();
    let (plain, bench) = (Bench::new(), pooled());
    let begun_by = |bench: &Bench| {
        let seen = Mutex::new((String::new(), false));
        let hooks = Hooks::none().on_start(|context| {
            let status = fs::read_to_string(format!("/proc/{}/status", context.pid))?;
            let waited = cgroup_name(context.pid).starts_with("ready-");
            let list = status
                .lines()
                .find(|line| line.starts_with("Cpus_allowed_list:"));
            *seen.lock().unwrap() = (list.unwrap().to_owned(), waited);
            Ok(())
        });
        bench.run_with(&bench.command(&["true"]), Pipes::null(), &hooks);
        drop(hooks);
        seen.into_inner().unwrap()
    };
    let pinned = || {
        let mut one = CpuSet::new();
        one.set(first).unwrap();
        sched_setaffinity(this, &one).unwrap();
        // Version 1 gives it those of its cgroup.
        let (expected, _) = begun_by(&plain);
        for _ in 0..3 {
            assert_eq!(begun_by(&bench), (expected.clone(), false));
        }
    };
    std::thread::scope(|scope| scope.spawn(pinned).join().unwrap());
    fill(&bench);
}

#[test]
fn one_that_somebody_killed_hinders_no_container() {
    if skip() {
        return;
    }
    let _alone = alone();
    let bench = pooled();
    for _ in 0..4 {
        for pid in processes(&own()) {
            kill(Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
            // Killed while its container starts, it would have that fail, as any first process.
            eventually("it is dead", || {
                let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
                stat.map_or(true, |stat| stat.contains(") Z "))
            });
        }
        bench.says(&["true"]);
    }
    fill(&bench);
}

#[test]
fn an_id_is_free_at_once_and_its_cgroups_go_behind_it() {
    if skip() {
        return;
    }
    let _alone = alone();
    let bench = pooled();
    let mut command = bench.command(&["true"]);
    command.id = support::unique_id("again");
    for _ in 0..30 {
        bench.output(&command);
    }
    // Two wait, and nothing else is there.
    eventually("the cgroups of what has ended go", || {
        let names: BTreeSet<_> = own()
            .iter()
            .map(|dir| dir.file_name().map(ToOwned::to_owned))
            .collect();
        names.len() == 2 && processes(&own()).len() == 2
    });
}

#[test]
fn a_taken_id_takes_nothing_that_waits() {
    if skip() {
        return;
    }
    let _alone = alone();
    let bench = pooled();
    let command = pause(&bench);
    bench.while_running(&command, |started| {
        let name = cgroup_name(started.pid);
        let others = || {
            let mut own = own();
            own.retain(|dir| !dir.ends_with(&name));
            own
        };
        eventually("two wait", || processes(&others()).len() == 2);
        let before = others();
        for _ in 0..3 {
            let refused = bench.try_run(&command);
            assert!(
                matches!(refused, Err(Error::AlreadyExists { .. })),
                "{refused:?}"
            );
        }
        assert_eq!(others(), before);
    });
    fill(&bench);
}

#[test]
fn a_dropped_driver_leaves_neither_processes_nor_cgroups() {
    if skip() {
        return;
    }
    let _alone = alone();
    let bench = Bench::new();
    bench.says(&["true"]);
    let mark = format!("-{}-", std::process::id());
    let baseline = Baseline::take(&bench.rootfs, &[&mark]);
    let other = pooled();
    assert!(!own().is_empty());
    other.says(&["true"]);
    drop(other);
    assert_eq!(own(), BTreeSet::new(), "at once");
    baseline.assert_back();
}

/// The variable that makes the test below the host program that is killed.
const VICTIM: &str = "EXECDRIVER_TEST_VICTIM";

#[test]
fn of_a_host_program_that_was_killed_the_next_one_removes_what_waited() {
    if skip() {
        return;
    }
    if std::env::var_os(VICTIM).is_some() {
        let bench = pooled();
        println!("{}", bench.rootfs.path().display());
        kill(Pid::this(), nix::sys::signal::Signal::SIGKILL).unwrap();
    }
    let _alone = alone();
    let name = "of_a_host_program_that_was_killed_the_next_one_removes_what_waited";
    let mut victim = std::process::Command::new(std::env::current_exe().unwrap());
    let victim = victim
        .args(["--exact", "--nocapture", name])
        .env(VICTIM, "1");
    let mut child = victim.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let said = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
    child.wait().unwrap();
    let left = ready(pid);
    assert!(!left.is_empty(), "{said}");
    eventually("what waited ends without its host", || {
        processes(&left).is_empty()
    });
    let _bench = pooled();
    assert_eq!(ready(pid), BTreeSet::new());
    // The files of the host that was killed.
    let root = said
        .lines()
        .find_map(|line| Path::new(line.trim()).parent());
    let root = root.filter(|root| root.starts_with(std::env::temp_dir()));
    if let Some(root) = root.filter(|root| *root != std::env::temp_dir()) {
        fs::remove_dir_all(root).unwrap();
    }
}
