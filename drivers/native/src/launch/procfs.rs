//! Files of one process in the host's procfs, by verified descriptors: never by a path that a mount could redirect.
//!
//! A file under /proc can be covered by another mount, and a write meant for `uid_map` then goes elsewhere
//! (CVE-2025-52881). So: /proc must be the root of a procfs that counts processes as we do, and below it no symbolic link
//! and no mount point is followed.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, fstatat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::{read, write};

use super::process::Process;
use crate::sys::link;

/// Why the host's /proc cannot be used for a process.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcfsError {
    /// It cannot be opened.
    #[error("cannot open /proc")]
    Open(#[source] Errno),
    /// Something else is mounted there.
    #[error("/proc is not a proc file system")]
    NotProcfs,
    /// It was mounted in another pid namespace than ours.
    #[error(
        "/proc counts processes of another pid namespace: it calls this process {found}, not {own}"
    )]
    OtherNamespace {
        /// What `/proc/self` says.
        found: String,
        /// Our pid.
        own: u32,
    },
    /// The process has no directory there.
    #[error("cannot open /proc/{pid}")]
    Process {
        /// Its pid.
        pid: i32,
        /// ESRCH when it has ended.
        #[source]
        source: Errno,
    },
    /// A file cannot be opened, read or written.
    #[error("cannot {verb} /proc/{pid}/{name}")]
    File {
        /// `open`, `read` or `write`.
        verb: &'static str,
        /// Process id.
        pid: i32,
        /// Name in the process's directory.
        name: &'static str,
        /// What the kernel said.
        #[source]
        source: Errno,
    },
}

/// The directory of one process.
#[derive(Debug)]
pub(crate) struct ProcessDir {
    proc: OwnedFd,
    dir: OwnedFd,
    pid: i32,
}

impl ProcessDir {
    /// Opens the directory of a child that was not reaped; seven system calls.
    pub(crate) fn open(process: &Process) -> Result<Self, ProcfsError> {
        let pid = process.pid();
        let proc = nix::fcntl::open("/proc", DIRECTORY | OFlag::O_NOFOLLOW, Mode::empty())
            .map_err(ProcfsError::Open)?;
        if fstatfs(&proc).map_err(ProcfsError::Open)?.filesystem_type() != PROC_SUPER_MAGIC {
            return Err(ProcfsError::NotProcfs);
        }
        let own = std::process::id();
        let mut room = [0; 64];
        let found = link::read(proc.as_fd(), c"self", &mut room);
        let found = found.map_err(|_| ProcfsError::NotProcfs)?;
        if str::from_utf8(found).ok().and_then(|pid| pid.parse().ok()) != Some(own) {
            return Err(ProcfsError::OtherNamespace {
                found: String::from_utf8_lossy(found).into_owned(),
                own,
            });
        }
        let failed = |source| ProcfsError::Process { pid, source };
        let dir = openat2(&proc, pid.to_string().as_str(), directory()).map_err(failed)?;
        // A reused pid would have meant that ours was reaped before the directory was opened.
        if process.was_reaped() {
            return Err(failed(Errno::ESRCH));
        }
        Ok(ProcessDir { proc, dir, pid })
    }

    /// Writes a whole file by one `write`, as procfs wants it; three system calls.
    pub(crate) fn write(&self, name: &'static str, content: &str) -> Result<(), ProcfsError> {
        let file = self.file(name, OFlag::O_WRONLY)?;
        let written = write(&file, content.as_bytes())
            .map_err(|source| self.failed("write", name, source))?;
        if written != content.len() {
            return Err(self.failed("write", name, Errno::EIO));
        }
        Ok(())
    }

    /// Reads the beginning of a file, as much as there is room for; three system calls.
    pub(crate) fn read<'a>(
        &self,
        name: &'static str,
        room: &'a mut [u8],
    ) -> Result<&'a [u8], ProcfsError> {
        let file = self.file(name, OFlag::O_RDONLY)?;
        let length = read(&file, room).map_err(|source| self.failed("read", name, source))?;
        Ok(room.get(..length).unwrap_or_default())
    }

    /// Opens its user namespace: a link of the kernel's own making, to be followed.
    pub(crate) fn user_namespace(&self) -> Result<OwnedFd, ProcfsError> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        openat(&self.dir, c"ns/user", flags, Mode::empty())
            .map_err(|source| self.failed("open", "ns/user", source))
    }

    /// Device and inode of the program that the process executes.
    pub(crate) fn program(&self) -> Result<(u64, u64), ProcfsError> {
        program(&self.dir).map_err(|source| self.failed("read", "exe", source))
    }

    /// The same of its first child; `None` without one, or where the kernel lists none (CONFIG_PROC_CHILDREN).
    pub(crate) fn child_program(&self) -> Option<(u64, u64)> {
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC)
            .resolve(PLAIN);
        let list = openat2(
            &self.dir,
            format!("task/{}/children", self.pid).as_str(),
            how,
        )
        .ok()?;
        let mut buffer = [0; 16];
        let length = read(&list, &mut buffer).ok()?;
        let child = str::from_utf8(buffer.get(..length)?)
            .ok()?
            .split_ascii_whitespace()
            .next()?;
        program(&openat2(&self.proc, child, directory()).ok()?).ok()
    }

    fn file(&self, name: &'static str, flags: OFlag) -> Result<OwnedFd, ProcfsError> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(PLAIN);
        openat2(self.dir.as_fd(), name, how).map_err(|source| self.failed("open", name, source))
    }

    fn failed(&self, verb: &'static str, name: &'static str, source: Errno) -> ProcfsError {
        ProcfsError::File {
            verb,
            pid: self.pid,
            name,
            source,
        }
    }
}

fn program(process: &OwnedFd) -> Result<(u64, u64), Errno> {
    let stat = fstatat(process, c"exe", AtFlags::empty())?;
    Ok((stat.st_dev, stat.st_ino))
}

fn directory() -> OpenHow {
    OpenHow::new().flags(DIRECTORY).resolve(PLAIN)
}

const DIRECTORY: OFlag = OFlag::O_PATH
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_CLOEXEC);

/// Below the directory, through no symbolic link and no mount point.
const PLAIN: ResolveFlag = ResolveFlag::RESOLVE_BENEATH
    .union(ResolveFlag::RESOLVE_NO_SYMLINKS)
    .union(ResolveFlag::RESOLVE_NO_XDEV);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_this_process_is_read_and_a_missing_one_is_named() {
        let own = Process::open(std::process::id().cast_signed()).unwrap();
        let dir = ProcessDir::open(&own).unwrap();
        assert!(!dir.read("comm", &mut [0; 64]).unwrap().is_empty());
        assert_ne!(dir.program().unwrap().1, 0);
        let error = dir.write("no_such_file", "x").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot open /proc/{}/no_such_file", std::process::id())
        );
    }
}
