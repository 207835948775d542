//! What a payload gets of its host and its thread, and what it does not.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::launch::{End, launch};
use crate::wire::{NO_SLOT, Op};

use super::support::{Plan, printing, shell, signalled};

#[test]
fn signals_that_the_host_ignores_or_blocks_are_neither_in_the_payload() {
    // Every Rust program ignores SIGPIPE, and the launch blocks everything.
    let ops = [
        Op::ReportNs {},
        Op::Reset {
            flags: 0,
            umask: 0o22,
        },
    ];
    let (mut plan, output) = printing(&ops, "grep Sig /proc/self/status; umask");
    let started = launch(plan.launch()).unwrap();
    let text = output.text(plan);
    started.process.reap().unwrap();
    for set in ["SigBlk", "SigIgn"] {
        assert!(
            text.contains(&format!("{set}:\t0000000000000000\n")),
            "{text}"
        );
    }
    assert!(text.ends_with("0022\n"), "{text}");
}

#[test]
fn a_payload_outlives_the_thread_that_started_it() {
    let started = std::thread::spawn(|| launch(shell("sleep 0.2; exit 3").launch()).unwrap())
        .join()
        .unwrap();
    assert_eq!(started.process.reap().unwrap().end, End::Exited(3));
}

#[test]
fn a_payload_that_is_to_die_with_its_host_dies_with_the_thread_that_started_it() {
    // prctl(2): the parent's death is that of the thread which made the process, so it must be one that stays.
    let started = std::thread::spawn(|| {
        let kill = libc::SIGKILL.cast_unsigned();
        let mut plan = Plan::of(&[
            Op::ReportNs {},
            Op::DieWithHost {
                signal: kill,
                slot: NO_SLOT,
            },
        ]);
        plan.exec(&["/bin/sleep", "1000"]);
        launch(plan.launch()).unwrap()
    });
    let started = started.join().unwrap();
    assert!(
        started
            .process
            .wait_until(Some(Instant::now() + Duration::from_secs(5)))
            .unwrap()
    );
    assert_eq!(
        started.process.reap().unwrap().end,
        signalled(libc::SIGKILL)
    );
}

#[test]
fn a_staying_init_passes_the_payloads_status_on() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut plan = Plan::of(&[Op::ReportNs {}, Op::Pid1 { status: 0 }]);
    plan.pass(writer);
    plan.exec(&["/bin/sh", "-c", "kill -TERM $$"]);
    let mut request = plan.launch();
    request.init_stays = true;
    let started = launch(request).unwrap();
    drop(plan);
    let mut status = [0; 4];
    reader.read_exact(&mut status).unwrap();
    assert_eq!(
        End::of(i32::from_le_bytes(status)),
        signalled(libc::SIGTERM)
    );
    assert_eq!(
        started.process.reap().unwrap().end,
        End::Exited(128 + libc::SIGTERM)
    );
}

#[test]
fn a_program_that_a_staying_init_cannot_execute_is_a_failed_start() {
    let mut plan = Plan::of(&[Op::ReportNs {}, Op::Pid1 { status: NO_SLOT }]);
    plan.exec(&["/no/such/program"]);
    let mut request = plan.launch();
    request.init_stays = true;
    let error = launch(request).unwrap_err();
    assert!(
        matches!(error, crate::launch::LaunchError::Step { index: 2, .. }),
        "{error:?}"
    );
}
