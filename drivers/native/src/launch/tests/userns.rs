//! User namespaces: capabilities that survive init's exec, maps written from outside, as root and as an ordinary user.

use std::sync::Arc;

use crate::launch::{CallerError, End, IdMaps, IdRange, Process, launch};
use crate::support::{Need, is_root, skip_unless};
use crate::wire::Op;

use super::support::{in_own_process, printing};

const HERE: &str = "launch::tests::userns::";
const NEW_USER: u64 = libc::CLONE_NEWUSER as u64;

fn single(inside: u32, outside: u32) -> Vec<IdRange> {
    vec![IdRange {
        inside,
        outside,
        size: 1,
    }]
}

pub(super) fn own_maps() -> IdMaps {
    IdMaps {
        uids: single(0, nix::unistd::geteuid().as_raw()),
        gids: single(0, nix::unistd::getegid().as_raw()),
        deny_setgroups: true,
        helpers: None,
    }
}

fn capabilities_and_ids_in_a_new_namespace() {
    let maps = own_maps();
    let script =
        "grep CapEff /proc/self/status; id -u; cat /proc/self/uid_map /proc/self/setgroups";
    // The exec of a program by uid 0 gives all capabilities anew; init itself needs them before.
    let ops = [
        Op::ReportNs {},
        Op::TakeRoot { setgroups: false },
        Op::Undumpable {},
        Op::Hostname { name: b"inner" },
    ];
    let (mut plan, output) = printing(&ops, script);
    let mut request = plan.launch();
    request.namespaces = NEW_USER | libc::CLONE_NEWUTS as u64 | libc::CLONE_NEWPID as u64;
    request.id_maps = Some(&maps);
    request.oom_score_adj = Some(500);
    let started = launch(request).unwrap();
    let text = output.text(plan);
    assert_eq!(
        started.process.reap().unwrap().end,
        End::Exited(0),
        "{text}"
    );
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let [capabilities, uid, map, setgroups] = &lines[..] else {
        panic!("{text}")
    };
    let capabilities = u64::from_str_radix(capabilities[1], 16).unwrap();
    assert_eq!(capabilities & 0x1ff_ffff_ffff, 0x1ff_ffff_ffff, "{text}");
    let outside = maps.uids[0].outside.to_string();
    assert_eq!(
        (uid[0], map[1], map[2], setgroups[0]),
        ("0", outside.as_str(), "1", "deny"),
        "{text}"
    );
}

#[test]
fn an_ordinary_user_gets_all_capabilities_of_a_new_user_namespace() {
    const NAME: &str = "an_ordinary_user_gets_all_capabilities_of_a_new_user_namespace";
    if is_root() && !in_own_process(&format!("{HERE}{NAME}"), Some(1000)) {
        return;
    }
    capabilities_and_ids_in_a_new_namespace();
}

#[test]
fn root_gets_all_capabilities_of_a_new_user_namespace() {
    if !skip_unless(&[Need::Root]) {
        capabilities_and_ids_in_a_new_namespace();
    }
}

#[test]
fn the_host_stays_dumpable_after_a_launch_into_a_user_namespace() {
    let maps = own_maps();
    let mut plan = super::support::shell("true");
    let mut request = plan.launch();
    request.namespaces = NEW_USER;
    request.id_maps = Some(&maps);
    launch(request).unwrap().process.reap().unwrap();
    assert!(nix::sys::prctl::get_dumpable().unwrap());
}

#[test]
fn a_map_that_the_kernel_refuses_is_named_and_nothing_is_left() {
    let mut maps = own_maps();
    maps.uids = vec![IdRange {
        inside: 0,
        outside: 0,
        size: 0,
    }];
    let mut plan = super::support::shell("true");
    let mut seen = false;
    let mut pre_start = |_: &Arc<Process>| -> Result<(), CallerError> {
        seen = true;
        Ok(())
    };
    let mut request = plan.launch();
    request.namespaces = NEW_USER;
    request.id_maps = Some(&maps);
    request.pre_start = Some(&mut pre_start);
    let error = launch(request).unwrap_err();
    assert_eq!(error.to_string(), "cannot set up the user namespace");
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "cannot map ids \"0 0 0\""
    );
    assert!(!seen, "PreStart ran before the maps");
}
