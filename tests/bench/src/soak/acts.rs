//! The kinds of runs of a soak, what others do to their containers meanwhile, and how they may end.

use crate::Result;
use execdriver::{
    Capture, Command, Driver, Error, ExecRequest, ExitReason, ExitStatus, Hooks, Pipes,
    ProcessConfig, Resources, RunOptions, Signal, Stdio, Target,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// What a run is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// It succeeds.
    Plain,
    /// There is no such program.
    Missing,
    /// A hook fails before its program.
    HookFails,
    /// A hook fails beside its program.
    StartFails,
    /// Its time is up.
    TimedOut,
    /// It writes until it is done, or killed.
    Writes,
    /// Others execute in it, freeze it, change and read it, and kill it at last.
    Meddled,
}

/// Kinds by weight.
const KINDS: [Kind; 10] = [
    Kind::Plain,
    Kind::Plain,
    Kind::Missing,
    Kind::HookFails,
    Kind::StartFails,
    Kind::TimedOut,
    Kind::Writes,
    Kind::Meddled,
    Kind::Meddled,
    Kind::Meddled,
];

/// Bytes that are kept of an output: a mebibyte and more would be the allocator's for good, and hide a leak.
const KEPT: usize = 64 << 10;

/// Random numbers that depend on the seed and the run alone (splitmix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64, number: usize) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (number as u64) << 20)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn nap(&mut self, milliseconds: u64) {
        thread::sleep(Duration::from_micros(self.below(milliseconds * 1000)));
    }
}

/// Runs containers of any kind.
pub(super) struct Runner {
    driver: Arc<dyn Driver>,
    rootfs: PathBuf,
    prefix: String,
}

impl Runner {
    pub(super) fn new(driver: Arc<dyn Driver>, rootfs: PathBuf) -> Self {
        let prefix = format!("execdriver-soak-{}-", std::process::id());
        Self {
            driver,
            rootfs,
            prefix,
        }
    }

    /// How the ids of all its containers begin.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn kind(&self, dice: &mut Dice) -> Kind {
        KINDS[usize::try_from(dice.below(KINDS.len() as u64)).unwrap_or(0)]
    }

    /// One run; an error when it ended as its kind does not.
    pub(super) fn run(&self, number: usize, kind: Kind, dice: &mut Dice) -> Result<()> {
        let id = format!("{}{number}", self.prefix);
        let options = RunOptions::default();
        let (null, none) = (Pipes::null(), Hooks::none());
        match kind {
            Kind::Plain => match self.one(&id, "/bin/true", &[], &options, null, &none) {
                Ok(status) if status.success() => Ok(()),
                other => strange(other),
            },
            Kind::Missing => match self.one(&id, "/bin/none", &[], &options, null, &none) {
                Err(error) if error.exit_code() == 127 => Ok(()),
                other => strange(other),
            },
            Kind::HookFails => {
                let hooks = Hooks::default().on_pre_start(|_| Err("on purpose".into()));
                self.hook(self.one(&id, "/bin/true", &[], &options, null, &hooks))
            }
            Kind::StartFails => {
                let hooks = Hooks::default().on_start(|_| Err("on purpose".into()));
                self.hook(self.one(&id, "/bin/pause", &[], &options, null, &hooks))
            }
            Kind::TimedOut => {
                let options = options.timeout(Duration::from_micros(dice.below(40_000)));
                match self.one(&id, "/bin/pause", &[], &options, null, &none) {
                    Ok(status) if status.reason == ExitReason::TimedOut => Ok(()),
                    Err(Error::Timeout { .. }) => Ok(()),
                    other => strange(other),
                }
            }
            Kind::Writes => self.writes(&id, dice),
            Kind::Meddled => self.meddled(&id, dice),
        }
    }

    fn hook(&self, ended: execdriver::Result<ExitStatus>) -> Result<()> {
        match ended {
            Err(Error::Hook { .. }) => Ok(()),
            other => strange(other),
        }
    }

    fn one(
        &self,
        id: &str,
        program: &str,
        arguments: &[String],
        options: &RunOptions,
        pipes: Pipes,
        hooks: &Hooks<'_>,
    ) -> execdriver::Result<ExitStatus> {
        let mut command = Command::linux(id, &self.rootfs, program);
        command.process.arguments = arguments.to_vec();
        self.driver.run(&command, options, pipes, hooks)
    }

    /// The bytes arrive, or a kill cuts them off.
    fn writes(&self, id: &str, dice: &mut Dice) -> Result<()> {
        let mebibytes = 1 + dice.below(2);
        let output = Capture::new(KEPT);
        let stdout = match dice.below(2) {
            0 => Stdio::from(&output),
            _ => Stdio::writer(output.clone()),
        };
        let killed = dice.below(2) == 0;
        let wait = dice.below(30_000);
        let ended = thread::scope(|scope| {
            if killed {
                scope.spawn(move || {
                    thread::sleep(Duration::from_micros(wait));
                    // It may not be there yet, or no more.
                    let _ = self.driver.kill(&Target::from(id), Signal::KILL);
                });
            }
            let pipes = Pipes::null().stdout(stdout);
            let arguments = [mebibytes.to_string()];
            let options = RunOptions::default();
            self.one(
                id,
                "/bin/stream",
                &arguments,
                &options,
                pipes,
                &Hooks::none(),
            )
        });
        let whole = output.bytes().len() == KEPT;
        match ended {
            Ok(status) if status.success() && whole && status.stream_errors.is_empty() => Ok(()),
            Ok(status) if killed && status.code == 137 => Ok(()),
            Err(Error::Aborted { .. }) if killed => Ok(()),
            other => strange(other),
        }
    }

    fn meddled(&self, id: &str, dice: &mut Dice) -> Result<()> {
        let ended = AtomicBool::new(false);
        let (status, meddler) = thread::scope(|scope| {
            let meddler = scope.spawn(|| self.meddle(id, dice, &ended));
            let options = RunOptions::default();
            let status = self.one(
                id,
                "/bin/pause",
                &[],
                &options,
                Pipes::null(),
                &Hooks::none(),
            );
            ended.store(true, Ordering::Relaxed);
            (status, meddler.join())
        });
        meddler.map_err(|_| "the meddler panicked")??;
        match status {
            Ok(status) if status.code == 137 && status.cleanup_error.is_none() => Ok(()),
            Err(Error::Aborted { .. }) => Ok(()),
            other => strange(other),
        }
    }

    /// Does this and that, then kills until the run has ended.
    fn meddle(&self, id: &str, dice: &mut Dice, ended: &AtomicBool) -> Result<()> {
        dice.nap(20);
        for _ in 0..dice.below(6) {
            let done = match dice.below(6) {
                0 | 1 => self.exec(id),
                2 => self.driver.pause(id),
                3 => self.driver.unpause(id),
                4 => {
                    let resources = Resources {
                        memory: i64::try_from((32 + dice.below(64)) << 20)?,
                        ..Resources::default()
                    };
                    self.driver.update(id, &resources)
                }
                _ => self.driver.stats(id).map(drop),
            };
            expected(done)?;
            dice.nap(5);
        }
        while !ended.load(Ordering::Relaxed) {
            let done = match dice.below(2) {
                0 => self.driver.kill(&Target::from(id), Signal::KILL),
                _ => self.driver.terminate(id),
            };
            expected(done)?;
            dice.nap(10);
        }
        Ok(())
    }

    fn exec(&self, id: &str) -> execdriver::Result<()> {
        let request = ExecRequest::new(ProcessConfig::new("/bin/true"));
        let pipes = Pipes::null();
        let none = Hooks::none();
        self.driver.exec(id, &request, pipes, &none).map(drop)
    }
}

/// What may be said of a container that starts, is frozen or ends meanwhile.
fn expected(done: execdriver::Result<()>) -> Result<()> {
    match done {
        Ok(()) | Err(Error::NotFound { .. } | Error::NotRunning { .. } | Error::Paused { .. }) => {
            Ok(())
        }
        Err(error) => Err(text(&error).into()),
    }
}

fn strange(ended: execdriver::Result<ExitStatus>) -> Result<()> {
    match ended {
        Ok(status) => Err(format!("{status:?}").into()),
        Err(error) => Err(text(&error).into()),
    }
}

fn text(error: &Error) -> String {
    let mut text = format!("{error}");
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}
