//! A bundle around the payload, and the runtime under test on it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects"
)]
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use crate::support::{FakeSystemd, Rootfs, eventually, is_root, unique_id};
use serde_json::{Value, json};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// The runtime under test.
pub(crate) const RUNTIME: &str = env!("CARGO_BIN_EXE_execdriver-oci");

/// A directory with config.json and the rootfs, and a root for the runtime's state. Dropped, its container is deleted.
pub(crate) struct Bundle {
    pub(crate) rootfs: Rootfs,
    pub(crate) id: String,
}

/// What a call of the runtime gave.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// The exit code, or 128 and the signal.
    pub(crate) fn code(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let signal = self.status.signal().map(|signal| 128 + signal);
        self.status.code().or(signal).unwrap()
    }
}

impl Bundle {
    /// A bundle whose program is this one, with the runtime's own document around it, that for ordinary users where the
    /// caller is one.
    pub(crate) fn of(args: &[&str]) -> Self {
        let bundle = Self {
            rootfs: Rootfs::new(),
            id: unique_id("oci"),
        };
        fs::set_permissions(bundle.rootfs.state(), Permissions::from_mode(0o700)).unwrap();
        let spec = ["spec", "--bundle", bundle.dir().to_str().unwrap()];
        match is_root() {
            true => bundle.done(&spec),
            false => bundle.done(&[&spec[..], &["--rootless"]].concat()),
        };
        bundle.edit(|config| {
            config["process"]["terminal"] = json!(false);
            config["process"]["args"] = json!(args);
            config["root"]["readonly"] = json!(false);
        });
        bundle
    }

    /// The bundle's directory.
    pub(crate) fn dir(&self) -> &Path {
        self.rootfs.all()
    }

    /// The container's state directory.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.rootfs.state().join(&self.id)
    }

    /// Changes the document.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Value)) {
        let path = self.dir().join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut config);
        fs::write(path, config.to_string()).unwrap();
    }

    /// A call of the runtime, not yet made.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(RUNTIME);
        command.arg("--root").arg(self.rootfs.state()).args(args);
        command.stdin(Stdio::null()).current_dir(self.dir());
        command
    }

    /// Makes a call whose output goes to files: what the container inherits keeps a pipe open.
    pub(crate) fn say_with(&self, mut command: Command) -> Said {
        let name = unique_id("said");
        let paths = ["out", "err"].map(|kind| self.dir().join(format!("{name}.{kind}")));
        let [out, err] = paths.each_ref().map(|path| File::create(path).unwrap());
        let status = command.stdout(out).stderr(err).status().unwrap();
        let [stdout, stderr] = paths.map(|path| fs::read_to_string(path).unwrap());
        Said {
            status,
            stdout,
            stderr,
        }
    }

    /// Makes a call.
    pub(crate) fn say(&self, args: &[&str]) -> Said {
        self.say_with(self.command(args))
    }

    /// Makes a call that must succeed without a word on stderr; its output.
    #[track_caller]
    pub(crate) fn done(&self, args: &[&str]) -> String {
        self.done_with(self.command(args))
    }

    /// The same where this systemd makes the cgroups.
    #[track_caller]
    pub(crate) fn done_by(&self, systemd: &FakeSystemd, args: &[&str]) -> String {
        let mut command = self.command(&[&["--systemd-cgroup"], args].concat());
        command.env("DBUS_SYSTEM_BUS_ADDRESS", &systemd.address);
        self.done_with(command)
    }

    #[track_caller]
    fn done_with(&self, command: Command) -> String {
        let call = format!("{command:?}");
        let said = self.say_with(command);
        assert_eq!((said.code(), said.stderr.as_str()), (0, ""), "{call}");
        said.stdout
    }

    /// Makes a call that must fail with code 1 and one line; that line.
    #[track_caller]
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let said = self.say(args);
        assert_eq!(said.code(), 1, "{args:?}: {said:?}");
        assert_eq!(said.stderr.lines().count(), 1, "{args:?}: {said:?}");
        said.stderr.trim().to_owned()
    }

    /// Begins a call whose words nobody wants.
    pub(crate) fn begin(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// `create` of the bundle's container.
    pub(crate) fn create(&self) {
        self.done(&["create", &self.id]);
    }

    /// `run --detach` of the bundle's container.
    pub(crate) fn run_detached(&self) {
        self.done(&["run", "--detach", &self.id]);
    }

    /// What `events --stats` says that the container uses.
    pub(crate) fn used(&self) -> Value {
        let text = self.done(&["events", "--stats", &self.id]);
        let mut event: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&event["type"], &event["id"]),
            (&json!("stats"), &json!(self.id))
        );
        event["data"].take()
    }

    /// Begins `events` that come often, and says where they are written.
    pub(crate) fn events(&self) -> (Child, PathBuf) {
        let path = self.dir().join("events");
        let mut command = self.command(&["events", "--interval", "50ms", &self.id]);
        command.stdout(File::create(&path).unwrap());
        (command.spawn().unwrap(), path)
    }

    /// What `state` prints.
    pub(crate) fn state(&self) -> Value {
        serde_json::from_str(&self.done(&["state", "--", &self.id])).unwrap()
    }

    /// The container's status; `none` when there is no such container.
    pub(crate) fn status(&self) -> String {
        let said = self.say(&["state", "--", &self.id]);
        match said.code() {
            0 => serde_json::from_str::<Value>(&said.stdout).unwrap()["status"]
                .as_str()
                .unwrap()
                .to_owned(),
            _ => "none".to_owned(),
        }
    }

    /// Waits for a status.
    #[track_caller]
    pub(crate) fn await_status(&self, wanted: &str) {
        eventually(wanted, || self.status() == wanted);
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = self.begin(&["delete", "--force", "--", &self.id]).wait();
    }
}
