//! The process, the user and the rest of config.md, a test a section.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod spec;
#[path = "../../../../tests/support/mod.rs"]
mod support;

use serde_json::json;
use spec::Bundle;
use support::{Need, skip_unless};

const NEEDS: &[Need] = &[Need::UserNamespaces, Need::Busybox];
/// What an ordinary user may not do, or cannot be asked on their behalf.
const ROOT_NEEDS: &[Need] = &[Need::Root, Need::Busybox];

#[test]
fn config_process_cwd_env_and_args_are_the_programs() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("pwd; env | grep OWN; echo $0 $1")
        .with("/process/cwd", json!("/tmp"))
        .with("/process/env", json!(["PATH=/bin", "OWN=1", "OWN=2"]));
    assert_eq!(bundle.says(), "/tmp\nOWN=2\nsh\n");
    let bundle = Bundle::shell("").with("/process/args", json!(["busybox", "echo", "found"]));
    assert_eq!(bundle.says(), "found\n");
}

#[test]
fn config_process_console_size_is_ignored_without_a_terminal() {
    if skip_unless(NEEDS) {
        return;
    }
    let size = json!({"height": 70000, "width": 80});
    assert_eq!(
        Bundle::shell("echo ran")
            .with("/process/consoleSize", size)
            .says(),
        "ran\n"
    );
}

#[test]
fn config_posix_process_rlimits_are_in_force_and_never_twice() {
    if skip_unless(NEEDS) {
        return;
    }
    let core = json!({"type": "RLIMIT_CORE", "soft": 4096, "hard": 8192});
    let files = json!({"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128});
    let bundle = Bundle::shell("ulimit -n; ulimit -Hn; grep core /proc/self/limits");
    let said = bundle.with("/process/rlimits", json!([core, files])).says();
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!((words[0], words[1]), ("64", "128"), "{said}");
    assert!(words.contains(&"4096") && words.contains(&"8192"), "{said}");
    let error = Bundle::shell("true")
        .with("/process/rlimits", json!([core, core]))
        .refused();
    assert!(error.contains("process.rlimits[1].type"), "{error}");
    let none = json!([{"type": "RLIMIT_MOONS", "soft": 1, "hard": 1}]);
    let error = Bundle::shell("true")
        .with("/process/rlimits", none)
        .refused();
    assert!(error.contains("process.rlimits[0].type"), "{error}");
}

#[test]
fn config_linux_process_capabilities_are_the_five_sets() {
    if skip_unless(ROOT_NEEDS) {
        return;
    }
    let chown = json!(["CAP_CHOWN"]);
    let two = json!(["CAP_CHOWN", "CAP_KILL"]);
    let sets = json!({"bounding": two, "permitted": two, "effective": chown, "inheritable": chown, "ambient": chown});
    let bundle = Bundle::shell("grep Cap /proc/self/status")
        .with("/process/user", json!({"uid": 1, "gid": 1}))
        .with("/process/capabilities", sets);
    let said = bundle.says();
    let set = |name: &str| {
        let line = said.lines().find(|line| line.starts_with(name)).unwrap();
        u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap()
    };
    // Of a user's program the ambient ones alone survive the exec.
    assert_eq!(
        (set("CapBnd"), set("CapAmb"), set("CapInh")),
        (0b10_0001, 1, 1),
        "{said}"
    );
    assert_eq!((set("CapPrm"), set("CapEff")), (1, 1), "{said}");
}

#[test]
fn config_linux_process_capabilities_that_cannot_be_had_are_warned_of() {
    if skip_unless(NEEDS) {
        return;
    }
    let sets = json!({"bounding": ["CAP_CHOWN", "CAP_MOON"], "ambient": ["CAP_CHOWN"]});
    let bundle = Bundle::shell("grep CapAmb /proc/self/status").with("/process/capabilities", sets);
    bundle.write();
    let log = bundle.outside.join("log");
    let path = bundle.path();
    let mut command = bundle.verb(&[
        "--log",
        log.to_str().unwrap(),
        "run",
        "--bundle",
        path.to_str().unwrap(),
        &bundle.id,
    ]);
    let output = command.output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "CapAmb:\t0000000000000000\n"
    );
    assert!(output.stderr.is_empty(), "{output:?}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains("level=warning") && log.contains("CAP_MOON"),
        "{log}"
    );
    assert!(log.contains("process.capabilities.ambient"), "{log}");
}

#[test]
fn config_linux_process_no_new_privileges_oom_score_and_priorities_are_in_force() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell(
        "grep NoNewPrivs /proc/self/status; cat /proc/self/oom_score_adj; ionice -p $$; cut -d' ' -f19 /proc/self/stat",
    )
    .with("/process/noNewPrivileges", json!(true))
    .with("/process/oomScoreAdj", json!(321))
    .with(
        "/process/ioPriority",
        json!({"class": "IOPRIO_CLASS_IDLE", "priority": 4}),
    )
    .with(
        "/process/scheduler",
        json!({"policy": "SCHED_BATCH", "nice": 7}),
    );
    assert_eq!(bundle.says(), "NoNewPrivs:\t1\n321\nidle\n7\n");
}

#[test]
fn config_user_ids_groups_and_umask_are_the_programs() {
    if skip_unless(ROOT_NEEDS) {
        return;
    }
    let bundle = Bundle::shell("id -u; id -g; grep Groups /proc/self/status; umask; echo $HOME")
        .with(
            "/process/user",
            json!({"uid": 1, "gid": 2, "umask": 0o77, "additionalGids": [5, 9]}),
        );
    let said = bundle.says();
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    assert_eq!(lines, ["1", "2", "Groups:\t5 9", "0077", "/sbin"]);
}

/// For setresuid(2) and setresgid(2) it means "as it is": the program would stay root (as with CVE-2026-46680).
#[test]
fn config_user_the_largest_number_is_no_id() {
    if skip_unless(ROOT_NEEDS) {
        return;
    }
    for (user, field) in [
        (json!({"uid": u32::MAX, "gid": 1}), "process.user.uid"),
        (json!({"uid": 1, "gid": u32::MAX}), "process.user.gid"),
        (
            json!({"uid": 1, "gid": 1, "additionalGids": [u32::MAX]}),
            "process.user.additionalGids",
        ),
    ] {
        let bundle = Bundle::shell("id").with("/process/user", user);
        let error = bundle.refused();
        assert!(error.contains(field), "{error}");
    }
}

#[test]
fn config_hostname_and_domainname_are_set_in_a_uts_namespace_alone() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("hostname; cat /proc/sys/kernel/domainname")
        .with("/hostname", json!("mrsdalloway"))
        .with("/domainname", json!("foobarbaz.test"));
    assert_eq!(bundle.says(), "mrsdalloway\nfoobarbaz.test\n");
    let error = Bundle::shell("true")
        .with("/hostname", json!("x"))
        .namespace("uts", None)
        .refused();
    assert!(error.contains("hostname"), "{error}");
}

#[test]
fn config_annotations_are_in_the_state_and_never_without_a_key() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle =
        Bundle::shell("sleep 60").with("/annotations", json!({"com.example.a": "b", "empty": ""}));
    bundle.create();
    assert_eq!(
        bundle.state().unwrap()["annotations"],
        json!({"com.example.a": "b", "empty": ""})
    );
    let error = Bundle::shell("true")
        .with("/annotations", json!({"": "x"}))
        .refused();
    assert!(error.contains("annotations"), "{error}");
}

#[test]
fn config_process_terminal_is_on_the_streams_and_on_dev_console() {
    if skip_unless(NEEDS) {
        return;
    }
    let script = "test -t 0 && test -t 1 && test -t 2 && echo terminals; \
                  test $(stat -c %t:%T /dev/console) = $(stat -L -c %t:%T /proc/self/fd/0) && echo console";
    let bundle = Bundle::shell(script).with("/process/terminal", json!(true));
    bundle.write();
    let (own, state) = (
        env!("CARGO_BIN_EXE_execdriver-oci"),
        bundle.rootfs.state().join("oci"),
    );
    let (state, path) = (state.display(), bundle.path());
    let line = format!(
        "{own} --root {state} run --bundle {} {}",
        path.display(),
        bundle.id
    );
    // A terminal of ours for it to be shown on.
    let mut command = std::process::Command::new("script");
    command
        .args(["-qec", &line, "/dev/null"])
        .stdin(std::process::Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("terminals") && said.contains("console"),
        "{said}"
    );
}

#[test]
fn config_linux_process_exec_cpu_affinity_is_that_of_execs_alone() {
    if skip_unless(NEEDS) {
        return;
    }
    // Of the first process it is nobody's business.
    let affinity = json!({"initial": "0", "final": "0"});
    let bundle = Bundle::shell("sleep 100").with("/process/execCPUAffinity", affinity);
    bundle.create();
    let exec = |affinity: serde_json::Value| {
        let mut process = bundle.json["process"].clone();
        process["args"] = json!([
            "/bin/busybox",
            "grep",
            "Cpus_allowed_list",
            "/proc/self/status"
        ]);
        process["execCPUAffinity"] = affinity;
        let file = bundle.outside.join("process.json");
        std::fs::write(&file, process.to_string()).unwrap();
        bundle.act(&["exec", "--process", file.to_str().unwrap(), &bundle.id])
    };
    let whole = std::fs::read_to_string("/proc/self/status").unwrap();
    let whole = whole
        .lines()
        .find(|line| line.starts_with("Cpus_allowed_list"))
        .unwrap();
    assert_eq!(exec(json!({"initial": "0"})).out.trim_end(), whole);
    assert_eq!(
        exec(json!({"initial": "0", "final": "0"})).out,
        "Cpus_allowed_list:\t0\n"
    );
    for (affinity, field) in [
        (
            json!({"initial": "1000"}),
            "process.execCPUAffinity.initial",
        ),
        (json!({"final": "1000"}), "process.execCPUAffinity.final"),
        (json!({"initial": "a-b"}), "execCPUAffinity"),
    ] {
        let ran = exec(affinity);
        assert!(ran.code == 255 && ran.err.contains(field), "{ran:?}");
    }
}
