//! Profiles that ask a listener: who gets it, what it may answer, and that nothing is left of it.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
#[path = "seccomp/listener.rs"]
mod listener;
mod support;

use contract::{Bench, SOON, process, refused};
use execdriver::{
    Capture, Command, Error, ExecRequest, HookContext, HookStage, Hooks, Pipes, Result, Signal,
    Target,
};
use listener::{Answer, answer};
use nix::errno::Errno;
use std::cell::{Cell, RefCell};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use support::{Baseline, alone};

/// Two calls of it, the second perhaps with another answer.
const TWICE: [&str; 6] = ["seq", "mkdir", "/tmp/a", ",", "mkdir", "/tmp/b"];

/// The container's command under a profile that asks about these calls.
fn asking(bench: &Bench, names: &str, words: &[&str]) -> Command {
    let profile = format!(
        r#"{{"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{{"names": [{names}], "action": "SCMP_ACT_NOTIFY"}}]}}"#
    );
    let command = bench.command(words);
    command.with_linux(|linux| linux.seccomp_profile = profile)
}

/// With all names of it, so that no C library gets around it.
const MKDIR: &str = r#""mkdir", "mkdirat""#;

/// No kernel fails mkdir with this: the answer is the listener's.
fn fake(call: usize) -> Answer {
    match call {
        0 => Answer::Fails(Errno::EXFULL),
        _ => Answer::Goes,
    }
}

/// What took a listener, and the threads that answer.
#[derive(Default)]
struct Taken {
    threads: RefCell<Vec<JoinHandle<usize>>>,
    pids: RefCell<Vec<u32>>,
}

impl Taken {
    fn hooks<'a>(&'a self, decide: fn(usize) -> Answer) -> Hooks<'a> {
        Hooks::none().on_seccomp_listener(move |context, listener| {
            assert_eq!(context.stage, HookStage::SeccompListener);
            self.pids.borrow_mut().push(context.pid);
            self.threads.borrow_mut().push(answer(listener, decide));
            Ok(())
        })
    }

    /// How many calls each of them answered, once nobody is left to ask.
    fn answered(self) -> Vec<usize> {
        let threads = self.threads.into_inner().into_iter();
        threads.map(|thread| thread.join().unwrap()).collect()
    }
}

#[test]
fn a_listener_answers_the_calls_of_the_program_and_nothing_is_left() {
    let _alone = alone();
    let bench = Bench::new();
    bench.says(&["true"]);
    let baseline = Baseline::take(&bench.rootfs, &[]);
    for init in [false, true] {
        for no_new_privileges in [false, true] {
            let taken = Taken::default();
            let command = asking(&bench, MKDIR, &TWICE).with_linux(|linux| {
                linux.init = init;
                linux.no_new_privileges = no_new_privileges;
            });
            let outcome = bench.run_with(&command, Pipes::null(), &taken.hooks(fake));
            assert_eq!(outcome.out, "EXFULL\nok\n", "init: {init}: {outcome:?}");
            assert!(taken.pids.borrow().iter().all(|pid| *pid > 0));
            assert_eq!(taken.answered(), [2], "init: {init}");
            // Only the call that was let go was made.
            assert!(!bench.rootfs.inside("tmp/a").exists());
            std::fs::remove_dir(bench.rootfs.inside("tmp/b")).unwrap();
        }
    }
    // Even the execution of the program may wait for an answer.
    let taken = Taken::default();
    let command = asking(&bench, r#""execve", "execveat""#, &["exit", "7"]);
    let outcome = bench.run_with(&command, Pipes::null(), &taken.hooks(|_| Answer::Goes));
    assert_eq!(outcome.status.code, 7, "{outcome:?}");
    assert_eq!(taken.answered(), [1]);
    baseline.assert_back();
}

#[test]
fn an_exec_hands_a_listener_of_its_own_over() {
    beside(|bench, id| {
        let taken = Taken::default();
        let capture = Capture::new(1 << 10);
        let status = exec(bench, id, &capture, &taken.hooks(fake)).unwrap();
        assert_eq!((status, capture.text().as_str()), (0, "EXFULL\nok\n"));
        assert_eq!(taken.answered(), [2]);
        // Without anybody to ask it is refused, and the container goes on.
        let (error, text) = refused(exec(bench, id, &capture, &Hooks::none()));
        asks_a_hook(&error, &text);
    });
}

/// Does something while a container runs whose listener is never asked, and nothing is left of it.
fn beside(act: impl FnOnce(&Bench, &str)) {
    let _alone = alone();
    let bench = Bench::new();
    bench.says(&["true"]);
    let baseline = Baseline::take(&bench.rootfs, &[]);
    let command = asking(&bench, MKDIR, &["pause"]);
    let (send, started) = mpsc::channel();
    thread::scope(|scope| {
        let run = scope.spawn(|| {
            let taken = Taken::default();
            let hooks = taken.hooks(|_| Answer::Goes);
            let hooks = hooks.on_start(|_| Ok(send.send(())?));
            bench
                .try_run_with(&command, Pipes::null(), &hooks)
                .map(drop)
                .unwrap();
            drop(hooks);
            taken.answered()
        });
        let killed = Killed(&bench, &command.id);
        started.recv_timeout(SOON).unwrap();
        act(&bench, &command.id);
        drop(killed);
        assert_eq!(run.join().unwrap(), [0]);
    });
    baseline.assert_back();
}

fn exec(bench: &Bench, id: &str, capture: &Capture, hooks: &Hooks<'_>) -> Result<i32> {
    let request = ExecRequest::new(process(&TWICE));
    let pipes = Pipes::null().stdout(capture);
    let status = bench.driver.exec(id, &request, pipes, hooks)?;
    Ok(status.code)
}

#[test]
fn an_exec_that_is_killed_before_its_program_is_a_start_that_was_given_up() {
    beside(|bench, id| {
        for signal in [Signal::TERM, Signal::KILL] {
            let target = Target::exec(id, "early");
            let kill = |_: &HookContext<'_>, _| Ok(bench.driver.kill(&target, signal)?);
            let hooks = Hooks::none().on_seccomp_listener(kill);
            let mut request = ExecRequest::new(process(&TWICE));
            request.exec_id = Some("early".into());
            let done = bench.driver.exec(id, &request, Pipes::null(), &hooks);
            let (error, text) = refused(done);
            assert!(
                matches!(error, Error::Aborted { id: exec } if exec == "early"),
                "{text}"
            );
        }
    });
}

/// Kills the container, so that a failed assertion does not hang the test program.
struct Killed<'a>(&'a Bench, &'a str);

impl Drop for Killed<'_> {
    fn drop(&mut self) {
        // It may be gone, which is what is wanted.
        let _ = self.0.driver.kill(&Target::from(self.1), Signal::KILL);
    }
}

#[track_caller]
fn asks_a_hook(error: &Error, text: &str) {
    assert!(
        matches!(error, Error::InvalidCommand { field, .. } if field == "seccomp_profile"),
        "{error:?}"
    );
    assert!(text.contains("Hooks::on_seccomp_listener"), "{text}");
}

#[test]
fn without_a_hook_nothing_starts_and_a_hook_that_fails_ends_the_start() {
    let _alone = alone();
    let bench = Bench::new();
    bench.says(&["true"]);
    let baseline = Baseline::take(&bench.rootfs, &[]);
    let command = asking(&bench, MKDIR, &TWICE);
    let begun = Cell::new(false);
    let hooks = Hooks::none().on_pre_start(|_| {
        begun.set(true);
        Ok(())
    });
    let (error, text) = refused(bench.try_run_with(&command, Pipes::null(), &hooks));
    asks_a_hook(&error, &text);
    assert!(!begun.get());

    let hooks = Hooks::none().on_seccomp_listener(|_, _| Err("no time".into()));
    let (error, text) = refused(bench.try_run_with(&command, Pipes::null(), &hooks));
    assert!(
        matches!(
            error,
            Error::Hook {
                stage: HookStage::SeccompListener,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(text.contains("no time"), "{text}");

    // One that lets go of it: the kernel answers that there is no such call.
    let hooks = Hooks::none().on_seccomp_listener(|_, listener| {
        drop(listener);
        Ok(())
    });
    let outcome = bench.run_with(&command, Pipes::null(), &hooks);
    assert_eq!(outcome.out, "ENOSYS\nENOSYS\n", "{outcome:?}");
    baseline.assert_back();
}
