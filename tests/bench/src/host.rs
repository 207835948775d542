//! A host program that runs containers on command: this process, or a child that is small, or big and busy.

use crate::Result;
use execdriver::{
    Capture, Command, Driver, Hooks, LinuxCommand, Options, Pipes, Registry, RunOptions,
};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The verb of this program that makes it a host.
pub(crate) const VERB: &str = "host";

const RESIDENT: usize = 4 << 30;
const THREADS: usize = 64;
/// After which a run counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// A driver and the container that it runs over and over.
pub(crate) struct Host {
    driver: Arc<dyn Driver>,
    command: Command,
}

impl Host {
    /// Opens the native driver on its own state directory.
    pub(crate) fn open(state: &Path, rootfs: &Path) -> Result<Self> {
        Self::with_options::<&str>(state, rootfs, &[])
    }

    /// The same with options of the driver.
    pub(crate) fn with_options<S: AsRef<str>>(
        state: &Path,
        rootfs: &Path,
        options: &[S],
    ) -> Result<Self> {
        let options = Options::parse(options)?;
        let driver = Registry::with_builtin().open("native", state, options)?;
        let id = format!("execdriver-bench-{}", std::process::id());
        Ok(Self {
            driver,
            command: Command::linux(id, rootfs, "/bin/true"),
        })
    }

    /// A host whose containers differ from those of the other numbers.
    pub(crate) fn numbered(state: &Path, rootfs: &Path, number: usize) -> Result<Self> {
        let mut host = Self::open(state, rootfs)?;
        host.command.id = format!("{}-{number}", host.command.id);
        Ok(host)
    }

    /// One container from its creation to its end.
    pub(crate) fn run(&self) -> Result<()> {
        self.run_command(&self.command, Pipes::default())
    }

    /// The same with what it says on both streams read by pipes.
    pub(crate) fn run_captured(&self) -> Result<()> {
        self.captured(&self.command)
    }

    fn captured(&self, command: &Command) -> Result<()> {
        let (out, err) = (Capture::new(4096), Capture::new(4096));
        self.run_command(command, Pipes::null().stdout(&out).stderr(&err))
    }

    /// A command of a shape that no other had: nothing of an earlier document can be taken over.
    fn unlike(&self, number: usize) -> Command {
        let named = |linux: &mut LinuxCommand| linux.hostname = format!("other-{number}");
        self.command.clone().with_linux(named)
    }

    fn run_command(&self, command: &Command, pipes: Pipes) -> Result<()> {
        let (options, hooks) = (RunOptions::default(), Hooks::none());
        let status = self.driver.run(command, &options, pipes, &hooks)?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("true ended so: {status:?}").into())
        }
    }
}

/// `bench host small|big STATE ROOTFS [OPTION]...`: answers each line of its input. `run`, and `other` (a run of a command that differs
/// from all before in more than its words), by the nanoseconds that it took, `go` and `stop` (what a big host's threads are to do) by `ok`.
pub(crate) fn main(args: &[String]) -> Result<()> {
    let [size, state, rootfs, options @ ..] = args else {
        return Err("host small|big STATE ROOTFS [OPTION]...".into());
    };
    let busy = Arc::new(AtomicBool::new(false));
    let resident = if size == "big" {
        grow(&busy)
    } else {
        Vec::new()
    };
    let host = Host::with_options(state.as_ref(), rootfs.as_ref(), options)?;
    let mut output = std::io::stdout().lock();
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        match line?.as_str() {
            "other" => {
                let command = host.unlike(number);
                let start = Instant::now();
                host.captured(&command)?;
                writeln!(output, "{}", start.elapsed().as_nanos())?;
            }
            "run" => {
                let start = Instant::now();
                host.run_captured()?;
                writeln!(output, "{}", start.elapsed().as_nanos())?;
            }
            word => {
                busy.store(word == "go", Ordering::Relaxed);
                writeln!(output, "ok")?;
            }
        }
        output.flush()?;
    }
    black_box(&resident);
    Ok(())
}

/// Touches four gibibytes and starts the threads that allocate.
fn grow(busy: &Arc<AtomicBool>) -> Vec<u8> {
    let mut resident = vec![0u8; RESIDENT];
    resident.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    for seed in 0..THREADS {
        let busy = Arc::clone(busy);
        std::thread::spawn(move || allocate(seed, &busy));
    }
    resident
}

/// Small and large blocks, so that both the allocator's locks and the kernel's are held now and then. Ends with the process.
fn allocate(seed: usize, busy: &AtomicBool) {
    let mut next = seed;
    loop {
        if !busy.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        next = next
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let size = if next.is_multiple_of(64) {
            1 << 20
        } else {
            64 + next % 16_384
        };
        let mut block: Vec<u8> = Vec::with_capacity(size);
        block.resize(size, 1);
        black_box(&block);
    }
}

/// A host in a process of its own.
#[derive(Debug)]
pub(crate) struct Remote {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Remote {
    /// Starts it, with these variables besides its environment, and waits until it is ready.
    pub(crate) fn start(
        size: &str,
        state: &Path,
        rootfs: &Path,
        env: &[(&str, &str)],
    ) -> Result<Self> {
        let own: PathBuf = std::env::current_exe()?;
        let mut child = std::process::Command::new(own)
            .arg(VERB)
            .arg(size)
            .arg(state)
            .arg(rootfs)
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("no pipe to the host")?;
        let output = child.stdout.take().ok_or("no pipe from the host")?;
        let mut remote = Self {
            child,
            input,
            output: BufReader::new(output),
        };
        remote.ask("stop")?;
        Ok(remote)
    }

    /// One container in the host: the time that `run` took there.
    pub(crate) fn run(&mut self) -> Result<Duration> {
        Ok(Duration::from_nanos(self.ask("run")?.parse()?))
    }

    /// The same of a container that is unlike all before.
    pub(crate) fn run_other(&mut self) -> Result<Duration> {
        Ok(Duration::from_nanos(self.ask("other")?.parse()?))
    }

    /// Whether its threads allocate.
    pub(crate) fn busy(&mut self, busy: bool) -> Result<()> {
        self.ask(if busy { "go" } else { "stop" }).map(drop)
    }

    fn ask(&mut self, word: &str) -> Result<String> {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        writeln!(self.input, "{word}")?;
        let mut fds = [PollFd::new(
            self.output.get_ref().as_fd(),
            PollFlags::POLLIN,
        )];
        if poll(&mut fds, PollTimeout::try_from(PATIENCE)?)? == 0 {
            return Err(format!(
                "a host hangs: no answer to {word:?} for {} s",
                PATIENCE.as_secs()
            )
            .into());
        }
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() {
            Err("a host died".into())
        } else {
            Ok(line.trim().to_owned())
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // What hangs is not waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
