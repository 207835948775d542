//! A start that the kernel ended for want of memory: told as what it is, with the limit to raise.

use super::error::setup;
use crate::launch::LaunchError;
use execdriver_core::{Error, Resources};
use nix::errno::Errno;

/// Whether a failed launch looks as if memory was wanting; what the cgroup counted must agree.
pub(super) fn may_be(error: &LaunchError) -> bool {
    match error {
        // How it ended is unknown where other code of the host reaped it.
        LaunchError::EndedEarly { exit } => exit.is_none_or(|exit| exit.end.is_by(libc::SIGKILL)),
        LaunchError::Step { cause, .. } => {
            cause.killed_by() == Some(libc::SIGKILL) || cause.errno == Some(Errno::ENOMEM)
        }
        _ => false,
    }
}

/// The error for such a launch; `resources` are those of the caller.
pub(super) fn error(error: LaunchError, resources: Option<&Resources>) -> Error {
    const WHAT: &str = "the kernel killed a process of it for want of memory";
    match resources.map(|resources| resources.memory) {
        Some(limit) if limit > 0 => Error::invalid(
            "resources.memory",
            format!(
                "got {limit} bytes, which is too small for the start alone: {WHAT} before the \
                 program was executed (give it a mebibyte or more, and what the program needs)"
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
    fn only_a_kill_or_an_unknown_end_can_be_it() {
        assert!(may_be(&killed(libc::SIGKILL)) && may_be(&early(None)));
        assert!(!may_be(&killed(libc::SIGSEGV)));
        assert!(!may_be(&early(Some(End::Exited(1)))));
        assert!(!may_be(&LaunchError::DidNotWait));
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
