//! Bundles for the tests of the runtime specification, and the program that is tested.
#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

use crate::support::{Rootfs, is_root, unique_id};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A bundle with a shell in it, below a directory of its own. Whatever was made of it goes with it.
pub(crate) struct Bundle {
    pub(crate) rootfs: Rootfs,
    /// `config.json`.
    pub(crate) json: Value,
    pub(crate) id: String,
    /// For files of a test.
    pub(crate) outside: PathBuf,
}

impl Bundle {
    /// Its program is a shell with this script.
    pub(crate) fn shell(script: &str) -> Self {
        let rootfs = Rootfs::bare().with_busybox();
        rootfs.write(
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/sbin:/bin/sh\n",
        );
        let kinds = ["pid", "ipc", "uts", "mount", "network"];
        let namespaces: Vec<Value> = kinds.iter().map(|kind| json!({"type": kind})).collect();
        let caps = json!([
            "CAP_CHOWN",
            "CAP_DAC_OVERRIDE",
            "CAP_SETUID",
            "CAP_SETGID",
            "CAP_KILL"
        ]);
        let json = json!({
            "ociVersion": "1.3.0",
            "root": {"path": "rootfs"},
            "process": {
                "user": {"uid": 0, "gid": 0},
                "args": ["/bin/busybox", "sh", "-c", script],
                "env": ["PATH=/bin"],
                "cwd": "/",
                "capabilities": {"bounding": caps, "effective": caps, "permitted": caps},
            },
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                {"destination": "/dev/pts", "type": "devpts", "source": "devpts"},
                {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
            ],
            "linux": {"namespaces": namespaces},
        });
        let outside = rootfs.outside();
        let json = match is_root() {
            true => json,
            false => rootless(json),
        };
        Self {
            rootfs,
            json,
            id: unique_id("spec"),
            outside,
        }
    }

    /// Sets a part of the document, by a JSON pointer.
    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = self.json.pointer_mut(parent);
        parent.unwrap_or_else(|| panic!("no {pointer}"))[key] = value;
        self
    }

    /// Leaves a part of the document out.
    pub(crate) fn without(mut self, pointer: &str) -> Self {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = self.json.pointer_mut(parent).unwrap();
        parent.as_object_mut().unwrap().remove(key);
        self
    }

    /// One more mount.
    pub(crate) fn mount(mut self, mount: Value) -> Self {
        self.json["mounts"].as_array_mut().unwrap().push(mount);
        self
    }

    /// The same with another namespace of this kind, or none.
    pub(crate) fn namespace(mut self, kind: &str, namespace: Option<Value>) -> Self {
        let list = self.json["linux"]["namespaces"].as_array_mut().unwrap();
        list.retain(|one| one["type"] != kind);
        list.extend(namespace);
        self
    }

    /// The bundle's directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.rootfs.all().to_owned()
    }

    /// Writes `config.json`.
    pub(crate) fn write(&self) {
        self.write_text(&self.json.to_string());
    }

    /// Writes something else as `config.json`.
    pub(crate) fn write_text(&self, text: &str) {
        std::fs::write(self.path().join("config.json"), text).unwrap();
    }

    /// The runtime with this verb and what follows it.
    pub(crate) fn verb(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_execdriver-oci"));
        command.arg("--root").arg(self.rootfs.state().join("oci"));
        command.args(words).stdin(Stdio::null());
        command
    }

    /// `run` to the end.
    pub(crate) fn run(&self) -> Ran {
        self.write();
        self.run_as_it_is()
    }

    /// The same without writing the document.
    pub(crate) fn run_as_it_is(&self) -> Ran {
        let path = self.path();
        let words = ["run", "--bundle", path.to_str().unwrap(), &self.id];
        Ran::of(self.verb(&words).output().unwrap())
    }

    /// What the program says; anything else is a failed test.
    #[track_caller]
    pub(crate) fn says(&self) -> String {
        let ran = self.run();
        assert!(ran.code == 0 && ran.err.is_empty(), "{ran:?}");
        ran.out
    }

    /// What the runtime says instead of running anything, one line; nothing is left.
    #[track_caller]
    pub(crate) fn refused(&self) -> String {
        let ran = self.run();
        self.check_refused(&ran)
    }

    /// The same of what came of an attempt.
    #[track_caller]
    pub(crate) fn check_refused(&self, ran: &Ran) -> String {
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
        let list = self.verb(&["list", "-q"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&list.stdout), "", "{ran:?}");
        ran.err.trim_end().to_owned()
    }

    /// `create`; the container waits.
    #[track_caller]
    pub(crate) fn create(&self) {
        self.write();
        let path = self.path();
        let ran = self.act(&["create", "--bundle", path.to_str().unwrap(), &self.id]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }

    /// A verb whose container writes nowhere.
    pub(crate) fn act(&self, words: &[&str]) -> Ran {
        let mut command = self.verb(words);
        // A container that lives on keeps its streams, and `output` would wait for them.
        let err = self.path().join("stderr");
        let out = self.path().join("stdout");
        command.stdout(std::fs::File::create(&out).unwrap());
        command.stderr(std::fs::File::create(&err).unwrap());
        let status = command.status().unwrap();
        Ran {
            out: std::fs::read_to_string(out).unwrap(),
            err: std::fs::read_to_string(err).unwrap(),
            code: status.code().unwrap_or(-1),
        }
    }

    /// The container's state.
    pub(crate) fn state(&self) -> Option<Value> {
        let ran = Ran::of(self.verb(&["state", &self.id]).output().unwrap());
        serde_json::from_str(&ran.out).ok()
    }
}

/// The same for an ordinary user, who is root in a user namespace that has nobody else.
fn rootless(mut json: Value) -> Value {
    let own = |id: u32| json!([{"containerID": 0, "hostID": id, "size": 1}]);
    let linux = &mut json["linux"];
    linux["uidMappings"] = own(nix::unistd::geteuid().as_raw());
    linux["gidMappings"] = own(nix::unistd::getegid().as_raw());
    let namespaces = linux["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({"type": "user"}));
    json
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = self.verb(&["delete", "--force", &self.id]).output();
    }
}

/// What came of a verb.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code().unwrap_or(-1),
        }
    }
}
