//! Cases 18 to 22 of the contract: terminals.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod contract;
mod support;

use contract::{Bench, process, refused};
use execdriver::{
    Command, Error, ExecRequest, Hooks, Pipes, RunOptions, Stdio, Target, WindowSize,
};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use support::rounds;

const SIZE: WindowSize = WindowSize {
    rows: 33,
    columns: 77,
};

fn with_terminal(mut command: Command) -> Command {
    command.process.tty = true;
    command
}

#[test]
fn tty_basic() {
    let bench = Bench::new();
    let command = with_terminal(bench.command(&["seq", "tty", ",", "session", ",", "cat"]));
    let pipes = Pipes::null().stdin(Stdio::reader(&b"typed\n"[..]));
    let outcome = bench.run_with(&command, pipes, &Hooks::none());
    assert_eq!(outcome.status.code, 0);
    // The terminal's echo comes whenever it comes, within a line too; the rest has its order.
    let typed = "typed\r\n";
    let times = outcome.out.matches(typed).count();
    assert_eq!(times, 2, "once as echo and once by cat: {:?}", outcome.out);
    let rest = outcome.out.replace(typed, "");
    let names = "0 /dev/console\r\n1 /dev/console\r\n2 /dev/console\r\n";
    // A session of its own, of which it is the leader and which has the terminal.
    let session = "pid=1 ppid=0 pgid=1 sid=1 tpgid=1\r\n";
    assert_eq!(rest, format!("{names}{session}"));
    assert_eq!(outcome.err, "", "standard error is the terminal too");
}

#[test]
fn tty_resize() {
    let bench = Bench::new();
    let command = with_terminal(bench.command(&["seq", "waitfile", "/go", ",", "winsize"]));
    // By the driver and by the terminal itself, both from the Start hook on.
    let by_driver = Hooks::none().on_start(|_| {
        bench.driver.resize(&Target::from(&command), SIZE)?;
        bench.rootfs.write("go", "");
        Ok(())
    });
    let outcome = bench.run_with(&command, Pipes::null(), &by_driver);
    assert_eq!(outcome.out, "ok\r\n33 77\r\n".replace("ok\r\n", ""));
    drop(by_driver);
    std::fs::remove_file(bench.rootfs.inside("go")).unwrap();

    let by_terminal = Hooks::none().on_start(|context| {
        context.terminal.as_ref().unwrap().resize(SIZE)?;
        bench.rootfs.write("go", "");
        Ok(())
    });
    let outcome = bench.run_with(&command, Pipes::null(), &by_terminal);
    assert_eq!(outcome.out, "33 77\r\n");

    let mut sized = with_terminal(bench.command(&["winsize"]));
    sized.process.console_size = Some(SIZE);
    assert_eq!(bench.output(&sized), "33 77\r\n");
}

/// Another handle, as another process has it, resizes too, and the program is told by SIGWINCH.
#[test]
fn tty_resize_of_a_running_program_reaches_it_as_a_signal() {
    let bench = Bench::new();
    let command =
        with_terminal(bench.command(&["seq", "symlink", "x", "/ready", ",", "winsize", "1"]));
    let (outcome, ()) = bench.during(&command, Pipes::null(), |started| {
        let ready = || bench.rootfs.inside("ready").is_symlink();
        support::eventually("the program is about to wait", ready);
        let asleep = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", started.pid));
            status.unwrap_or_default().contains("S (sleeping)")
        };
        support::eventually("the program waits", asleep);
        bench
            .other_driver()
            .resize(&Target::from(&command), SIZE)
            .unwrap();
        support::eventually("the program ends", || {
            bench.driver.list().unwrap().is_empty()
        });
    });
    assert!(outcome.out.ends_with("33 77\r\n"), "{:?}", outcome.out);
    assert_eq!(outcome.status.code, 0);
}

#[test]
fn tty_no_loss() {
    let bench = Bench::new();
    for _ in 0..rounds(50) {
        let command = with_terminal(bench.command(&["big", "2097152"]));
        let out = bench.output(&command);
        assert_eq!(out.len(), (2 << 20) / 16 * 17);
        assert!(
            out.split_inclusive('\n')
                .all(|l| l == "0123456789abcde\r\n")
        );
    }
}

#[test]
fn resize_non_tty() {
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let (_, ()) = bench.while_running(&command, |started| {
        bench.driver.resize(&Target::from(&command), SIZE).unwrap();
        bench
            .other_driver()
            .resize(&Target::from(&command), SIZE)
            .unwrap();
        started.terminal.as_ref().unwrap().resize(SIZE).unwrap();
    });
}

#[test]
fn resize_exec_race() {
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let target = Target::exec(&command.id, "shell");
    let (_, ()) = bench.while_running(&command, |_| {
        let (error, text) = refused(bench.driver.resize(&target, SIZE));
        assert!(matches!(error, Error::NotFound { .. }), "before: {text}");
        hammer(&bench, &command.id, &target);
        let (error, text) = refused(bench.driver.resize(&target, SIZE));
        assert!(matches!(error, Error::NotFound { .. }), "after: {text}");
    });
    let gone = refused(bench.driver.resize(&Target::from(&command), SIZE)).0;
    assert!(matches!(gone, Error::NotFound { .. }), "{gone}");
}

/// Resizes all through the lives of execs, by two handles. Each answer is a success or one of two errors.
fn hammer(bench: &Bench, id: &str, target: &Target) {
    let (done, hits) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for driver in [bench.driver.clone(), bench.other_driver()] {
            let (done, hits) = (&done, &hits);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    match driver.resize(target, SIZE) {
                        Ok(()) => _ = hits.fetch_add(1, Ordering::Relaxed),
                        Err(Error::NotFound { .. } | Error::NotRunning { .. }) => {}
                        Err(error) => panic!("{}", contract::chain(&error)),
                    }
                }
            });
        }
        let mut process = process(&["sleep", "0.02"]);
        process.tty = true;
        let request = ExecRequest::new(process).exec_id("shell");
        let ends: Vec<_> = (0..20)
            .map(|_| {
                bench
                    .driver
                    .exec(id, &request, Pipes::null(), &Hooks::none())
            })
            .collect();
        done.store(true, Ordering::Relaxed);
        ends.into_iter()
            .for_each(|end| assert_eq!(end.unwrap().code, 0));
    });
    assert!(hits.load(Ordering::Relaxed) > 0, "never while it ran");
}

/// What the hook was given outlives the run; then it is closed, not another file.
#[test]
fn resize_after_the_end_is_an_error() {
    let bench = Bench::new();
    let kept = std::cell::RefCell::new(None);
    let hooks = Hooks::none().on_start(|context| {
        kept.replace(context.terminal.clone());
        Ok(())
    });
    let command = with_terminal(bench.command(&["true"]));
    bench
        .driver
        .run(&command, &RunOptions::default(), Pipes::null(), &hooks)
        .unwrap();
    let terminal = kept.borrow().clone().unwrap();
    let (error, text) = refused(terminal.resize(SIZE));
    assert!(matches!(error, Error::NotRunning { .. }), "{text}");
}
