//! A process by its pidfd: wait for its end, reap it once, signal it and nobody else.

use core::time::Duration;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::sys::{pidfd, sigchld, wait};

/// A process that this program started, or opened by its pid.
#[derive(Debug)]
pub(crate) struct Process {
    pidfd: OwnedFd,
    pid: i32,
    is_child: bool,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Exit code or signal.
    pub(crate) end: End,
    /// What it used; unknown when somebody else reaped it.
    pub(crate) usage: Option<Usage>,
}

/// Exit code or signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// `exit(2)` with this code, 0 to 255.
    Exited(i32),
    /// Killed by this signal.
    Signalled {
        /// Signal number.
        signal: i32,
        /// Whether it dumped core.
        core: bool,
    },
}

impl End {
    /// Whether this signal ended it.
    pub(crate) fn is_by(self, wanted: i32) -> bool {
        matches!(self, End::Signalled { signal, .. } if signal == wanted)
    }
}

/// What a process and the children that it reaped have used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// User CPU time.
    pub(crate) user: Duration,
    /// System CPU time.
    pub(crate) system: Duration,
    /// Largest resident set of one of them, in bytes.
    pub(crate) max_rss: u64,
}

/// Why nothing can be said of or done to a process.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    /// It has ended (and was reaped).
    #[error("process {pid} has ended")]
    Ended {
        /// Its pid.
        pid: i32,
    },
    /// The host ignores SIGCHLD.
    #[error(
        "the exit status of process {pid} is lost: this program ignores SIGCHLD (or set SA_NOCLDWAIT), so the kernel \
         discards it, and a kernel before 6.15 cannot be asked for it afterwards"
    )]
    SigchldIgnored {
        /// Its pid.
        pid: i32,
    },
    /// Other code of the host reaps every child.
    #[error(
        "the exit status of process {pid} is lost: other code of this program reaps every child (waitpid with -1), and \
         a kernel before 6.15 cannot be asked for it afterwards"
    )]
    ReapedElsewhere {
        /// Its pid.
        pid: i32,
    },
    /// Another process is its parent, and the kernel does not tell strangers.
    #[error("the exit status of process {pid} is known to its parent only")]
    NotOurChild {
        /// Its pid.
        pid: i32,
    },
    /// Another failure.
    #[error("cannot {verb} process {pid}")]
    System {
        /// What was tried.
        verb: &'static str,
        /// Its pid.
        pid: i32,
        /// What the kernel said.
        #[source]
        source: Errno,
    },
}

impl Process {
    /// A child that was just cloned.
    pub(crate) fn child(pidfd: OwnedFd, pid: i32) -> Self {
        Process {
            pidfd,
            pid,
            is_child: true,
        }
    }

    /// Any process by its present pid. Only a check of its start time *after* this tells whether it is the one you mean.
    pub(crate) fn open(pid: i32) -> Result<Self, ProcessError> {
        match pidfd::open(pid) {
            Ok(pidfd) => Ok(Process {
                pidfd,
                pid,
                is_child: false,
            }),
            Err(Errno::ESRCH | Errno::EINVAL) => Err(ProcessError::Ended { pid }),
            Err(source) => Err(ProcessError::System {
                verb: "open",
                pid,
                source,
            }),
        }
    }

    /// Its pid, as this program sees it.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends a signal; `Ended` when it was reaped.
    pub(crate) fn signal(&self, signal: i32) -> Result<(), ProcessError> {
        match pidfd::send_signal(self.pidfd.as_fd(), signal) {
            Err(Errno::ESRCH) => Err(ProcessError::Ended { pid: self.pid }),
            Err(source) => Err(ProcessError::System {
                verb: "signal",
                pid: self.pid,
                source,
            }),
            Ok(()) => Ok(()),
        }
    }

    /// Waits until it has ended, without reaping it; false when the deadline came first. No deadline waits for ever.
    pub(crate) fn wait_until(&self, deadline: Option<Instant>) -> Result<bool, ProcessError> {
        let mut polled = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        let count = poll_until(&mut polled, deadline);
        count
            .map(|count| count > 0)
            .map_err(|source| ProcessError::System {
                verb: "wait for",
                pid: self.pid,
                source,
            })
    }

    /// Waits until it has ended, and reaps it. May be asked again: the answer then comes from the kernel's memory (6.15) or is lost.
    pub(crate) fn reap(&self) -> Result<Exit, ProcessError> {
        if self.is_child {
            match wait::reap(&self.pidfd) {
                Ok(reaped) => return Ok(Exit::of(&reaped)),
                Err(Errno::ECHILD) => {}
                Err(source) => {
                    return Err(ProcessError::System {
                        verb: "wait for",
                        pid: self.pid,
                        source,
                    });
                }
            }
        } else {
            self.wait_until(None)?;
        }
        self.remembered()
    }

    /// Whether it has ended and nobody needs to reap it any more.
    pub(crate) fn was_reaped(&self) -> bool {
        pidfd::send_signal(self.pidfd.as_fd(), 0) == Err(Errno::ESRCH)
    }

    /// The exit status of a process that somebody else reaped.
    fn remembered(&self) -> Result<Exit, ProcessError> {
        // The kernel notes the status a moment after it answers ECHILD: it reaps the process in between.
        for _ in 0..RELEASE_TRIES {
            match pidfd::exit_status(self.pidfd.as_fd()) {
                Ok(Some(status)) => {
                    return Ok(Exit {
                        end: End::of(status),
                        usage: None,
                    });
                }
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                Err(_) => break,
            }
        }
        let pid = self.pid;
        Err(if !self.is_child {
            ProcessError::NotOurChild { pid }
        } else if sigchld::children_reap_themselves() {
            ProcessError::SigchldIgnored { pid }
        } else {
            ProcessError::ReapedElsewhere { pid }
        })
    }
}

/// Milliseconds that a process may take from ECHILD to its release.
const RELEASE_TRIES: u32 = 100;

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Exit {
    fn of(reaped: &wait::Reaped) -> Self {
        let end = match reaped.code {
            libc::CLD_EXITED => End::Exited(reaped.status),
            code => End::Signalled {
                signal: reaped.status,
                core: code == libc::CLD_DUMPED,
            },
        };
        let usage = Usage {
            user: reaped.user,
            system: reaped.system,
            max_rss: reaped.max_rss,
        };
        Exit {
            end,
            usage: Some(usage),
        }
    }
}

impl End {
    /// From a status in the form of `wait(2)`, as PID 1 and the kernel's records have it.
    pub(crate) fn of(status: i32) -> Self {
        if libc::WIFEXITED(status) {
            End::Exited(libc::WEXITSTATUS(status))
        } else {
            End::Signalled {
                signal: libc::WTERMSIG(status),
                core: libc::WCOREDUMP(status),
            }
        }
    }
}

/// `ppoll` that goes on after a signal and ends at the deadline; how many descriptors are ready.
pub(super) fn poll_until(polled: &mut [PollFd], deadline: Option<Instant>) -> Result<i32, Errno> {
    loop {
        let left = deadline.map(|deadline| {
            TimeSpec::from_duration(deadline.saturating_duration_since(Instant::now()))
        });
        match ppoll(polled, left, None) {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}
