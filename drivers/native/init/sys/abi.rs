//! Constants and structures of the kernel's interface (Linux `include/uapi`).

macro_rules! errnos {
    ($($name:ident = $number:literal,)*) => {
        impl Errno {
            $(pub(crate) const $name: Errno = Errno($number);)*
        }
    };
}

/// An error number; the same on both architectures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

errnos! {
    EPERM = 1,
    ENOENT = 2,
    ESRCH = 3,
    EINTR = 4,
    EBADF = 9,
    ECHILD = 10,
    EAGAIN = 11,
    EACCES = 13,
    EEXIST = 17,
    EXDEV = 18,
    ENOTDIR = 20,
    EINVAL = 22,
    ETXTBSY = 26,
    ENAMETOOLONG = 36,
    ENOSYS = 38,
    ELOOP = 40,
    EPROTO = 71,
    EOVERFLOW = 75,
}

pub(crate) const AT_FDCWD: i32 = -100;
pub(crate) const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
pub(crate) const AT_EMPTY_PATH: u32 = 0x1000;
pub(crate) const AT_RECURSIVE: u32 = 0x8000;

pub(crate) const O_RDONLY: u64 = 0;
pub(crate) const O_WRONLY: u64 = 1;
pub(crate) const O_RDWR: u64 = 2;
pub(crate) const O_CREAT: u64 = 0o100;
pub(crate) const O_EXCL: u64 = 0o200;
pub(crate) const O_NOCTTY: u64 = 0o400;
pub(crate) const O_NONBLOCK: u64 = 0o4000;
pub(crate) const O_CLOEXEC: u64 = 0o2_000_000;
pub(crate) const O_PATH: u64 = 0o10_000_000;
// These two are swapped on 64-bit Arm.
#[cfg(target_arch = "x86_64")]
pub(crate) const O_DIRECTORY: u64 = 0o200_000;
#[cfg(target_arch = "x86_64")]
pub(crate) const O_NOFOLLOW: u64 = 0o400_000;
#[cfg(target_arch = "aarch64")]
pub(crate) const O_DIRECTORY: u64 = 0o40_000;
#[cfg(target_arch = "aarch64")]
pub(crate) const O_NOFOLLOW: u64 = 0o100_000;

pub(crate) const RESOLVE_NO_XDEV: u64 = 1;
pub(crate) const RESOLVE_NO_MAGICLINKS: u64 = 2;
pub(crate) const RESOLVE_NO_SYMLINKS: u64 = 4;
pub(crate) const RESOLVE_BENEATH: u64 = 8;
pub(crate) const RESOLVE_IN_ROOT: u64 = 16;

pub(crate) const S_IFMT: u32 = 0o170_000;
pub(crate) const S_IFIFO: u32 = 0o010_000;
pub(crate) const S_IFCHR: u32 = 0o020_000;
pub(crate) const S_IFDIR: u32 = 0o040_000;
pub(crate) const S_IFBLK: u32 = 0o060_000;
pub(crate) const S_IFREG: u32 = 0o100_000;
pub(crate) const S_IFLNK: u32 = 0o120_000;

pub(crate) const MOUNT_ATTR_RDONLY: u64 = 1;
pub(crate) const MOUNT_ATTR_NOSUID: u64 = 2;
pub(crate) const MOUNT_ATTR_NODEV: u64 = 4;
pub(crate) const MOUNT_ATTR_NOEXEC: u64 = 8;

pub(crate) const MS_REC: u64 = 0x4000;
pub(crate) const MS_REMOUNT: u64 = 0x20;
pub(crate) const MS_BIND: u64 = 0x1000;
pub(crate) const MS_PRIVATE: u64 = 1 << 18;
pub(crate) const MS_SLAVE: u64 = 1 << 19;
pub(crate) const MNT_DETACH: u32 = 2;

pub(crate) const ST_RDONLY: u64 = 1;
pub(crate) const ST_RELATIME: u64 = 0x1000;
pub(crate) const PROC_SUPER_MAGIC: u64 = 0x9fa0;
pub(crate) const DEVPTS_SUPER_MAGIC: u64 = 0x1cd1;

pub(crate) const CLONE_NEWTIME: u32 = 0x80;
pub(crate) const CLONE_NEWNS: u32 = 0x2_0000;
pub(crate) const CLONE_PARENT: u64 = 0x8000;
pub(crate) const CLONE_PIDFD: u64 = 0x1000;

pub(crate) const RLIMIT_NOFILE: u32 = 7;

pub(crate) const PR_SET_PDEATHSIG: usize = 1;
pub(crate) const PR_SET_DUMPABLE: usize = 4;
pub(crate) const PR_SET_KEEPCAPS: usize = 8;
pub(crate) const PR_CAPBSET_DROP: usize = 24;
pub(crate) const PR_SET_NAME: usize = 15;
pub(crate) const PR_SET_CHILD_SUBREAPER: usize = 36;
pub(crate) const PR_SET_SECUREBITS: usize = 28;
pub(crate) const PR_SCHED_CORE: usize = 62;
pub(crate) const PR_SET_NO_NEW_PRIVS: usize = 38;
pub(crate) const PR_CAP_AMBIENT: usize = 47;
pub(crate) const PR_CAP_AMBIENT_RAISE: usize = 2;

pub(crate) const TIOCSCTTY: usize = 0x540e;
pub(crate) const TIOCSWINSZ: usize = 0x5414;
pub(crate) const TIOCSPTLCK: usize = 0x4004_5431;
pub(crate) const TIOCGPTPEER: usize = 0x5441;
pub(crate) const SIOCGIFFLAGS: usize = 0x8913;
pub(crate) const SIOCSIFFLAGS: usize = 0x8914;
pub(crate) const IFF_UP: u16 = 1;

pub(crate) const SIGCHLD: i32 = 17;
/// Highest signal number.
pub(crate) const SIGNALS: i32 = 64;

/// What `fstat(2)` tells and we use.
#[repr(C)]
#[derive(Clone, Copy, Default)]
#[cfg(target_arch = "x86_64")]
pub(crate) struct Stat {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    nlink: u64,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pad: u32,
    pub(crate) rdev: u64,
    pub(crate) size: i64,
    rest: [u64; 11],
}

/// What `fstat(2)` tells and we use.
#[repr(C)]
#[derive(Clone, Copy, Default)]
#[cfg(target_arch = "aarch64")]
pub(crate) struct Stat {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) mode: u32,
    nlink: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) rdev: u64,
    pad: u64,
    pub(crate) size: i64,
    rest: [u64; 9],
}

const _: () = assert!(
    size_of::<Stat>()
        == if cfg!(target_arch = "x86_64") {
            144
        } else {
            128
        }
);

impl Stat {
    /// File type bits.
    pub(crate) const fn kind(&self) -> u32 {
        self.mode & S_IFMT
    }
}

/// A device number in the kernel's encoding for user space (`new_encode_dev`, which fills the low 32 bits of `st_rdev`).
pub(crate) const fn device(major: u32, minor: u32) -> u64 {
    ((minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12) as u64
}

/// `struct statfs`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct StatFs {
    pub(crate) kind: u64,
    counts: [u64; 9],
    pub(crate) flags: u64,
    spare: [u64; 4],
}

const _: () = assert!(size_of::<StatFs>() == 120);

/// `struct open_how`.
#[repr(C)]
pub(crate) struct OpenHow {
    pub(crate) flags: u64,
    pub(crate) mode: u64,
    pub(crate) resolve: u64,
}

/// `struct mount_attr`.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MountAttr {
    pub(crate) set: u64,
    pub(crate) clr: u64,
    pub(crate) propagation: u64,
    pub(crate) userns_fd: u64,
}

/// `struct __user_cap_data_struct`, twice.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct CapData {
    pub(crate) effective: u32,
    pub(crate) permitted: u32,
    pub(crate) inheritable: u32,
}

/// `struct clone_args`, first version.
#[repr(C)]
#[derive(Default)]
pub(crate) struct CloneArgs {
    pub(crate) flags: u64,
    pub(crate) pidfd: u64,
    pub(crate) child_tid: u64,
    pub(crate) parent_tid: u64,
    pub(crate) exit_signal: u64,
    pub(crate) stack: u64,
    pub(crate) stack_size: u64,
    pub(crate) tls: u64,
}
