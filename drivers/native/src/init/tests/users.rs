//! Who the payload is: ids, groups, capabilities, the owner of its streams.

use super::*;

/// Not through a shell, which has its own mind about signals.
const STATUS: [&str; 5] = [
    "busybox",
    "grep",
    "-E",
    "^(Uid|Gid|Groups|Cap...|NoNewPrivs|SigBlk|SigIgn):",
    "/proc/self/status",
];

fn status(ended: Ended) -> std::collections::HashMap<String, String> {
    let words = |line: &str| {
        let (key, value) = line.split_once(':').unwrap();
        (
            key.to_owned(),
            value.split_whitespace().collect::<Vec<_>>().join(" "),
        )
    };
    ended.ok().lines().map(words).collect()
}

fn user(rootfs: &Rootfs, namespaces: u64, user: &CStr) -> Ended {
    Plan::standard(&rootfs.path(), namespaces).finish(user, &STATUS, &PATH)
}

#[test]
fn root_has_its_groups_and_the_capabilities_of_the_bounding_set() {
    let Some(rootfs) = rootfs(USUAL | NEW_USER) else {
        return;
    };
    let found = status(user(&rootfs, USUAL | NEW_USER, c""));
    assert_eq!(found["Uid"], "0 0 0 0");
    if is_root() {
        assert_eq!(found["Groups"], "0 10");
    }
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(found[set], format!("{DOCKER_CAPS:016x}"), "{set}");
    }
    for set in ["CapInh", "CapAmb", "SigBlk", "SigIgn"] {
        assert_eq!(found[set], "0000000000000000", "{set}");
    }
}

#[test]
fn another_user_has_its_ids_and_no_capability_but_the_bound() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    for namespaces in [USUAL, USUAL | NEW_USER] {
        let Some(rootfs) = rootfs(namespaces) else {
            return;
        };
        let found = status(user(&rootfs, namespaces, c"daemon:audio"));
        assert_eq!(
            (&*found["Uid"], &*found["Gid"], &*found["Groups"]),
            ("1 1 1 1", "29 29 29 29", "29")
        );
        assert_eq!(
            (&*found["CapEff"], &*found["CapPrm"]),
            ("0000000000000000", "0000000000000000")
        );
        assert_eq!(
            (&*found["CapInh"], &*found["CapAmb"]),
            ("0000000000000000", "0000000000000000")
        );
        assert_eq!(found["CapBnd"], format!("{DOCKER_CAPS:016x}"));
    }
}

#[test]
fn a_number_that_is_a_name_in_passwd_stays_a_number() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let Some(rootfs) = rootfs(USUAL) else { return };
    let found = status(user(&rootfs, USUAL, c"1000"));
    assert_eq!(
        (&*found["Uid"], &*found["Gid"]),
        ("1000 1000 1000 1000", "0 0 0 0")
    );
    let failed = user(&rootfs, USUAL, c"4294967296").failed();
    assert_eq!((failed.errno, failed.detail), (0, Detail::IdOutOfRange));
}

#[test]
fn unknown_names_say_which() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let failed = |user_text: &CStr| {
        let report = user(&rootfs, namespaces(), user_text).failed();
        (report.detail, report.value)
    };
    assert_eq!(failed(c"stranger"), (Detail::UserNotFound, u64::MAX - 1));
    assert_eq!(failed(c"root:strangers"), (Detail::GroupNotFound, u64::MAX));
    assert_eq!(failed(c"-1"), (Detail::IdOutOfRange, u64::MAX - 1));
}

#[test]
fn missing_account_files_are_fine_and_odd_ones_are_not() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    fs::remove_file(rootfs.inside("etc/passwd")).unwrap();
    fs::remove_file(rootfs.inside("etc/group")).unwrap();
    assert!(user(&rootfs, namespaces(), c"").ok().contains("Uid:\t0\t"));
    nix::unistd::mkfifo(
        &rootfs.inside("etc/passwd"),
        nix::sys::stat::Mode::from_bits_truncate(0o666),
    )
    .unwrap();
    assert_eq!(
        user(&rootfs, namespaces(), c"").failed().detail,
        Detail::AccountFile
    );
}

#[test]
fn an_account_file_with_overlong_lines_is_read_past_them() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let Some(rootfs) = rootfs(USUAL) else { return };
    let long = "x".repeat(200_000);
    rootfs.write(
        "etc/passwd",
        format!("{long}:x:0:0::/:\nbob:x:7:8::/:/bin/sh\n{long}"),
    );
    rootfs.write(
        "etc/group",
        format!("big:x:9:{}bob\nlast:x:11:bob", "m,".repeat(9_000)),
    );
    let found = status(user(&rootfs, USUAL, c"bob"));
    assert_eq!((&*found["Uid"], &*found["Groups"]), ("7 7 7 7", "8 9 11"));
}

#[test]
fn the_streams_belong_to_the_user() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let Some(rootfs) = rootfs(USUAL) else { return };
    let plan = Plan::standard(&rootfs.path(), USUAL);
    let script = "echo opened > /dev/stdout; busybox stat -L -c %u /proc/self/fd/1 /proc/self/fd/0";
    assert_eq!(
        plan.finish(c"daemon", &["/bin/sh", "-c", script], &PATH)
            .ok(),
        "opened\n1\n0\n"
    );
    // The host's /dev/null was not given away.
    assert_eq!(fs::metadata("/dev/null").unwrap().uid(), 0);
}

#[test]
fn ambient_capabilities_reach_a_user() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let Some(rootfs) = rootfs(USUAL) else { return };
    let mut plan = Plan::standard(&rootfs.path(), USUAL);
    let (reader, writer) = os_pipe::pipe().unwrap();
    let out = plan.fd(writer);
    plan.op(Op::Stdio {
        stdin: out,
        stdout: out,
        stderr: out,
    });
    let gids: crate::plan::encode::PackedNumbers = [7u32, 4_000_000_000].into_iter().collect();
    plan.op(Op::Identity {
        flags: IDENTITY_SET_HOME,
        user: c"",
        groups: Strings::EMPTY,
        uid: 3_000_000_000,
        gid: 6,
        gids: gids.view(),
        chown: 0,
    });
    let net_raw = 1 << 13;
    plan.op(Op::Caps {
        flags: 0,
        bounding: net_raw,
        effective: net_raw,
        permitted: net_raw,
        inheritable: net_raw,
        ambient: net_raw,
    });
    plan.op(Op::NoNewPrivs {});
    plan.op(Op::Reset {
        flags: 0,
        umask: 0o027,
    });
    let script = "busybox grep -E '^(Uid|Groups|Cap...|NoNewPrivs):' /proc/self/status; echo HOME:$HOME; echo Umask:$(umask)";
    plan.exec(&["/bin/sh", "-c", script], &PATH);
    let found = status(plan.launch(Some(reader)));
    assert_eq!(
        (&*found["Uid"], &*found["Groups"]),
        (
            "3000000000 3000000000 3000000000 3000000000",
            "7 4000000000"
        )
    );
    for set in ["CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"] {
        assert_eq!(found[set], "0000000000002000", "{set}");
    }
    assert_eq!(
        (&*found["NoNewPrivs"], &*found["HOME"], &*found["Umask"]),
        ("1", "/", "0027")
    );
}
