//! Numbers and structures of the system calls that open and mount.

use core::ffi::CStr;

pub const AT_FDCWD: usize = -100isize as usize;
pub const O_CLOEXEC: usize = 0o2000000;
pub const O_RDWR: usize = 2;
pub const O_PATH: usize = 0o10000000;
pub const AT_RECURSIVE: usize = 0x8000;
pub const OPEN_TREE_CLONE: usize = 1;
pub const MOVE_BY_FDS: usize = FROM_FD | 0x40;
pub const FROM_FD: usize = 0x04;
pub const EMPTY: &CStr = c"";

pub const RDONLY: usize = 1;
pub const NOSUID: usize = 2;
pub const NODEV: usize = 4;
pub const NOEXEC: usize = 8;
pub const RESTRICTED: usize = NOSUID | NODEV | NOEXEC;
pub const STRICTATIME: usize = 0x20;

pub const RESOLVE_NO_MAGICLINKS: u64 = 2;
pub const RESOLVE_IN_ROOT: u64 = 0x10;

pub const SET_FLAG: usize = 0;
pub const SET_STRING: usize = 1;
pub const CREATE: usize = 6;

#[repr(C)]
pub struct OpenHow {
    pub flags: u64,
    pub mode: u64,
    pub resolve: u64,
}

#[repr(C)]
pub struct MountAttr {
    pub set: u64,
    pub clear: u64,
    pub propagation: u64,
    pub userns: u64,
}
