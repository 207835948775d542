//! A start that the kernel ended for want of memory: told as what it is, with the limit to raise.

use super::error::setup;
use crate::cgroup::Cgroup;
use crate::launch::LaunchError;
use execdriver_core::{Error, Resources};
use nix::errno::Errno;

/// Whether a launch into this cgroup failed for want of memory, by what the kernel counted. `before` the launch it had
/// killed so many there.
pub(super) fn is(error: &LaunchError, cgroup: Option<&Cgroup>, before: u64) -> bool {
    let Some(cgroup) = cgroup else {
        return false;
    };
    if may_be_killed(error) {
        return cgroup.oom_kills() > before;
    }
    // Where a system call takes the memory nobody is killed: the call fails.
    may_be_refused(error) && cgroup.met_memory_limit()
}

fn may_be_killed(error: &LaunchError) -> bool {
    match error {
        // How it ended is unknown where other code of the host reaped it.
        LaunchError::EndedEarly { exit } => exit.is_none_or(|exit| exit.end.is_by(libc::SIGKILL)),
        LaunchError::Step { cause, .. } => cause.killed_by() == Some(libc::SIGKILL),
        _ => false,
    }
}

fn may_be_refused(error: &LaunchError) -> bool {
    match error {
        LaunchError::Step { cause, .. } => cause.errno == Some(Errno::ENOMEM),
        // What execve(2) says depends on the page that it did not get: of the arguments or another.
        LaunchError::Spawn(error) => {
            [Errno::ENOMEM, Errno::E2BIG, Errno::EFAULT].contains(&error.errno())
        }
        // An execve(2) that fails when the old program is gone already.
        LaunchError::EndedEarly { exit } => exit.is_some_and(|exit| exit.end.is_by(libc::SIGSEGV)),
        _ => false,
    }
}

/// The error for such a launch; `resources` are those of the caller.
pub(super) fn error(error: LaunchError, resources: Option<&Resources>) -> Error {
    const WHAT: &str = "memory was wanting";
    match resources.map(|resources| resources.memory) {
        Some(limit) if limit > 0 => Error::invalid(
            "resources.memory",
            format!(
                "got {limit} bytes, which is too small for the start alone: {WHAT} before the \
                 program was executed (give it a mebibyte, and what the program needs)"
            ),
        ),
        _ => {
            let step = format!(
                "start the first process: {WHAT} (raise the memory limit of the cgroup above, or \
                 free memory of the host)"
            );
            setup(&step)(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::{End, Exit};

    fn early(end: Option<End>) -> LaunchError {
        let exit = |end| Exit { end, usage: None };
        LaunchError::EndedEarly {
            exit: end.map(exit),
        }
    }

    fn killed(signal: i32) -> LaunchError {
        early(Some(End::Signalled {
            signal,
            core: false,
        }))
    }

    #[test]
    fn only_a_kill_or_an_unknown_end_can_be_that_of_the_kernel() {
        assert!(may_be_killed(&killed(libc::SIGKILL)) && may_be_killed(&early(None)));
        assert!(!may_be_killed(&killed(libc::SIGSEGV)));
        assert!(!may_be_killed(&early(Some(End::Exited(1)))));
        assert!(!may_be_killed(&LaunchError::DidNotWait));
    }

    #[test]
    fn the_limit_is_named_where_there_is_one() {
        let limited = Resources {
            memory: 65_536,
            ..Resources::default()
        };
        let Error::InvalidCommand { field, reason } = error(killed(9), Some(&limited)) else {
            panic!("it is the caller's");
        };
        assert_eq!(field, "resources.memory");
        assert!(reason.contains("65536") && reason.contains("mebibyte"));
        for none in [None, Some(&Resources::default())] {
            let text = error(killed(9), none).to_string();
            assert!(text.contains("the cgroup above"), "{text}");
        }
    }
}
