//! `execdriver run`: a program in a new container, from its start to its end.

use crate::confine::ConfineArgs;
use crate::container::ContainerArgs;
use crate::failure::{Failure, chain};
use crate::global::Global;
use crate::limits::LimitArgs;
use crate::platform;
use crate::session::{self, Streams};
use crate::{tty, values, words};
use execdriver::{Command, Error, Hooks, ProcessConfig, RunOptions, Target};
use std::env::VarError;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What `run --help` says first.
pub(crate) const LONG_ABOUT: &str = if cfg!(windows) {
    words::RUN
} else {
    "\
Run a program in a new container and wait for its end.

With --rootfs DIR the directory becomes the container's `/`. Without it the program is one of this
machine: it sees the host's `/` read-only, and with it EVERY FILE THAT YOU CAN READ, but has its own
/tmp, /run, /dev and /proc. The current directory is kept at its path, read-only unless --rw. Unless
flags say otherwise it has no network but loopback, no capabilities, and can gain none.

INT, TERM, HUP, QUIT, USR1, USR2, CONT and WINCH are handed on to the program, except those that
this command was started to ignore. With -t the size of the program's terminal follows yours, and
with -it every key, Ctrl-C too, goes to the program."
};

/// How it is called.
pub(crate) const USAGE: &str = "\
execdriver run [OPTIONS] [--] PROGRAM [ARG]...
       execdriver run [OPTIONS] --command FILE.json [-- PROGRAM [ARG]...]";

/// What `run --help` says last.
pub(crate) const EXAMPLES: &str = if cfg!(windows) {
    words::RUN_EXAMPLES
} else {
    "\
Examples:
  execdriver run -- sh -c 'echo hello from $(hostname)'   a program of this machine
  execdriver run --rw -- make                             the same, writing here only
  execdriver run --rootfs ./alpine -it -- /bin/sh         a shell in a root file system
  execdriver run --rootfs ./alpine --ephemeral --timeout 10s -v ./in:/in:ro -- /in/job
  execdriver run --network container:web -- ss -ltn       next to another container

Exit code: the program's own, or 128 + n when signal n ended it; 124 when --timeout ended it; 125
when it could not be started, 126 when it cannot be executed, 127 when it was not found; 2 for a
wrong command line."
};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The program and its arguments
    #[arg(
        trailing_var_arg = true,
        value_name = "PROGRAM",
        required_unless_present = "command"
    )]
    program: Vec<String>,
    #[command(flatten)]
    streams: Streams,
    /// The container's id [default: 12 random hexadecimal digits]
    #[arg(long, alias = "name", help_heading = "Process")]
    id: Option<String>,
    #[command(flatten)]
    process: ProcessArgs,
    /// End the program after this long: 10s, 1m30s, 500ms
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true,
          value_parser = values::duration,
          help_heading = "Process")]
    timeout: Option<Duration>,
    /// At a timeout send TERM first, and KILL after this long [default: KILL at once]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true,
          value_parser = values::duration, default_value = "0s",
          hide_default_value = true, help_heading = "Process")]
    kill_grace: Duration,
    /// Fail when the host cannot enforce one of the defaults (see `execdriver doctor`)
    #[arg(long, help_heading = "Privileges")]
    strict: bool,
    /// Do not warn of defaults that the host cannot enforce
    #[arg(short, long, help_heading = "Privileges")]
    quiet: bool,
    /// Read the container from a JSON file (- is standard input); the flags of this verb that
    /// describe the container are not allowed with it
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["ContainerArgs", "ConfineArgs", "LimitArgs", "ProcessArgs"])]
    command: Option<PathBuf>,
    #[command(flatten)]
    container: ContainerArgs,
    // Beside the others and not within them: clap leaves the members of a struct that holds
    // another one out of its group, and then nothing keeps them from `--command`.
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    confine: ConfineArgs,
}

/// What `run` and `exec` say alike about the process.
#[derive(Debug, clap::Args)]
pub(crate) struct ProcessArgs {
    /// Set an environment variable [K=V; K alone takes the value of yours]
    #[arg(short, long = "env", value_name = "K=V", help_heading = "Process")]
    env: Vec<String>,
    /// The directory to start in
    #[arg(short, long, value_name = "DIR", help_heading = "Process")]
    pub(crate) workdir: Option<String>,
    /// Who to run as, by name or number [U[:G]]
    #[arg(
        short,
        long,
        value_name = "U[:G]",
        allow_hyphen_values = true,
        help_heading = "Process"
    )]
    user: Option<String>,
}

impl ProcessArgs {
    /// The process with this program.
    ///
    /// # Errors
    /// A variable without a name, or one of the caller's that is not Unicode.
    pub(crate) fn process(
        &self,
        program: &[String],
        streams: Streams,
    ) -> Result<ProcessConfig, Failure> {
        let (entrypoint, arguments) = match program {
            [first, rest @ ..] => (first.clone(), rest.to_vec()),
            [] => (String::new(), Vec::new()),
        };
        let variables: Result<Vec<_>, Failure> = self.env.iter().map(|e| variable(e)).collect();
        Ok(ProcessConfig {
            entrypoint,
            arguments,
            tty: streams.tty,
            user: self.user.clone().unwrap_or_default(),
            console_size: streams.tty.then(tty::window_size).flatten(),
            env: variables?.into_iter().flatten().collect(),
            ..ProcessConfig::default()
        })
    }
}

/// `K=V` as it is; `K` with the caller's value, or nothing when the caller has none.
fn variable(entry: &str) -> Result<Option<String>, Failure> {
    let wrong = |reason: String| Failure::not_run(Error::invalid("env", reason));
    if entry.is_empty() || entry.starts_with('=') {
        return Err(wrong(format!("got {entry:?}, expected K=V or K")));
    }
    if entry.contains('=') {
        return Ok(Some(entry.to_owned()));
    }
    match std::env::var(entry) {
        Ok(value) => Ok(Some(format!("{entry}={value}"))),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(wrong(format!("your {entry} is not Unicode"))),
    }
}

/// What a Linux program needs to find others; a Windows driver fills in the host's own where there is none.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(crate) fn main(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let command = match &args.command {
        Some(path) => from_file(path, args)?,
        None => from_flags(args)?,
    };
    let mut options = RunOptions::default()
        .kill_grace(args.kill_grace)
        .die_with_host(true)
        .strict(args.strict);
    options.timeout = args.timeout;
    let driver = global.open().map_err(|failure| failure.with_code(125))?;
    let streams = Streams {
        tty: command.process.tty,
        ..args.streams
    };
    let streams = (streams, args.quiet);
    session::attach(&driver, Target::from(&command), streams, |pipes| {
        let ended = driver.run(&command, &options, pipes, &Hooks::none());
        ended.map_err(|error| args.confine.explain(error))
    })
}

fn from_flags(args: &Args) -> Result<Command, Failure> {
    let id = args.id.clone().unwrap_or_else(session::new_id);
    let mut process = args.process.process(&args.program, args.streams)?;
    complete(&mut process);
    let workdir = args.process.workdir.clone();
    let mut command = args.container.command(id, process, workdir)?;
    args.limits.apply(&mut command)?;
    args.confine.apply(&mut command)?;
    platform::of_this_system(command)
}

/// Adds what every program needs to an environment that does not have it.
pub(crate) fn complete(process: &mut ProcessConfig) {
    let has = |name: &str, env: &[String]| env.iter().any(|entry| entry.starts_with(name));
    if cfg!(unix) && !has("PATH=", &process.env) {
        process.env.insert(0, DEFAULT_PATH.to_owned());
    }
    if cfg!(unix) && process.tty && !has("TERM=", &process.env) {
        let term = std::env::var("TERM").unwrap_or_else(|_| "xterm".into());
        process.env.push(format!("TERM={term}"));
    }
}

fn from_file(path: &Path, args: &Args) -> Result<Command, Failure> {
    let failed = |reason: String| Failure::message(format!("{}: {reason}", path.display()), 125);
    let text = read(path).map_err(|error| failed(values::reason(&error)))?;
    let mut command = Command::from_json(text).map_err(|error| failed(chain(&error)))?;
    if let Some(id) = &args.id {
        command.id.clone_from(id);
    }
    if command.id.is_empty() {
        command.id = session::new_id();
    }
    if let [program, arguments @ ..] = &args.program[..] {
        command.process.entrypoint.clone_from(program);
        command.process.arguments = arguments.to_vec();
    }
    command.process.tty |= args.streams.tty;
    if command.process.tty {
        command.process.console_size = tty::window_size();
    }
    Ok(command)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text)?;
        return Ok(text);
    }
    std::fs::read(path)
}
