//! Documents of bundles that are really launched: what no command asks for.

use super::*;
use serde_json::{Value, json};
use std::sync::Arc;

/// A bundle whose shell says something.
struct Bundle {
    rootfs: Rootfs,
    json: Value,
}

/// What happened around the program.
struct Ran {
    output: String,
    /// What the caller saw while init waited before the pivot.
    seen: Vec<i32>,
}

impl Bundle {
    fn shell(script: &str) -> Bundle {
        let kinds = ["pid", "ipc", "uts", "mount", "network", "cgroup"];
        let namespaces: Vec<Value> = kinds.iter().map(|kind| json!({"type": kind})).collect();
        let rootfs = rootfs();
        Bundle {
            json: json!({
                "ociVersion": "1.3.0",
                "root": {"path": rootfs.path()},
                "process": {
                    "user": {"uid": 0, "gid": 0},
                    "args": ["/bin/busybox", "sh", "-c", script],
                    "env": ["PATH=/bin"],
                    "cwd": "/",
                },
                "mounts": [
                    {"destination": "/proc", "type": "proc", "source": "proc"},
                    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
                ],
                "linux": {"namespaces": namespaces},
            }),
            rootfs,
        }
    }

    fn mount(mut self, mount: Value) -> Bundle {
        self.json["mounts"].as_array_mut().unwrap().push(mount);
        self
    }

    fn with(mut self, pointer: &str, value: Value) -> Bundle {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        self.json.pointer_mut(parent).unwrap()[key] = value;
        self
    }

    fn run(&self) -> Result<Ran, String> {
        let document = serde_json::from_value(self.json.clone()).unwrap();
        let mut spec = Spec::from_bundle(unique_id("doc"), &self.rootfs.path(), document);
        spec.defaults = vec![
            execdriver_core::spec::TemplateDefault::Cgroup,
            execdriver_core::spec::TemplateDefault::DeviceRules,
        ];
        let host = this_host();
        let sources = Sources::resolve(&spec, &host);
        let input = RunInput::default();
        let plan =
            Plan::build(&spec, &host, &sources, &input).map_err(|error| error.to_string())?;
        let (mut reader, writer) = std::io::pipe().unwrap();
        let fds: Vec<OwnedFd> = plan
            .fds
            .iter()
            .map(|slot| match slot {
                FdSlot::Stdin => File::open("/dev/null").unwrap().into(),
                FdSlot::Stdout | FdSlot::Stderr => writer.try_clone().unwrap().into(),
                FdSlot::Namespace {
                    from: JoinFrom::Path(path),
                    ..
                } => File::open(path).unwrap().into(),
                other => panic!("no descriptor for {other:?}"),
            })
            .collect();
        drop(writer);
        let borrowed: Vec<BorrowedFd> = fds.iter().map(AsFd::as_fd).collect();
        let message = plan.message().unwrap();
        let mut seen = Vec::new();
        let mut mounted = |process: &Arc<crate::launch::Process>| {
            seen.push(process.pid());
            Ok(())
        };
        let started = launch(Launch {
            go_ahead: plan.go_ahead,
            early: None,
            namespaces: plan.clone_flags,
            cgroup: None,
            message: &message,
            fds: &borrowed,
            describe: &|index| plan.describe(index),
            id_maps: plan.id_maps.as_ref(),
            place: None,
            oom_score_adj: None,
            pre_start: None,
            mounted: Some(&mut mounted),
            listener: None,
            hold: false,
            init_stays: plan.init,
            entered: None,
            known: None,
            release_killed: None,
            limits: Limits::default(),
        });
        drop(fds);
        let started = started.map_err(|error| {
            let cause = std::error::Error::source(&error);
            format!(
                "{error}: {}",
                cause.map(ToString::to_string).unwrap_or_default()
            )
        })?;
        let mut output = String::new();
        reader.read_to_string(&mut output).unwrap();
        started.process.wait_until(None).unwrap();
        let exit = started.process.reap().unwrap();
        if exit.end != End::Exited(0) {
            output = format!("{output}[{:?}]", exit.end);
        }
        Ok(Ran { output, seen })
    }

    fn output(&self) -> String {
        self.run().map_or_else(|error| error, |ran| ran.output)
    }
}

/// The line of mountinfo for a mount point, its optional fields and options.
const OPTIONS_OF: &str = "awk '{print $5, $6, $7}' /proc/self/mountinfo | grep";

fn hook(script: &str) -> Value {
    json!({"path": "/bin/sh", "args": ["sh", "-c", script]})
}

#[test]
fn config_mounts_recursive_options_reach_the_mounts_below_and_plain_ones_do_not() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    // Below it are the host's cgroups.
    let script = format!("{OPTIONS_OF} '^/mnt'");
    for (words, below) in [(["ro", "rnosuid"], "rw"), (["rro", "nosuid"], "ro")] {
        let options = json!(["rbind", words[0], words[1]]);
        let mount = json!({"destination": "/mnt", "source": "/sys/fs", "options": options});
        let output = Bundle::shell(&script).mount(mount).output();
        let options = |point: &str| {
            let line = output.lines().find(|line| line.starts_with(point));
            let options = line
                .unwrap_or_else(|| panic!("{point} in {output}"))
                .split(' ')
                .nth(1);
            let options: Vec<String> = options.unwrap().split(',').map(str::to_owned).collect();
            options
        };
        let (top, deep) = (options("/mnt "), options("/mnt/cgroup "));
        assert!(top.contains(&"ro".to_owned()), "{output}");
        assert!(top.contains(&"nosuid".to_owned()), "{output}");
        assert!(deep.contains(&below.to_owned()), "{output}");
    }
}

#[test]
fn config_hooks_create_container_runs_in_the_containers_namespaces_and_sees_the_runtimes_files() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bundle = Bundle::shell("echo program");
    let root = bundle.rootfs.path().display().to_string();
    let script = format!(
        "hostname; readlink /proc/1/ns/mnt >/dev/null; test -e {root}/dev/null && echo devices; cat; echo; echo $0 $A"
    );
    let bundle = bundle.with("/hostname", json!("inside")).with(
        "/hooks",
        json!({"createContainer": [
            {"path": "/bin/sh", "args": ["zero", "-c", script], "env": ["A=b"]}]}),
    );
    let ran = bundle.run().unwrap_or_else(|error| panic!("{error}"));
    let lines: Vec<&str> = ran.output.lines().collect();
    assert_eq!(lines[1], "devices", "{}", ran.output);
    let state: Value = serde_json::from_str(lines[2]).unwrap();
    assert_eq!(state["pid"], json!(1));
    assert_eq!(state["status"], json!("creating"));
    assert_eq!(lines[3..], ["zero b", "program"]);
    assert!(ran.seen.is_empty());
}

#[test]
fn config_hooks_start_container_runs_in_the_containers_files_as_its_user() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bundle = Bundle::shell("echo program")
        .with("/process/user", json!({"uid": 7, "gid": 8}))
        .with(
            "/hooks",
            json!({"startContainer": [
            {"path": "/bin/busybox", "args": ["sh", "-c", "id -u; grep -c . /proc/1/comm; cat"]}]}),
        );
    let output = bundle.output();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], "7", "{output}");
    assert!(
        lines[2].contains(r#""status":"created","pid":1,"#),
        "{output}"
    );
}

#[test]
fn config_hooks_that_fail_stop_the_start_and_are_named() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    for (kind, hook, expected) in [
        (
            "createContainer",
            hook("exit 3"),
            "run the hook /bin/sh (hooks.createContainer[0]): it ended with code 3",
        ),
        (
            "createContainer",
            json!({"path": "/nowhere"}),
            "run the hook /nowhere (hooks.createContainer[0]): No such file or directory",
        ),
        (
            "createContainer",
            json!({"path": "/bin/sh", "args": ["sh", "-c", "sleep 60"], "timeout": 1}),
            "it took longer than its timeout and was killed",
        ),
        (
            "startContainer",
            json!({"path": "/bin/busybox", "args": ["sh", "-c", "kill -9 $$"]}),
            "(hooks.startContainer[0]): it was killed by signal 9",
        ),
        (
            "poststop",
            json!({"path": "relative"}),
            "invalid hooks.poststop[0].path",
        ),
        (
            "prestart",
            json!({"path": "/bin/true", "timeout": 0}),
            "invalid hooks.prestart[0].timeout",
        ),
    ] {
        let error = Bundle::shell("echo program")
            .with("/hooks", json!({kind: [hook]}))
            .run();
        let error = error.err().unwrap_or_else(|| panic!("{kind} passed"));
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn config_hooks_of_the_runtime_are_run_once_before_the_pivot() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    for kind in ["prestart", "createRuntime"] {
        let ran = Bundle::shell("echo program")
            .with("/hooks", json!({kind: [hook("true")]}))
            .run();
        let ran = ran.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((ran.seen.len(), ran.output.as_str()), (1, "program\n"));
    }
}

#[test]
fn config_mounts_tmpcopyup_begins_with_what_it_covers() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bundle = Bundle::shell(
        "cat /data/file /data/dir/deep; readlink /data/link; stat -c '%a %u' /data/dir; grep -c ' /data ' /proc/self/mountinfo",
    );
    bundle.rootfs.write("data/file", "one\n");
    bundle.rootfs.write("data/dir/deep", "two\n");
    std::os::unix::fs::symlink("file", bundle.rootfs.path().join("data/link")).unwrap();
    let dir = bundle.rootfs.path().join("data/dir");
    std::os::unix::fs::chown(&dir, Some(5), None).unwrap();
    std::fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o710)).unwrap();
    let bundle =
        bundle.mount(json!({"destination": "/data", "type": "tmpfs", "options": ["tmpcopyup"]}));
    assert_eq!(bundle.output(), "one\ntwo\nfile\n710 5\n1\n");
    // What the mount says of itself comes before what it covers.
    let bundle = Bundle::shell("cat /data/file; stat -c %a /data");
    bundle.rootfs.write("data/file", "one\n");
    let options = json!(["tmpcopyup", "mode=0701"]);
    let bundle = bundle.mount(json!({"destination": "/data", "type": "tmpfs", "options": options}));
    assert_eq!(bundle.output(), "one\n701\n");
}

#[test]
fn config_mounts_remount_changes_the_mount_that_is_there() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let script = format!("{OPTIONS_OF} '^/tmp '; echo x > /tmp/x || echo refused");
    let bundle = Bundle::shell(&script)
        .mount(json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["size=64k"]}))
        .mount(json!({"destination": "/tmp", "type": "tmpfs", "options": ["remount", "ro", "nosuid"]}));
    let output = bundle.output();
    assert!(
        output.contains("/tmp ro,nosuid") && output.ends_with("refused\n"),
        "{output}"
    );
}

#[test]
fn config_mounts_propagation_is_that_of_new_file_systems_too() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    for (word, expected) in [
        ("rshared", "shared:"),
        ("private", "- "),
        ("unbindable", "unbindable"),
    ] {
        let script = format!("{OPTIONS_OF} '^/tmp '");
        let bundle = Bundle::shell(&script)
            .mount(json!({"destination": "/tmp", "type": "tmpfs", "options": [word]}));
        let output = format!("{} ", bundle.output().trim());
        assert!(output.contains(expected), "{word}: {output}");
    }
}

#[test]
fn config_mounts_iversion_is_taken_by_every_file_system() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bundle = Bundle::shell("echo mounted").mount(
        json!({"destination": "/tmp", "type": "tmpfs", "options": ["iversion", "nosuid", "size=4k"]}),
    );
    assert_eq!(bundle.output(), "mounted\n");
}

#[test]
fn config_process_home_is_looked_up_for_a_number() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bundle = Bundle::shell("echo $HOME").with("/process/user", json!({"uid": 1, "gid": 1}));
    assert_eq!(bundle.output(), "/sbin\n");
    let set = bundle.with("/process/env", json!(["PATH=/bin", "HOME=/own"]));
    assert_eq!(set.output(), "/own\n");
}

#[test]
fn config_process_rlimits_that_are_listed_twice_are_refused() {
    let limit = json!({"type": "RLIMIT_CORE", "soft": 1, "hard": 1});
    let bundle = Bundle::shell("true").with("/process/rlimits", json!([limit, limit]));
    let error = bundle.run().err().unwrap();
    assert!(error.contains("process.rlimits[1].type"), "{error}");
}
