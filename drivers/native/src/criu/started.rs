//! CRIU as a process: started where it sees the container's root, ended when nobody asks it any more.

use super::error::CriuError;
use crate::sys::apart::{self, Seen};
use crate::sys::unmask::unmask;
use crate::sys::{mount, pidfd};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, JoinHandle};

/// How long one that nobody asks any more may take to end by itself, in milliseconds.
pub(super) const PATIENCE: u16 = 10_000;

/// What the restored container gets as root: CRIU wants it to be a mount.
pub(crate) struct Root<'a> {
    pub(crate) rootfs: &'a Path,
    /// A directory of ours over which CRIU, and nobody else, sees it.
    pub(crate) at: &'a Path,
    /// `MOUNT_ATTR_*`.
    pub(crate) attributes: u64,
}

/// What is to be started.
pub(super) struct Start {
    pub(super) program: PathBuf,
    /// The socket of its requests.
    pub(super) socket: OwnedFd,
    /// What it keeps beside, by number.
    pub(super) kept: Vec<OwnedFd>,
    /// Directories to open where it will mount something in them: a mount in another namespace's directory is refused.
    pub(super) directories: Vec<PathBuf>,
}

/// It runs.
#[derive(Debug)]
pub(super) struct Started {
    child: Child,
    /// What it starts is of its process group, and nobody else.
    group: bool,
    directories: Vec<File>,
    /// The thread in whose mount namespace it was started, and through whose root it finds directories.
    keeper: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Start {
    /// Starts it; with a root, in a mount namespace of its own.
    pub(super) fn run(self, root: Option<&Root<'_>>) -> Result<Started, CriuError> {
        let Some(root) = root else {
            return self.here(true);
        };
        let seen = root.seen()?;
        let (end, ended) = channel::<()>();
        let (tell, told) = channel();
        let body = move || {
            let entered = apart::see(&seen).map_err(CriuError::system("mount the root for CRIU"));
            // The one who asks is gone only when the process is.
            let _ = tell.send(entered.and_then(|()| self.here(false)));
            let _ = ended.recv();
        };
        let failed =
            |error: io::Error| CriuError::system("start a thread")(crate::at::errno(error));
        let thread = Builder::new()
            .name("criu".to_owned())
            .spawn(body)
            .map_err(failed)?;
        let lost = CriuError::system("start CRIU from a thread");
        let started = told.recv().map_err(|_| lost(Errno::ESRCH))?;
        started.map(|mut started| {
            started.keeper = Some((end, thread));
            started
        })
    }

    /// Starts it. With a group of its own no terminal's signal reaches it, and it can be ended whole; processes that it makes
    /// anew are of the group and session that it has itself, and a group of its own would be one behind the terminal.
    fn here(self, group: bool) -> Result<Started, CriuError> {
        let directories = self.directories.into_iter().map(|path| {
            let failed = CriuError::system(format!("open {}", path.display()));
            File::open(path).map_err(|error| failed(crate::at::errno(error)))
        });
        let directories = directories.collect::<Result<Vec<File>, CriuError>>()?;
        let mut command = Command::new(&self.program);
        command.arg("swrk").arg(self.socket.as_raw_fd().to_string());
        // What it has to say is in its log; our streams are the container's, or those of a client who reads one line there.
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut kept = self.kept;
        kept.push(self.socket);
        apart::keep(&mut command, kept);
        if group {
            command.process_group(0);
        }
        let child = command.spawn().map_err(|source| CriuError::Missing {
            program: self.program,
            source,
        })?;
        Ok(Started {
            child,
            group,
            directories,
            keeper: None,
        })
    }
}

impl Root<'_> {
    fn seen(&self) -> Result<Seen, CriuError> {
        let failed = || CriuError::system(format!("clone the mount of {}", self.rootfs.display()));
        let at = CString::new(self.at.as_os_str().as_bytes());
        let at = at.map_err(|_| failed()(Errno::EINVAL))?;
        let rootfs = crate::at::open_root(self.rootfs).map_err(failed())?;
        let tree = mount::clone_tree(rootfs.as_fd(), false).map_err(failed())?;
        mount::set_attributes(tree.as_fd(), self.attributes).map_err(failed())?;
        Ok(Seen { tree, at })
    }
}

impl Started {
    /// Its pid.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The numbers of the directories, as we have them: it finds them by our pid.
    pub(super) fn directories(&self) -> Vec<RawFd> {
        self.directories.iter().map(AsRawFd::as_raw_fd).collect()
    }

    /// Waits for its end; where that does not come, calls `last` and kills it, with what it has started.
    pub(super) fn end(&mut self, last: &mut dyn FnMut()) {
        if ended(&mut self.child) {
            return;
        }
        last();
        // It is not reaped yet, so that both numbers are still its own.
        let pid = Pid::from_raw(self.child.id().cast_signed());
        let _ = if self.group {
            killpg(pid, Signal::SIGKILL)
        } else {
            kill(pid, Signal::SIGKILL)
        };
        let _ = self.child.wait();
    }
}

/// What `criu check` wrote to its errors, and whether it is content; none where it cannot be run.
pub(super) fn check(program: &Path) -> Option<(bool, Vec<u8>)> {
    let mut command = Command::new(program);
    command.arg("check").stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    unmask(&mut command);
    let mut child = command.spawn().ok()?;
    if !ended(&mut child) {
        let _ = child.kill();
        let _ = child.wait();
        return Some((false, b"its check does not end".to_vec()));
    }
    let success = child.wait().ok()?.success();
    let mut said = vec![0; 64 << 10];
    let mut errors = child.stderr?;
    // What it may have left running holds the other end.
    fcntl(&errors, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).ok()?;
    let count = errors.read(&mut said).unwrap_or(0);
    said.truncate(count);
    Some((success, said))
}

/// Whether it ends in time.
fn ended(child: &mut Child) -> bool {
    if !matches!(child.try_wait(), Ok(None)) {
        return true;
    }
    let Ok(pidfd) = pidfd::open(child.id().cast_signed()) else {
        return child.wait().is_ok();
    };
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    while poll(&mut fds, PATIENCE) == Err(Errno::EINTR) {}
    !matches!(child.try_wait(), Ok(None))
}

impl Drop for Started {
    fn drop(&mut self) {
        // Its socket is closed by now, which ends it.
        self.end(&mut || ());
        if let Some((end, thread)) = self.keeper.take() {
            drop(end);
            let _ = thread.join();
        }
    }
}
