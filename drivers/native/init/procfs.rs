//! Writes to this process's own files in the host's procfs, where no mount of a container is (CVE-2019-16884,
//! CVE-2025-52881).

use core::ffi::CStr;

use crate::run::{Done, Failure, Init};
use crate::split::PathBuffer;
use crate::sys::abi::{
    AT_FDCWD, CLONE_NEWTIME, O_DIRECTORY, O_PATH, O_RDONLY, O_WRONLY, PR_SET_DUMPABLE,
    PROC_SUPER_MAGIC, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV,
};
use crate::sys::{Errno, Fd, fs, process};
use crate::wire::{Detail, Strings};

/// `self` is a symbolic link of procfs, whose own names no container can change.
const INSIDE: u64 = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;

/// Opens it while the host's tree is in sight.
pub(crate) fn open(init: &mut Init) -> Done {
    let flags = O_PATH | O_DIRECTORY;
    let procfs = fs::open(AT_FDCWD, c"/proc", flags, RESOLVE_NO_SYMLINKS)?;
    if fs::statfs(procfs.raw())?.kind != PROC_SUPER_MAGIC {
        return Err(Failure::of(Detail::NotProcfs));
    }
    init.procfs = Some(procfs);
    Ok(())
}

/// Asks for a profile or label at the next execve(2). It is this process's, and a child's that it forks.
pub(crate) fn label(init: &Init, files: Strings<'static>, value: &[u8]) -> Done {
    for file in files.iter() {
        match own(init, file, O_WRONLY) {
            Ok(file) => return write(&file, value),
            Err(Failure {
                errno: Errno::ENOENT,
                ..
            }) => {}
            Err(failure) => return Err(failure),
        }
    }
    // Unlike the module's own ENOENT for a profile that it does not have.
    Err(Errno::ENOSYS.into())
}

/// A time namespace takes its offsets before anybody is in it, so it is made for children first and entered then.
pub(crate) fn enter_time(init: &Init, offsets: &[u8]) -> Done {
    process::unshare(CLONE_NEWTIME)?;
    if !offsets.is_empty() {
        // Files of a process that is not dumpable belong to the host's root, whom a user namespace need not have.
        process::prctl(PR_SET_DUMPABLE, 1, 0)?;
        let written = own(init, c"timens_offsets", O_WRONLY).and_then(|file| write(&file, offsets));
        process::prctl(PR_SET_DUMPABLE, 0, 0)?;
        written?;
    }
    // The link's target is no file of procfs.
    let procfs = init
        .procfs
        .as_ref()
        .ok_or(Failure::of(Detail::BadMessage))?;
    let name = c"self/ns/time_for_children";
    let namespace = fs::open(procfs.raw(), name, O_RDONLY, 0)?;
    Ok(process::setns(namespace.raw(), CLONE_NEWTIME)?)
}

fn own(init: &Init, file: &CStr, flags: u64) -> Result<Fd, Failure> {
    let procfs = init
        .procfs
        .as_ref()
        .ok_or(Failure::of(Detail::BadMessage))?;
    let mut buffer = PathBuffer::new();
    let path = buffer
        .set(&[b"self/", file.to_bytes()])
        .ok_or(Errno::ENAMETOOLONG)?;
    Ok(fs::open(procfs.raw(), path, flags, INSIDE)?)
}

/// Whole or not at all: procfs takes a text by one write.
fn write(file: &Fd, text: &[u8]) -> Done {
    if fs::write(file.raw(), text)? == text.len() {
        Ok(())
    } else {
        Err(Errno::EINVAL.into())
    }
}
