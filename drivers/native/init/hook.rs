//! Runs a hook of the bundle inside the container's namespaces.
//!
//! The hook is a child of init: before the root is entered it still sees the runtime's files, afterwards the container's.
//! It has init's rights of the moment and, once there is a filter of system calls, that too. Its standard input is the
//! container's state, with our own pid as it is seen in here.

use core::ffi::CStr;

use crate::capabilities;
use crate::decimal::decimal;
use crate::run::{Done, EXIT_FAILED, Failure, Init};
use crate::sys::abi::{AT_FDCWD, CLONE_PIDFD, O_RDWR};
use crate::sys::{self, Errno, Fd, fs, process};
use crate::wire::{Detail, FILTER_NEW_LISTENER, NO_SLOT, Strings};

/// A hook, as `Hook` describes it.
pub(crate) struct Hook {
    pub(crate) path: &'static CStr,
    pub(crate) argv: Strings<'static>,
    pub(crate) envp: Strings<'static>,
    /// The state's text before and after the pid.
    pub(crate) state: [&'static [u8]; 2],
    /// Milliseconds; 0 for ever.
    pub(crate) timeout: u64,
    /// Slots for its output, or what is there already.
    pub(crate) output: [u16; 2],
}

/// Runs it to its end.
pub(crate) fn run(init: &mut Init, hook: &Hook) -> Done {
    let input = state(hook.state)?;
    let argv = crate::exec::pointers(init, hook.argv.iter())?;
    let envp = crate::exec::pointers(init, hook.envp.iter())?;
    // The host may ignore SIGCHLD, and a child of such a parent leaves no status.
    process::reset_handlers();
    // Until it executes something it has no exit signal, which tells afterwards whether it did.
    let (pid, pidfd) = process::fork(CLONE_PIDFD, 0)?;
    if pid == 0 {
        let errno = become_hook(init, hook, &input, argv, envp);
        sys::exit(errno.0);
    }
    let pidfd = pidfd.ok_or(Failure::of(Detail::BadMessage))?;
    if !process::wait_ready(pidfd.raw(), hook.timeout)? {
        let _ = process::kill(-pid, SIGKILL);
        process::kill(pid, SIGKILL)?;
        process::wait_unless_executed(pid)?;
        process::wait_child(pid)?;
        return Err(Failure::of(Detail::HookTimedOut));
    }
    // It has ended, so this returns at once.
    if let Some(ended) = process::wait_unless_executed(pid)? {
        return Err(Errno(ended.status >> 8 & 0xff).into());
    }
    match process::wait_child(pid)? {
        0 => Ok(()),
        status => Err(Failure {
            value: status as u64,
            ..Failure::of(Detail::HookFailed)
        }),
    }
}

const SIGKILL: i32 = 9;

/// The state in a file that is nowhere.
fn state([head, tail]: [&[u8]; 2]) -> Result<Fd, Failure> {
    let file = fs::memory_file()?;
    let mut digits = [0; 21];
    let pid = decimal(process::pid().unsigned_abs().into(), &mut digits).to_bytes();
    let mut at = 0;
    for mut part in [head, pid, tail] {
        while !part.is_empty() {
            let written = fs::write_at(file.raw(), part, at)?;
            at += written as u64;
            part = part.get(written..).unwrap_or_default();
        }
    }
    Ok(file)
}

/// Never comes back with anything but an error.
fn become_hook(
    init: &Init,
    hook: &Hook,
    input: &Fd,
    argv: &[*const core::ffi::c_char],
    envp: &[*const core::ffi::c_char],
) -> Errno {
    let prepared = streams(init, hook, input).and_then(|()| {
        process::lead_group()?;
        process::set_signal_mask(0)?;
        fs::umask(0o022);
        // A hook of the image is the image's code: it is under the program's filter.
        if let Some((flags, program)) = init.filter {
            let loaded = capabilities::load_filter(init, flags & !FILTER_NEW_LISTENER, program);
            loaded.map_err(|_| Errno(EXIT_FAILED))?;
        }
        Ok(())
    });
    match prepared {
        Ok(()) => process::execute(hook.path, argv, envp),
        Err(errno) => errno,
    }
}

fn streams(init: &Init, hook: &Hook, input: &Fd) -> Result<(), Errno> {
    for (target, slot) in (1..).zip(hook.output) {
        if slot != NO_SLOT {
            let from = init.slot(slot).map_err(|_| Errno::EBADF)?;
            fs::dup_to(from, target)?;
        } else if fs::stat(target).is_err() {
            let null = fs::open(AT_FDCWD, c"/dev/null", O_RDWR, 0)?;
            fs::dup_to(null.raw(), target)?;
        }
    }
    fs::dup_to(input.raw(), 0)?;
    // Not closed yet: the program's filter may be loaded by what is still open, and an exec closes the rest.
    Ok(())
}
