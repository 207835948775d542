//! `checkpoint` and `restore` with a CRIU of the host's: programs go on where they were, and a failure leaves nothing.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod bundle;
#[path = "../../../../tests/support/mod.rs"]
mod support;

use bundle::{Bundle, Said};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use support::{Need, among, criu, eventually, skip_unless, unique_id};

const NEEDS: [Need; 3] = [Need::Root, Need::Busybox, Need::Criu];

/// Counts in memory and says each number.
const COUNT: &str = "n=0; while :; do n=$((n+1)); echo $n; sleep 0.05; done";

/// A bundle whose program is this script.
fn script(text: &str) -> Bundle {
    let bundle = Bundle::of(&["/bin/sh", "-c", text]);
    fs::copy("/bin/busybox", bundle.rootfs.inside("bin/busybox")).unwrap();
    for name in ["sh", "sleep", "cat", "ls", "stty"] {
        let _ = fs::remove_file(bundle.rootfs.inside(&format!("bin/{name}")));
        bundle.rootfs.symlink("busybox", &format!("bin/{name}"));
    }
    bundle
}

impl Bundle {
    fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    fn criu(&self, args: &[&str]) -> Command {
        let program = criu();
        let mut all = vec!["--criu", program.to_str().unwrap()];
        all.extend(args);
        self.command(&all)
    }

    /// A pipe, at whose other end a program writes to a file until all have closed it.
    fn pipe(&self, output: &str) -> Stdio {
        let mut cat = Command::new("cat");
        cat.stdin(Stdio::piped());
        cat.stdout(File::create(self.file(output)).unwrap());
        let mut cat = cat.spawn().unwrap();
        let end = cat.stdin.take().unwrap();
        // It ends with the container, and is reaped then.
        std::thread::spawn(move || cat.wait());
        end.into()
    }

    /// `run --detach`, with its output in a file.
    fn count(&self, output: &str) {
        let mut command = self.criu(&["run", "--detach", &self.id]);
        command.stdout(self.pipe(output)).stderr(Stdio::null());
        assert!(command.status().unwrap().success());
        eventually("it counts", || self.last(output) > 2);
    }

    fn checkpoint(&self, more: &[&str]) {
        let mut args = vec!["checkpoint"];
        args.extend(more);
        args.push(&self.id);
        let said = self.say_with(self.criu(&args));
        assert_eq!((said.code(), said.stderr.as_str()), (0, ""));
    }

    /// `restore --detach`, with its output in a file.
    fn restore(&self, output: &str, more: &[&str]) -> Said {
        let log = self.file(&unique_id("log"));
        let mut args = vec!["--log", log.to_str().unwrap(), "restore", "--detach"];
        args.extend(more);
        args.push(&self.id);
        let mut command = self.criu(&args);
        // The streams are the container's.
        command.stdout(self.pipe(output)).stderr(Stdio::null());
        Said {
            status: command.status().unwrap(),
            stdout: String::new(),
            stderr: fs::read_to_string(log).unwrap_or_default(),
        }
    }

    #[track_caller]
    fn restored(&self, output: &str, more: &[&str]) {
        let said = self.restore(output, more);
        assert_eq!((said.code(), said.stderr.as_str()), (0, ""));
    }

    /// The last whole number in a file.
    fn last(&self, output: &str) -> u64 {
        let text = fs::read_to_string(self.file(output)).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .next_back()
            .map_or(0, |line| line.parse().unwrap())
    }

    fn first(&self, output: &str) -> u64 {
        let text = fs::read_to_string(self.file(output)).unwrap_or_default();
        text.split_once('\n')
            .map_or(0, |(line, _)| line.parse().unwrap())
    }
}

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
    let line = refused(&["checkpoint", &bundle.id]);
    assert!(
        line.contains("cannot checkpoint a container in the created state"),
        "{line}"
    );
    assert!(!bundle.file("checkpoint").exists());
    bundle.done(&["delete", &bundle.id]);
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
