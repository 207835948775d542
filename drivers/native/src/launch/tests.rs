//! The launch with init itself: what comes back, and what it must survive in a host.

mod ahead;
mod cgroup;
mod early;
mod exec;
mod filter;
mod held;
mod host;
mod inherited;
mod support;
mod userns;

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::channel::ChannelError;
use super::memfd::seal;
use super::{CallerError, End, Exit, LaunchError, Limits, Process, launch, launch_program};
use crate::support::patience;
use crate::wire::Op;
use support::{Plan, shell, signalled};

#[test]
fn the_payload_runs_and_its_exit_code_comes_back() {
    let mut plan = Plan::of(&[Op::ReportNs {}]);
    plan.exec(&["/bin/sh", "-c", "exit 7"]);
    let started = launch(plan.launch()).unwrap();
    let exit = started.process.reap().unwrap();
    assert_eq!(exit.end, End::Exited(7));
    assert!(exit.usage.unwrap().max_rss > 0);
    // Asked again, the kernel remembers (6.15), or the error says why not.
    if let Ok(again) = started.process.reap() {
        assert_eq!((again.end, again.usage), (End::Exited(7), None));
    }
}

#[test]
fn a_signal_ends_the_payload_and_its_number_comes_back() {
    let started = launch(shell("read never || sleep 60").launch()).unwrap();
    assert!(!started.process.wait_until(Some(Instant::now())).unwrap());
    started.process.signal(libc::SIGKILL).unwrap();
    assert_eq!(
        started.process.reap().unwrap().end,
        signalled(libc::SIGKILL)
    );
    assert!(started.process.was_reaped());
    assert!(started.process.signal(0).is_err());
}

#[test]
fn a_missing_program_is_the_exec_steps_failure() {
    let mut plan = Plan::of(&[Op::ReportNs {}]);
    plan.exec(&["/no/such/program"]);
    match launch(plan.launch()).unwrap_err() {
        LaunchError::Step {
            index: 1,
            words,
            cause,
        } => {
            assert_eq!(
                (words.as_str(), cause.errno),
                ("step 1", Some(Errno::ENOENT))
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failing_pre_start_ends_the_process_and_comes_back() {
    let mut plan = shell("true");
    let mut seen = None;
    let mut pre_start = |process: &Arc<Process>| -> Result<(), CallerError> {
        seen = Some(Arc::clone(process));
        Err("no".into())
    };
    let mut request = plan.launch();
    request.pre_start = Some(&mut pre_start);
    let error = launch(request).unwrap_err();
    assert!(matches!(error, LaunchError::PreStart(_)), "{error:?}");
    assert!(seen.unwrap().was_reaped());
}

#[test]
fn a_panicking_pre_start_ends_the_process_and_unwinds_on() {
    let mut plan = shell("true");
    let mut seen = None;
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut pre_start = |process: &Arc<Process>| -> Result<(), CallerError> {
            seen = Some(Arc::clone(process));
            std::panic::resume_unwind(Box::new("on purpose"));
        };
        let mut request = plan.launch();
        request.pre_start = Some(&mut pre_start);
        drop(launch(request));
    }));
    assert!(panicked.is_err());
    assert!(seen.unwrap().was_reaped());
}

#[test]
fn an_abort_while_it_starts_ends_it() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut plan = shell("true");
    let mut seen = None;
    let mut pre_start = |process: &Arc<Process>| -> Result<(), CallerError> {
        seen = Some(Arc::clone(process));
        std::io::Write::write_all(&mut &ours, b"x")?;
        Ok(())
    };
    let mut request = plan.launch();
    request.pre_start = Some(&mut pre_start);
    request.limits = Limits {
        deadline: None,
        abort: Some(theirs.as_fd()),
    };
    let error = launch(request).unwrap_err();
    assert!(matches!(error, LaunchError::Channel(ChannelError::Aborted)));
    assert!(seen.unwrap().was_reaped());
}

#[test]
fn a_deadline_covers_the_start() {
    // An init that says nothing and goes nowhere, as one in a cgroup that was frozen meanwhile.
    let mut plan = Plan::of(&[]);
    plan.exec(&["/bin/true"]);
    let mut request = plan.launch();
    request.limits.deadline = Some(Instant::now() + Duration::from_millis(50));
    let deaf = Arc::new(seal(&support::deaf()).unwrap());
    let before = Instant::now();
    assert!(launch_program(deaf, request).unwrap_err().is_timeout());
    assert!(before.elapsed() < Duration::from_secs(20) * patience());
}

#[test]
fn an_init_that_dies_early_is_never_a_start() {
    let mut plan = shell("true");
    let program = Arc::new(seal(&std::fs::read("/bin/true").unwrap()).unwrap());
    match launch_program(program, plan.launch()).unwrap_err() {
        LaunchError::EndedEarly {
            exit: Some(Exit {
                end: End::Exited(0),
                ..
            }),
        } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_init_that_does_not_wait_for_its_placement_is_never_a_start() {
    let mut plan = Plan::of(&[]);
    plan.exec(&["/bin/true"]);
    let mut place = |_: &Arc<Process>| -> Result<(), CallerError> { Ok(()) };
    let mut request = plan.launch();
    request.place = Some(&mut place);
    let error = launch(request).unwrap_err();
    assert!(matches!(error, LaunchError::DidNotWait), "{error:?}");
}

#[test]
fn a_malformed_message_is_inits_to_refuse() {
    let mut plan = shell("true");
    plan.message.truncate(40);
    plan.message[0] ^= 1;
    let error = launch(plan.launch()).unwrap_err();
    assert!(
        matches!(
            error,
            LaunchError::Step {
                index: u32::MAX,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn a_message_and_descriptors_beyond_one_batch_and_one_buffer_arrive() {
    let null = std::fs::File::open("/dev/null").unwrap();
    let filler: Vec<String> = (0..12)
        .map(|n| format!("V{n}={}", "x".repeat(100_000)))
        .collect();
    let mut plan = Plan::of(&[Op::ReportNs {}]);
    plan.env = filler;
    plan.fds = (0..600).map(|_| null.try_clone().unwrap().into()).collect();
    plan.exec(&["/bin/sh", "-c", "test ${#V11} = 100000 && exit 3"]);
    let started = launch(plan.launch()).unwrap();
    assert_eq!(started.process.reap().unwrap().end, End::Exited(3));
}
