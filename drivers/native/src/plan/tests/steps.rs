//! What single steps carry.

use super::*;
use crate::wire::{IDENTITY_BY_NAME, IDENTITY_KEEP_GROUPS, MOUNT_REAL_DIR, ROOT_READONLY};
use execdriver_core::{CgroupNamespace, Mount, Network, Pid, Propagation};
use libc::{MOUNT_ATTR_RDONLY, MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE};

fn attrs(plan: &Plan, words: &str) -> u64 {
    match step(plan, words) {
        Op::MountFs { attrs, .. } | Op::CgroupFs { attrs, .. } => attrs.into(),
        Op::Bind { attr_set, .. } => attr_set,
        other => panic!("{other:?}"),
    }
}

fn param(plan: &Plan, words: &str, key: &str) -> Option<String> {
    let (Op::MountFs { params, .. } | Op::CgroupFs { params, .. }) = step(plan, words) else {
        panic!("{words}");
    };
    let found = params.iter().find(|(name, _)| name.to_str() == Ok(key));
    found.map(|(_, value)| value.unwrap_or_default().to_str().unwrap().to_owned())
}

#[test]
fn proc_and_sysfs_go_on_real_directories_only() {
    let plan = build(&spec(&command()), &root_host()).unwrap();
    for words in ["mount proc on /proc", "mount sysfs on /sys"] {
        let Op::MountFs { flags, .. } = step(&plan, words) else {
            panic!("{words}");
        };
        assert_eq!(flags, MOUNT_REAL_DIR);
    }
}

#[test]
fn terminals_belong_to_group_5_where_it_exists() {
    let plan = build(&spec(&command()), &root_host()).unwrap();
    let words = "mount devpts on /dev/pts";
    assert_eq!(param(&plan, words, "gid").as_deref(), Some("5"));
    let plan = build(&spec(&command()), &user_host()).unwrap();
    assert_eq!(param(&plan, words, "gid"), None);
    assert_eq!(param(&plan, words, "mode").as_deref(), Some("0620"));
}

#[test]
fn what_the_host_makes_a_user_namespace_see_of_it_is_read_only() {
    let mut command = command();
    command.network = Some(Network::host());
    let command = command.with_linux(|linux| {
        linux.pid = Some(Pid::host());
        linux.cgroup_namespace = Some(CgroupNamespace::host());
    });
    let plan = build(&spec(&command), &user_host()).unwrap();
    assert_eq!(attrs(&plan, "bind /proc on /proc") & MOUNT_ATTR_RDONLY, 0);
    for words in ["bind /sys on /sys", "bind /sys/fs/cgroup on /sys/fs/cgroup"] {
        assert_ne!(attrs(&plan, words) & MOUNT_ATTR_RDONLY, 0, "{words}");
    }
    // Root's own can be mounted anew.
    let plan = build(&spec(&command), &root_host()).unwrap();
    step(&plan, "mount proc on /proc");
    step(&plan, "mount sysfs on /sys");
}

#[test]
fn cgroups_stay_read_only_for_an_ordinary_user_without_one_of_its_own() {
    let mut command = command();
    command.process.privileged = true;
    let words = "mount cgroup2 on /sys/fs/cgroup";
    let plan = build(&spec(&command), &user_host()).unwrap();
    assert_ne!(attrs(&plan, words) & MOUNT_ATTR_RDONLY, 0);
    let words = "mount cgroup on /sys/fs/cgroup/memory";
    let plan = build(&spec(&command), &root_host()).unwrap();
    assert_eq!(attrs(&plan, words) & MOUNT_ATTR_RDONLY, 0);
    command.process.privileged = false;
    let plan = build(&spec(&command), &root_host()).unwrap();
    assert_ne!(attrs(&plan, words) & MOUNT_ATTR_RDONLY, 0);
}

#[test]
fn read_only_volumes_are_so_all_the_way_down_and_nothing_travels() {
    let mut command = command();
    command.mounts = vec![
        Mount::read_only("/data", "/ro"),
        Mount::bind("/data", "/rw"),
    ];
    let plan = build(&spec(&command), &root_host()).unwrap();
    for (words, readonly) in [("bind /data on /ro", true), ("bind /data on /rw", false)] {
        let Op::Bind {
            attr_set,
            attr_clr,
            propagation,
            flags,
            ..
        } = step(&plan, words)
        else {
            panic!("{words}");
        };
        assert_eq!(attr_set & MOUNT_ATTR_RDONLY != 0, readonly);
        assert_eq!(attr_clr, 0);
        assert_eq!(propagation, MS_PRIVATE | MS_REC);
        assert_eq!(
            flags,
            crate::wire::BIND_CREATE | crate::wire::BIND_RECURSIVE
        );
    }
}

#[test]
fn propagation_reaches_the_container_only_as_far_as_it_was_asked_for() {
    let volume = |propagation| {
        let mut command = command();
        command.mounts = vec![Mount {
            propagation,
            ..Mount::bind("/data", "/mnt")
        }];
        let mut sources = sources();
        let data = sources.files.get_mut(Path::new("/data")).unwrap();
        data.mount = Some(SourceMount {
            point: PathBuf::from("/data"),
            shared: true,
            slave: false,
        });
        let input = RunInput::default();
        Plan::build(&spec(&command), &root_host(), &sources, &input).unwrap()
    };
    let of = |plan: &Plan, words: &str| match step(plan, words) {
        Op::Bind { propagation, .. } => propagation,
        Op::Propagation { flags } => flags,
        other => panic!("{other:?}"),
    };
    let plan = volume(Propagation::RShared);
    assert_eq!(of(&plan, "bind /data on /mnt"), MS_SHARED | MS_REC);
    assert_eq!(
        of(&plan, "make all mounts slaves of the host's"),
        MS_SLAVE | MS_REC
    );
    assert_eq!(of(&plan, "set the root's propagation"), MS_SHARED);
    let plan = volume(Propagation::Slave);
    assert_eq!(of(&plan, "bind /data on /mnt"), MS_SLAVE | MS_REC);
    let plan = volume(Propagation::RPrivate);
    assert_eq!(of(&plan, "bind /data on /mnt"), MS_PRIVATE | MS_REC);
    assert_eq!(of(&plan, "make all mounts private"), MS_PRIVATE | MS_REC);
}

#[test]
fn the_hosts_own_root_is_read_only_from_the_start() {
    let command =
        Command::linux("web-1", "/", "sh").with_linux(|linux| linux.readonly_rootfs = true);
    let plan = build(&spec(&command), &root_host()).unwrap();
    let Op::Root { flags, .. } = step(&plan, "use / as the root") else {
        panic!();
    };
    assert_eq!(flags, ROOT_READONLY);
    assert!(
        !plan
            .steps
            .iter()
            .any(|step| step.words() == "make / read-only")
    );
}

#[test]
fn an_ordinary_users_groups_are_left_alone() {
    for (host, keeps) in [(root_host(), 0), (user_host(), IDENTITY_KEEP_GROUPS)] {
        let plan = build(&spec(&command()), &host).unwrap();
        let Op::Identity { flags, chown, .. } = step(&plan, "become root") else {
            panic!();
        };
        assert_eq!(
            flags & (IDENTITY_KEEP_GROUPS | IDENTITY_BY_NAME),
            keeps | IDENTITY_BY_NAME
        );
        assert_eq!(chown, 0);
    }
}

#[test]
fn only_streams_that_were_made_for_the_process_are_given_to_its_user() {
    let input = RunInput {
        owned_streams: 0b110,
        ..RunInput::default()
    };
    let mut command = command();
    let chown = |command: &Command| {
        let plan = Plan::build(&spec(command), &root_host(), &sources(), &input).unwrap();
        match step(&plan, "become root") {
            Op::Identity { chown, .. } => chown,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(chown(&command), 0b110);
    command.process.tty = true;
    assert_eq!(chown(&command), 1, "the terminal, once");
}

#[test]
fn a_later_value_of_a_variable_takes_its_earlier_ones_place() {
    let command = command().env("A", "1").env("B", "x=y").env("A", "2");
    let plan = build(&spec(&command), &root_host()).unwrap();
    let Op::Exec { argv, envp } = step(&plan, "execute /bin/true") else {
        panic!();
    };
    let texts = |strings: crate::wire::Strings| {
        strings
            .iter()
            .map(|text| text.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(argv), ["/bin/true"]);
    assert_eq!(texts(envp), ["A=2", "B=x=y"]);
}

#[test]
fn a_score_is_written_when_it_changes_and_the_default_only_where_it_can_be_reached() {
    let written = |wanted, own, host: Host| {
        let command = command().with_linux(|linux| linux.oom_score_adj = wanted);
        let host = Host {
            oom_score_adj: own,
            ..host
        };
        build(&spec(&command), &host).unwrap().oom_score_adj
    };
    assert_eq!(written(0, 0, root_host()), None);
    assert_eq!(written(642, 0, root_host()), Some(642));
    assert_eq!(written(0, 200, root_host()), Some(0));
    assert_eq!(written(0, 200, user_host()), None);
    assert_eq!(
        written(100, 200, user_host()),
        Some(100),
        "asked for: the kernel decides"
    );
    assert_eq!(written(0, -5, user_host()), Some(0));
}

#[test]
fn slots_of_received_descriptors_come_before_those_that_init_fills() {
    let mut command = command();
    command.mounts = vec![Mount::bind("/data", "/mnt")];
    let command = command.with_linux(|linux| linux.init = true);
    let plan = build(&spec(&command), &root_host()).unwrap();
    assert_eq!(
        plan.fds,
        [
            FdSlot::Stdin,
            FdSlot::Stdout,
            FdSlot::Stderr,
            FdSlot::Status
        ]
    );
    let Op::Source { slot, .. } = step(&plan, "open /data of the host") else {
        panic!();
    };
    assert_eq!(usize::from(slot), plan.fds.len());
}

#[test]
fn a_network_made_ahead_is_entered_before_the_parent_is_told_that_the_namespaces_exist() {
    const NEW_NET: u64 = libc::CLONE_NEWNET as u64;
    let ready = RunInput {
        ready: Ready::Network,
        ..RunInput::default()
    };
    let spec_of_one = spec(&command());
    assert!(makes_network(&spec_of_one, &root_host()));
    let plan = Plan::build(&spec_of_one, &root_host(), &sources(), &ready).unwrap();
    assert_eq!(plan.clone_flags & NEW_NET, 0);
    let place = |words: &str| plan.steps.iter().position(|step| step.words() == words);
    let (entered, told) = (
        place("enter the network namespace"),
        place("wait for the id maps"),
    );
    assert!(entered.unwrap() < told.unwrap());
    assert_eq!(place("set the loopback interface up"), None, "it is up");
    assert!(plan.fds.contains(&FdSlot::ReadyNetwork));
    let own = |record: &NamespaceRecord| record.kind == Kind::Network && record.own;
    assert!(plan.foreign_namespaces().iter().any(own));
}

#[test]
fn a_network_made_ahead_is_for_private_ones_of_the_hosts_user_namespace_alone() {
    let ready = RunInput {
        ready: Ready::Network,
        ..RunInput::default()
    };
    let takes = |command: &Command, host: &Host| {
        let spec = spec(command);
        let plan = Plan::build(&spec, host, &sources(), &ready).unwrap();
        let takes = plan.fds.contains(&FdSlot::ReadyNetwork);
        assert_eq!(takes, makes_network(&spec, host));
        takes
    };
    assert!(takes(&command(), &root_host()));
    // It would belong to the wrong user namespace.
    assert!(!takes(&command(), &user_host()));
    let mut shared = command();
    shared.network = Some(Network::host());
    assert!(!takes(&shared, &root_host()));
}

#[test]
fn init_goes_ahead_only_where_nothing_of_the_parents_has_to_come_first() {
    let goes = |command: &Command, host: &Host, input: &RunInput| {
        let plan = Plan::build(&spec(command), host, &sources(), input).unwrap();
        let has = |words| plan.steps.iter().any(|step| step.words() == words);
        assert_eq!(has("wait for the parent"), plan.go_ahead);
        assert_eq!(has("wait for the id maps"), !plan.go_ahead);
        plan.go_ahead
    };
    let input = RunInput {
        go_ahead: true,
        ..RunInput::default()
    };
    assert!(goes(&command(), &root_host(), &input));
    assert!(
        !goes(&command(), &root_host(), &RunInput::default()),
        "hooks"
    );
    assert!(!goes(&command(), &user_host(), &input), "id maps");
    let scored = command().with_linux(|linux| linux.oom_score_adj = 500);
    assert!(!goes(&scored, &root_host(), &input), "a score to write");
    // Without a descriptor nothing keeps the message apart from the go behind it.
    let mut terminal = command();
    terminal.process.tty = true;
    assert!(!goes(&terminal, &root_host(), &input));
    let placed = RunInput {
        cgroup_entries: 1,
        ..input
    };
    assert!(goes(&terminal, &root_host(), &placed));
}
