//! Cases 33 to 38 of the contract: users, groups, and the capabilities of a default container.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod contract;
mod support;

use contract::{Bench, refused};
use execdriver::{Command, Error, IdMap};
use support::{Need, Rootfs, skip_unless};

// Two things are safer than in the original: the primary group is always among the supplementary ones, so that a
// denial to it holds (CVE-2022-36109), and no capability is inheritable (CVE-2022-24769).

/// The home and the ids of a process with this user and these extra groups.
fn as_user(bench: &Bench, user: &str, groups: &[&str]) -> Command {
    let mut command = bench.command(&["seq", "id", ",", "env"]);
    command.process.user = user.into();
    command.with_linux(|linux| {
        linux.group_add = groups.iter().map(ToString::to_string).collect();
    })
}

#[track_caller]
fn is(bench: &Bench, user: &str, groups: &[&str], uid: u32, gid: u32, rest: &str) {
    let shown = bench.output(&as_user(bench, user, groups));
    let expected = format!("uid={uid} {uid} {uid} gid={gid} {gid} {gid} {rest}\n");
    assert_eq!(shown, expected, "user {user:?}, groups {groups:?}");
}

#[test]
fn user_default() {
    let bench = Bench::new();
    match support::is_root() {
        true => is(&bench, "", &[], 0, 0, "groups=0,10\nHOME=/root"),
        // An ordinary user's namespace has one id, and groups cannot be set in it.
        false => {
            let shown = bench.output(&as_user(&bench, "", &[]));
            assert!(shown.starts_with("uid=0 0 0 gid=0 0 0 groups="), "{shown}");
            assert!(shown.ends_with("\nHOME=/root\n"), "{shown}");
        }
    }
}

#[test]
fn user_name_and_user_id() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    is(&bench, "root", &[], 0, 0, "groups=0,10\nHOME=/root");
    is(&bench, "1", &[], 1, 1, "groups=1\nHOME=/usr/sbin");
    is(&bench, "daemon", &[], 1, 1, "groups=1\nHOME=/usr/sbin");
    is(
        &bench,
        "daemon:staff",
        &[],
        1,
        50,
        "groups=50\nHOME=/usr/sbin",
    );
    // An explicit group: then none of those that /etc/group lists the user in.
    is(&bench, "root:root", &[], 0, 0, "groups=0\nHOME=/root");
}

#[test]
fn user_unknown_num() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    is(&bench, "4242", &[], 4242, 0, "groups=0\nHOME=/");
    is(&bench, "4242:77", &[], 4242, 77, "groups=77\nHOME=/");
    // A number is never a name, whatever the image's files say.
    is(&bench, "1000", &[], 1000, 0, "groups=0\nHOME=/");
}

/// Without the files there are numbers still, and root.
#[test]
fn users_without_their_files() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::on(Rootfs::new());
    std::fs::remove_file(bench.rootfs.inside("etc/passwd")).unwrap();
    std::fs::remove_file(bench.rootfs.inside("etc/group")).unwrap();
    is(&bench, "", &[], 0, 0, "groups=0\nHOME=/");
    is(&bench, "1:5", &["6"], 1, 5, "groups=5,6\nHOME=/");
    let (_, text) = refused(bench.try_run(&as_user(&bench, "daemon", &[])));
    assert!(text.contains("daemon"), "{text}");
}

#[test]
fn user_bad() {
    let bench = Bench::new();
    for user in ["x", "root:x"] {
        let (error, text) = refused(bench.try_run(&as_user(&bench, user, &[])));
        assert!(
            matches!(&error, Error::InvalidCommand { field, .. } if field == "process_config.user"),
            "{user}: {text}"
        );
        assert!(text.contains("\"x\""), "it names the culprit: {text}");
    }
    for user in ["2147483648", "-1", "0:2147483648", "0:-1"] {
        let (error, text) = refused(bench.try_run(&as_user(&bench, user, &[])));
        assert!(matches!(error, Error::InvalidCommand { .. }), "{text}");
        assert!(
            text.contains("uids and gids must be in range 0-2147483647"),
            "{text}"
        );
    }
    // The image's own files must not say more than a user may.
    bench
        .rootfs
        .write("etc/passwd", "huge:x:4294967295:0::/:/bin/sh\n");
    let (_, text) = refused(bench.try_run(&as_user(&bench, "huge", &[])));
    assert!(text.contains("2147483647"), "{text}");
}

#[test]
fn group_add() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let groups = ["audio", "staff", "777"];
    is(
        &bench,
        "",
        &groups,
        0,
        0,
        "groups=0,10,29,50,777\nHOME=/root",
    );
    let twice = ["audio", "audio", "29"];
    let shown = bench.output(&as_user(&bench, "", &twice));
    let list = shown.lines().next().unwrap().rsplit('=').next().unwrap();
    let mut ids: Vec<&str> = list.split(',').collect();
    ids.dedup();
    assert_eq!(ids, ["0", "10", "29"], "{shown}");

    let (error, text) = refused(bench.try_run(&as_user(&bench, "", &["audio", "nogroup9"])));
    assert!(
        matches!(&error, Error::InvalidCommand { field, .. } if field.contains("group_add")),
        "{text}"
    );
    assert!(text.contains("nogroup9"), "it names the culprit: {text}");
    let (error, text) = refused(bench.try_run(&as_user(&bench, "", &["2147483648"])));
    assert!(matches!(error, Error::InvalidCommand { .. }), "{text}");
}

#[test]
fn caps_default() {
    let bench = Bench::new();
    let root = "CapInh 0000000000000000\nCapPrm 00000000a80425fb\nCapEff 00000000a80425fb\n\
                CapBnd 00000000a80425fb\nCapAmb 0000000000000000\n";
    assert_eq!(bench.says(&["caps"]), root);
    if !support::is_root() {
        return;
    }
    let mut command = bench.command(&["caps"]);
    command.process.user = "daemon".into();
    let user = "CapInh 0000000000000000\nCapPrm 0000000000000000\nCapEff 0000000000000000\n\
                CapBnd 00000000a80425fb\nCapAmb 0000000000000000\n";
    assert_eq!(bench.output(&command), user);
}

/// What an ordinary user's namespace cannot give is refused by its field, never left out.
#[test]
fn an_ordinary_user_has_only_root() {
    if skip_unless(&[Need::OrdinaryUser, Need::UserNamespaces]) {
        return;
    }
    let bench = Bench::new();
    for (user, groups) in [
        ("daemon", vec![]),
        ("4242", vec![]),
        ("0:77", vec![]),
        ("", vec!["audio"]),
    ] {
        // Its namespace would have more where it has a range in /etc/subuid.
        let map = |id| {
            vec![IdMap {
                container_id: 0,
                host_id: id,
                size: 1,
            }]
        };
        let command = as_user(&bench, user, &groups).with_linux(|linux| {
            linux.uid_mappings = map(nix::unistd::geteuid().as_raw());
            linux.gid_mappings = map(nix::unistd::getegid().as_raw());
        });
        let (error, text) = refused(bench.try_run(&command));
        assert!(
            matches!(
                error,
                Error::InvalidCommand { .. } | Error::Unsupported { .. }
            ),
            "{user} {groups:?}: {text}"
        );
    }
}
