//! A kernel that lacks what the driver cannot do without: an error that says so, and never a lesser container.
//!
//! What has a fallback is tested by running the contract's tests under `payload without 5.10` (tests/run.sh, stage floor).
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

use contract::{Bench, SOON, chain, process};
use execdriver::{
    ExecRequest, ExitReason, Hooks, LinuxResources, Pipes, Resources, Signal, Target,
};
use host::{cgroups_of, in_own_mounts};
use support::{Need, payload, skip_unless, within};

/// In a process under a filter: what is missing.
const WITHOUT: &str = "EXECDRIVER_TEST_WITHOUT";

#[test]
fn a_kernel_without_a_call_that_linux_5_10_has_starts_nothing_and_says_why() {
    const NAME: &str = "a_kernel_without_a_call_that_linux_5_10_has_starts_nothing_and_says_why";
    if let Some(name) = std::env::var_os(WITHOUT) {
        let bench = Bench::new();
        let command = bench.command(&["true"]);
        let error = bench.try_run(&command).expect_err("it starts nothing");
        let text = chain(&error);
        assert!(
            text.contains("not implemented") || text.contains("kernel"),
            "{name:?}: {text}"
        );
        bench.driver.clean(&command.id).unwrap();
        assert!(bench.driver.list().unwrap().is_empty(), "{name:?}");
        return;
    }
    let own = std::env::current_exe().unwrap();
    for name in ["openat2", "open-tree", "move-mount", "fsopen", "execveat"] {
        let output = std::process::Command::new(payload())
            .args(["without", name])
            .arg(&own)
            .args(["--exact", "--nocapture", NAME])
            .env(WITHOUT, name)
            .env("EXECDRIVER_PAYLOAD", payload())
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&output.stdout);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && out.contains("1 passed"),
            "{name}: {out}{err}"
        );
    }
}

/// Linux 5.14 has `cgroup.kill`. A file that takes no writes stands for its absence: nothing else can take it away.
#[test]
fn a_version_2_host_without_cgroup_kill_ends_processes_that_replace_each_other() {
    const NAME: &str =
        "a_version_2_host_without_cgroup_kill_ends_processes_that_replace_each_other";
    if skip_unless(&[Need::Root, Need::CgroupV2]) {
        return;
    }
    in_own_mounts(NAME, || {
        let bench = Bench::new();
        let command = bench.command(&["pause"]);
        let id = command.id.as_str();
        bench.while_running(&command, |init| {
            let limits = Resources {
                linux: Some(LinuxResources {
                    pids_limit: 100,
                    ..LinuxResources::default()
                }),
                ..Resources::default()
            };
            let request = ExecRequest::new(process(&["hydra", "5"])).resources(limits);
            let request = request.exec_id("hydra");
            let hooks = Hooks::none().on_start(|_| {
                let pids = || bench.driver.pids(id).unwrap().len();
                assert!(within(SOON, || pids() >= 60), "{} processes", pids());
                let own = cgroups_of("exec-hydra").pop().unwrap();
                let mount = std::process::Command::new("mount")
                    .args(["--bind", "/proc/version"])
                    .arg(own.join("cgroup.kill"))
                    .status();
                assert!(mount.unwrap().success());
                assert!(std::fs::write(own.join("cgroup.kill"), "1").is_err());
                let target = Target::exec(id, "hydra");
                Ok(bench.other_driver().kill(&target, Signal::KILL)?)
            });
            let status = bench.driver.exec(id, &request, Pipes::null(), &hooks);
            assert_eq!(status.unwrap().reason, ExitReason::KilledByCaller);
            assert_eq!(bench.driver.pids(id).unwrap(), [init.pid]);
            assert!(cgroups_of("exec-hydra").is_empty());
        });
    });
}
