//! What of a plan is done ahead, and what of it must not be.

use super::*;
use crate::plan::Shape;
use crate::plan::steps::Steps;
use crate::wire::{Params, Reader};
use execdriver_core::{CgroupNamespace, Device, Ipc, Mount, Network};

fn with_ready() -> RunInput {
    RunInput {
        ready: Ready::Sandbox,
        ..RunInput::default()
    }
}

fn with_sandbox(command: &Command) -> Plan {
    Plan::build(&spec(command), &root_host(), &sources(), &with_ready()).unwrap()
}

fn words(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| step.words().to_owned())
        .collect()
}

/// The operations of a message, by their names; a file system by its own.
fn names(message: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(&message[crate::wire::HEADER_LEN..]);
    let mut next = move || (!reader.is_empty()).then(|| Op::decode(&mut reader).unwrap());
    let name = |op: Op<'_>| match op {
        Op::MountFs { fstype, .. } => fstype.to_string_lossy().into_owned(),
        other => other.name().to_owned(),
    };
    std::iter::from_fn(|| next().map(name)).collect()
}

#[test]
fn the_default_container_takes_its_dev_and_sys_and_two_namespaces() {
    let plan = with_sandbox(&command());
    let made = (libc::CLONE_NEWNET | libc::CLONE_NEWIPC) as u64;
    assert_eq!(plan.clone_flags & made, 0);
    let all = words(&build(&spec(&command()), &root_host()).unwrap());
    let left = words(&plan);
    let new: Vec<_> = left.iter().filter(|step| !all.contains(step)).collect();
    let expected = [
        "enter the network namespace",
        "enter the IPC namespace",
        "mount what was made ahead on /dev",
        "mount what was made ahead on /sys",
    ];
    assert_eq!(new, expected);
    let ahead: Vec<_> = all.iter().filter(|step| !left.contains(step)).collect();
    let of_trees = |step: &&&String| step.contains(" /dev") || step.contains(" /sys");
    let other: Vec<_> = ahead.iter().filter(|step| !of_trees(step)).collect();
    assert_eq!(other, [&&"set the loopback interface up".to_owned()]);
    for kept in [
        "mount cgroup on /sys/fs/cgroup/memory",
        "mount cgroup on /sys/fs/cgroup/systemd",
        "mount proc on /proc",
        "mask /proc/kcore",
        // What is not there yet when it is made may be there when it is used.
        "mask /sys/firmware",
    ] {
        assert!(left.iter().any(|step| step == kept), "{left:#?}");
    }
    for gone in [
        "make device /dev/null",
        "link /dev/ptmx to pts/ptmx",
        "mount devpts on /dev/pts",
        "mount sysfs on /sys",
        "mount tmpfs on /sys/fs/cgroup",
    ] {
        assert!(ahead.iter().any(|step| *step == gone), "{ahead:#?}");
    }
    let first = plan
        .fds
        .iter()
        .position(|slot| *slot == FdSlot::ReadyTree(0));
    let Op::Attach { slot, .. } = step(&plan, "mount what was made ahead on /sys") else {
        panic!();
    };
    assert_eq!(usize::from(slot), first.unwrap() + 1);
    // An error in a step names it, not one that somebody else did.
    let index = left
        .iter()
        .position(|step| step == "mask /proc/kcore")
        .unwrap();
    assert_eq!(
        plan.describe(u32::try_from(index).unwrap()),
        "mask /proc/kcore"
    );
}

#[test]
fn who_makes_it_does_the_same_steps_in_a_root_of_its_own() {
    let plan = with_sandbox(&command());
    let message = plan.shape().unwrap().message().unwrap();
    let names = names(&message);
    assert_eq!(
        names[..6],
        ["Join", "Join", "Propagation", "Skeleton", "Mkdir", "Mkdir"]
    );
    assert_eq!(names[names.len() - 3..], ["Offer", "Offer", "AwaitGo"]);
    let allowed = ["tmpfs", "sysfs", "devpts", "mqueue", "Device", "Symlink"];
    let others = names[6..names.len() - 3].iter();
    let others: Vec<_> = others
        .filter(|name| !allowed.contains(&name.as_str()))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

/// The cgroups that whoever makes a sandbox would see are the host program's.
#[test]
fn no_cgroup_is_ever_mounted_ahead() {
    let joined = command().with_linux(|linux| {
        linux.cgroup_namespace = Some(CgroupNamespace::of_container("other"));
    });
    let unified = Host {
        cgroup: user_host().cgroup,
        ..root_host()
    };
    for (command, host) in [(&joined, &root_host()), (&command(), &unified)] {
        let mut sources = sources();
        let own = PathBuf::from("/sys/fs/cgroup");
        sources.files.insert(own, Ok(directory("/sys/fs/cgroup")));
        let plan = Plan::build(&spec(command), host, &sources, &with_ready()).unwrap();
        let message = plan.shape().unwrap().message().unwrap();
        let names = names(&message);
        assert!(
            !names.iter().any(|name| name.contains("cgroup")),
            "{names:?}"
        );
        assert!(names.iter().any(|name| name == "Device"), "{names:?}");
        assert!(
            words(&plan)
                .iter()
                .any(|step| step.starts_with("mount cgroup"))
        );
    }
}

#[test]
fn what_covers_a_cgroup_comes_after_it() {
    let mut covering = command();
    covering.mounts = vec![Mount::tmpfs("/sys/fs/cgroup/memory", "mode=755")];
    let left = words(&with_sandbox(&covering));
    let place = |words: &str| left.iter().position(|step| step == words).unwrap();
    let (below, above) = (
        place("mount cgroup on /sys/fs/cgroup/memory"),
        place("mount tmpfs on /sys/fs/cgroup/memory"),
    );
    assert!(below < above, "{left:#?}");
}

#[test]
fn a_mount_that_is_changed_after_it_was_made_tears_the_plan() {
    let mut steps = Steps::with_room();
    for target in [c"/dev", c"/sys", c"/dev/shm"] {
        let mount = Op::MountFs {
            fstype: c"tmpfs",
            target,
            params: Params::default(),
            attrs: 0,
            flags: 0,
        };
        steps.push(&mount, "mount");
    }
    let change = Op::MountAttrs {
        set: 0,
        clear: 0,
        propagation: libc::MS_UNBINDABLE,
    };
    steps.push(&change, "change");
    crate::plan::ready::attach(&mut steps, 0);
    assert!(steps.ahead().is_none());
    assert_eq!(steps.iter().count(), 4);
}

#[test]
fn a_shape_is_that_of_all_containers_that_do_not_differ_in_it() {
    let shape = with_sandbox(&command()).shape().unwrap();
    let mut other = Command::linux("other", "/", "/bin/sh");
    other.mounts = vec![Mount::bind("/data", "/data"), Mount::tmpfs("/run", "")];
    assert!(with_sandbox(&other).has_shape(&shape));
    let node = |path: &str| {
        command().with_linux(|linux| linux.autocreated_devices = vec![Device::node(path, 1, 5)])
    };
    let more = with_sandbox(&node("/dev/more"));
    assert!(!more.has_shape(&shape));
    assert_ne!(more.shape(), Some(shape));
}

#[test]
fn what_comes_from_the_host_or_the_image_stays_and_what_follows_it_too() {
    let mut bound = command();
    bound.mounts = vec![Mount::bind("/data", "/dev/data")];
    let plan = with_sandbox(&bound);
    let left = words(&plan);
    for kept in ["bind /data on /dev/data", "make device /dev/null"] {
        assert!(left.iter().any(|step| step == kept), "{left:#?}");
    }
}

#[test]
fn whose_path_may_lead_elsewhere_stays_and_all_that_comes_after_it() {
    let mut steps = Steps::with_room();
    let mount = |target| Op::MountFs {
        fstype: c"tmpfs",
        target,
        params: Params::default(),
        attrs: 0,
        flags: 0,
    };
    let link = |path| Op::Symlink {
        target: c"there",
        path,
    };
    steps.push(&mount(c"/dev"), "dev");
    steps.push(&mount(c"/sys"), "sys");
    steps.push(&link(c"/dev/before"), "before");
    steps.push(&link(c"/dev/../etc/link"), "climbs");
    steps.push(&link(c"/dev/after"), "after");
    steps.push(
        &Op::Mask {
            path: c"/sys/after",
        },
        "mask",
    );
    crate::plan::ready::attach(&mut steps, 0);
    let left: Vec<_> = steps.iter().map(|step| step.words().to_owned()).collect();
    let attached = Shape::TREES.map(|(.., words)| words);
    assert_eq!(left[..2], attached);
    assert_eq!(left[2..], ["climbs", "after", "mask"]);
}

#[test]
fn containers_that_share_or_live_in_a_user_namespace_take_none() {
    let mut sources = sources();
    let shm = PathBuf::from("/dev/shm");
    sources.files.insert(shm, Ok(directory("/dev/shm")));
    let takes = |command: &Command, host: &Host| {
        let plan = Plan::build(&spec(command), host, &sources, &with_ready()).unwrap();
        let shape: Option<Shape> = plan.shape();
        assert_eq!(shape.is_some(), plan.fds.contains(&FdSlot::ReadyIpc));
        shape.is_some()
    };
    assert!(takes(&command(), &root_host()));
    assert!(!takes(&command(), &user_host()));
    let mut shared = command();
    shared.network = Some(Network::host());
    assert!(!takes(&shared, &root_host()));
    let ipc = command().with_linux(|linux| linux.ipc = Some(Ipc::host()));
    assert!(!takes(&ipc, &root_host()));
}
