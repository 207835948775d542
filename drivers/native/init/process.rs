//! What the process is: namespaces, limits, and what the host handed down.

use core::ffi::CStr;

use crate::capabilities;
use crate::run::{Done, Failure, Init};
use crate::sys::abi::{CLONE_NEWNS, CLONE_PARENT, CLONE_PIDFD, PR_SET_PDEATHSIG, RLIMIT_NOFILE};
use crate::sys::{self, Errno, Fd, credentials, fs, process};
use crate::wire::{Detail, Kind, NO_SLOT, RESET_AFFINITY, RESET_NICE, SOCKET_FD, SOCKET_SLOT};

/// Enters a cgroup: 0 is whoever writes it, and we have one thread.
pub(crate) fn place(init: &Init, slot: u16) -> Done {
    fs::write(init.slot(slot)?, b"0")?;
    Ok(())
}

/// Joins namespaces. Joining a mount namespace moves root and working directory to its root.
pub(crate) fn join(init: &mut Init, slot: u16, flags: u32) -> Done {
    process::setns(init.slot(slot)?, flags)?;
    if flags == 0 || flags & CLONE_NEWNS != 0 {
        init.root = None;
    }
    Ok(())
}

/// Clones the process that goes on inside the joined pid namespace. It is our sibling, so the parent can wait for it,
/// and it stands still until the parent holds its pidfd. Should we be killed in between (by the parent, or for want of
/// memory), the parent finds it by the process group: it leaves that only when it begins its session.
pub(crate) fn fork(init: &Init) -> Done {
    process::lead_group()?;
    // A sibling's exit signal must not be named: it takes ours.
    let (pid, pidfd) = process::fork(CLONE_PARENT | CLONE_PIDFD, 0)?;
    if pid == 0 {
        init.await_go();
        return Ok(());
    }
    // Descriptors in flight are limited (ETOOMANYREFS); the pid alone will do then.
    let sent = init
        .report(Kind::Forked, pid as u64, pidfd.as_ref().map(Fd::raw))
        .or_else(|_| init.report(Kind::Forked, pid as u64, None));
    // Unreported, the sibling sees the end of file and ends, too.
    sys::exit(if sent.is_ok() {
        0
    } else {
        crate::run::EXIT_FAILED
    })
}

/// Leaves nothing that is worth looking at: no right but the payload's own, and no descriptor but the socket and the
/// streams. Against CAP_SYS_PTRACE nothing else helps, which gets around dumpability (ptrace(2)).
pub(crate) fn bare(init: &mut Init) -> Done {
    if let (Some((flags, program)), Some(_)) = (init.filter, init.until_filter) {
        capabilities::load_filter(init, flags, program)?;
        (init.filter, init.until_filter) = (None, None);
    }
    init.slots.fill(-1);
    close_leftovers(init)
}

/// Becomes root of the user namespace. The capabilities that got us here were ambient, for uid 0 was not mapped yet.
pub(crate) fn take_root(setgroups: bool) -> Done {
    if setgroups {
        credentials::set_groups(&[])?;
    }
    credentials::set_gid(0)?;
    credentials::set_uid(0)?;
    capabilities::stop_inheriting()
}

/// Sets a limit now, but a lower number of open files only at the end.
pub(crate) fn limit(init: &mut Init, resource: u32, soft: u64, hard: u64) -> Done {
    if resource == RLIMIT_NOFILE {
        let [now, _] = process::limit(resource, None)?;
        if soft < now {
            init.late_files_limit = Some([soft, hard]);
            return Ok(());
        }
    }
    process::limit(resource, Some([soft, hard]))?;
    Ok(())
}

/// Undoes what was inherited. Nice value and processors are conveniences: where the host may not reset them (a lowered
/// priority without CAP_SYS_NICE), the payload keeps what its host has.
pub(crate) fn reset(flags: u32, umask: u32) -> Done {
    // Neither exec nor CLONE_CLEAR_SIGHAND touches an ignored signal, and every Rust program ignores SIGPIPE. All of
    // them, since nothing tells in one call which ones are ignored.
    process::reset_handlers();
    if flags & RESET_NICE != 0 {
        let _ = process::reset_nice();
    }
    if flags & RESET_AFFINITY != 0 {
        let _ = process::reset_affinity();
    }
    fs::umask(umask);
    Ok(process::set_signal_mask(0)?)
}

/// Before it is said what this process is: it ends with whoever made it, though others hold the socket's other end, too, and its
/// working directory keeps no mount of the host busy.
pub(crate) fn wait_apart() -> Done {
    const SIGKILL: usize = 9;
    process::prctl(PR_SET_PDEATHSIG, SIGKILL, 0)?;
    Ok(fs::chdir(c"/")?)
}

/// The container may outlive the thread that made this process.
pub(crate) fn wait_no_more() -> Done {
    process::prctl(PR_SET_PDEATHSIG, 0, 0)?;
    Ok(())
}

/// Asks for a signal at the death of the thread that started us. It may have died before, which nothing would tell.
pub(crate) fn die_with_host(init: &Init, signal: u32, slot: u16) -> Done {
    process::prctl(PR_SET_PDEATHSIG, signal as usize, 0)?;
    let host = match slot {
        NO_SLOT => return Ok(()),
        SOCKET_SLOT => init.socket.raw(),
        slot => init.slot(slot)?,
    };
    if process::is_ready(host)? {
        return Err(Failure::with(Errno::ESRCH, Detail::HostGone));
    }
    Ok(())
}

/// Leaves the host's session keyring. A kernel without keyrings has none to leave, and under a seccomp filter that
/// forbids keyctl(2), as in many containers, the payload cannot reach one either.
pub(crate) fn new_keyring() -> Done {
    match process::new_session_keyring() {
        Ok(()) | Err(Errno::ENOSYS | Errno::EPERM) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Closes what earlier operations have left open: the sockets stay, and what lies in a slot. A path that the container
/// chooses is looked up from here on, and /proc/self/fd/16/../.. would lead to the host's tree (CVE-2024-21626).
pub(crate) fn close_leftovers(init: &mut Init) -> Done {
    (init.root, init.parent, init.terminal, init.sysctls) = (None, None, None, None);
    (init.procfs, init.landlock, init.attached) = (None, None, None);
    init.masks = Default::default();
    let mut first = SOCKET_FD + 1;
    loop {
        let alive = init.alive.as_ref().map(Fd::raw);
        let kept = init.slots.iter().copied().chain(alive);
        let mut kept = kept.chain([init.socket.raw()]);
        let kept = kept.by_ref().filter(|fd| *fd >= first).min();
        if kept != Some(first) {
            let last = kept.map_or(u32::MAX, |fd| fd as u32 - 1);
            fs::close_range(first as u32, last)?;
        }
        match kept {
            Some(fd) => first = fd + 1,
            None => return Ok(()),
        }
    }
}

/// Changes the working directory and makes sure that it lies below the root: a name like /proc/self/fd/7 could lead to
/// a directory of the host that was left open (CVE-2024-21626).
pub(crate) fn enter(init: &mut Init, path: &CStr) -> Done {
    close_leftovers(init)?;
    fs::chdir(path)?;
    if path == c"/" || fs::cwd_is_reachable()? {
        Ok(())
    } else {
        Err(Failure::of(Detail::CwdOutsideRoot))
    }
}
