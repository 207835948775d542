//! The command line: global options, the verbs, and how an error is told.

mod bundle;
mod checkpoint;
mod console;
mod create;
mod delete;
mod events;
mod exec;
mod failure;
mod features;
mod foreground;
mod global;
mod images;
mod kill;
mod list;
mod log;
mod making;
mod notify;
mod output;
mod parse;
mod pause;
mod pid_file;
mod preserved;
mod ps;
mod restore;
mod run;
mod spec;
mod start;
mod state;
mod terminal;
mod update;

use clap::{Parser, Subcommand};
use failure::{Answer, Failure};
use global::Global;
use std::ffi::OsString;
use std::process::ExitCode;

/// An OCI runtime: runs containers that are described by bundles.
#[derive(Debug, Parser)]
// Clients say an option more than once, as the flags of other runtimes let them.
#[command(
    name = "execdriver-oci",
    disable_version_flag = true,
    args_override_self = true
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print what this runtime enforces, as JSON.
    Features,
    /// Make a container whose program waits for `start`.
    Create(create::Args),
    /// Start the program of a container that was made.
    Start(start::Args),
    /// Make a container and start its program.
    Run(run::Args),
    /// Run one more program in a container.
    Exec(Box<exec::Args>),
    /// Print the state of a container as JSON.
    State(state::Args),
    /// Send a signal to a container's first process, or to all of its processes.
    Kill(kill::Args),
    /// Remove a container and what it used.
    Delete(delete::Args),
    /// List the containers below the root.
    List(list::Args),
    /// List the processes of a container.
    Ps(ps::Args),
    /// Let all processes of a container stand still.
    Pause(pause::Args),
    /// Let the processes of a paused container go on.
    Resume(pause::Args),
    /// Change a container's limits.
    Update(Box<update::Args>),
    /// Print what a container uses, and when memory is wanting in it.
    Events(events::Args),
    /// Write a document to begin with.
    Spec(spec::Args),
    /// Save a running container's processes.
    Checkpoint(Box<checkpoint::Args>),
    /// Make a container from saved processes.
    Restore(Box<restore::Args>),
    /// Print the version, as --version does.
    Version,
}

/// Parses the command line, does the verb, and tells an error.
pub(crate) fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().map(spelled).collect();
    let cli = match parse::parse(&words) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let verb = match cli.verb {
        _ if cli.global.version => Verb::Version,
        Some(verb) => verb,
        None => return tell(&cli.global, &Failure::usage("which verb? see --help")),
    };
    if !matches!(verb, Verb::Version)
        && let Err(failure) = log::check(&cli.global)
    {
        output::complain(&failure.message);
        return ExitCode::from(failure.code);
    }
    match act(&cli.global, verb) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => tell(&cli.global, &failure),
    }
}

/// containerd writes this option as flags of Go may be written, with one dash.
fn spelled(word: OsString) -> OsString {
    match word.to_str() {
        Some("-no-subreaper") => "--no-subreaper".into(),
        _ => word,
    }
}

fn act(global: &Global, verb: Verb) -> Answer {
    match verb {
        Verb::Features => features::run(),
        Verb::Create(args) => create::run(global, args),
        Verb::Start(args) => start::run(global, &args),
        Verb::Run(args) => run::run(global, args),
        Verb::Exec(args) => exec::run(global, &args),
        Verb::State(args) => state::run(global, &args),
        Verb::Kill(args) => kill::run(global, &args),
        Verb::Delete(args) => delete::run(global, &args),
        Verb::List(args) => list::run(global, &args),
        Verb::Ps(args) => ps::run(global, &args),
        Verb::Pause(args) => pause::pause(global, &args),
        Verb::Resume(args) => pause::resume(global, &args),
        Verb::Update(args) => update::run(global, &args),
        Verb::Events(args) => events::run(global, &args),
        Verb::Spec(args) => spec::run(&args),
        Verb::Checkpoint(args) => checkpoint::run(global, *args),
        Verb::Restore(args) => restore::run(global, *args),
        Verb::Version => output::print(&version()),
    }
}

fn tell(global: &Global, failure: &Failure) -> ExitCode {
    log::error(global, &failure.message);
    ExitCode::from(failure.code)
}

/// Help goes to stdout and is no error; a wrong command line is one line and 1, as with other runtimes.
fn usage(error: &clap::Error) -> ExitCode {
    let failure = match error.use_stderr() {
        true => Failure::command_line(error),
        false => match output::print(&error.to_string()) {
            Ok(code) => return ExitCode::from(code),
            Err(failure) => failure,
        },
    };
    let words = std::env::args_os().skip(1);
    tell(&Global::of_words(words), &failure)
}

/// The lines that clients look at for a name and for the specification's version.
fn version() -> String {
    let own = env!("CARGO_PKG_VERSION");
    format!(
        "execdriver-oci version {own}\nspec: {}\n",
        execdriver_native::oci::SPEC_VERSION
    )
}
