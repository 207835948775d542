//! Init's program in a sealed memory file: made once a process, the same for every launch, and nothing can change it.
//!
//! A container that gets hold of the file of its own first process (/proc/self/exe, CVE-2019-5736) finds one that is
//! neither the host program nor writable.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::fstat;
use nix::unistd::write;

use super::slots::Slots;
use crate::init::PROGRAM;

/// Below this lie the standard descriptors and the socket, which the child rearranges.
const FIRST_FREE: i32 = 4;

/// Why there is no init program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// The administrator forbids executable memory files.
    #[error(
        "this system forbids executable memory files; set the sysctl vm.memfd_noexec to 0 or 1"
    )]
    Forbidden(#[source] Errno),
    /// A step of making it failed.
    #[error("cannot {step} the memory file of the init program")]
    Make {
        /// Which one.
        step: &'static str,
        /// What the kernel said.
        #[source]
        source: Errno,
    },
}

/// A sealed program.
#[derive(Debug)]
pub(crate) struct Program {
    file: OwnedFd,
    identity: (u64, u64),
    slots: Slots,
}

impl Program {
    /// Its descriptor: close-on-exec and above 3.
    pub(crate) fn file(&self) -> &OwnedFd {
        &self.file
    }

    /// Device and inode.
    pub(crate) fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Whether a descriptor is of this file.
    pub(super) fn is(&self, fd: &OwnedFd) -> bool {
        identity(fd) == Ok(self.identity)
    }

    /// Low descriptors for the sockets of its processes.
    pub(super) fn slots(&self) -> &Slots {
        &self.slots
    }
}

/// Init: the shared file, checked to be still what it was, else one for this launch alone; one system call.
pub(crate) fn init() -> Result<Arc<Program>, ProgramError> {
    static SHARED: OnceLock<Arc<Program>> = OnceLock::new();
    match SHARED.get() {
        // A host that closed all its descriptors, as daemons do, may have another file under this number by now.
        Some(program) if program.is(&program.file) => Ok(Arc::clone(program)),
        Some(_) => seal(PROGRAM).map(Arc::new),
        None => {
            let mut program = seal(PROGRAM)?;
            program.slots = Slots::reserve(&program.file);
            let program = Arc::new(program);
            Ok(Arc::clone(SHARED.get_or_init(|| program)))
        }
    }
}

/// Makes a sealed, executable memory file.
pub(super) fn seal(content: &[u8]) -> Result<Program, ProgramError> {
    let file = above_socket(create()?)?;
    let mut rest = content;
    while !rest.is_empty() {
        let written = write(&file, rest).map_err(failed("write"))?;
        rest = rest.get(written..).unwrap_or_default();
    }
    let seals = SealFlag::F_SEAL_SEAL
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_WRITE;
    let with_exec = seals | SealFlag::from_bits_retain(libc::F_SEAL_EXEC);
    match fcntl(&file, FcntlArg::F_ADD_SEALS(with_exec)) {
        // Before Linux 6.3, which brought the seal of the executable bit.
        Err(Errno::EINVAL) => fcntl(&file, FcntlArg::F_ADD_SEALS(seals)),
        other => other,
    }
    .map_err(failed("seal"))?;
    let identity = identity(&file).map_err(failed("stat"))?;
    Ok(Program {
        file,
        identity,
        slots: Slots::default(),
    })
}

fn create() -> Result<OwnedFd, ProgramError> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    // memfd_create(2): since Linux 6.3 a file is executable for sure only when asked to be.
    let executable = flags | MFdFlags::from_bits_retain(libc::MFD_EXEC);
    match memfd_create(c"execdriver-init", executable) {
        Err(Errno::EINVAL) => memfd_create(c"execdriver-init", flags).map_err(failed("create")),
        Err(Errno::EACCES) => Err(ProgramError::Forbidden(Errno::EACCES)),
        other => other.map_err(failed("create")),
    }
}

/// Moves the descriptor out of the way of the child's standard descriptors and socket.
fn above_socket(file: OwnedFd) -> Result<OwnedFd, ProgramError> {
    if file.as_raw_fd() >= FIRST_FREE {
        return Ok(file);
    }
    // A copy never gets the number of the original, which is closed only afterwards.
    let copy = file.try_clone().map_err(|error| ProgramError::Make {
        step: "duplicate",
        source: Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)),
    })?;
    above_socket(copy)
}

fn identity(file: &OwnedFd) -> Result<(u64, u64), Errno> {
    let stat = fstat(file)?;
    Ok((stat.st_dev, stat.st_ino))
}

fn failed(step: &'static str) -> impl Fn(Errno) -> ProgramError {
    move |source| ProgramError::Make { step, source }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn the_init_program_is_sealed_and_one_for_the_whole_process() {
        let program = init().unwrap();
        let seals = fcntl(program.file(), FcntlArg::F_GET_SEALS).unwrap();
        let wanted =
            libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
        assert_eq!(seals & wanted, wanted);
        assert_eq!(write(program.file(), b"x"), Err(Errno::EPERM));
        assert_eq!(init().unwrap().identity(), program.identity());
        assert!(program.file().as_raw_fd() > 3);
    }

    /// Of a program that no other test executes, which a writer would keep from it.
    #[test]
    fn its_owner_may_open_a_sealed_program_but_no_way_leads_to_its_content() {
        let program = seal(PROGRAM).unwrap();
        let path = format!("/proc/self/fd/{}", program.file().as_raw_fd());
        let reopened = OpenOptions::new().write(true).open(path).unwrap();
        assert_eq!(write(&reopened, b"x"), Err(Errno::EPERM));
        let cut = reopened.set_len(0).unwrap_err();
        assert_eq!(cut.raw_os_error(), Some(libc::EPERM));
    }
}
