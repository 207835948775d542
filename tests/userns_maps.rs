//! The ids of a user namespace: those of /etc/subuid for an ordinary user, and maps that nobody may write.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod contract;
mod support;

use contract::{Bench, process, refused};
use execdriver::{Command, Error, ExecRequest, IdMap, Pipes, Signal, Target, UserNamespace};
use std::fs;
use std::os::unix::fs::MetadataExt;
use support::{Need, USER, among, is_root, rerun_as_user, skip_unless};

/// A host that gives kim 65536 users and 1000 groups beside her own.
const RANGES: &str = "echo 'kim:300000:65536' > $DIR/subuid; echo '61234:400000:1000' > $DIR/subgid
    touch /etc/subuid /etc/subgid
    mount --bind $DIR/subuid /etc/subuid; mount --bind $DIR/subgid /etc/subgid";
/// One that gives her none.
const NONE: &str = "touch /etc/subuid /etc/subgid
    mount --bind /dev/null /etc/subuid; mount --bind /dev/null /etc/subgid";

fn maps() -> [&'static str; 5] {
    [
        "read",
        "/proc/self/uid_map",
        ",",
        "read",
        "/proc/self/gid_map",
    ]
}

fn lines(said: &str) -> Vec<String> {
    said.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

fn seq(bench: &Bench, words: &[&str]) -> Command {
    let mut all = vec!["seq"];
    all.extend_from_slice(words);
    bench.command(&all)
}

#[test]
fn an_ordinary_users_container_runs_as_another_user_by_a_range() {
    let _among = among();
    const NAME: &str = "an_ordinary_users_container_runs_as_another_user_by_a_range";
    if skip_unless(&[Need::Program("newuidmap")]) || rerun_as_user(NAME, RANGES) {
        return;
    }
    let bench = Bench::new();
    bench.rootfs.mode("tmp", 0o1777);
    let words = [&["id", ",", "touch", "/tmp/mine", ","][..], &maps()].concat();
    let mut command = seq(&bench, &words);
    command.process.user = "daemon:audio".to_owned();
    let said = lines(&bench.output(&command));
    assert!(said[0].starts_with("uid=1 1 1 gid=29 29 29"), "{said:?}");
    assert_eq!(
        said[1..],
        [
            "ok",
            "0 61234 1",
            "1 300000 65536",
            "0 61234 1",
            "1 400000 1000"
        ]
    );
    let made = fs::metadata(bench.rootfs.inside("tmp/mine")).unwrap();
    assert_eq!((made.uid(), made.gid()), (300_000, 400_028));
    // More groups, which a single id has not.
    let mut command = bench.command(&["id"]);
    command.process.user = "1000:100".to_owned();
    let command = command.with_linux(|linux| linux.group_add = vec!["audio".into(), "50".into()]);
    let said = bench.output(&command);
    assert!(said.contains("29") && said.contains("50"), "{said}");
    // Root alone costs no helper.
    let said = lines(&bench.output(&seq(&bench, &maps())));
    assert_eq!(said, ["0 61234 1", "0 61234 1"]);
}

#[test]
fn an_ordinary_user_asks_for_a_range_and_may_keep_its_own_ids() {
    let _among = among();
    const NAME: &str = "an_ordinary_user_asks_for_a_range_and_may_keep_its_own_ids";
    if skip_unless(&[Need::Program("newuidmap")]) || rerun_as_user(NAME, RANGES) {
        return;
    }
    let bench = Bench::new();
    let with = |choice| seq(&bench, &maps()).with_linux(|linux| linux.user_namespace = choice);
    let said = lines(&bench.output(&with(UserNamespace::Auto)));
    assert_eq!(
        said,
        ["0 61234 1", "1 300000 65536", "0 61234 1", "1 400000 1000"]
    );
    let mut kept = with(UserNamespace::KeepId);
    kept.process.user = format!("{USER}:{USER}");
    let said = lines(&bench.output(&kept));
    assert_eq!(
        said,
        [
            "0 300000 61234",
            "61234 61234 1",
            "61235 361234 4302",
            "0 400000 1000",
            "61234 61234 1"
        ]
    );
    let map = |host_id, size| IdMap {
        container_id: 0,
        host_id,
        size,
    };
    let explicit = seq(&bench, &maps()).with_linux(|linux| {
        linux.uid_mappings = vec![map(300_010, 5)];
        linux.gid_mappings = vec![map(400_000, 1000)];
    });
    // Her own directory is not that root's, who can enter it all the same.
    let said = lines(&bench.output(&explicit));
    assert_eq!(said, ["0 300010 5", "0 400000 1000"]);
    let (error, text) = refused(bench.try_run(&with(UserNamespace::Host)));
    assert!(matches!(error, Error::Unsupported { .. }), "{text}");
}

#[test]
fn a_container_with_a_range_is_entered_and_ended_from_elsewhere() {
    let _among = among();
    const NAME: &str = "a_container_with_a_range_is_entered_and_ended_from_elsewhere";
    if skip_unless(&[Need::Program("newuidmap")]) || rerun_as_user(NAME, RANGES) {
        return;
    }
    let bench = Bench::new();
    let mut sleeper = bench.command(&["pause"]);
    sleeper.process.user = "daemon".to_owned();
    let other = bench.other_driver();
    let (status, ()) = bench.while_running(&sleeper, |_| {
        let mut request = ExecRequest::new(process(&["id"]));
        request.process.user = "7:8".to_owned();
        let said = bench
            .try_exec_with(&sleeper.id, &request, Pipes::null())
            .unwrap();
        assert!(said.out.starts_with("uid=7 7 7 gid=8 8 8"), "{said:?}");
        let said = bench.exec(&sleeper.id, &["id"]).out;
        assert!(said.starts_with("uid=1 1 1 gid=1 1 1"), "{said}");
        assert_eq!(other.pids(&sleeper.id).unwrap().len(), 1);
        other.kill(&Target::from(&sleeper), Signal::TERM).unwrap();
        other.kill(&Target::from(&sleeper), Signal::KILL).unwrap();
    });
    assert_eq!(status.code, 137);
    let (_, ()) = bench.while_running(&sleeper, |_| other.terminate(&sleeper.id).unwrap());
    assert!(other.list().unwrap().is_empty());
}

#[test]
fn without_a_range_the_error_names_the_map_and_the_missing_line() {
    let _among = among();
    const NAME: &str = "without_a_range_the_error_names_the_map_and_the_missing_line";
    if skip_unless(&[Need::Program("newuidmap")]) || rerun_as_user(NAME, NONE) {
        return;
    }
    let bench = Bench::new();
    let mut command = bench.command(&["id"]);
    command.process.user = "1000".to_owned();
    let (_, text) = refused(bench.try_run(&command));
    for part in [
        "\"0 61234 1\"",
        "/etc/subuid has no line for kim",
        "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 kim",
    ] {
        assert!(text.contains(part), "{text}");
    }
    // A name is looked up inside, where the kernel refuses it.
    command.process.user = "daemon".to_owned();
    let (_, text) = refused(bench.try_run(&command));
    assert!(text.contains("\"0 61234 1\""), "{text}");
    let asked = bench.command(&["id"]).with_linux(|linux| {
        linux.user_namespace = UserNamespace::Auto;
    });
    let (error, text) = refused(bench.try_run(&asked));
    assert!(matches!(error, Error::Unsupported { .. }), "{text}");
    assert!(text.contains("/etc/subuid has no line for kim"), "{text}");
    assert_eq!(
        lines(&bench.output(&seq(&bench, &maps()))),
        ["0 61234 1", "0 61234 1"]
    );
}

#[test]
fn ids_that_were_not_given_are_refused_before_anything_is_started() {
    let _among = among();
    const NAME: &str = "ids_that_were_not_given_are_refused_before_anything_is_started";
    if skip_unless(&[Need::Program("newuidmap")]) || rerun_as_user(NAME, RANGES) {
        return;
    }
    let bench = Bench::new();
    for (uid, gid) in [
        (0, 400_000),
        (299_999, 400_000),
        (365_536, 400_000),
        (300_000, 401_000),
    ] {
        let map = |host_id| {
            vec![IdMap {
                container_id: 0,
                host_id,
                size: 1,
            }]
        };
        let command = bench.command(&["true"]).with_linux(|linux| {
            linux.uid_mappings = map(uid);
            linux.gid_mappings = map(gid);
        });
        let (error, text) = refused(bench.try_run(&command));
        assert!(matches!(error, Error::Unsupported { .. }), "{text}");
        assert!(text.contains("kim has 61234 and"), "{text}");
    }
}

#[test]
fn maps_that_the_kernel_would_refuse_are_refused_by_name() {
    let _among = among();
    let bench = Bench::new();
    let map = |container_id, host_id, size| IdMap {
        container_id,
        host_id,
        size,
    };
    for (ranges, field) in [
        (vec![map(0, 1000, 0)], "uidmapping[0].size"),
        (vec![map(0, u32::MAX - 1, 5)], "uidmapping[0].size"),
        (vec![map(0, 1000, 10), map(5, 5000, 10)], "uidmapping[1]"),
        (vec![map(0, 1000, 10), map(10, 1005, 10)], "uidmapping[1]"),
        (vec![map(1, 1000, 10)], "uidmapping"),
        (
            (0..341).map(|id| map(id, 1000 + id, 1)).collect(),
            "uidmapping",
        ),
    ] {
        let command = bench.command(&["true"]).with_linux(|linux| {
            linux.uid_mappings = ranges;
            linux.gid_mappings = vec![map(0, 1000, 10)];
        });
        let (error, text) = refused(bench.try_run(&command));
        assert!(
            matches!(&error, Error::InvalidCommand { field: named, .. } if named == field),
            "{field}: {text}"
        );
    }
    assert!(bench.driver.list().unwrap().is_empty());
}

#[test]
fn a_user_that_the_map_has_not_is_an_error_that_names_the_map() {
    let _among = among();
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    bench.rootfs.give_to(100_000, 100_000);
    for user in ["1000", "nobody", "0:1000"] {
        let map = vec![IdMap {
            container_id: 0,
            host_id: 100_000,
            size: 100,
        }];
        let mut command = bench.command(&["true"]).with_linux(|linux| {
            linux.uid_mappings = map.clone();
            linux.gid_mappings = map;
        });
        command.process.user = user.to_owned();
        let (error, text) = refused(bench.try_run(&command));
        assert!(
            matches!(&error, Error::InvalidCommand { field, .. } if field == "process_config.user"),
            "{text}"
        );
        assert!(text.contains("\"0 100000 100\""), "{text}");
    }
}

#[test]
fn roots_automatic_range_is_that_of_subuid() {
    let _among = among();
    if !is_root() {
        return;
    }
    let bench = Bench::new();
    let command = seq(&bench, &maps()).with_linux(|linux| {
        linux.user_namespace = UserNamespace::Auto;
        linux.idmap_rootfs = true;
    });
    let given = fs::read_to_string("/etc/subuid").unwrap_or_default();
    if !given
        .lines()
        .any(|line| line.starts_with("root:") || line.starts_with("0:"))
    {
        let (error, text) = refused(bench.try_run(&command));
        assert!(matches!(error, Error::Unsupported { .. }), "{text}");
        assert!(
            text.contains("/etc/subuid has no line for root (usermod"),
            "{text}"
        );
    }
}
