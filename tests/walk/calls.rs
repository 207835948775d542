//! System calls by name, and those that are never made to fail.

use std::fmt;

/// Which program makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The host program, and the clone that shares its memory until it executes init.
    Host,
    /// Init.
    Init,
}

/// A call that is about to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// Its place among the calls of the act that can fail.
    pub(crate) index: usize,
    pub(crate) who: Who,
    pub(crate) number: i64,
    pub(crate) args: [u64; 6],
}

impl Call {
    pub(crate) fn name(&self) -> &'static str {
        let known = NAMES.iter().find(|(number, _)| *number == self.number);
        known.map_or("another call", |(_, name)| name)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, ..] = self.args;
        let (index, who, number) = (self.index, self.who, self.number);
        write!(
            f,
            "{index} {who:?} {} ({number}) {a:x} {b:x} {c:x}",
            self.name()
        )
    }
}

/// Whether a call can fail at all, on a kernel that does what it promises and for a program that did not run out of memory.
pub(crate) fn can_fail(number: i64, args: &[u64; 6], by_actor: bool) -> bool {
    let has = |flags: i32, place: usize| args[place] & u64::from(flags.cast_unsigned()) != 0;
    match number {
        // The stacks of a clone and of a thread are asked for by the driver; other memory by the allocator or by a thread
        // that begins, where a failure ends the program.
        libc::SYS_mmap => by_actor && has(libc::MAP_STACK, 3),
        // Of an open descriptor. fdopendir(3) makes them, and nix would lose the descriptor.
        libc::SYS_fcntl => !matches!(i32::try_from(args[1]), Ok(libc::F_GETFL | libc::F_SETFD)),
        libc::SYS_newfstatat => !has(libc::AT_EMPTY_PATH, 3),
        number => !NEVER_FAIL.contains(&number),
    }
}

/// Whether a call has its effect although it answers an error: the descriptor is closed.
pub(crate) fn acts_anyway(number: i64) -> bool {
    number == libc::SYS_close
}

const NEVER_FAIL: [i64; 31] = [
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sigaltstack,
    libc::SYS_umask,
];

macro_rules! names {
    ($($call:ident $name:literal,)*) => { &[$((libc::$call, $name)),*] };
}

const NAMES: &[(i64, &str)] = names! {
    SYS_access "access", SYS_capget "capget", SYS_capset "capset", SYS_chdir "chdir", SYS_chroot "chroot",
    SYS_clone "clone", SYS_clone3 "clone3", SYS_close "close", SYS_close_range "close_range", SYS_dup "dup",
    SYS_dup2 "dup2", SYS_dup3 "dup3", SYS_epoll_ctl "epoll_ctl", SYS_eventfd2 "eventfd2", SYS_execve "execve",
    SYS_execveat "execveat", SYS_faccessat "faccessat", SYS_fchdir "fchdir", SYS_fchmod "fchmod",
    SYS_fchown "fchown", SYS_fchownat "fchownat", SYS_fcntl "fcntl", SYS_flock "flock", SYS_fsconfig "fsconfig",
    SYS_fsmount "fsmount", SYS_fsopen "fsopen", SYS_fstat "fstat", SYS_fstatfs "fstatfs", SYS_fsync "fsync",
    SYS_ftruncate "ftruncate", SYS_getcwd "getcwd", SYS_getdents64 "getdents64", SYS_getrandom "getrandom",
    SYS_ioctl "ioctl", SYS_keyctl "keyctl", SYS_kill "kill", SYS_lseek "lseek", SYS_memfd_create "memfd_create",
    SYS_mkdir "mkdir", SYS_mkdirat "mkdirat", SYS_mknodat "mknodat", SYS_mmap "mmap", SYS_mount "mount",
    SYS_mount_setattr "mount_setattr", SYS_move_mount "move_mount", SYS_newfstatat "newfstatat", SYS_open "open",
    SYS_openat "openat", SYS_openat2 "openat2", SYS_open_tree "open_tree", SYS_pidfd_open "pidfd_open",
    SYS_pidfd_send_signal "pidfd_send_signal", SYS_pipe2 "pipe2", SYS_pivot_root "pivot_root", SYS_poll "poll",
    SYS_ppoll "ppoll", SYS_prctl "prctl", SYS_prlimit64 "prlimit64", SYS_pread64 "pread64",
    SYS_pwrite64 "pwrite64", SYS_read "read", SYS_readlink "readlink", SYS_readlinkat "readlinkat",
    SYS_recvmsg "recvmsg", SYS_rename "rename", SYS_renameat "renameat", SYS_renameat2 "renameat2",
    SYS_rmdir "rmdir", SYS_rt_sigaction "rt_sigaction", SYS_sched_setaffinity "sched_setaffinity",
    SYS_seccomp "seccomp", SYS_sendmsg "sendmsg", SYS_setdomainname "setdomainname", SYS_setgroups "setgroups", SYS_setpgid "setpgid",
    SYS_sethostname "sethostname", SYS_setns "setns", SYS_setpriority "setpriority", SYS_setresgid "setresgid",
    SYS_setresuid "setresuid", SYS_setsid "setsid", SYS_socket "socket", SYS_socketpair "socketpair",
    SYS_stat "stat", SYS_statfs "statfs", SYS_statx "statx", SYS_symlinkat "symlinkat", SYS_tgkill "tgkill",
    SYS_umount2 "umount2", SYS_uname "uname", SYS_unlink "unlink", SYS_unlinkat "unlinkat",
    SYS_unshare "unshare", SYS_wait4 "wait4", SYS_waitid "waitid", SYS_write "write", SYS_writev "writev",
};
