//! newuidmap(1) and newgidmap(1): write what an ordinary user may not, by /etc/subuid and /etc/subgid.
//!
//! They are set-user-ID programs of the host. Each is executed by its path, without a shell, with nothing of our environment
//! and no stream of ours, and has a bounded time. The pid that they are told is that of a child which waits for us and is not
//! reaped, so it cannot come to mean another process.

use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::idmap::{IdMapError, IdRange};

/// They take some milliseconds; a name service that does not answer can hold them up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Their messages are one line.
const MOST_TEXT: usize = 4096;

/// Where the two programs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdHelpers {
    /// For user ids.
    pub(crate) newuidmap: PathBuf,
    /// For group ids.
    pub(crate) newgidmap: PathBuf,
}

/// A helper that runs.
pub(super) struct Helper<'a> {
    program: &'a Path,
    child: Child,
    errors: Option<ChildStderr>,
}

impl<'a> Helper<'a> {
    /// Starts one for the process `pid`.
    pub(super) fn start(
        program: &'a Path,
        pid: i32,
        ranges: &[IdRange],
    ) -> Result<Self, IdMapError> {
        let numbers = ranges
            .iter()
            .flat_map(|range| [range.inside, range.outside, range.size]);
        let spawned = Command::new(program)
            .arg(pid.to_string())
            .args(numbers.map(|number| number.to_string()))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.map_err(|error| IdMapError::Helper {
            program: program.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Helper {
            program,
            errors: child.stderr.take(),
            child,
        })
    }

    /// Waits for its end, and passes on what it complains of.
    pub(super) fn finish(mut self) -> Result<(), IdMapError> {
        let said = self.read_errors().map_err(|reason| self.failed(reason))?;
        // Where other code of the host reaps with wait(-1), its status is lost; the maps themselves tell then.
        let status = self.child.wait();
        match status {
            Ok(status) if !status.success() => Err(self.failed(match said.trim() {
                "" => status.to_string(),
                said => said.replace('\n', "; "),
            })),
            _ => Ok(()),
        }
    }

    /// Up to the end of file, which is its end.
    fn read_errors(&mut self) -> Result<String, String> {
        let Some(mut errors) = self.errors.take() else {
            return Ok(String::new());
        };
        let end = Instant::now() + PATIENCE;
        let mut text = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("it did not end within {} s", PATIENCE.as_secs()));
            }
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(errors.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, left) {
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(errno) => return Err(errno.desc().to_owned()),
            }
            let mut chunk = [0; 512];
            match errors.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) if text.len() < MOST_TEXT => {
                    text.extend_from_slice(chunk.get(..length).unwrap_or_default());
                }
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn failed(&self, reason: String) -> IdMapError {
        IdMapError::Helper {
            program: self.program.to_owned(),
            reason,
        }
    }
}

impl Drop for Helper<'_> {
    fn drop(&mut self) {
        // It was waited for, which std remembers; or an error of it or of the other one is on its way. The first failure
        // to wait does not count. Only what still is our child is killed.
        for _ in 0..2 {
            match self.child.try_wait() {
                Ok(Some(_)) => return,
                Ok(None) => drop(self.child.kill().and_then(|()| self.child.wait())),
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str) -> Result<(), IdMapError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("helper");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let range = IdRange {
            inside: 0,
            outside: 5,
            size: 1,
        };
        // Another thread's fork may hold the script open for writing for a moment (ETXTBSY).
        let mut started = Helper::start(&path, 7, &[range, range]);
        while matches!(&started, Err(IdMapError::Helper { reason, .. }) if reason.contains("busy"))
        {
            started = Helper::start(&path, 7, &[range, range]);
        }
        started.and_then(Helper::finish)
    }

    #[test]
    fn a_helper_gets_its_numbers_and_nothing_of_our_environment() {
        run("[ \"$*\" = '7 0 5 1 0 5 1' ] && [ -z \"$HOME\" ]").unwrap();
    }

    #[test]
    fn a_helper_that_is_given_up_is_ended_and_reaped() {
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = child.id();
        drop(Helper {
            program: Path::new("sleep"),
            child,
            errors: None,
        });
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn what_a_helper_complains_of_is_passed_on() {
        let text = |script| match run(script).unwrap_err() {
            IdMapError::Helper { reason, .. } => reason,
            other => panic!("{other}"),
        };
        assert_eq!(text("echo not allowed >&2; exit 1"), "not allowed");
        assert!(text("exit 3").contains('3'));
    }

    #[test]
    fn a_helper_that_says_more_than_fits_is_read_to_its_end() {
        run("i=0; while [ $i -lt 500 ]; do echo 01234567890123456789012345678901 >&2; i=$((i+1)); done")
            .unwrap();
    }
}
