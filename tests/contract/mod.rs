//! What the contract's cases on the native driver share: a rootfs with a driver, short runs, containers in the background.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its own part of this"
)]

use crate::support::{Rootfs, eventually, is_root, unique_id};
use execdriver::{
    Capture, Command, Driver, Error, ExecRequest, ExitStatus, HookContext, Hooks, IdMap, Options,
    Pipes, ProcessConfig, Registry, Result, RunOptions, Signal, Target, Terminal,
};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

/// Far more than anything takes that ends at all.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Output is kept up to here.
const LIMIT: usize = 64 << 20;

/// A rootfs and a native driver, both for one test.
pub(crate) struct Bench {
    pub(crate) rootfs: Rootfs,
    pub(crate) driver: Arc<dyn Driver>,
}

/// How a run ended and what it said.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// For containers without real root: as root in a user namespace of ids that are nobody's, else the caller's own.
pub(crate) fn remapped() -> (Bench, impl Fn(Command) -> Command) {
    let rootfs = Rootfs::new();
    if is_root() {
        rootfs.give_to(100_000, 100_000);
    }
    let map = vec![IdMap {
        container_id: 0,
        host_id: 100_000,
        size: 65_536,
    }];
    let change = move |command: Command| {
        let map = map.clone();
        command.with_linux(|linux| {
            if is_root() {
                (linux.uid_mappings, linux.gid_mappings) = (map.clone(), map);
            }
        })
    };
    (Bench::on(rootfs), change)
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::on(Rootfs::new())
    }

    pub(crate) fn on(rootfs: Rootfs) -> Self {
        let driver = open(&rootfs);
        Self { rootfs, driver }
    }

    /// The same root with another driver, which has this option.
    pub(crate) fn with_option(mut self, option: &str) -> Self {
        self.driver = self.driver_with(option);
        self
    }

    /// Another handle on the same root, with an option.
    pub(crate) fn driver_with(&self, option: &str) -> Arc<dyn Driver> {
        let options = Options::parse([option]).unwrap();
        let opened = Registry::with_builtin().open("native", &self.rootfs.state(), options);
        opened.expect("the native driver opens")
    }

    /// A second handle on the same root, as another process would open it.
    pub(crate) fn other_driver(&self) -> Arc<dyn Driver> {
        open(&self.rootfs)
    }

    /// A container of a fresh id that executes `words`: a path, or an applet of the payload's.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        Command {
            process: process(words),
            ..Command::linux(unique_id("contract"), self.rootfs.path(), "")
        }
    }

    /// Runs it to its end with its output collected.
    pub(crate) fn try_run(&self, command: &Command) -> Result<Outcome> {
        self.try_run_with(command, Pipes::null(), &Hooks::none())
    }

    /// As `try_run`, with input and hooks; the outputs of `pipes` are replaced.
    pub(crate) fn try_run_with(
        &self,
        command: &Command,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> Result<Outcome> {
        collect(pipes, |pipes| {
            self.driver
                .run(command, &RunOptions::default(), pipes, hooks)
        })
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(&self, command: &Command) -> Outcome {
        ran(self.try_run(command))
    }

    /// Runs it with this input and these hooks.
    #[track_caller]
    pub(crate) fn run_with(&self, command: &Command, pipes: Pipes, hooks: &Hooks<'_>) -> Outcome {
        ran(self.try_run_with(command, pipes, hooks))
    }

    /// What a container that executes `words` says; it must exit with 0.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) -> String {
        self.output(&self.command(words))
    }

    /// What `command` says; it must exit with 0.
    #[track_caller]
    pub(crate) fn output(&self, command: &Command) -> String {
        let outcome = self.run(command);
        assert_eq!(outcome.status.code, 0, "{outcome:?}");
        outcome.out
    }

    /// Runs one more process in a running container.
    pub(crate) fn try_exec(&self, id: &str, words: &[&str]) -> Result<Outcome> {
        self.try_exec_with(id, &ExecRequest::new(process(words)), Pipes::null())
    }

    /// As `try_exec` with everything of the request, and input; the outputs of `pipes` are replaced.
    pub(crate) fn try_exec_with(
        &self,
        id: &str,
        request: &ExecRequest,
        pipes: Pipes,
    ) -> Result<Outcome> {
        collect(pipes, |pipes| {
            self.driver.exec(id, request, pipes, &Hooks::none())
        })
    }

    /// Runs one more process in a running container.
    #[track_caller]
    pub(crate) fn exec(&self, id: &str, words: &[&str]) -> Outcome {
        ran(self.try_exec(id, words))
    }

    /// Runs `command` on a thread of its own, and calls `act` once its program was executed. Whatever `act` does the
    /// container is killed then.
    #[track_caller]
    pub(crate) fn while_running<T>(
        &self,
        command: &Command,
        act: impl FnOnce(&Started) -> T,
    ) -> (ExitStatus, T) {
        let (outcome, value) = self.during(command, Pipes::null(), act);
        (outcome.status, value)
    }

    /// As `while_running`, with input, and what it said.
    #[track_caller]
    pub(crate) fn during<T>(
        &self,
        command: &Command,
        pipes: Pipes,
        act: impl FnOnce(&Started) -> T,
    ) -> (Outcome, T) {
        thread::scope(|scope| {
            let (send, receive) = mpsc::channel();
            let asked = SystemTime::now();
            let run = scope.spawn(move || {
                let hooks = Hooks::none().on_start(move |context| {
                    let terminal = context.terminal.clone();
                    let pid = context.pid;
                    Ok(send.send(Started {
                        pid,
                        terminal,
                        asked,
                    })?)
                });
                self.try_run_with(command, pipes, &hooks)
            });
            let kill = Kill(self, &command.id);
            let value = receive.recv_timeout(SOON).ok().map(|started| act(&started));
            drop(kill);
            let outcome = ran(run.join().expect("run does not panic"));
            (outcome, value.expect("the container starts"))
        })
    }
}

/// What the Start hook was told.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) pid: u32,
    pub(crate) terminal: Option<Arc<dyn Terminal>>,
    /// When it was asked for.
    pub(crate) asked: SystemTime,
}

/// Kills a container when dropped, so that a failed assertion does not hang the test program.
struct Kill<'a>(&'a Bench, &'a str);

impl Drop for Kill<'_> {
    fn drop(&mut self) {
        // It may be gone, which is what is wanted.
        let _ = self.0.driver.kill(&Target::from(self.1), Signal::KILL);
    }
}

fn open(rootfs: &Rootfs) -> Arc<dyn Driver> {
    let registry = Registry::with_builtin();
    let opened = registry.open("native", &rootfs.state(), Options::none());
    opened.expect("the native driver opens")
}

/// A process of the payload's, or of another program by its path.
pub(crate) fn process(words: &[&str]) -> ProcessConfig {
    let program = match words[0] {
        path if path.contains('/') => path.to_owned(),
        applet => format!("/bin/{applet}"),
    };
    ProcessConfig::new(program).args(words[1..].iter().copied())
}

/// What comes of a run or exec with a timeout that it is to meet; with a longer one as long as the start alone meets it:
/// nobody knows how slow the machine is.
pub(crate) fn with_timeout<T>(run: impl Fn(RunOptions) -> Result<T>) -> Result<T> {
    let with = |millis| run(RunOptions::default().timeout(Duration::from_millis(millis)));
    for millis in [300, 3_000] {
        match with(millis) {
            Err(Error::Timeout { .. }) => {}
            ended => return ended,
        }
    }
    with(20_000)
}

/// An error with all its causes, as a person would be shown it.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// The error of something that must not have worked, and its whole text.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(outcome: Result<T>) -> (Error, String) {
    let error = outcome.expect_err("it is refused");
    let text = chain(&error);
    (error, text)
}

#[track_caller]
fn ran(outcome: Result<Outcome>) -> Outcome {
    outcome.unwrap_or_else(|error| panic!("it did not run: {}", chain(&error)))
}

fn collect(pipes: Pipes, run: impl FnOnce(Pipes) -> Result<ExitStatus>) -> Result<Outcome> {
    let (out, err) = (Capture::new(LIMIT), Capture::new(LIMIT));
    let status = run(pipes.stdout(&out).stderr(&err))?;
    let (out, err) = (out.text(), err.text());
    Ok(Outcome { status, out, err })
}
