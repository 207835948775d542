//! System calls by number, for a program without a libc.
//!
//! # Safety
//! Every argument of [`call`] is a number, or the address of a constant or of a local that outlives the call.

use core::arch::asm;

/// Makes the call; negative results are errno values.
pub fn call(nr: usize, args: [usize; 6]) -> isize {
    let ret: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the x86_64 Linux convention; the kernel changes rax, rcx, r11 and the caller's buffers only.
    unsafe {
        asm!("syscall", inlateout("rax") nr as isize => ret,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2], in("r10") args[3], in("r8") args[4], in("r9") args[5],
            out("rcx") _, out("r11") _, options(nostack));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the aarch64 Linux convention; the kernel changes x0 and the caller's buffers only.
    unsafe {
        asm!("svc 0", in("x8") nr, inlateout("x0") args[0] as isize => ret,
            in("x1") args[1], in("x2") args[2], in("x3") args[3], in("x4") args[4], in("x5") args[5], options(nostack));
    }
    ret
}

macro_rules! numbers {
    ($($name:ident $x86_64:literal $aarch64:literal)*) => { $(
        #[cfg(target_arch = "x86_64")]
        pub const $name: usize = $x86_64;
        #[cfg(target_arch = "aarch64")]
        pub const $name: usize = $aarch64;
    )* };
}

numbers! {
    READ 0 63
    WRITE 1 64
    CLOSE 3 57
    RT_SIGPROCMASK 14 135
    IOCTL 16 29
    SOCKET 41 198
    CLONE 56 220
    EXECVE 59 221
    WAIT4 61 260
    FCNTL 72 25
    CHDIR 80 49
    FCHDIR 81 50
    UMASK 95 166
    SETSID 112 157
    SETGROUPS 116 159
    SETRESUID 117 147
    SETRESGID 119 149
    CAPSET 126 91
    PIVOT_ROOT 155 41
    PRCTL 157 167
    MOUNT 165 40
    UMOUNT2 166 39
    SETHOSTNAME 170 161
    EXIT_GROUP 231 94
    KEYCTL 250 219
    OPENAT 257 56
    MKDIRAT 258 34
    MKNODAT 259 33
    SYMLINKAT 266 36
    PPOLL 271 73
    UNSHARE 272 97
    DUP3 292 24
    SECCOMP 317 277
    OPEN_TREE 428 428
    MOVE_MOUNT 429 429
    FSOPEN 430 430
    FSCONFIG 431 431
    FSMOUNT 432 432
    OPENAT2 437 437
    MOUNT_SETATTR 442 442
}
