//! containerd, Docker and Podman on this runtime: what their users see is what they are used to.
//!
//! Each script in `clients/` starts its client under a directory and in namespaces of its own (`enter.sh`) and prints a line
//! a step. `CLIENT.expected` has the lines that are to be, with this runtime and with runc and crun in its place;
//! `CLIENT.PEER` those of a peer that differ, and why. Debian's packages are installed by `tests/run.sh --only clients`,
//! which runs these.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod bundle;
#[path = "../../../../tests/support/mod.rs"]
mod support;

use bundle::Bundle;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{Need, USER, criu, skip_unless};
use tempfile::TempDir;

/// Who starts containers, on what.
struct Client {
    /// The script's name.
    name: &'static str,
    program: &'static str,
    /// The name of the file of expectations.
    expected: &'static str,
    ordinary: bool,
}

const CONTAINERD: Client = Client::root("containerd", "containerd");
const DOCKER: Client = Client::root("docker", "dockerd");
/// containerd and Podman, with CRIU.
const CHECKPOINT: Client = Client::root("checkpoint", "containerd");
const PODMAN: Client = Client::root("podman", "podman");
const PODMAN_OF_A_USER: Client = Client {
    expected: "podman-rootless",
    ordinary: true,
    ..PODMAN
};

impl Client {
    const fn root(name: &'static str, program: &'static str) -> Self {
        Self {
            name,
            program,
            expected: name,
            ordinary: false,
        }
    }

    /// Runs the script on this runtime, or on a peer that is installed.
    fn says_what_is_expected(&self, peer: Option<&'static str>) {
        let needs = [
            Need::Root,
            Need::Busybox,
            Need::Program(self.program),
            Need::Program("docker-registry"),
            Need::Program(peer.unwrap_or("unshare")),
        ];
        let saves = self.name == CHECKPOINT.name;
        let more = [Need::Criu, Need::Program("podman")];
        if skip_unless(&needs) || saves && skip_unless(&more) {
            return;
        }
        let expected = self.lines(peer);
        let mut said = self.run(peer);
        // A client can lose a short program's output on a peer (seen: Podman on crun, once); on ours it may not.
        if peer.is_some() && !said.wrong(&expected).is_empty() {
            eprintln!("once more, since a peer said: {}", said.wrong(&expected));
            said = self.run(peer);
        }
        assert_eq!(said.wrong(&expected), "", "{}", said.errors);
    }

    fn run(&self, peer: Option<&'static str>) -> Said {
        let place = Place::new(self.ordinary);
        let said = place.run(self, peer);
        place.clear();
        said
    }

    /// The expected lines by the names of their steps.
    fn lines(&self, peer: Option<&str>) -> BTreeMap<String, String> {
        let text = fs::read_to_string(scripts().join(format!("{}.expected", self.expected)));
        let mut lines = by_name(&text.unwrap());
        if let Some(peer) = peer {
            let differing = scripts().join(format!("{}.{peer}", self.expected));
            lines.extend(by_name(&fs::read_to_string(differing).unwrap_or_default()));
        }
        lines
    }
}

struct Said {
    lines: BTreeMap<String, String>,
    errors: String,
}

impl Said {
    /// Every line that is not as it is expected, missing ones and unexpected ones included.
    fn wrong(&self, expected: &BTreeMap<String, String>) -> String {
        let nothing = String::from("nothing");
        let mut wrong = String::new();
        for name in expected.keys().chain(self.lines.keys()) {
            let want = expected.get(name).unwrap_or(&nothing);
            let got = self.lines.get(name).unwrap_or(&nothing);
            if want != got && !wrong.contains(&format!("  got {got}\n")) {
                wrong.push_str(&format!("{want}\n  got {got}\n"));
            }
        }
        wrong
    }
}

/// The directories of a run. They are in /tmp, and the runtime is copied, for an ordinary user may not be let into where the
/// project is.
struct Place {
    tools: TempDir,
    own: TempDir,
}

impl Place {
    fn new(ordinary: bool) -> Self {
        let directory = || {
            let made = tempfile::Builder::new().prefix("oci-").tempdir_in("/tmp");
            let made = made.unwrap();
            fs::set_permissions(made.path(), fs::Permissions::from_mode(0o755)).unwrap();
            made
        };
        let (tools, own) = (directory(), directory());
        for script in fs::read_dir(scripts()).unwrap() {
            let script = script.unwrap();
            fs::copy(script.path(), tools.path().join(script.file_name())).unwrap();
        }
        let ours = env!("CARGO_BIN_EXE_execdriver-oci");
        fs::copy(ours, tools.path().join("execdriver-oci")).unwrap();
        if ordinary {
            chown(own.path(), Some(USER), Some(USER)).unwrap();
        }
        Self { tools, own }
    }

    fn run(&self, client: &Client, peer: Option<&str>) -> Said {
        let tools = self.tools.path();
        let runtime = peer.map_or_else(|| tools.join("execdriver-oci"), installed);
        let mut shell = Command::new("bash");
        shell.arg(tools.join("enter.sh"));
        if client.ordinary {
            shell.arg("--user").arg(USER.to_string());
        }
        shell.arg(tools.join(format!("{}.sh", client.name)));
        shell
            .env("RUNTIME", runtime)
            .env("PEER", peer.unwrap_or_default())
            .env("PLACE", self.own.path())
            .env("CRIU", criu())
            .env("BUSYBOX", "/bin/busybox");
        let output = shell.stdin(Stdio::null()).output().unwrap();
        let log = |name: &str| fs::read_to_string(self.own.path().join(name)).unwrap_or_default();
        Said {
            lines: by_name(&String::from_utf8_lossy(&output.stdout)),
            errors: format!(
                "{}\n--- the client's own words\n{}\n{}",
                String::from_utf8_lossy(&output.stderr),
                log("said"),
                log("log")
            ),
        }
    }

    /// Removes the cgroups that have the name of our place; its processes ended with their pid namespace.
    fn clear(&self) {
        let name = self.own.path().file_name().unwrap();
        for hierarchy in fs::read_dir("/sys/fs/cgroup").unwrap() {
            let ours = hierarchy.unwrap().path().join(name);
            remove_cgroups(&ours);
            assert!(!ours.exists(), "{ours:?} is still in use");
        }
        remove_cgroups(&Path::new("/sys/fs/cgroup").join(name));
    }
}

fn remove_cgroups(top: &Path) {
    for below in fs::read_dir(top).into_iter().flatten().flatten() {
        if below.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_cgroups(&below.path());
        }
    }
    let _ = fs::remove_dir(top);
}

/// `name: what the step said [code]`, a line a step; `#` begins a remark.
fn by_name(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let named = |line: &str| (line.split(':').next().unwrap().to_owned(), line.to_owned());
    lines.map(named).collect()
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Where a peer is: not by PATH, in which something else may stand before Debian's.
fn installed(peer: &str) -> PathBuf {
    let places = ["/usr/sbin", "/usr/bin"].map(|directory| Path::new(directory).join(peer));
    let found = places.into_iter().find(|program| program.exists());
    found.unwrap_or_else(|| panic!("{peer} is not installed"))
}

macro_rules! clients {
    ($($test:ident: $client:expr, $peer:expr;)*) => {$(
        #[test]
        #[ignore = "needs the clients: tests/run.sh --only clients"]
        fn $test() {
            $client.says_what_is_expected($peer);
        }
    )*};
}

clients! {
    docker_runs_its_containers_on_this_runtime: DOCKER, None;
    containerd_runs_its_containers_on_this_runtime: CONTAINERD, None;
    podman_runs_its_containers_on_this_runtime: PODMAN, None;
    podman_of_an_ordinary_user_runs_its_containers_on_this_runtime: PODMAN_OF_A_USER, None;
    containers_are_saved_and_made_anew_by_clients_of_this_runtime: CHECKPOINT, None;
    clients_say_the_same_of_saved_containers_with_runc: CHECKPOINT, Some("runc");
    docker_says_the_same_with_runc: DOCKER, Some("runc");
    containerd_says_the_same_with_runc: CONTAINERD, Some("runc");
    podman_says_the_same_with_runc: PODMAN, Some("runc");
    podman_of_an_ordinary_user_says_the_same_with_runc: PODMAN_OF_A_USER, Some("runc");
    docker_says_the_same_with_crun: DOCKER, Some("crun");
    containerd_says_the_same_with_crun: CONTAINERD, Some("crun");
    podman_says_the_same_with_crun: PODMAN, Some("crun");
    podman_of_an_ordinary_user_says_the_same_with_crun: PODMAN_OF_A_USER, Some("crun");
}

#[test]
#[ignore = "needs the clients: tests/run.sh --only clients"]
fn the_events_have_every_key_of_runcs() {
    let keys = |runtime: &Path| {
        let bundle = Bundle::of(&["/bin/pause"]);
        let call = |args: &[&str]| {
            let mut command = Command::new(runtime);
            command.arg("--root").arg(bundle.rootfs.state()).args(args);
            command.current_dir(bundle.dir()).stdin(Stdio::null());
            bundle.say_with(command)
        };
        let begun = call(&["run", "--detach", &bundle.id]);
        let said = call(&["events", "--stats", &bundle.id]);
        let ended = call(&["delete", "--force", &bundle.id]);
        assert_eq!((begun.code(), ended.code()), (0, 0), "{begun:?} {ended:?}");
        let mut found = BTreeSet::new();
        names("", &serde_json::from_str(&said.stdout).unwrap(), &mut found);
        found
    };
    let (theirs, ours) = (keys(&installed("runc")), keys(Path::new(bundle::RUNTIME)));
    assert!(theirs.len() > 60, "{theirs:?}");
    let missing: Vec<&String> = theirs.difference(&ours).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The names of all that is in a document.
fn names(at: &str, value: &Value, found: &mut BTreeSet<String>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let name = format!("{at}.{key}");
        names(&name, value, found);
        found.insert(name);
    }
}
