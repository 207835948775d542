//! Plans from made-up hosts: golden lists of steps, what the steps carry, and what is refused.

mod confined;
mod devices;
mod golden;
mod launched;
mod limited;
mod ready;
mod refused;
mod steps;

use super::*;
use execdriver_core::Command;
use nix::sys::stat::makedev;
use sources::{SourceKind, SourceMount};
use std::path::PathBuf;

/// A root that has everything, on a hybrid host.
pub(super) fn root_host() -> Host<'static> {
    let hierarchy = |name: &str, controllers: &[&str]| Hierarchy {
        controllers: controllers.join(",").into(),
        mount_point: Path::new("/sys/fs/cgroup").join(name).into(),
    };
    Host {
        uid: 0,
        gid: 0,
        capabilities: u64::MAX >> 23,
        last_capability: 40,
        outer: None,
        sub_ids: None,
        oom_score_adj: 0,
        kcore: true,
        root_is_initramfs: false,
        landlock_abi: 7,
        apparmor: AppArmor::Absent,
        selinux: false,
        core_scheduling: Ok(()),
        time_namespaces: true,
        cgroup: HostCgroup {
            v1: vec![
                hierarchy("cpu,cpuacct", &["cpu", "cpuacct"]),
                hierarchy("memory", &["memory"]),
                hierarchy("systemd", &["name=systemd"]),
            ],
            v2: Some(Path::new("/sys/fs/cgroup/unified").into()),
            own: OwnCgroup::Made {
                directories: ["cpu,cpuacct/web-1", "memory/web-1", "unified/web-1"]
                    .map(|below| OwnDirectory {
                        path: Path::new("/sys/fs/cgroup").join(below).into(),
                        dev: 30,
                        ino: 77,
                    })
                    .to_vec(),
                no_device_rules: None,
                available: crate::cgroup::limits::Available {
                    v1: ["cpu", "cpuset", "memory", "pids"]
                        .map(str::to_owned)
                        .to_vec(),
                    otherwise: "it is not mounted".to_owned(),
                    ..Default::default()
                },
            },
        },
    }
}

/// An ordinary user on a host of version 2.
fn user_host() -> Host<'static> {
    Host {
        uid: 1000,
        gid: 1000,
        capabilities: 0,
        cgroup: HostCgroup {
            v1: Vec::new(),
            v2: Some(Path::new("/sys/fs/cgroup").into()),
            own: OwnCgroup::None {
                reason: "not delegated".to_owned(),
            },
        },
        ..root_host()
    }
}

/// A directory of a made-up host.
fn directory(path: &str) -> Source {
    Source {
        path: PathBuf::from(path),
        dev: 1,
        ino: 2,
        kind: SourceKind::Directory,
        link: false,
        mount: None,
    }
}

fn sources() -> Sources {
    let mut sources = Sources::default();
    for path in [
        "/",
        "/srv/rootfs",
        "/data",
        "/proc",
        "/sys",
        "/sys/fs/cgroup",
    ] {
        sources
            .files
            .insert(PathBuf::from(path), Ok(directory(path)));
    }
    for (name, major, minor) in [
        ("null", 1, 3),
        ("zero", 1, 5),
        ("full", 1, 7),
        ("random", 1, 8),
        ("urandom", 1, 9),
        ("tty", 5, 0),
    ] {
        let path = Path::new("/dev").join(name);
        let node = Source {
            kind: SourceKind::Device {
                block: false,
                rdev: makedev(major, minor),
            },
            ..directory(path.to_str().unwrap())
        };
        sources.nodes.insert(path, Ok(node));
    }
    sources
}

fn command() -> Command {
    Command::linux("web-1", "/srv/rootfs", "/bin/true")
}

fn spec(command: &Command) -> Spec {
    Spec::from_command(command, "native").unwrap()
}

fn build(spec: &Spec, host: &Host) -> Result<Plan, PlanError> {
    Plan::build(spec, host, &sources(), &RunInput::default())
}

/// The step with these words.
fn step<'a>(plan: &'a Plan, words: &str) -> Op<'a> {
    let found = plan.steps.iter().find(|step| step.words() == words);
    let Some(step) = found else {
        panic!("no step {words:?} in {:#?}", plan.steps);
    };
    step.op().unwrap()
}
