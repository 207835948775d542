//! Files: open, look, make, change, read, write.
//!
//! # Safety
//! As in the parent module: every pointer comes from a reference that outlives the call.

use core::ffi::CStr;

use super::abi::{OpenHow, Stat, StatFs};
use super::{Errno, Fd, Result, arg, call, nr, numbers};

/// `openat2(2)`; always close-on-exec.
pub(crate) fn open(dir: i32, path: &CStr, flags: u64, resolve: u64) -> Result<Fd> {
    open_mode(dir, path, flags, 0, resolve)
}

/// `openat2(2)` with a mode for `O_CREAT`; always close-on-exec.
pub(crate) fn open_mode(dir: i32, path: &CStr, flags: u64, mode: u64, resolve: u64) -> Result<Fd> {
    let how = OpenHow {
        flags: flags | super::abi::O_CLOEXEC,
        mode,
        resolve,
    };
    let args = [
        arg(dir),
        path.as_ptr().expose_provenance(),
        (&raw const how).expose_provenance(),
        size_of::<OpenHow>(),
        0,
        0,
    ];
    let mut tries = 0;
    loop {
        // SAFETY: `path` ends with NUL and `how` is a whole open_how.
        match unsafe { call(nr::OPENAT2, args) } {
            // A rename or mount elsewhere disturbed a scoped lookup: openat2(2) asks for another try. Bounded, because a
            // container could disturb for ever.
            Err(Errno::EAGAIN | Errno::EINTR) if tries < 128 => tries += 1,
            result => return result.map(|fd| Fd::own(fd as i32)),
        }
    }
}

/// `fstat(2)`.
pub(crate) fn stat(fd: i32) -> Result<Stat> {
    let mut stat = Stat::default();
    // SAFETY: `stat` has the size of the kernel's structure, asserted where it is defined.
    unsafe {
        call(
            nr::FSTAT,
            [arg(fd), (&raw mut stat).expose_provenance(), 0, 0, 0, 0],
        )
    }?;
    Ok(stat)
}

/// `fstatfs(2)`.
pub(crate) fn statfs(fd: i32) -> Result<StatFs> {
    let mut stat = StatFs::default();
    // SAFETY: `stat` has the size of the kernel's structure, asserted where it is defined.
    unsafe {
        call(
            nr::FSTATFS,
            [arg(fd), (&raw mut stat).expose_provenance(), 0, 0, 0, 0],
        )
    }?;
    Ok(stat)
}

/// `read(2)`.
pub(crate) fn read(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes at most `len` bytes.
    unsafe {
        call(
            nr::READ,
            [
                arg(fd),
                buffer.as_mut_ptr().expose_provenance(),
                buffer.len(),
                0,
                0,
                0,
            ],
        )
    }
}

/// `write(2)`.
pub(crate) fn write(fd: i32, bytes: &[u8]) -> Result<usize> {
    // SAFETY: the kernel reads at most `len` bytes.
    unsafe {
        call(
            nr::WRITE,
            [
                arg(fd),
                bytes.as_ptr().expose_provenance(),
                bytes.len(),
                0,
                0,
                0,
            ],
        )
    }
}

/// `pwrite(2)`.
pub(crate) fn write_at(fd: i32, bytes: &[u8], at: u64) -> Result<usize> {
    let start = bytes.as_ptr().expose_provenance();
    let args = [arg(fd), start, bytes.len(), at as usize, 0, 0];
    // SAFETY: the kernel reads at most `len` bytes.
    unsafe { call(nr::PWRITE64, args) }
}

/// `memfd_create(2)`: not executable where the kernel knows the difference (`MFD_NOEXEC_SEAL`, Linux 6.3).
pub(crate) fn memory_file() -> Result<Fd> {
    const CLOEXEC: usize = 1;
    const NOEXEC_SEAL: usize = 8;
    let create = |flags| {
        let name = c"state".as_ptr().expose_provenance();
        // SAFETY: the name ends with NUL.
        unsafe { call(nr::MEMFD_CREATE, [name, flags, 0, 0, 0, 0]) }
    };
    let made = match create(CLOEXEC | NOEXEC_SEAL) {
        Err(Errno::EINVAL) => create(CLOEXEC),
        made => made,
    };
    Ok(Fd::own(made? as i32))
}

/// `getdents64(2)`: the next records of a directory, none at its end.
pub(crate) fn entries(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    let start = buffer.as_mut_ptr().expose_provenance();
    // SAFETY: the kernel writes at most `len` bytes.
    unsafe { call(nr::GETDENTS64, [arg(fd), start, buffer.len(), 0, 0, 0]) }
}

/// `readlinkat(2)`; a longer text than the buffer holds is an error.
pub(crate) fn read_link<'b>(dir: i32, name: &CStr, buffer: &'b mut [u8]) -> Result<&'b CStr> {
    let start = buffer.as_mut_ptr().expose_provenance();
    let room = buffer.len().saturating_sub(1);
    let args = [
        arg(dir),
        name.as_ptr().expose_provenance(),
        start,
        room,
        0,
        0,
    ];
    // SAFETY: `name` ends with NUL, and the kernel writes at most `room` bytes.
    let got = unsafe { call(nr::READLINKAT, args) }?;
    if got >= room {
        return Err(Errno::ENAMETOOLONG);
    }
    if let Some(end) = buffer.get_mut(got) {
        *end = 0;
    }
    CStr::from_bytes_until_nul(buffer).map_err(|_| Errno::EINVAL)
}

/// `mkdirat(2)`.
pub(crate) fn mkdir(dir: i32, name: &CStr, mode: u32) -> Result<()> {
    // SAFETY: `name` ends with NUL.
    unsafe {
        call(
            nr::MKDIRAT,
            [
                arg(dir),
                name.as_ptr().expose_provenance(),
                mode as usize,
                0,
                0,
                0,
            ],
        )
    }
    .map(drop)
}

/// `mknodat(2)`; a regular file, too.
pub(crate) fn mknod(dir: i32, name: &CStr, mode: u32, device: u64) -> Result<()> {
    // SAFETY: `name` ends with NUL.
    unsafe {
        call(
            nr::MKNODAT,
            [
                arg(dir),
                name.as_ptr().expose_provenance(),
                mode as usize,
                device as usize,
                0,
                0,
            ],
        )
    }
    .map(drop)
}

/// `symlinkat(2)`.
pub(crate) fn symlink(target: &CStr, dir: i32, name: &CStr) -> Result<()> {
    // SAFETY: both strings end with NUL.
    unsafe {
        call(
            nr::SYMLINKAT,
            [
                target.as_ptr().expose_provenance(),
                arg(dir),
                name.as_ptr().expose_provenance(),
                0,
                0,
                0,
            ],
        )
    }
    .map(drop)
}

/// `fchownat(2)` on the descriptor itself, which may be `O_PATH`.
pub(crate) fn chown(fd: i32, uid: u32, gid: u32) -> Result<()> {
    let args = [
        arg(fd),
        c"".as_ptr().expose_provenance(),
        uid as usize,
        gid as usize,
        super::abi::AT_EMPTY_PATH as usize,
        0,
    ];
    // SAFETY: the empty string ends with NUL.
    unsafe { call(nr::FCHOWNAT, args) }.map(drop)
}

/// `fchmod(2)`.
pub(crate) fn chmod(fd: i32, mode: u32) -> Result<()> {
    numbers(nr::FCHMOD, [arg(fd), mode as usize, 0, 0, 0, 0]).map(drop)
}

/// `chdir(2)`.
pub(crate) fn chdir(path: &CStr) -> Result<()> {
    // SAFETY: `path` ends with NUL.
    unsafe {
        call(
            nr::CHDIR,
            [path.as_ptr().expose_provenance(), 0, 0, 0, 0, 0],
        )
    }
    .map(drop)
}

/// `fchdir(2)`.
pub(crate) fn fchdir(fd: i32) -> Result<()> {
    numbers(nr::FCHDIR, [arg(fd), 0, 0, 0, 0, 0]).map(drop)
}

/// `fsetxattr(2)`: gives the open file an extended attribute, or changes it.
pub(crate) fn set_attribute(fd: i32, name: &CStr, value: &[u8]) -> Result<()> {
    let (name, text) = (name.as_ptr(), value.as_ptr());
    let (name, text) = (name.expose_provenance(), text.expose_provenance());
    // SAFETY: `name` ends with NUL, and the kernel reads as many bytes as `value` has.
    unsafe { call(nr::FSETXATTR, [arg(fd), name, text, value.len(), 0, 0]) }.map(drop)
}

/// `getcwd(2)`: whether the working directory can be reached from the root. The raw call says `(unreachable)` if not.
pub(crate) fn cwd_is_reachable() -> Result<bool> {
    let mut path = [0u8; 4096];
    // SAFETY: the kernel writes at most `len` bytes.
    let result = unsafe {
        call(
            nr::GETCWD,
            [
                path.as_mut_ptr().expose_provenance(),
                path.len(),
                0,
                0,
                0,
                0,
            ],
        )
    };
    match result {
        // Deeper than PATH_MAX, and then still below the root or not: nobody needs it, so refuse.
        Err(Errno::ENOENT) => Ok(false),
        other => other.map(|_| path[0] == b'/'),
    }
}

/// `access(2)`.
pub(crate) fn access(path: &CStr, mode: usize) -> Result<()> {
    let path = path.as_ptr().expose_provenance();
    let args = [arg(super::abi::AT_FDCWD), path, mode, 0, 0, 0];
    // SAFETY: `path` ends with NUL.
    unsafe { call(nr::FACCESSAT, args) }.map(drop)
}

/// `access(2)` with `F_OK`.
pub(crate) fn exists(path: &CStr) -> bool {
    access(path, 0).is_ok()
}

/// `fcntl(2)` with `F_DUPFD_CLOEXEC`: a copy with this number or a higher one.
pub(crate) fn dup_above(fd: i32, first: i32) -> Result<i32> {
    const F_DUPFD_CLOEXEC: usize = 1030;
    numbers(nr::FCNTL, [arg(fd), F_DUPFD_CLOEXEC, arg(first), 0, 0, 0]).map(|fd| fd as i32)
}

/// `umask(2)`.
pub(crate) fn umask(mask: u32) {
    let _ = numbers(nr::UMASK, [mask as usize, 0, 0, 0, 0, 0]);
}

/// `dup3(2)` without close-on-exec.
pub(crate) fn dup_to(from: i32, to: i32) -> Result<()> {
    numbers(nr::DUP3, [arg(from), arg(to), 0, 0, 0, 0]).map(drop)
}

/// `dup3(2)` with close-on-exec.
pub(crate) fn dup_to_cloexec(from: i32, to: i32) -> Result<()> {
    numbers(
        nr::DUP3,
        [arg(from), arg(to), super::abi::O_CLOEXEC as usize, 0, 0, 0],
    )
    .map(drop)
}

/// Sets close-on-exec.
pub(crate) fn set_cloexec(fd: i32) -> Result<()> {
    const F_SETFD: usize = 2;
    const FD_CLOEXEC: usize = 1;
    numbers(nr::FCNTL, [arg(fd), F_SETFD, FD_CLOEXEC, 0, 0, 0]).map(drop)
}

/// `close_range(2)`, both ends included.
pub(crate) fn close_range(first: u32, last: u32) -> Result<()> {
    numbers(nr::CLOSE_RANGE, [first as usize, last as usize, 0, 0, 0, 0]).map(drop)
}

/// `statx(2)` of `/`: whether it is the root of a mount, and not just a directory that was chroot'ed into.
pub(crate) fn root_is_mount() -> Result<bool> {
    const STATX_ATTR_MOUNT_ROOT: u64 = 0x2000;
    let [_, attributes, ..] = statx(super::abi::AT_FDCWD, c"/", 0, 0)?;
    Ok(attributes & STATX_ATTR_MOUNT_ROOT != 0)
}

/// `statx(2)`: the number that /proc/self/mountinfo has for the mount of an open file (Linux 5.8).
pub(crate) fn mount_id(fd: i32) -> Result<u64> {
    const STATX_MNT_ID: u32 = 0x1000;
    Ok(statx(fd, c"", super::abi::AT_EMPTY_PATH, STATX_MNT_ID)?[18])
}

/// The words of a `struct statx`: the second is the attributes, the nineteenth the mount's number.
fn statx(dir: i32, path: &CStr, flags: u32, mask: u32) -> Result<[u64; 32]> {
    let mut stat = [0u64; 32];
    let path = path.as_ptr().expose_provenance();
    let args = [
        arg(dir),
        path,
        flags as usize,
        mask as usize,
        (&raw mut stat).expose_provenance(),
        0,
    ];
    // SAFETY: `path` ends with NUL, and `stat` has the 256 bytes of a statx.
    unsafe { call(nr::STATX, args) }?;
    Ok(stat)
}
