//! Scopes of a peer that answers as systemd does, or does not; the cgroups are real where we are root.

use super::*;
use crate::cgroup::Version;
use crate::state::UnitRecord;
use crate::support::{FakeSystemd, Need, Odd, skip_unless, unique_id};
use std::path::PathBuf;
use std::time::Duration;

fn systemd(peer: &FakeSystemd) -> Systemd {
    Systemd {
        address: peer.address.clone(),
        slice: "system.slice",
    }
}

fn with<T>(odd: &[(&'static str, Odd)], then: impl FnOnce(&FakeSystemd, &Systemd) -> T) -> T {
    let directory = tempfile::tempdir().unwrap();
    let peer = FakeSystemd::start(directory.path(), odd);
    let systemd = systemd(&peer);
    then(&peer, &systemd)
}

/// Directories that anybody may make in place of hierarchies.
fn plain(root: &std::path::Path) -> Hierarchies {
    let v1 = |name: &str| Hierarchy {
        version: Version::V1,
        controllers: name.into(),
        mount: root.join(name),
        root: "/".into(),
        own: Some("/".into()),
    };
    let list = vec![v1("memory"), v1("name=systemd")];
    for one in &list {
        std::fs::create_dir(&one.mount).unwrap();
    }
    Hierarchies {
        list,
        verify: false,
    }
}

fn names(path: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap().flatten();
    entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_scope_is_started_with_what_delegation_needs_and_stopped_at_the_end() {
    let temporary = tempfile::tempdir().unwrap();
    let host = plain(temporary.path());
    with(&[], |peer, systemd| {
        systemd.check().unwrap();
        let name = systemd.place("jobs-night.slice", "c1").unwrap();
        let cgroup = systemd.create(&host, &name, &[]).unwrap();
        let record = cgroup.record();
        let unit = record.unit.clone().unwrap();
        assert_eq!(unit.name, "execdriver-c1.scope");
        let leaf = temporary
            .path()
            .join("memory/jobs.slice/jobs-night.slice/execdriver-c1.scope/container");
        assert!(leaf.is_dir());
        let start = peer.calls();
        let start = start
            .iter()
            .rfind(|call| call.starts_with("StartTransientUnit"))
            .unwrap();
        for word in [
            "execdriver-c1.scope fail",
            "Delegate",
            "PIDs",
            "TasksMax",
            "Slice jobs-night.slice",
        ] {
            assert!(start.contains(word), "{start}");
        }
        cgroup.destroy(Duration::from_secs(5)).unwrap();
        assert!(peer.was_called("StopUnit execdriver-c1.scope replace"));
        assert!(peer.was_called("ResetFailedUnit execdriver-c1.scope"));
        assert!(names(&temporary.path().join("memory")).is_empty());
    });
}

#[test]
fn what_systemd_does_not_do_is_an_error_that_leaves_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let host = plain(temporary.path());
    for (odd, word) in [
        (
            (
                "StartTransientUnit",
                Odd::Error("org.freedesktop.DBus.Error.AccessDenied"),
            ),
            "AccessDenied",
        ),
        (("StartTransientUnit", Odd::Result("failed")), "failed"),
        (("StartTransientUnit", Odd::Close), "connection"),
        (("Subscribe", Odd::Close), "connection"),
        (
            ("GetUnit", Odd::Error("org.freedesktop.systemd1.NoSuchUnit")),
            "NoSuchUnit",
        ),
        (
            (
                "Get",
                Odd::Group("/../../etc/system.slice/execdriver-c1.scope"),
            ),
            "expected a path",
        ),
        (("Get", Odd::Group("/elsewhere")), "expected a path"),
        (("Get", Odd::Group("")), "expected a path"),
        (("StartTransientUnit", Odd::Bytes(vec![0; 64])), "malformed"),
    ] {
        with(std::slice::from_ref(&odd), |peer, systemd| {
            let name = systemd.place("", "c1").unwrap();
            let error = systemd.create(&host, &name, &[]).unwrap_err();
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let text = format!("{error}: {source:?}");
            assert!(text.contains(word), "{odd:?}: {text}");
            assert!(text.contains("native.cgroupdriver=cgroupfs"), "{text}");
            assert!(
                peer.was_called("StopUnit") || odd.0 == "Subscribe",
                "{:?}",
                peer.calls()
            );
        });
        assert!(names(&temporary.path().join("memory")).is_empty());
    }
    let nobody = Systemd {
        address: "unix:path=/nonexistent/bus".to_owned(),
        slice: "system.slice",
    };
    let error = nobody.check().unwrap_err().to_string();
    assert!(error.contains("start dbus and systemd"), "{error}");
}

#[test]
fn a_unit_of_this_name_that_runs_is_left_alone_and_one_that_failed_is_forgotten() {
    const EXISTS: &str = "org.freedesktop.systemd1.UnitExists";
    let temporary = tempfile::tempdir().unwrap();
    let host = plain(temporary.path());
    with(
        &[("StartTransientUnit", Odd::Error(EXISTS))],
        |peer, systemd| {
            let name = systemd.place("", "c1").unwrap();
            let error = systemd.create(&host, &name, &[]).unwrap_err();
            assert!(matches!(
                error,
                CgroupError::Systemd {
                    source: UnitError::Exists { .. },
                    ..
                }
            ));
            assert!(!peer.was_called("StopUnit"));
        },
    );
    with(
        &[("StartTransientUnit", Odd::ErrorOnce(EXISTS))],
        |peer, systemd| {
            let name = systemd.place("", "c1").unwrap();
            let cgroup = systemd.create(&host, &name, &[]).unwrap();
            assert!(peer.was_called("ResetFailedUnit"));
            cgroup.destroy(Duration::from_secs(5)).unwrap();
        },
    );
}

#[test]
fn only_systemds_own_word_ends_a_job() {
    let temporary = tempfile::tempdir().unwrap();
    let host = plain(temporary.path());
    with(&[("StartTransientUnit", Odd::Stranger)], |_, systemd| {
        let name = systemd.place("", "c1").unwrap();
        let cgroup = systemd.create(&host, &name, &[]).unwrap();
        cgroup.destroy(Duration::from_secs(5)).unwrap();
    });
}

#[test]
fn a_scope_that_is_gone_by_itself_is_no_error() {
    const GONE: &str = "org.freedesktop.systemd1.NoSuchUnit";
    with(&[("StopUnit", Odd::Error(GONE))], |peer, systemd| {
        let unit = UnitRecord {
            name: "x.scope".to_owned(),
            bus: systemd.address.clone(),
        };
        stop(&unit).unwrap();
        assert!(!peer.was_called("ResetFailedUnit"));
    });
}

#[test]
fn the_placeholder_is_beside_the_container_and_ends_with_it() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let host = Hierarchies::read().unwrap();
    let id = unique_id("scope");
    with(&[], |_, systemd| {
        let name = systemd.place("execdriver-test.slice", &id);
        let name = ScopeName {
            slice: "execdriver_test.slice".to_owned(),
            ..name.unwrap()
        };
        let cgroup = systemd.create(&host, &name, &[]).unwrap();
        let pid = cgroup.placeholder.as_ref().unwrap().pid();
        assert!(cgroup.pids().unwrap().pids.is_empty());
        let own = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        if host.unified().is_some() {
            let line = format!("0::/execdriver_test.slice/{}/placeholder", name.unit);
            assert!(own.lines().any(|found| found == line), "{own}");
        }
        let paths: Vec<PathBuf> = cgroup
            .members
            .iter()
            .map(|m| PathBuf::from(&m.path))
            .collect();
        // The host program is gone; another process cleans.
        let record = cgroup.record();
        drop(cgroup);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
        let left = Cgroup::open(&record).unwrap();
        left.destroy(Duration::from_secs(5)).unwrap();
        for path in paths {
            let slice = path.parent().unwrap().parent().unwrap();
            assert!(!slice.exists(), "{}", slice.display());
        }
    });
}
