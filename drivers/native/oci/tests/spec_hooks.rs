//! The hooks of config.md and the lifecycle of runtime.md, through the program.
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

use serde_json::{Value, json};
use spec::Bundle;
use support::{Need, eventually, skip_unless};

const NEEDS: &[Need] = &[Need::UserNamespaces, Need::Busybox];
/// What an ordinary user may not do, or cannot be asked on their behalf.
const ROOT_NEEDS: &[Need] = &[Need::Root, Need::Busybox];

const KINDS: [&str; 6] = [
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
];

/// A bundle in which every kind of hook adds a line to a file, with its state.
fn telling(script: &str) -> Bundle {
    let bundle = Bundle::shell(script)
        .mount(json!({"destination": "/out", "source": "outside", "options": ["bind"]}));
    let outside = bundle.outside.display().to_string();
    let mut hooks = json!({});
    for kind in KINDS {
        // The last two kinds of the container's see its files, the others the runtime's.
        let (shell, file) = match kind {
            "startContainer" => ("/bin/busybox", "/out/told".to_owned()),
            _ => ("/bin/sh", format!("{outside}/told")),
        };
        let hook = |word: &str| {
            let script = format!("echo {kind} {word} $(cat) >> {file}");
            json!({"path": shell, "args": ["sh", "-c", script], "env": ["PATH=/bin"]})
        };
        hooks[kind] = json!([hook("one"), hook("two")]);
    }
    bundle.with("/hooks", hooks)
}

/// Kind, word and state of each line.
fn told(bundle: &Bundle) -> Vec<(String, String, Value)> {
    let text = std::fs::read_to_string(bundle.outside.join("told")).unwrap_or_default();
    let line = |line: &str| {
        let mut parts = line.splitn(3, ' ').map(str::to_owned);
        let (kind, word, state) = (
            parts.next().unwrap(),
            parts.next().unwrap(),
            parts.next().unwrap(),
        );
        (
            kind,
            word,
            serde_json::from_str(&state).unwrap_or(Value::Null),
        )
    };
    text.lines().map(line).collect()
}

fn kinds(bundle: &Bundle) -> Vec<String> {
    told(bundle)
        .into_iter()
        .map(|(kind, word, _)| format!("{kind} {word}"))
        .collect()
}

fn both(kinds: &[&str]) -> Vec<String> {
    kinds
        .iter()
        .flat_map(|kind| [format!("{kind} one"), format!("{kind} two")])
        .collect()
}

#[test]
fn config_hooks_are_called_in_the_listed_order_at_their_points_of_the_lifecycle() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = telling("sleep 60");
    bundle.create();
    assert_eq!(kinds(&bundle), both(&KINDS[..3]));
    assert_eq!(bundle.act(&["start", &bundle.id]).code, 0);
    assert_eq!(kinds(&bundle), both(&KINDS[..5]));
    assert_eq!(bundle.act(&["delete", "--force", &bundle.id]).code, 0);
    assert_eq!(kinds(&bundle), both(&KINDS));
}

#[test]
fn config_hooks_are_called_by_run_too() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = telling("echo ran");
    assert_eq!(bundle.says(), "ran\n");
    assert_eq!(kinds(&bundle), both(&KINDS));
}

#[test]
fn config_hooks_get_the_state_on_their_standard_input() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = telling("sleep 60").with("/annotations", json!({"key": "value"}));
    bundle.create();
    bundle.act(&["start", &bundle.id]);
    let pid = bundle.state().unwrap()["pid"].clone();
    bundle.act(&["delete", "--force", &bundle.id]);
    let told = told(&bundle);
    let expected = [
        ("prestart", "creating", &pid),
        ("createRuntime", "creating", &pid),
        ("createContainer", "creating", &json!(1)),
        ("startContainer", "created", &json!(1)),
        ("poststart", "running", &pid),
        ("poststop", "stopped", &json!(0)),
    ];
    for (kind, status, pid) in expected {
        let (_, _, state) = told.iter().find(|(told, ..)| told == kind).unwrap();
        assert_eq!(state["status"], status, "{kind}: {state}");
        assert_eq!(&state["pid"], pid, "{kind}: {state}");
        assert_eq!(state["id"], json!(bundle.id), "{kind}");
        assert_eq!(state["bundle"], json!(bundle.path()), "{kind}");
        assert_eq!(state["annotations"], json!({"key": "value"}), "{kind}");
        assert!(
            state["ociVersion"].as_str().unwrap().starts_with("1."),
            "{kind}"
        );
    }
}

/// A hook with this script, by the shell of the runtime's files.
fn hook(script: &str) -> Value {
    json!([{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin"]}])
}

#[test]
fn config_hooks_create_runtime_runs_in_the_runtimes_namespaces_and_may_reach_the_containers() {
    if skip_unless(ROOT_NEEDS) {
        return;
    }
    for kind in ["prestart", "createRuntime"] {
        let bundle = Bundle::shell("hostname; cat /data/file").with("/hostname", json!("inside"));
        let out = bundle.outside.display().to_string();
        let root = bundle.rootfs.path().display().to_string();
        bundle.rootfs.mkdir("data");
        // As the hooks of clients do it: by the pid of the state into the namespaces of the container.
        let script = format!(
            "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); hostname > {out}/hostname; \
             nsenter -t $pid -m sh -c 'test -e {root}/proc/1 && mount -t tmpfs hook {root}/data && echo made > {root}/data/file'"
        );
        let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", script],
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]);
        let bundle = bundle.with("/hooks", json!({kind: hook}));
        assert_eq!(bundle.says(), "inside\nmade\n", "{kind}");
        let name = std::fs::read_to_string(bundle.outside.join("hostname")).unwrap();
        assert_ne!(name, "inside\n");
    }
}

#[test]
fn config_hooks_path_resolves_where_its_kind_says() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("cat /made");
    bundle
        .rootfs
        .write("own", "#!/bin/busybox sh\necho own > /made\n");
    bundle.rootfs.mode("own", 0o755);
    let own = json!([{"path": "/own"}]);
    let started = bundle.with("/hooks", json!({"startContainer": own}));
    assert_eq!(started.says(), "own\n");
    let error = Bundle::shell("true")
        .with("/hooks", json!({"createContainer": own}))
        .refused();
    assert!(error.contains("hooks.createContainer[0]"), "{error}");
}

#[test]
fn config_hooks_args_env_and_cwd_are_the_hooks_own() {
    if skip_unless(NEEDS) {
        return;
    }
    for kind in ["createRuntime", "createContainer", "poststart"] {
        let bundle = Bundle::shell("sleep 1");
        let out = bundle.outside.join("args").display().to_string();
        let script = format!("echo \"$0|$1|$A|${{HOME-none}}\" > {out}");
        let hook = json!([{"path": "/bin/sh", "args": ["sh", "-c", script, "zero", "a b"], "env": ["A=1=2"]}]);
        let bundle = bundle.with("/hooks", json!({kind: hook}));
        bundle.says();
        assert_eq!(
            std::fs::read_to_string(&out).unwrap(),
            "zero|a b|1=2|none\n",
            "{kind}"
        );
    }
}

#[test]
fn config_hooks_that_fail_before_the_program_leave_nothing_and_those_of_the_end_run() {
    if skip_unless(NEEDS) {
        return;
    }
    for kind in &KINDS[..4] {
        let bundle = Bundle::shell("echo ran");
        let out = bundle.outside.join("stopped").display().to_string();
        let shell = if *kind == "startContainer" {
            "/bin/busybox"
        } else {
            "/bin/sh"
        };
        let failing = json!([{"path": shell, "args": ["sh", "-c", "echo why >&2; exit 7"], "env": ["PATH=/bin"]},
            {"path": shell, "args": ["sh", "-c", "echo never"]}]);
        let bundle = bundle.with(
            "/hooks",
            json!({*kind: failing, "poststop": hook(&format!("cat > {out}"))}),
        );
        let ran = bundle.run();
        assert!(
            !ran.out.contains("ran") && !ran.out.contains("never"),
            "{ran:?}"
        );
        let field = format!("(hooks.{kind}[0]): it ended with code 7");
        assert!(ran.code == 1 && ran.err.contains(&field), "{ran:?}");
        let list = bundle.verb(&["list", "-q"]).output().unwrap();
        assert!(list.stdout.is_empty(), "{kind}: {list:?}");
        assert!(std::path::Path::new(&out).exists(), "{kind}");
    }
}

#[test]
fn config_hooks_that_take_longer_than_their_timeout_are_killed() {
    if skip_unless(NEEDS) {
        return;
    }
    for kind in ["createRuntime", "createContainer", "startContainer"] {
        let shell = if kind == "startContainer" {
            "/bin/busybox"
        } else {
            "/bin/sh"
        };
        let slow = json!([{"path": shell, "args": ["sh", "-c", "sleep 1000"], "timeout": 1, "env": ["PATH=/bin"]}]);
        let ran = Bundle::shell("echo ran")
            .with("/hooks", json!({kind: slow}))
            .run();
        assert!(
            ran.code == 1 && ran.err.contains("took longer than its timeout"),
            "{ran:?}"
        );
    }
    for bad in [0, -1] {
        let hook = json!([{"path": "/bin/true", "timeout": bad}]);
        let error = Bundle::shell("true")
            .with("/hooks", json!({"poststop": hook}))
            .refused();
        assert!(error.contains("hooks.poststop[0].timeout"), "{error}");
    }
}

#[test]
fn config_hooks_poststart_that_fails_stops_the_container() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("sleep 60").with("/hooks", json!({"poststart": hook("exit 3")}));
    bundle.create();
    let ran = bundle.act(&["start", &bundle.id]);
    assert!(
        ran.code == 1 && ran.err.contains("hooks.poststart[0]"),
        "{ran:?}"
    );
    eventually("the container is stopped", || {
        bundle
            .state()
            .is_some_and(|state| state["status"] == "stopped")
    });
}

#[test]
fn config_hooks_poststop_that_fails_is_a_warning_and_the_others_run() {
    if skip_unless(NEEDS) {
        return;
    }
    let bundle = Bundle::shell("true");
    let out = bundle.outside.join("second");
    let second = format!("echo ran > {}", out.display());
    let hooks = json!([hook("exit 3")[0].clone(), hook(&second)[0].clone()]);
    let bundle = bundle.with("/hooks", json!({"poststop": hooks}));
    bundle.create();
    let log = bundle.outside.join("log");
    let ran = bundle.act(&[
        "--log",
        log.to_str().unwrap(),
        "delete",
        "--force",
        &bundle.id,
    ]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains("level=warning") && log.contains("hooks.poststop[0]"),
        "{log}"
    );
    assert!(out.exists() && bundle.state().is_none());
}

#[test]
fn config_hooks_start_container_is_under_the_containers_filter_and_rights() {
    if skip_unless(NEEDS) {
        return;
    }
    let filter = json!({"defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]});
    let script = "hostname x 2>&1; grep -E 'CapBnd|Seccomp:' /proc/self/status";
    let hook =
        json!([{"path": "/bin/busybox", "args": ["sh", "-c", script], "env": ["PATH=/bin"]}]);
    let said = Bundle::shell("true")
        .with("/linux/seccomp", filter)
        .with("/hooks", json!({"startContainer": hook}))
        .says();
    assert!(said.contains("Function not implemented"), "{said}");
    assert!(
        said.contains("Seccomp:\t2") && said.contains("CapBnd:\t00000000000000e3"),
        "{said}"
    );
}
