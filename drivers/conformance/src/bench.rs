//! What the tests of the suite share: unique ids, a running container, short waits.

use crate::{Act, Subject};
use execdriver_core::{
    Capture, Command, Driver, Error, ExitStatus, Hooks, Pipes, Result, RunOptions, Signal, Target,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything that should happen soon may take before the test fails.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// An id that no other test uses.
pub(crate) fn id(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("conf-{name}-{}-{number}", std::process::id())
}

/// Runs `act` without streams, options or hooks.
pub(crate) fn run(subject: &dyn Subject, name: &str, act: &Act) -> Result<ExitStatus> {
    let command = subject.command(&id(name), act);
    let options = RunOptions::default();
    subject
        .driver()
        .run(&command, &options, Pipes::null(), &Hooks::none())
}

/// Calls `run` with a timeout that it is to meet, and with longer ones as long as the start alone meets them: nobody knows
/// how slow the machine is.
pub(crate) fn with_timeout(run: impl Fn(&RunOptions) -> Result<ExitStatus>) -> Result<ExitStatus> {
    let with = |millis| run(&RunOptions::default().timeout(Duration::from_millis(millis)));
    for millis in [200, 2_000] {
        match with(millis) {
            Err(Error::Timeout { .. }) => {}
            ended => return ended,
        }
    }
    with(20_000)
}

/// Runs `act` and collects what it says.
pub(crate) fn capture(
    subject: &dyn Subject,
    name: &str,
    act: &Act,
    pipes: Pipes,
) -> (ExitStatus, String, String) {
    let (out, err) = (Capture::new(1 << 20), Capture::new(1 << 20));
    let command = subject.command(&id(name), act);
    let pipes = pipes.stdout(&out).stderr(&err);
    let driver = subject.driver();
    let status = driver.run(&command, &RunOptions::default(), pipes, &Hooks::none());
    (status.expect("it runs"), out.text(), err.text())
}

/// Runs `command` on a thread of its own, calls `act` once its program was executed, and returns
/// what came of the run after `act` and of `act`. Whatever happens the container is killed then.
pub(crate) fn while_running<T>(
    subject: &dyn Subject,
    command: &Command,
    act: impl FnOnce(&Arc<dyn Driver>) -> T,
) -> (Result<ExitStatus>, T) {
    while_running_with(subject, command, Pipes::null(), act)
}

/// The same with streams.
pub(crate) fn while_running_with<T>(
    subject: &dyn Subject,
    command: &Command,
    pipes: Pipes,
    act: impl FnOnce(&Arc<dyn Driver>) -> T,
) -> (Result<ExitStatus>, T) {
    let driver = subject.driver();
    thread::scope(|scope| {
        let (started, wait) = crossbeam_channel::bounded(1);
        let runner = Arc::clone(&driver);
        let run = scope.spawn(move || {
            let hooks = Hooks::none().on_start(move |_| Ok(started.send(())?));
            runner.run(command, &RunOptions::default(), pipes, &hooks)
        });
        let kill = Kill(&driver, &command.id);
        if let Err(error) = wait.recv_timeout(SOON) {
            drop(kill);
            panic!("the container does not start: {error}, {:?}", run.join());
        }
        let value = act(&driver);
        drop(kill);
        (run.join().expect("run does not panic"), value)
    })
}

/// Kills a container when dropped, so that a failed assertion does not hang the test program.
struct Kill<'a>(&'a Arc<dyn Driver>, &'a str);

impl Drop for Kill<'_> {
    fn drop(&mut self) {
        // It may be gone, which is what is wanted.
        let _ = self.0.kill(&Target::from(self.1), Signal::KILL);
    }
}

/// Waits until `done` says so.
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < SOON, "{what}: not within {SOON:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Whether the driver says that it does `operation`; if not, `answer` must be `Unsupported`.
pub(crate) fn supports<T: std::fmt::Debug>(
    driver: &dyn Driver,
    operation: &str,
    answer: impl FnOnce() -> Result<T>,
) -> bool {
    if driver.capabilities().enforces("operations", operation) {
        return true;
    }
    let answer = answer();
    assert!(
        matches!(answer, Err(Error::Unsupported { .. })),
        "{operation} is not among the capabilities, so it must be unsupported: {answer:?}"
    );
    false
}

/// Whether the driver says that it enforces this limit.
pub(crate) fn enforces(driver: &dyn Driver, limit: &str) -> bool {
    driver.capabilities().enforces("cgroups", limit)
}

/// What `act` answers, which it is to do soon.
pub(crate) fn soon<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let answer = act();
    let took = start.elapsed();
    assert!(took < SOON, "{what} took {took:?}");
    answer
}
