//! Pause against everything that others do meanwhile.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
#[path = "contract/host.rs"]
mod host;
mod support;

use contract::{Bench, SOON};
use execdriver::{Error, Signal, Target};
use host::assert_no_trace;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::{Baseline, Need, alone, among, rounds, skip_unless};

const ROOT: &[Need] = &[Need::Root];

#[test]
fn pause_unpause_exec_and_list_from_many_threads_end_without_a_deadlock_and_leave_nothing() {
    let _alone = alone();
    if skip_unless(ROOT) {
        return;
    }
    let bench = Bench::new();
    assert!(bench.run(&bench.command(&["true"])).status.success());
    let command = bench.command(&["pause"]);
    let id = command.id.as_str();
    let baseline = Baseline::take(&bench.rootfs, &[id]);
    let (done, quiet, execs) = (
        AtomicBool::new(false),
        AtomicBool::new(false),
        AtomicU32::new(0),
    );
    let (status, ()) = bench.while_running(&command, |_| {
        thread::scope(|scope| {
            let again = |flag, mut act: Box<dyn FnMut() + Send>| {
                let flag: &AtomicBool = flag;
                scope.spawn(move || {
                    while !flag.load(Ordering::SeqCst) {
                        act();
                    }
                })
            };
            // An exec that was begun before a pause goes on after the next unpause.
            again(
                &quiet,
                Box::new(|| {
                    bench.other_driver().unpause(id).unwrap();
                    thread::sleep(Duration::from_millis(2));
                }),
            );
            let mut others = vec![again(&done, Box::new(|| bench.driver.pause(id).unwrap()))];
            for _ in 0..2 {
                others.push(again(
                    &done,
                    Box::new(|| match bench.try_exec(id, &["exit", "3"]) {
                        Ok(outcome) => {
                            assert_eq!(outcome.status.code, 3);
                            execs.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => assert!(matches!(error, Error::Paused { .. }), "{error:?}"),
                    }),
                ));
            }
            others.push(again(
                &done,
                Box::new(|| {
                    bench.driver.list().unwrap();
                    bench.driver.stats(id).unwrap();
                    bench.driver.kill(&Target::from(id), Signal::PROBE).unwrap();
                }),
            ));
            let end = Instant::now() + SOON;
            while execs.load(Ordering::SeqCst) < 20 && Instant::now() < end {
                thread::sleep(Duration::from_millis(20));
            }
            done.store(true, Ordering::SeqCst);
            let ended: Vec<_> = others.into_iter().map(|other| other.join()).collect();
            quiet.store(true, Ordering::SeqCst);
            assert!(ended.iter().all(Result::is_ok));
        });
    });
    assert!(execs.load(Ordering::SeqCst) >= 20, "execs come through");
    assert_eq!(status.code, 137);
    baseline.assert_back();
}

#[test]
fn a_kill_between_pause_and_unpause_is_never_lost() {
    let _among = among();
    if skip_unless(ROOT) {
        return;
    }
    let bench = Bench::new();
    for _ in 0..rounds(20) {
        let command = bench.command(&["pause"]);
        let id = command.id.as_str();
        let (status, ()) = bench.while_running(&command, |_| {
            let gone = |outcome: execdriver::Result<()>| match outcome {
                Ok(()) => false,
                Err(Error::NotRunning { .. } | Error::NotFound { .. }) => true,
                Err(other) => panic!("{other:?}"),
            };
            thread::scope(|scope| {
                scope.spawn(|| while !gone(bench.driver.pause(id)) {});
                scope.spawn(|| while !gone(bench.other_driver().unpause(id)) {});
                thread::sleep(Duration::from_millis(5));
                let _ = bench.driver.kill(&Target::from(id), Signal::KILL);
            });
        });
        assert_eq!(status.code, 137);
        assert_no_trace(&bench, id);
    }
}
