//! The launch: from a plan's message to a process that executes the payload, or to an error and nothing left.
//!
//! ```text
//! socket, message ahead -> clone3 + execveat(init) -> NS -> id maps, cgroups, oom_score_adj, PreStart -> go
//!                       -> [FORKED -> go] -> [TERMINAL] -> EXECUTING -> end of file: it runs
//! ```
//! Where none of the former has to come first, the parent does its part and says go while init is already mounting.
//! A run and an exec take the same way; FORKED is an exec's second process, which lives in the container's pid namespace. It
//! comes first where the parent has nothing to do before, and the exec is recorded while that process goes on.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

mod attempt;
mod channel;
mod early;
mod ending;
mod error;
mod executed;
mod held;
mod idhelper;
mod idmap;
mod idns;
mod memfd;
mod offered;
mod placeholder;
mod process;
mod procfs;
mod slots;
#[cfg(test)]
mod tests;

pub(crate) use channel::Limits;
pub(crate) use early::Early;
pub(crate) use ending::{FROZEN_PATIENCE, Killed};
pub(crate) use error::{CallerError, LaunchError, StepFailure};
pub(crate) use held::{Held, release};
pub(crate) use idhelper::IdHelpers;
pub(crate) use idmap::{IdMaps, IdRange, one_line, outside, parse as parse_id_map, root_of};
pub(crate) use idns::id_namespace;
pub(crate) use offered::offered;
pub(crate) use placeholder::Placeholder;
pub(crate) use process::{End, Exit, Process, ProcessError};
pub(crate) use procfs::{ProcessDir, ProcfsError};

use attempt::Attempt;
use channel::Outgoing;
use early::Begun;
use memfd::Program;

/// What is launched. Everything is borrowed: what the caller made for the payload alone, it closes after the launch.
pub(crate) struct Launch<'a> {
    /// A process that was started before: its plan makes the namespaces but for that of pids, and enters no cgroups.
    pub(crate) early: Option<Early>,
    /// `CLONE_NEW*` bits, without the cgroup and time namespaces, which init enters itself.
    pub(crate) namespaces: u64,
    /// Directory of a cgroup v2 to be born in; never one that may be frozen, in which the calling thread would sleep until it thaws.
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
    /// Header and body of the message.
    pub(crate) message: &'a [u8],
    /// The descriptors that the header counts.
    pub(crate) fds: &'a [BorrowedFd<'a>],
    /// The words of an operation by its index, for errors: "mount proc on /proc".
    pub(crate) describe: &'a dyn Fn(u32) -> String,
    /// Nothing of what the parent does has to precede what init does before its `AwaitGo`: both work at the same time, and
    /// neither sleeps for the other. Not together with `id_maps`, nor where PreStart hooks want to see what init has not
    /// begun yet, nor without `fds`, which keep the message apart from what follows it (unix(7)).
    pub(crate) go_ahead: bool,
    /// Maps of a new user namespace.
    pub(crate) id_maps: Option<&'a IdMaps>,
    /// Moves the process into its cgroups, by its pid.
    pub(crate) place: Option<&'a mut Callback<'a>>,
    /// -1000 to 1000 (proc_pid_oom_score_adj(5)).
    pub(crate) oom_score_adj: Option<i32>,
    /// Runs on this thread when namespaces and cgroups are ready and before any code of the container.
    pub(crate) pre_start: Option<&'a mut Callback<'a>>,
    /// Runs on this thread when the container's files are mounted and its root is not entered yet, if the plan says so.
    pub(crate) mounted: Option<&'a mut Callback<'a>>,
    /// Gets the listener of the container's filter, on this thread, before the program is executed. Without it a filter with
    /// a listener fails the launch.
    pub(crate) listener: Option<&'a mut ListenerCallback<'a>>,
    /// The plan holds before the program: the launch is done when it does, and [`release`] is the rest.
    pub(crate) hold: bool,
    /// Init stays as PID 1 beside the payload: an end of file then does not mean that the process is the payload.
    pub(crate) init_stays: bool,
    /// Runs once the process is in its cgroups, or a second after it was started.
    pub(crate) entered: Option<&'a mut dyn FnMut()>,
    /// Runs on this thread when the process is known that will execute the program, while that goes on. Not with `hold`.
    pub(crate) known: Option<&'a mut Callback<'a>>,
    /// Frees what was sent SIGKILL from a cgroup in which it would not die.
    pub(crate) release_killed: ending::Release<'a>,
    /// What ends the launch early.
    pub(crate) limits: Limits<'a>,
}

/// Code of the caller that runs during a launch. A panic ends the first process and unwinds on.
pub(crate) type Callback<'a> = dyn FnMut(&Arc<Process>) -> Result<(), CallerError> + 'a;

/// As [`Callback`], with the descriptor that is its own from now on.
pub(crate) type ListenerCallback<'a> =
    dyn FnMut(&Arc<Process>, OwnedFd) -> Result<(), CallerError> + 'a;

/// A launch that succeeded.
#[derive(Debug)]
pub(crate) struct Started {
    /// The payload, or init as its PID 1; a child of this program that must be reaped.
    pub(crate) process: Arc<Process>,
    /// The container's terminal, if the plan has one.
    pub(crate) terminal: Option<OwnedFd>,
}

/// Launches init with the plan's message and returns once the payload's program has been executed.
pub(crate) fn launch(mut launch: Launch<'_>) -> Result<Started, LaunchError> {
    let early = launch.early.take();
    match early.and_then(Early::serve) {
        Some(begun) => {
            let outgoing = Outgoing::new(launch.message, launch.fds);
            Attempt::new(begun, launch).run(outgoing)
        }
        None => launch_program(memfd::init()?, launch),
    }
}

fn launch_program(program: Arc<Program>, launch: Launch<'_>) -> Result<Started, LaunchError> {
    let mut outgoing = Outgoing::new(launch.message, launch.fds);
    let begun = Begun::start_program(
        program,
        launch.namespaces,
        launch.cgroup,
        // Mostly all of it.
        |channel, _| Ok(channel.send_ahead(&mut outgoing).map(drop)?),
    )?;
    Attempt::new(begun, launch).run(outgoing)
}
