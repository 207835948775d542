//! `checkpoint` and `restore` with a CRIU of the host's: programs go on where they were, and a failure leaves nothing.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod bundle;
mod saved;
#[path = "../../../../tests/support/mod.rs"]
mod support;

use bundle::Bundle;
use saved::{COUNT, NEEDS, script};
use serde_json::json;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use support::{Need, among, eventually, skip_unless};

#[test]
fn a_program_goes_on_where_it_was_saved() {
    if skip_unless(&NEEDS) {
        return;
    }
    let _among = among();
    let bundle = script(COUNT);
    bundle.count("before");
    bundle.checkpoint(&["--image-path", "images", "--work-path", "work"]);
    // As other runtimes do: a container that is saved is gone, so that its id is free for its return.
    assert_eq!(bundle.status(), "none");
    assert!(bundle.file("work/dump.log").exists());
    let args = [
        "--image-path",
        "images",
        "--work-path",
        "work",
        "--pid-file",
        "pid",
    ];
    bundle.restored("after", &args);
    eventually("it counts", || {
        bundle.last("after") > bundle.last("before") + 2
    });
    // The number that it was about to say may be said on either side.
    let next = bundle.first("after") - bundle.last("before");
    assert!(next <= 1, "{next}");
    let state = bundle.state();
    assert_eq!(state["status"], "running");
    let pid = fs::read_to_string(bundle.file("pid")).unwrap();
    assert_eq!(state["pid"].to_string(), pid);
    let said = bundle.say(&[
        "exec",
        &bundle.id,
        "/bin/sh",
        "-c",
        "echo $$; ls /proc/1/ns",
    ]);
    assert_eq!(said.code(), 0, "{said:?}");
    bundle.done(&["kill", &bundle.id, "9"]);
    bundle.await_status("stopped");
    bundle.done(&["delete", &bundle.id]);
    assert!(!bundle.state_dir().exists());
}

#[test]
fn a_container_that_is_left_running_goes_on_and_a_paused_one_stays_paused() {
    if skip_unless(&NEEDS) {
        return;
    }
    let _among = among();
    let bundle = script(COUNT);
    bundle.count("out");
    let pid = bundle.state()["pid"].clone();
    bundle.checkpoint(&["--leave-running"]);
    assert_eq!(
        (bundle.status().as_str(), &bundle.state()["pid"]),
        ("running", &pid)
    );
    let then = bundle.last("out");
    eventually("it counts on", || bundle.last("out") > then + 2);
    bundle.done(&["pause", &bundle.id]);
    bundle.checkpoint(&["--leave-running", "--image-path", "second"]);
    assert_eq!(bundle.status(), "paused");
    // What clients do: they pause it first.
    bundle.checkpoint(&["--image-path", "third"]);
    assert_eq!(bundle.status(), "none");
    bundle.restored("again", &["--image-path", "third"]);
    eventually("it counts", || bundle.last("again") > 0);
    assert_eq!(bundle.status(), "running");
}

#[test]
fn without_criu_the_error_is_one_line_and_nothing_happens() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let _among = among();
    let bundle = Bundle::of(&["/bin/pause"]);
    bundle.run_detached();
    for criu in ["/no/such/criu", "/bin/false", "/dev/null"] {
        let line = bundle.refused(&[
            "--criu",
            criu,
            "checkpoint",
            "--image-path",
            "i",
            &bundle.id,
        ]);
        assert!(
            line.contains(criu) && line.contains("CRIU") || line.contains("gave no answer"),
            "{line}"
        );
        assert_eq!(bundle.status(), "running");
        assert!(!bundle.file("i").exists());
    }
    fs::create_dir(bundle.file("i")).unwrap();
    let line = bundle.refused(&[
        "--criu",
        "/no/such/criu",
        "restore",
        "--image-path",
        "i",
        "other",
    ]);
    assert!(
        line.contains("/no/such/criu cannot be run: install CRIU"),
        "{line}"
    );
    assert_eq!(bundle.say(&["state", "other"]).code(), 1);
}

#[test]
fn a_restore_from_what_is_no_checkpoint_or_onto_a_taken_id_is_refused() {
    if skip_unless(&NEEDS) {
        return;
    }
    let _among = among();
    let bundle = script(COUNT);
    let refused = |args: &[&str]| {
        let said = bundle.say_with(bundle.criu(args));
        assert_eq!(
            (said.code(), said.stderr.lines().count()),
            (1, 1),
            "{said:?}"
        );
        said.stderr
    };
    let line = refused(&["restore", "--image-path", "none", &bundle.id]);
    assert!(line.contains("none: no such file or directory"), "{line}");
    fs::create_dir(bundle.file("empty")).unwrap();
    let line = refused(&["restore", "--image-path", "empty", &bundle.id]);
    assert!(line.contains("execdriver.json"), "{line}");
    assert_eq!(bundle.status(), "none");
    bundle.create();
    let unstarted = || {
        let line = refused(&["checkpoint", &bundle.id]);
        let words = "cannot checkpoint a container in the created state";
        assert!(line.contains(words), "{line}");
        assert!(!bundle.file("checkpoint").exists());
    };
    unstarted();
    bundle.done(&["pause", &bundle.id]);
    unstarted();
    bundle.done(&["delete", "--force", &bundle.id]);
    bundle.count("out");
    bundle.checkpoint(&["--leave-running"]);
    let line = refused(&["restore", "--detach", &bundle.id]);
    assert!(line.contains("already exists"), "{line}");
    assert_eq!(bundle.status(), "running");
    let line = refused(&[
        "checkpoint",
        "--pre-dump",
        "--image-path",
        "pre",
        &bundle.id,
    ]);
    assert!(
        line.contains("tracks no changes") || bundle.file("pre").exists(),
        "{line}"
    );
    for option in [
        "--lazy-pages",
        "--page-server=x",
        "--empty-ns=ipc",
        "--manage-cgroups-mode=x",
    ] {
        let line = refused(&["checkpoint", option, "--image-path", "no", &bundle.id]);
        assert!(line.contains(option.split('=').next().unwrap()), "{line}");
    }
    assert!(!bundle.file("no").exists());
    assert_eq!(bundle.status(), "running");
}

#[test]
fn what_confined_a_container_confines_it_when_it_is_made_anew() {
    if skip_unless(&NEEDS) {
        return;
    }
    let _among = among();
    let bundle = script(COUNT);
    fs::create_dir(bundle.file("shared")).unwrap();
    bundle.edit(|config| {
        config["root"]["readonly"] = json!(true);
        let shared = json!({"destination": "/shared", "type": "bind", "source": "shared", "options": ["rbind", "ro"]});
        config["mounts"].as_array_mut().unwrap().push(shared);
        config["linux"]["resources"]["pids"] = json!({"limit": 17});
        let hook = |name: &str| json!([{"path": "/bin/sh", "args": ["sh", "-c", format!("cat >>{name}")]}]);
        config["hooks"] = json!({"createRuntime": hook("made"), "poststart": hook("started")});
    });
    bundle.count("before");
    let facts = |bundle: &Bundle| {
        let text = "touch /x 2>&1; touch /shared/x 2>&1; grep -E '^(Seccomp|CapEff|NoNewPrivs):' /proc/1/status; \
                    cut -d ' ' -f 5,6 /proc/1/mountinfo | sort; cat /proc/keys | head -c 1";
        bundle.done(&["exec", &bundle.id, "/bin/busybox", "sh", "-c", text])
    };
    let then = facts(&bundle);
    assert!(
        then.contains("/ ro,") && then.contains("/shared ro,"),
        "{then}"
    );
    bundle.checkpoint(&[]);
    for file in ["made", "started"] {
        fs::remove_file(bundle.file(file)).unwrap();
    }
    // Where something is mounted need not be there: another copy of the root will do.
    fs::remove_dir(bundle.rootfs.inside("shared")).unwrap();
    bundle.restored("after", &[]);
    eventually("it counts", || bundle.last("after") > 0);
    assert_eq!(facts(&bundle), then);
    for file in ["made", "started"] {
        let state = fs::read_to_string(bundle.file(file)).unwrap();
        assert!(
            state.contains(&format!("\"id\":\"{}\"", bundle.id)),
            "{file}: {state}"
        );
    }
    let cgroups = bundle.done(&["events", "--stats", &bundle.id]);
    assert!(cgroups.contains("\"limit\":17"), "{cgroups}");
}

#[test]
fn what_cannot_be_saved_is_told_by_the_line_of_the_log_and_the_container_runs_on() {
    if skip_unless(&NEEDS) {
        return;
    }
    let _among = among();
    let bundle = script(COUNT);
    // A directory of the host's, which no document speaks of.
    let directory = File::open(bundle.dir()).unwrap();
    let mut command = bundle.criu(&["run", "--detach", "--preserve-fds", "1", &bundle.id]);
    let number = nix::unistd::dup(&directory).unwrap();
    let mut shell = Command::new("/bin/sh");
    let words = format!(
        "exec 3<&{}; exec \"$@\"",
        std::os::fd::AsRawFd::as_raw_fd(&number)
    );
    shell.args(["-c", &words, "sh"]).arg(command.get_program());
    shell.args(command.get_args()).current_dir(bundle.dir());
    command = shell;
    command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(bundle.pipe("out"));
    assert!(command.status().unwrap().success());
    eventually("it counts", || bundle.last("out") > 2);
    let said = bundle.say_with(bundle.criu(&["checkpoint", "--image-path", "images", &bundle.id]));
    assert_eq!(
        (said.code(), said.stderr.lines().count()),
        (1, 1),
        "{said:?}"
    );
    assert!(
        said.stderr.contains("criu failed: Can't lookup mount"),
        "{said:?}"
    );
    assert!(said.stderr.contains("images/dump.log"), "{said:?}");
    let left = fs::read_dir(bundle.file("images")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["dump.log"]);
    let then = bundle.last("out");
    eventually("it counts on", || bundle.last("out") > then + 2);
    assert_eq!(bundle.status(), "running");
}
