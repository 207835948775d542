//! System call numbers of the two architectures (Linux `asm/unistd_64.h` and `asm-generic/unistd.h`).

macro_rules! numbers {
    ($($name:ident = $x86_64:literal, $generic:literal;)*) => { $(
        #[cfg(target_arch = "x86_64")]
        pub(super) const $name: usize = $x86_64;
        #[cfg(not(target_arch = "x86_64"))]
        pub(super) const $name: usize = $generic;
    )* };
}

numbers! {
    ACCEPT4 = 288, 242;
    CAPGET = 125, 90;
    CAPSET = 126, 91;
    CHDIR = 80, 49;
    CHROOT = 161, 51;
    CLONE = 56, 220;
    CLONE3 = 435, 435;
    CLOSE = 3, 57;
    CLOSE_RANGE = 436, 436;
    DUP3 = 292, 24;
    EXECVE = 59, 221;
    EXIT_GROUP = 231, 94;
    FACCESSAT = 269, 48;
    FCHDIR = 81, 50;
    FCHMOD = 91, 52;
    FCHOWNAT = 260, 54;
    FCNTL = 72, 25;
    FSCONFIG = 431, 431;
    FSETXATTR = 190, 7;
    FSMOUNT = 432, 432;
    FSOPEN = 430, 430;
    FSTAT = 5, 80;
    FSTATFS = 138, 44;
    GETCWD = 79, 17;
    GETDENTS64 = 217, 61;
    GETPID = 39, 172;
    IOCTL = 16, 29;
    IOPRIO_SET = 251, 30;
    KEYCTL = 250, 219;
    KILL = 62, 129;
    LANDLOCK_ADD_RULE = 445, 445;
    LANDLOCK_CREATE_RULESET = 444, 444;
    LANDLOCK_RESTRICT_SELF = 446, 446;
    MEMFD_CREATE = 319, 279;
    MKDIRAT = 258, 34;
    MKNODAT = 259, 33;
    MMAP = 9, 222;
    MOUNT = 165, 40;
    MOUNT_SETATTR = 442, 442;
    MOVE_MOUNT = 429, 429;
    OPEN_TREE = 428, 428;
    OPENAT2 = 437, 437;
    PERSONALITY = 135, 92;
    PIVOT_ROOT = 155, 41;
    PPOLL = 271, 73;
    PRCTL = 157, 167;
    PRLIMIT64 = 302, 261;
    PWRITE64 = 18, 68;
    READ = 0, 63;
    READLINKAT = 267, 78;
    RECVMSG = 47, 212;
    RT_SIGACTION = 13, 134;
    RT_SIGPROCMASK = 14, 135;
    RT_SIGTIMEDWAIT = 128, 137;
    SCHED_GETAFFINITY = 204, 123;
    SCHED_SETAFFINITY = 203, 122;
    SCHED_SETATTR = 314, 274;
    SECCOMP = 317, 277;
    SENDMSG = 46, 211;
    SETDOMAINNAME = 171, 162;
    SET_MEMPOLICY = 238, 237;
    SETGROUPS = 116, 159;
    SETHOSTNAME = 170, 161;
    SETNS = 308, 268;
    SETPRIORITY = 141, 140;
    SETRESGID = 119, 149;
    SETRESUID = 117, 147;
    SETPGID = 109, 154;
    SETSID = 112, 157;
    SOCKET = 41, 198;
    SOCKETPAIR = 53, 199;
    STATX = 332, 291;
    SYMLINKAT = 266, 36;
    UMASK = 95, 166;
    UMOUNT2 = 166, 39;
    UNSHARE = 272, 97;
    WAITID = 247, 95;
    WRITE = 1, 64;
}
