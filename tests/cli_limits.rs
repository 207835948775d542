//! The flags of limits of run, exec and update: what the kernel then has, and what a bad value gets.
#![cfg(all(target_os = "linux", feature = "cli"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "contract/cgroup.rs"]
mod cgroup;
mod cli;
mod contract;
#[path = "contract/host.rs"]
mod host;
mod support;

use cgroup::{directory, is_unified, reads};
use cli::{Cli, start};
use host::cgroups_of;
use serde_json::Value;
use std::fs;
use support::{Need, eventually, skip_unless, unique_id};

/// Root makes cgroups wherever there are any.
const LIMITS: &[Need] = &[Need::Root, Need::Cgroups];

/// What is under `path` of a process of the host.
fn proc_file(pid: u64, path: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/{path}")).unwrap();
    text.trim_end().to_owned()
}

/// The pid of a container's first process.
fn pid_of(cli: &Cli, id: &str) -> u64 {
    let listed = cli.call(&["list", "--format", "json"]).out;
    let all: Value = serde_json::from_str(&listed).unwrap();
    let mut all = all.as_array().unwrap().iter();
    all.find(|one| one["id"] == id).unwrap()["pid"]
        .as_u64()
        .unwrap()
}

/// How many processes of a container run the program that each of these tests waits for.
fn executed(cli: &Cli, id: &str) -> usize {
    let pids = cli.call(&["pids", id, "--format", "json"]).out;
    let pids: Vec<u64> = serde_json::from_str(&pids).unwrap();
    let words = |pid| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let ours = |pid: &&u64| words(**pid).starts_with(b"ignore-term");
    pids.iter().filter(ours).count()
}

/// A container with these flags, acted on and then killed; it leaves nothing.
fn with_limits(flags: &[&str], work: impl FnOnce(&Cli, &str)) {
    let cli = Cli::new();
    let id = unique_id("lim");
    let words = [&["--id", &id], flags, &["--", "ignore-term"]].concat();
    let going = start(cli.run_command(&words));
    cli.wait_for(&id);
    work(&cli, &id);
    cli.call(&["kill", &id, "KILL"]).says("");
    let done = going.done();
    assert_eq!((done.code, done.err.as_str()), (137, ""), "{done:?}");
    assert_eq!(cli.left(), [""; 0]);
    assert_eq!(cgroups_of(&id), [""; 0].map(std::path::PathBuf::from));
}

/// Bytes of version 2's swap for version 1's memory and swap.
fn swap(both: u64, memory: u64) -> String {
    (if is_unified() { both - memory } else { both }).to_string()
}

#[test]
fn the_limits_of_a_run_are_those_of_its_cgroup() {
    if skip_unless(LIMITS) {
        return;
    }
    let flags = [
        "--memory=32m",
        "--memory-swap=48m",
        "--memory-reservation=16mb",
        "--cpus=0.5",
        "-c",
        "1000",
        "--cpuset-cpus=0",
        "--cpuset-mems=0",
        "--pids-limit=64",
    ];
    with_limits(&flags, |_, id| {
        let memory = reads(id, ("memory", "memory.limit_in_bytes"), "memory.max");
        assert_eq!(memory, (32 << 20).to_string());
        let both = reads(
            id,
            ("memory", "memory.memsw.limit_in_bytes"),
            "memory.swap.max",
        );
        assert_eq!(both, swap(48 << 20, 32 << 20));
        let soft = reads(id, ("memory", "memory.soft_limit_in_bytes"), "memory.low");
        assert_eq!(soft, (16 << 20).to_string());
        let quota = reads(id, ("cpu", "cpu.cfs_quota_us"), "cpu.max");
        assert_eq!(
            quota,
            if is_unified() {
                "50000 100000"
            } else {
                "50000"
            }
        );
        let shares = reads(id, ("cpu", "cpu.shares"), "cpu.weight");
        assert_eq!(shares, if is_unified() { "99" } else { "1000" });
        assert_eq!(reads(id, ("cpuset", "cpuset.cpus"), "cpuset.cpus"), "0");
        assert_eq!(reads(id, ("cpuset", "cpuset.mems"), "cpuset.mems"), "0");
        assert_eq!(reads(id, ("pids", "pids.max"), "pids.max"), "64");
    });
}

#[test]
fn a_rate_of_a_device_is_by_number_or_by_node() {
    let disk = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let mut names = disk.map(|one| one.file_name().to_string_lossy().into_owned());
    let node = |name: &String| fs::metadata(format!("/dev/{name}")).is_ok();
    let Some(name) = names.find(node) else {
        skip_unless(&[Need::Path("a block device")]);
        return;
    };
    if skip_unless(LIMITS) {
        return;
    }
    let number = fs::read_to_string(format!("/sys/block/{name}/dev")).unwrap();
    let number = number.trim();
    let by_node = format!("--device-read-bps=/dev/{name}:1m");
    let by_number = format!("--device-write-iops={number}:50");
    with_limits(&[&by_node, &by_number], |_, id| {
        let read = |file: &str| reads(id, ("blkio", file), "io.max");
        let bytes = read("blkio.throttle.read_bps_device");
        let operations = read("blkio.throttle.write_iops_device");
        if is_unified() {
            assert_eq!(
                bytes,
                format!("{number} rbps=1048576 wbps=max riops=max wiops=50")
            );
        } else {
            assert_eq!(
                (bytes, operations),
                (format!("{number} 1048576"), format!("{number} 50"))
            );
        }
    });
}

#[test]
fn the_weight_for_block_devices_is_set_or_the_mend_is_said() {
    if skip_unless(LIMITS) {
        return;
    }
    let cli = Cli::new();
    let done = cli.run(&["--blkio-weight=300", "--", "true"]);
    if done.code != 0 {
        done.fails(125, &["resources.blkio_weight", "modprobe bfq"]);
    }
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn the_inclination_to_be_killed_the_ulimits_and_the_kernel_parameters_are_the_processes() {
    let flags = ["--oom-score-adj=500", "--sysctl=kernel.msgmax=4242"];
    with_limits(&flags, |cli, id| {
        let pid = pid_of(cli, id);
        assert_eq!(proc_file(pid, "oom_score_adj"), "500");
        cli.call(&["exec", id, "--", "read", "/proc/sys/kernel/msgmax"])
            .says("4242\n");
    });
    let cli = Cli::new();
    let read = ["--ulimit=nofile=100:200", "--", "read", "/proc/self/limits"];
    let limits = cli.run(&read).out;
    let files = limits.lines().find(|line| line.contains("open files"));
    let numbers: Vec<&str> = files.unwrap().split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers, ["100", "200"]);
}

#[test]
fn cgroup_parent_says_where_the_containers_is() {
    if skip_unless(LIMITS) {
        return;
    }
    let parent = unique_id("cliparent");
    with_limits(&["--cgroup-parent", &parent], |cli, id| {
        let text = proc_file(pid_of(cli, id), "cgroup");
        let ending = format!("/{parent}/{id}");
        assert!(text.lines().all(|line| line.ends_with(&ending)), "{text}");
    });
    assert_eq!(cgroups_of(&parent), [""; 0].map(std::path::PathBuf::from));
}

#[test]
fn values_of_limits_that_do_not_parse_name_the_flag() {
    let cli = Cli::new();
    let bad: [(&str, &str, &str); 14] = [
        ("--memory", "lots", "64m"),
        ("--memory", "0", "64m"),
        ("--memory", "-2", "64m"),
        ("--memory", "9999999999g", "9999999999g"),
        ("--memory-swap", "1t", "64m"),
        ("--cpus", "0", "0.5"),
        ("--cpus", "nan", "0.5"),
        ("--cpu-shares", "many", "many"),
        ("--pids-limit", "1.5", "1.5"),
        ("--blkio-weight", "-1", "-1"),
        ("--device-read-bps", "/dev/null", "/dev/sda:1m"),
        ("--device-read-iops", "8:0:1m", "8:0:1m"),
        ("--oom-score-adj", "high", "high"),
        ("--sysctl", "novalue", "novalue"),
    ];
    for (flag, value, word) in bad {
        let flag_and_value = format!("{flag}={value}");
        cli.run(&[&flag_and_value, "--", "true"])
            .fails(2, &[flag, word]);
        if flag != "--sysctl" {
            for verb in [&["update"][..], &["exec"]] {
                let done = cli.call(&[verb, &[flag_and_value.as_str(), "none", "true"]].concat());
                done.fails(2, &[flag, word]);
            }
        }
    }
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn values_of_limits_out_of_range_name_the_field_and_leave_nothing() {
    let cli = Cli::new();
    let bad: [(&[&str], &[&str]); 12] = [
        (
            &["--ulimit=nofile=unlimited:unlimited"],
            &[
                "resources.rlimits",
                "RLIMIT_NOFILE",
                "unlimited",
                "CAP_SYS_RESOURCE",
            ],
        ),
        (
            &["--device-write-iops=1:0:4294967296"],
            &["resources.blkio_throttle_write_iops_device[0]"],
        ),
        (
            &["--cpu-shares=1"],
            &["resources.cpu_shares", "minimum allowed cpu-shares is 2"],
        ),
        (
            &["--cpu-shares=262145"],
            &["resources.cpu_shares", "262144"],
        ),
        (
            &["--memory-swappiness=101"],
            &["resources.memory_swappiness", "0-100"],
        ),
        (&["--blkio-weight=9"], &["resources.blkio_weight", "10"]),
        (&["--cpuset-cpus=a-b"], &["resources.cpuset_cpus", "a-b"]),
        (&["--oom-score-adj=1001"], &["oom_score_adj", "1000"]),
        (
            &["--memory=64m", "--memory-swap=32m"],
            &["resources.memory_swap"],
        ),
        (
            &["--device-read-bps=/dev/none-such:1m"],
            &["device-read-bps", "/dev/none-such"],
        ),
        (
            &["--device-read-bps=/dev/null:1m"],
            &["device-read-bps", "/dev/null"],
        ),
        (
            &["--sysctl=kernel.hostname=x"],
            &["sysctl", "kernel.hostname"],
        ),
    ];
    for (index, (flags, words)) in bad.into_iter().enumerate() {
        let id = format!("{}-{index}", unique_id("bad"));
        cli.run(&[&["--id", &id], flags, &["--", "true"]].concat())
            .fails(125, words);
        assert_eq!(cgroups_of(&id), [""; 0].map(std::path::PathBuf::from));
    }
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn a_limit_without_a_cgroup_is_refused_with_the_mend() {
    if skip_unless(&[Need::OrdinaryUser]) {
        return;
    }
    let cli = Cli::new();
    let id = unique_id("plain");
    for flag in ["--memory=64m", "--cpus=1", "--pids-limit=20"] {
        let done = cli.run(&["--id", &id, flag, "--", "true"]);
        // A host that handed this user a subtree enforces it.
        if done.code != 0 {
            done.fails(125, &["resources.", "cgroup"]);
        }
    }
    assert_eq!(cgroups_of(&id), [""; 0].map(std::path::PathBuf::from));
    assert_eq!(cli.left(), [""; 0]);
}

#[test]
fn update_changes_running_containers_all_or_nothing() {
    if skip_unless(LIMITS) {
        return;
    }
    let memory = |id: &str| reads(id, ("memory", "memory.limit_in_bytes"), "memory.max");
    let pids = |id: &str| reads(id, ("pids", "pids.max"), "pids.max");
    with_limits(&["--memory=64m", "--pids-limit=30"], |cli, id| {
        let flags = ["--memory=32m", "--pids-limit=20", "--oom-score-adj=300"];
        cli.call(&[&["update"], &flags[..], &[id]].concat())
            .says("");
        assert_eq!((memory(id), pids(id)), ("33554432".into(), "20".into()));
        assert_eq!(proc_file(pid_of(cli, id), "oom_score_adj"), "300");
        cli.call(&["update", "--pids-limit=40", "--cpuset-cpus=4095", id])
            .fails(1, &["resources.cpuset_cpus", "4095"]);
        cli.call(&["update", "--pids-limit=40", "--cpu-shares=1", id])
            .fails(1, &["resources.cpu_shares"]);
        assert_eq!(pids(id), "20", "nothing of it");
        cli.call(&["update", "--pids-limit=-1", "none", id])
            .fails(1, &["none"]);
        assert_eq!(pids(id), "max");
        cli.call(&["update", id]).fails(2, &["no limit"]);
        cli.call(&["update", "--memory=1g"]).fails(2, &["ID"]);
    });
}

#[test]
fn an_exec_has_limits_of_its_own_within_those_of_the_container() {
    if skip_unless(LIMITS) {
        return;
    }
    with_limits(&["--memory=64m"], |cli, id| {
        let job = unique_id("job");
        let words = ["exec", "--exec-id", &job, "--memory=16m", "--pids-limit=9"];
        let words = [&words[..], &[id, "--", "ignore-term"]].concat();
        let exec = start(cli.command(&words));
        eventually("the exec runs its program", || executed(cli, id) == 2);
        let own = format!("exec-{job}");
        let memory = reads(&own, ("memory", "memory.limit_in_bytes"), "memory.max");
        assert_eq!(memory, "16777216");
        assert_eq!(reads(&own, ("pids", "pids.max"), "pids.max"), "9");
        let hungry = ["exec", "--memory=8m", "--memory-swap=8m", id, "--"];
        let done = cli.call(&[&hungry[..], &["alloc", "32"]].concat());
        assert_eq!(done.code, 137, "{done:?}");
        cli.call(&["kill", id, "--exec", &job, "KILL"]).says("");
        assert_eq!(exec.done().code, 137);
        cli.call(&["exec", "--cpu-shares=1", id, "--", "true"])
            .fails(125, &["resources.cpu_shares"]);
        assert!(directory(id, "memory").exists(), "the container goes on");
    });
}

#[test]
fn a_container_that_is_killed_for_memory_ends_with_137() {
    if skip_unless(LIMITS) {
        return;
    }
    let cli = Cli::new();
    let done = cli.run(&["--memory=8m", "--memory-swap=8m", "--", "alloc", "64"]);
    assert_eq!(done.code, 137, "{done:?}");
    assert_eq!(cli.left(), [""; 0]);
}
