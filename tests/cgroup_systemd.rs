//! `native.cgroupdriver=systemd`: with the machine's systemd where there is one, else with a peer that answers as it does.
#![cfg(all(target_os = "linux", feature = "cli"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests"
)]

mod cli;
#[path = "systemd/real.rs"]
mod real;
mod support;

use cli::{Cli, Done, Going, finish, start};
use execdriver::{Command, Resources};
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::{FakeSystemd, Need, eventually, has, is_root, skip_unless, unique_id, within};

const OPTION: [&str; 2] = ["--exec-opt", "native.cgroupdriver=systemd"];
/// The command line, and the peer unless the machine has a systemd.
struct Host {
    cli: Cli,
    fake: Option<FakeSystemd>,
}

impl Host {
    fn new() -> Self {
        let cli = Cli::new();
        let fake = match has(Need::Systemd) {
            true => None,
            false => Some(FakeSystemd::start(&cli.fs.state(), &[])),
        };
        Self { cli, fake }
    }

    /// Nothing here to make cgroups with: neither systemd nor, for the peer, the right to make them ourselves.
    fn is_missing() -> bool {
        !has(Need::Systemd) && skip_unless(&[Need::Root])
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.cli.command(&OPTION);
        command.args(args);
        if let Some(fake) = &self.fake {
            command.env("DBUS_SYSTEM_BUS_ADDRESS", &fake.address);
        }
        command
    }

    /// Calls the command line to its end.
    fn call(&self, args: &[&str]) -> Done {
        finish(self.command(args), b"")
    }

    /// Runs a container of this description to its end.
    fn run(&self, command: &Command) -> Done {
        let file = self.cli.fs.state().join("command.json");
        fs::write(&file, serde_json::to_string(command).unwrap()).unwrap();
        self.call(&["run", "--command", file.to_str().unwrap()])
    }

    /// Kills a container that sleeps and waits for its end.
    fn ended(&self, id: &str, going: Going) {
        self.call(&["kill", "--signal", "9", id]).says("");
        let done = going.done();
        assert_eq!(done.code, 137, "{done:?}");
    }

    /// A container of this description that sleeps.
    fn started(&self, command: &Command) -> Going {
        let file = self.cli.fs.state().join("command.json");
        fs::write(&file, serde_json::to_string(command).unwrap()).unwrap();
        let mut going = start(self.command(&["run", "--command", file.to_str().unwrap()]));
        eventually("it runs, or ended early", || {
            let list = self.call(&["list"]).out;
            let runs = |line: &str| line.contains(&command.id) && line.contains("running");
            list.lines().any(runs) || going.child.try_wait().unwrap().is_some()
        });
        if going.child.try_wait().unwrap().is_some() {
            panic!("{:?}", going.done());
        }
        going
    }

    fn sleeper(&self, id: &str) -> Command {
        let mut command = Command::linux(id, self.cli.fs.path(), "/bin/payload");
        command.process.arguments = vec!["ignore-term".to_owned()];
        command
    }

    /// The directory of a running container's cgroup with this controller.
    fn cgroup(&self, id: &str, controller: &str) -> PathBuf {
        let pids = finish(self.command(&["pids", id]), b"").out;
        let mut words = pids.split_whitespace();
        let pid: u32 = words.find_map(|word| word.parse().ok()).unwrap();
        let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let v1 = Path::new("/sys/fs/cgroup").join(controller);
        let (mark, top) = match v1.is_dir() {
            true => (format!(":{controller}:"), v1),
            false => ("0::".to_owned(), PathBuf::from("/sys/fs/cgroup")),
        };
        let line = own.lines().find(|line| line.contains(&mark)).unwrap();
        top.join(line.rsplit_once(":/").unwrap().1)
    }
}

/// Every cgroup with this in its name.
fn cgroups(id: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![(PathBuf::from("/sys/fs/cgroup"), 0)];
    while let Some((dir, depth)) = todo.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if depth < 6 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name().to_string_lossy().contains(id) {
                    found.push(entry.path());
                }
                todo.push((entry.path(), depth + 1));
            }
        }
    }
    found
}

#[test]
fn a_container_is_in_a_scope_of_the_slice_that_its_command_names() {
    if Host::is_missing() {
        return;
    }
    let host = Host::new();
    let id = unique_id("scope");
    let mut command = host.sleeper(&id);
    command.resources = Some(Resources {
        memory: 48 << 20,
        ..Resources::default()
    });
    command.as_linux_mut().unwrap().cgroup_parent = "execdrivertest-a.slice".to_owned();
    let going = host.started(&command);
    let cgroup = host.cgroup(&id, "memory");
    let place =
        format!("execdrivertest.slice/execdrivertest-a.slice/execdriver-{id}.scope/container");
    assert!(cgroup.ends_with(&place), "{}", cgroup.display());
    let limit = |file| fs::read_to_string(cgroup.join(file)).ok();
    let limit = limit("memory.max").or_else(|| limit("memory.limit_in_bytes"));
    assert_eq!(limit.unwrap().trim(), "50331648");
    host.ended(&id, going);
    assert_eq!(cgroups(&id), Vec::<PathBuf>::new());
    // The name is free again at once.
    let going = host.started(&command);
    host.ended(&id, going);
}

#[test]
fn what_a_killed_host_program_leaves_is_cleaned_by_the_next() {
    if Host::is_missing() {
        return;
    }
    let host = Host::new();
    let id = unique_id("left");
    let going = host.started(&host.sleeper(&id));
    let scope = host.cgroup(&id, "memory").parent().unwrap().to_owned();
    let slice = if is_root() { "system" } else { "user" };
    let place = format!("{slice}.slice/execdriver-{id}.scope");
    assert!(scope.ends_with(place), "{}", scope.display());
    // SIGKILL; the command line's containers die with it.
    drop(going);
    eventually("it can be cleaned", || {
        finish(host.command(&["clean", &id]), b"").code == 0
    });
    eventually("the scope is gone", || cgroups(&id).is_empty());
    assert!(host.cli.left().is_empty());
}

#[test]
fn a_parent_that_is_no_slice_or_leads_elsewhere_is_refused_before_anything_is_made() {
    if Host::is_missing() {
        return;
    }
    let host = Host::new();
    let id = unique_id("slice");
    let mut command = host.sleeper(&id);
    let long = format!("{}.slice", "x".repeat(250));
    for (parent, word) in [
        ("/docker", "NAME.slice"),
        ("execdriverhostile/../x.slice", "slice"),
        ("execdriverhostile-.slice", "slice"),
        ("execdriver@hostile.slice", "slice"),
        (long.as_str(), "slice"),
        ("system.slice:execdriverhostile", "slice:prefix:name"),
        ("system.slice:execdriverhostile:../../x", "scope"),
        ("system.slice:execdriverhostile:", "scope"),
    ] {
        command.as_linux_mut().unwrap().cgroup_parent = parent.to_owned();
        let done = host.run(&command);
        done.fails(125, &["cgroup_parent", word]);
        assert!(host.cli.left().is_empty() && cgroups(&id).is_empty());
    }
    assert_eq!(cgroups("hostile"), Vec::<PathBuf>::new());
}

#[test]
fn a_systemd_that_is_not_there_is_an_error_that_names_the_mend() {
    let cli = Cli::new();
    let mut command = cli.command(&OPTION);
    command.arg("list");
    for bus in ["DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS"] {
        command.env(bus, "unix:path=/nonexistent/bus");
    }
    let done = finish(command, b"");
    done.fails(
        1,
        &[
            "native.cgroupdriver",
            "start dbus and systemd",
            "/nonexistent/bus",
        ],
    );
}

#[test]
fn a_bus_that_never_answers_is_an_error_in_bounded_time() {
    let cli = Cli::new();
    let path = cli.fs.state().join("mute");
    let _mute = UnixListener::bind(&path).unwrap();
    let mut command = cli.command(&OPTION);
    command.arg("list");
    for bus in ["DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS"] {
        command.env(bus, format!("unix:path={}", path.display()));
    }
    let mut going = start(command);
    let ended = within(Duration::from_secs(60), || {
        going.child.try_wait().unwrap().is_some()
    });
    assert!(ended, "it waits for ever");
    let words = ["native.cgroupdriver", "no answer from the bus", "in time"];
    going.done().fails(1, &words);
}
