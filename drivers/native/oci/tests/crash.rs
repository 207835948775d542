//! Verbs that are killed at any moment, and verbs that meet: nothing stays, and one at a time acts.
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
use std::time::{Duration, Instant};
use support::{Baseline, Need, alone, among, rounds, skip_unless, within};

/// How long a call takes here and now.
fn time(call: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    call();
    begun.elapsed()
}

#[test]
fn a_create_that_is_killed_at_any_moment_can_be_deleted_and_leaves_nothing() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let _alone = alone();
    let bundle = Bundle::of(&["/bin/pause"]);
    let whole = time(|| bundle.create());
    bundle.done(&["delete", "--force", &bundle.id]);
    let baseline = Baseline::take(&bundle.rootfs, &[&bundle.id]);
    let times = rounds(60);
    for moment in 0..times {
        let mut create = bundle.begin(&["create", &bundle.id]);
        std::thread::sleep(whole * moment * 6 / (times * 5));
        let _ = create.kill();
        create.wait().unwrap();
        let status = bundle.status();
        assert!(
            ["none", "stopped", "created"].contains(&status.as_str()),
            "{moment}: {status}"
        );
        // What was never made is none; what was is deleted without force.
        if status != "none" {
            bundle.done(&["delete", &bundle.id]);
        }
        bundle.done(&["delete", "--force", &bundle.id]);
        assert!(!bundle.state_dir().exists(), "{moment}");
    }
    baseline.assert_back();
}

#[test]
fn a_start_that_is_killed_at_any_moment_leaves_a_container_that_can_be_deleted() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let _alone = alone();
    let bundle = Bundle::of(&["/bin/pause"]);
    bundle.create();
    let whole = time(|| drop(bundle.done(&["start", &bundle.id])));
    bundle.done(&["delete", "--force", &bundle.id]);
    let baseline = Baseline::take(&bundle.rootfs, &[&bundle.id]);
    let times = rounds(40);
    for moment in 0..times {
        bundle.create();
        let mut start = bundle.begin(&["start", &bundle.id]);
        std::thread::sleep(whole * moment * 6 / (times * 5));
        let _ = start.kill();
        start.wait().unwrap();
        let status = bundle.status();
        assert!(
            ["created", "running", "stopped"].contains(&status.as_str()),
            "{moment}: {status}"
        );
        bundle.done(&["delete", "--force", &bundle.id]);
        assert_eq!(bundle.status(), "none");
    }
    baseline.assert_back();
}

#[test]
fn of_verbs_that_meet_one_acts_and_the_others_say_why_they_did_not() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let _alone = alone();
    let bundle = Bundle::of(&["/bin/pause"]);
    let baseline = Baseline::take(&bundle.rootfs, &[&bundle.id]);
    for _ in 0..rounds(10) {
        for (verb, refusals) in [
            ("create", &["already exists"][..]),
            ("start", &["in the running state"]),
            ("delete", &["does not exist"]),
        ] {
            if verb == "delete" {
                bundle.done(&["kill", &bundle.id, "KILL"]);
                bundle.await_status("stopped");
            }
            let call = || bundle.say(&[verb, &bundle.id]);
            let said: Vec<_> = std::thread::scope(|scope| {
                let calls: Vec<_> = (0..6).map(|_| scope.spawn(call)).collect();
                calls.into_iter().map(|call| call.join().unwrap()).collect()
            });
            let done = said.iter().filter(|said| said.code() == 0).count();
            match verb {
                // Whoever finds it gone while it waits has nothing more to do.
                "delete" => assert!(done >= 1, "{said:?}"),
                _ => assert_eq!(done, 1, "{verb}: {said:?}"),
            }
            for refused in said.iter().filter(|said| said.code() != 0) {
                let known = refusals.iter().any(|words| refused.stderr.contains(words));
                assert!(known, "{verb}: {refused:?}");
            }
        }
    }
    baseline.assert_back();
}

#[test]
fn a_container_outlives_whoever_made_and_started_it() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let _among = among();
    let bundle = Bundle::of(&["/bin/pause"]);
    bundle.create();
    bundle.done(&["start", &bundle.id]);
    assert!(!within(Duration::from_millis(300), || bundle.status() != "running"));
}
