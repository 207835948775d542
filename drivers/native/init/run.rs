//! The walk: one loop over the operations, one match, one report when something fails.

use core::ffi::CStr;

use crate::message::{self, Message};
use crate::sys::abi::{AT_FDCWD, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS};
use crate::sys::arena::Arena;
use crate::sys::{self, Errno, Fd, fs, process, socket};
use crate::wire::{Detail, GO, Kind, Op, Reader, Report};
use crate::{exec, stdio};

/// Exit status when the start failed; nobody but the kernel sees it, the parent has the report.
pub(crate) const EXIT_FAILED: i32 = 125;

/// Why an operation failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) errno: Errno,
    pub(crate) detail: Detail,
    pub(crate) value: u64,
}

impl Failure {
    /// A failure that is no error of the kernel.
    pub(crate) const fn of(detail: Detail) -> Failure {
        Failure {
            errno: Errno(0),
            detail,
            value: 0,
        }
    }

    /// An error of the kernel with more about it.
    pub(crate) const fn with(errno: Errno, detail: Detail) -> Failure {
        Failure {
            errno,
            detail,
            value: 0,
        }
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Failure {
        Failure::with(errno, Detail::None)
    }
}

/// What an operation gives.
pub(crate) type Done = Result<(), Failure>;

/// What one operation leaves for a later one.
pub(crate) struct Init {
    pub(crate) socket: Fd,
    pub(crate) arena: Arena,
    pub(crate) slots: &'static mut [i32],
    /// Index of the running operation.
    op: u32,
    /// The container's root; the working directory stands for it after joining a mount namespace.
    pub(crate) root: Option<Fd>,
    /// `HOME=...` for the environment.
    pub(crate) home: Option<&'static CStr>,
}

impl Init {
    /// The directory that scoped lookups start at.
    pub(crate) fn root(&self) -> i32 {
        self.root.as_ref().map_or(AT_FDCWD, Fd::raw)
    }

    /// The descriptor in a slot, which stays there.
    pub(crate) fn slot(&self, slot: u16) -> Result<i32, Failure> {
        let fd = self.slots.get(usize::from(slot)).copied().unwrap_or(-1);
        if fd < 0 {
            Err(Failure::of(Detail::BadMessage))
        } else {
            Ok(fd)
        }
    }

    /// Sends a report about the running operation.
    pub(crate) fn report(&self, kind: Kind, value: u64, fd: Option<i32>) -> Done {
        let report = Report {
            kind,
            op: self.op,
            errno: 0,
            detail: Detail::None,
            value,
        };
        Ok(socket::send(self.socket.raw(), &report.encode(), fd)?)
    }

    /// Waits for the parent's word; without it there is nobody to start a container for.
    pub(crate) fn await_go(&self) {
        let mut byte = [0];
        if fs::read(self.socket.raw(), &mut byte) != Ok(1) || byte != [GO] {
            sys::exit(EXIT_FAILED);
        }
    }
}

/// Receives the plan, walks it, and ends as the payload or with a FAILED report.
pub(crate) fn run() -> ! {
    let socket = match message::secure_descriptors() {
        Ok(socket) => socket,
        Err(_) => sys::exit(EXIT_FAILED),
    };
    // Modes that operations name are exact; `Reset` sets the payload's mask.
    fs::umask(0);
    let (op, failure) = match start(&socket) {
        Ok(Some((arena, message))) => {
            let Message { ops, body, slots } = message;
            let mut init = Init {
                socket,
                arena,
                slots,
                op: 0,
                root: None,
                home: None,
            };
            let Err(failure) = walk(&mut init, ops, body);
            fail(&init.socket, init.op, failure)
        }
        Ok(None) => sys::exit(EXIT_FAILED),
        Err(failure) => (u32::MAX, failure),
    };
    fail(&socket, op, failure)
}

fn start(socket: &Fd) -> Result<Option<(Arena, Message)>, Failure> {
    let mut arena = Arena::new()?;
    Ok(message::receive(socket, &mut arena)?.map(|message| (arena, message)))
}

fn fail(socket: &Fd, op: u32, failure: Failure) -> ! {
    let Failure {
        errno: Errno(errno),
        detail,
        value,
    } = failure;
    let report = Report {
        kind: Kind::Failed,
        op,
        errno,
        detail,
        value,
    };
    // When the parent is gone, nobody wants to know.
    let _ = socket::send(socket.raw(), &report.encode(), None);
    sys::exit(EXIT_FAILED)
}

fn walk(
    init: &mut Init,
    ops: u32,
    body: &'static [u8],
) -> Result<core::convert::Infallible, Failure> {
    let malformed = Failure::of(Detail::BadMessage);
    let mut reader = Reader::new(body);
    for index in 0..ops {
        init.op = index;
        step(init, Op::decode(&mut reader).ok_or(malformed)?)?;
    }
    // `Exec` does not come back.
    Err(malformed)
}

fn step(init: &mut Init, op: Op<'static>) -> Done {
    match op {
        Op::ReportNs {} => {
            init.report(Kind::Ns, 0, None)?;
            init.await_go();
            Ok(())
        }
        Op::Undumpable {} => Ok(process::prctl(PR_SET_DUMPABLE, 0, 0).map(drop)?),
        Op::NoNewPrivs {} => Ok(process::prctl(PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)?),
        Op::Hostname { name } => Ok(process::set_hostname(name)?),
        Op::Domainname { name } => Ok(process::set_domainname(name)?),
        Op::Stdio {
            stdin,
            stdout,
            stderr,
        } => stdio::stdio(init, [stdin, stdout, stderr]),
        Op::Exec { argv, envp } => exec::exec(init, argv, envp),
        _ => Err(Failure::of(Detail::BadMessage)),
    }
}
