//! Statistics: what is counted, by whom it can be asked, and what asking leaves.
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

use contract::{Bench, refused};
use execdriver::{
    Command, Driver, Error, Hooks, Network, Options, Pipes, Registry, ResourceStats, Resources,
    RunOptions, Timestamp,
};
use host::{alive, assert_no_trace};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::SystemTime;
use support::{Baseline, Need, alone, among, eventually, skip_unless, unique_id};

fn cpu(stats: &ResourceStats) -> u64 {
    let cgroup = stats.cgroup.as_ref().unwrap();
    cgroup.cpu_stats.cpu_usage.total_usage
}

fn mem_total() -> i64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<i64>().unwrap() * 1024
}

#[test]
fn stats() {
    let _among = among();
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["spin", "100"]);
    let id = command.id.as_str();
    bench.while_running(&command, |_| {
        let before = Timestamp::from(SystemTime::now());
        let first = bench.driver.stats(id).unwrap();
        let after = Timestamp::from(SystemTime::now());
        assert!(first.read.since(before).is_some() && after.since(first.read).is_some());
        assert_eq!(first.memory_limit, mem_total());
        assert_eq!(first.system_usage, 0);
        // A host that asks again has used some processor time in between.
        eventually("a positive cpu delta", || {
            let second = bench.driver.stats(id).unwrap();
            second.read > first.read && cpu(&second) > cpu(&first)
        });
        let cgroup = bench.driver.stats(id).unwrap().cgroup.unwrap();
        assert!(cgroup.memory_stats.usage.usage > 0, "{cgroup:?}");
        assert!(cgroup.memory_stats.usage.max_usage > 0, "{cgroup:?}");
        assert!(!cgroup.memory_stats.stats.is_empty());
        assert!(cgroup.pids_stats.current >= 1, "{cgroup:?}");
        let json = bench.driver.stats(id).unwrap().to_json().unwrap();
        let back = ResourceStats::from_json(&json).unwrap();
        assert_eq!(back.to_json().unwrap(), json);
    });
    let (error, text) = refused(bench.driver.stats(id));
    let gone = matches!(error, Error::NotRunning { .. } | Error::NotFound { .. });
    assert!(gone, "{text}");
}

#[test]
fn stats_limit() {
    let _among = among();
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let command = Command {
        resources: Some(Resources {
            memory: 64 << 20,
            ..Resources::default()
        }),
        ..bench.command(&["pause"])
    };
    bench.while_running(&command, |_| {
        let stats = bench.driver.stats(&command.id).unwrap();
        assert_eq!(stats.memory_limit, 64 << 20);
    });
}

/// The original said -1, which its clients showed as 18446744073709551615.
#[test]
fn defect_15_no_limit_of_memory_is_told_as_the_memory_of_the_machine() {
    let _among = among();
    if skip_unless(&[Need::Root, Need::Cgroups]) {
        return;
    }
    let bench = Bench::new();
    let limit = |memory| Resources {
        memory,
        ..Resources::default()
    };
    let command = Command {
        resources: Some(limit(-1)),
        ..bench.command(&["pause"])
    };
    bench.while_running(&command, |_| {
        let told = || bench.driver.stats(&command.id).unwrap().memory_limit;
        assert_eq!(told(), mem_total());
        bench.driver.update(&command.id, &limit(64 << 20)).unwrap();
        assert_eq!(told(), 64 << 20);
        bench.driver.update(&command.id, &limit(-1)).unwrap();
        assert_eq!(told(), mem_total());
        // More than there is is no limit either.
        bench.driver.update(&command.id, &limit(1 << 50)).unwrap();
        assert_eq!(told(), mem_total());
    });
}

#[test]
fn only_a_network_of_its_own_is_counted_and_that_of_the_host_never() {
    let _among = among();
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bench = Bench::new();
    let names = |command: &Command| {
        let (_, stats) = bench.while_running(command, |_| bench.driver.stats(&command.id).unwrap());
        let names: Vec<String> = stats.interfaces.into_iter().map(|one| one.name).collect();
        names
    };
    let own = bench.command(&["pause"]);
    assert!(names(&own).contains(&"lo".to_owned()));
    let shared = Command {
        network: Some(Network::host()),
        ..bench.command(&["pause"])
    };
    assert_eq!(names(&shared), [""; 0]);
}

#[test]
fn what_does_not_run_has_no_stats() {
    let _among = among();
    let bench = Bench::new();
    let (error, text) = refused(bench.driver.stats("nobody"));
    assert!(matches!(error, Error::NotFound { .. }), "{text}");
    let (error, text) = refused(bench.driver.stats("a/b"));
    assert!(matches!(error, Error::InvalidCommand { .. }), "{text}");
    let hooks = Hooks::none().on_pre_start(|context| {
        let (error, text) = refused(bench.driver.stats(context.id));
        assert!(matches!(error, Error::NotRunning { .. }), "{text}");
        Ok(())
    });
    let outcome = bench.run_with(&bench.command(&["true"]), Pipes::null(), &hooks);
    assert!(outcome.status.success());
}

#[test]
fn reading_leaves_neither_a_descriptor_nor_a_thread() {
    let _alone = alone();
    let bench = Bench::new();
    let stem = unique_id("contract-stats");
    let command = Command {
        id: stem.clone(),
        ..bench.command(&["pause"])
    };
    bench.while_running(&command, |_| {
        // The second one leaves files open for those that follow.
        bench.driver.stats(&stem).unwrap();
        bench.driver.stats(&stem).unwrap();
        let baseline = Baseline::take(&bench.rootfs, &[&stem]);
        for _ in 0..50 {
            bench.driver.stats(&stem).unwrap();
        }
        baseline.assert_back();
    });
    assert_no_trace(&bench, &stem);
}

/// The test that is the host program when it is started with these set.
const ROOT: &str = "EXECDRIVER_TEST_STATS_ROOT";
const COMMAND: &str = "EXECDRIVER_TEST_STATS_COMMAND";

fn open(root: &Path) -> Arc<dyn Driver> {
    let registry = Registry::with_builtin();
    registry.open("native", root, Options::none()).unwrap()
}

/// Does nothing unless it was started by the next test: then it runs the command.
#[test]
fn the_host_program() {
    let (Some(root), Some(command)) = (std::env::var_os(ROOT), std::env::var(COMMAND).ok()) else {
        return;
    };
    let command: Command = serde_json::from_str(&command).unwrap();
    let driver = open(Path::new(&root));
    let _ = driver.run(
        &command,
        &RunOptions::default(),
        Pipes::null(),
        &Hooks::none(),
    );
}

#[test]
fn another_process_reads_the_container_of_a_host_also_after_it_died() {
    let _among = among();
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let id = command.id.as_str();
    let mut host = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_host_program", "--nocapture"])
        .env(ROOT, bench.rootfs.state())
        .env(COMMAND, serde_json::to_string(&command).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let driver = bench.other_driver();
    eventually("it can be read", || driver.stats(id).is_ok());
    let pid = driver.pids(id).unwrap()[0];
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(alive(pid), "it outlives its host");
    let stats = driver.stats(id);
    driver.terminate(id).unwrap();
    assert!(stats.unwrap().memory_limit > 0);
    let (error, text) = refused(driver.stats(id));
    assert!(matches!(error, Error::NotFound { .. }), "{text}");
    assert_no_trace(&bench, id);
}
