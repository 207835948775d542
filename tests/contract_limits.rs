//! The contract's cases on limits: 52 to 54 and 57 to 59.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "contract/cgroup.rs"]
mod cgroup;
mod contract;
#[path = "contract/host.rs"]
mod host;
mod support;

use cgroup::{is_unified, reads};
use contract::{Bench, SOON, refused};
use execdriver::{Command, Error, ExitReason, LinuxResources, Resources, Signal, ThrottleDevice};
use host::{assert_no_trace, cgroups_of};
use std::fs;
use support::{Need, skip_unless, unique_id, within};

/// Root makes cgroups wherever there are any.
const LIMITS: &[Need] = &[Need::Root, Need::Cgroups];

/// A container with these limits.
fn limited(
    bench: &Bench,
    words: &[&str],
    change: impl FnOnce(&mut Resources, &mut LinuxResources),
) -> Command {
    let mut command = bench.command(words);
    let (mut resources, mut linux) = (Resources::default(), LinuxResources::default());
    change(&mut resources, &mut linux);
    resources.linux = Some(linux);
    command.resources = Some(resources);
    command
}

fn memory(id: &str) -> String {
    reads(id, ("memory", "memory.limit_in_bytes"), "memory.max")
}

#[test]
fn cgroup_parent() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let name = unique_id("parent");
    for (parent, expected) in [
        (format!("/{name}"), format!("/{name}/")),
        (name.clone(), format!("/{name}/")),
        (format!("../../../{name}"), format!("/{name}/")),
        (format!("/../{name}/./x/.."), format!("/{name}/")),
    ] {
        let command = bench.command(&["pause"]);
        let command = command.with_linux(|linux| linux.cgroup_parent.clone_from(&parent));
        bench.while_running(&command, |init| {
            let text = fs::read_to_string(format!("/proc/{}/cgroup", init.pid)).unwrap();
            let ending = format!("{expected}{}", command.id);
            assert!(
                text.lines().all(|line| line.ends_with(&ending)),
                "{parent}: {text}"
            );
        });
        assert_no_trace(&bench, &command.id);
    }
    assert_eq!(cgroups_of(&name), Vec::<std::path::PathBuf>::new());
    for parent in ["a\nb", "../..", "/..", "a/../.."] {
        let command = bench.command(&["true"]);
        let command = command.with_linux(|linux| linux.cgroup_parent = parent.to_owned());
        let (error, text) = refused(bench.try_run(&command));
        assert!(matches!(error, Error::InvalidCommand { .. }), "{text}");
        assert_no_trace(&bench, &command.id);
    }
}

#[test]
fn an_id_that_another_driver_root_runs_is_refused_and_the_error_says_whose_it_is() {
    if skip_unless(LIMITS) {
        return;
    }
    let (bench, elsewhere) = (Bench::new(), Bench::new());
    let command = bench.command(&["pause"]);
    let (status, ()) = bench.while_running(&command, |init| {
        let mut same = elsewhere.command(&["true"]);
        same.id.clone_from(&command.id);
        let (_, text) = refused(elsewhere.try_run(&same));
        let by = format!("in use by process {}", init.pid);
        assert!(
            text.contains(&by) && text.contains("another driver root"),
            "{text}"
        );
        assert!(!host::state_dir(&elsewhere, &command.id).exists());
        assert_eq!(bench.driver.pids(&command.id).unwrap(), [init.pid]);
    });
    assert_eq!(status.signal, Some(Signal::KILL));
}

#[test]
fn limits() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let command = limited(&bench, &["pause"], |common, linux| {
        common.memory = 32 << 20;
        common.memory_reservation = 16 << 20;
        common.cpu_shares = 1000;
        linux.memory_swap = 48 << 20;
        linux.cpu_quota = 8000;
        linux.cpu_period = 50_000;
        linux.cpuset_cpus = "0".to_owned();
        linux.cpuset_mems = "0".to_owned();
        linux.pids_limit = 64;
        if !is_unified() {
            linux.memory_swappiness = 0;
        }
    });
    bench.while_running(&command, |_| {
        let id = command.id.as_str();
        assert_eq!(memory(id), "33554432");
        let soft = reads(id, ("memory", "memory.soft_limit_in_bytes"), "memory.low");
        assert_eq!(soft, "16777216");
        let swap = reads(
            id,
            ("memory", "memory.memsw.limit_in_bytes"),
            "memory.swap.max",
        );
        assert_eq!(swap, if is_unified() { "16777216" } else { "50331648" });
        let shares = reads(id, ("cpu", "cpu.shares"), "cpu.weight");
        assert_eq!(shares, if is_unified() { "99" } else { "1000" });
        let quota = reads(id, ("cpu", "cpu.cfs_quota_us"), "cpu.max");
        assert_eq!(quota, if is_unified() { "8000 50000" } else { "8000" });
        assert_eq!(reads(id, ("cpuset", "cpuset.cpus"), "cpuset.cpus"), "0");
        assert_eq!(reads(id, ("cpuset", "cpuset.mems"), "cpuset.mems"), "0");
        assert_eq!(reads(id, ("pids", "pids.max"), "pids.max"), "64");
        if !is_unified() {
            assert_eq!(reads(id, ("cpu", "cpu.cfs_period_us"), ""), "50000");
            assert_eq!(reads(id, ("memory", "memory.swappiness"), ""), "0");
        }
        let seen = bench.exec(id, &["cgroup"]).out;
        assert!(!seen.is_empty());
    });
    assert_no_trace(&bench, &command.id);
}

#[test]
fn the_weight_for_block_devices_is_read_back_or_the_error_names_the_scheduler() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let command = limited(&bench, &["pause"], |common, _| common.blkio_weight = 300);
    let probe = bench.command(&["pause"]);
    let (_, file) = bench.while_running(&probe, |_| {
        let dir = cgroup::directory(&probe.id, "blkio");
        let files = [
            "blkio.weight",
            "blkio.bfq.weight",
            "io.bfq.weight",
            "io.weight",
        ];
        files.into_iter().find(|file| dir.join(file).exists())
    });
    let Some(file) = file else {
        let (error, text) = refused(bench.try_run(&command));
        assert!(matches!(error, Error::Unsupported { .. }), "{text}");
        assert!(text.contains("modprobe bfq"), "{text}");
        return assert_no_trace(&bench, &command.id);
    };
    bench.while_running(&command, |_| {
        let text = reads(&command.id, ("blkio", file), file);
        let weight = if file == "io.weight" { "2930" } else { "300" };
        let first = text.lines().next().unwrap_or_default();
        assert_eq!(first.trim_start_matches("default "), weight);
    });
}

#[test]
fn kernel_memory_is_limited_where_the_kernel_does_it_and_refused_elsewhere() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let command = limited(&bench, &["pause"], |common, linux| {
        common.memory = 64 << 20;
        linux.kernel_memory = 16 << 20;
    });
    // Linux 5.16 took the limit away and left the file.
    if !is_unified() && !support::has(Need::Kernel(5, 16)) {
        bench.while_running(&command, |_| {
            let limit = reads(&command.id, ("memory", "memory.kmem.limit_in_bytes"), "");
            assert_eq!(limit, "16777216");
        });
        return;
    }
    let (error, text) = refused(bench.try_run(&command));
    assert!(matches!(error, Error::Unsupported { .. }), "{text}");
    assert!(text.contains("set resources.memory"), "{text}");
    assert_no_trace(&bench, &command.id);
}

#[test]
fn cpu_shares() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    for (shares, part) in [
        (1, "minimum allowed cpu-shares is 2"),
        (99_999_999, "maximum allowed cpu-shares is 262144"),
        (-1, "minimum allowed cpu-shares is 2"),
    ] {
        let command = limited(&bench, &["true"], |common, _| common.cpu_shares = shares);
        let (error, text) = refused(bench.try_run(&command));
        assert!(
            matches!(&error, Error::InvalidCommand { field, .. } if field == "resources.cpu_shares"),
            "{text}"
        );
        assert!(text.contains(part), "{text}");
        assert_no_trace(&bench, &command.id);
    }
    let command = limited(&bench, &["true"], |_, linux| linux.memory_swappiness = 101);
    let (_, text) = refused(bench.try_run(&command));
    assert!(
        text.contains("valid memory swappiness range is 0-100"),
        "{text}"
    );
    assert_no_trace(&bench, &command.id);
}

#[test]
fn what_the_kernel_does_not_take_is_an_error_that_names_the_field_and_leaves_nothing() {
    if skip_unless(LIMITS) {
        return;
    }
    type Change = fn(&mut Resources, &mut LinuxResources);
    let bad: [(&str, Change); 5] = [
        ("resources.cpuset_cpus", |_, linux| {
            linux.cpuset_cpus = "4095".to_owned()
        }),
        ("resources.cpuset_mems", |_, linux| {
            linux.cpuset_mems = "1023".to_owned()
        }),
        ("resources.pids_limit", |_, linux| {
            linux.pids_limit = 1 << 40
        }),
        ("resources.memory", |common, _| common.memory = 1000),
        ("resources.blkio_throttle_read_bps_device[0]", |_, linux| {
            linux.blkio_throttle_read_bps_device = vec![ThrottleDevice {
                major: 4000,
                minor: 0,
                rate: 1,
            }];
        }),
    ];
    let bench = Bench::new();
    for (expected, change) in bad {
        let command = limited(&bench, &["true"], change);
        let (error, text) = refused(bench.try_run(&command));
        assert!(
            matches!(&error, Error::InvalidCommand { field, .. } if field == expected),
            "{text}"
        );
        assert_no_trace(&bench, &command.id);
    }
}

#[test]
fn oom_init() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let limit: fn(&mut Resources, &mut LinuxResources) = |common, linux| {
        common.memory = 10 << 20;
        linux.memory_swap = 10 << 20;
    };
    let command = limited(&bench, &["alloc", "64"], limit);
    let status = bench.run(&command).status;
    assert_eq!((status.code, status.signal), (137, Some(Signal::KILL)));
    assert!(status.oom_killed, "{status:?}");
    assert_eq!(status.reason, ExitReason::Signalled);
    assert!(
        status.peak_memory.is_some_and(|peak| peak <= 10 << 20),
        "{status:?}"
    );
    let plain = bench.run(&limited(&bench, &["echo", "hi"], limit)).status;
    assert!(plain.success() && !plain.oom_killed, "{plain:?}");
    assert_no_trace(&bench, &command.id);
}

#[test]
fn a_container_that_starts_under_a_mebibyte_is_reported_as_out_of_memory_each_time() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    for round in 0..200 {
        let command = limited(&bench, &["alloc", "8"], |common, linux| {
            common.memory = 1 << 20;
            linux.memory_swap = 1 << 20;
        });
        let status = bench.run(&command).status;
        assert_eq!(
            status.signal,
            Some(Signal::KILL),
            "round {round}: {status:?}"
        );
        assert!(status.oom_killed, "round {round}: {status:?}");
    }
}

#[test]
fn a_limit_in_which_not_even_the_start_fits_is_named() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    for limit in [4 << 10, 16 << 10, 64 << 10] {
        let command = limited(&bench, &["true"], |common, linux| {
            common.memory = limit;
            linux.memory_swap = limit;
        });
        let (error, text) = refused(bench.try_run(&command));
        assert!(
            matches!(&error, Error::InvalidCommand { field, .. } if field == "resources.memory"),
            "{text}"
        );
        assert!(text.contains(&format!("got {limit} bytes")), "{text}");
        assert_no_trace(&bench, &command.id);
    }
}

#[test]
fn oom_child() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let words = ["seq", "fork", "alloc", "64", ",", "exit", "0"];
    let command = limited(&bench, &words, |common, linux| {
        common.memory = 10 << 20;
        linux.memory_swap = 10 << 20;
    });
    let status = bench.run(&command).status;
    assert_eq!(status.code, 0, "{status:?}");
    assert!(status.oom_killed, "{status:?}");
}

#[test]
fn oom_disable() {
    if skip_unless(LIMITS) {
        return;
    }
    let bench = Bench::new();
    let command = limited(&bench, &["alloc", "64"], |common, linux| {
        common.memory = 10 << 20;
        linux.memory_swap = 10 << 20;
        linux.oom_kill_disable = true;
    });
    if is_unified() {
        // Nor is there a swappiness of a cgroup.
        let swappiness = limited(&bench, &["true"], |_, linux| linux.memory_swappiness = 10);
        for (command, field) in [
            (command, "oom_kill_disable"),
            (swappiness, "memory_swappiness"),
        ] {
            let (error, text) = refused(bench.try_run(&command));
            assert!(matches!(error, Error::Unsupported { .. }), "{text}");
            assert!(text.contains(&format!("resources.{field}")), "{text}");
            assert_no_trace(&bench, &command.id);
        }
        return;
    }
    let (status, ()) = bench.while_running(&command, |_| {
        let waits = || {
            let text = reads(&command.id, ("memory", "memory.oom_control"), "");
            text.contains("under_oom 1")
        };
        assert!(within(SOON, waits), "it stands still at its limit");
        assert!(
            bench
                .driver
                .pids(&command.id)
                .is_ok_and(|pids| !pids.is_empty())
        );
    });
    assert_eq!(status.signal, Some(Signal::KILL));
    assert_eq!(status.reason, ExitReason::KilledByCaller);
    assert!(!status.oom_killed, "{status:?}");
    assert_no_trace(&bench, &command.id);
}
