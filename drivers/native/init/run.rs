//! The walk: one loop over the operations, one report when something fails.

use core::ffi::CStr;

use crate::message::{self, Message};
use crate::sys::abi::{AT_FDCWD, PR_SET_NAME};
use crate::sys::arena::Arena;
use crate::sys::{self, Errno, Fd, fs, process, socket};
use crate::wire::{Detail, EARLY, GO, INIT_NAME, Kind, Op, Reader, Report};
use crate::{capabilities, dispatch, landlock, lines, masks};

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
    /// Another message follows.
    pub(crate) more: bool,
    /// The container's root; the working directory stands for it after joining a mount namespace.
    pub(crate) root: Option<Fd>,
    /// A tree that the parent has cloned for the root.
    pub(crate) given_tree: Option<Fd>,
    /// Whether mounts that we make stay invisible to the host.
    pub(crate) host_is_cut_off: bool,
    /// The directory of the last device or link, by its path.
    pub(crate) parent: Option<(&'static [u8], Fd)>,
    /// The mount that was attached last, for a change of it.
    pub(crate) attached: Option<Fd>,
    pub(crate) masks: masks::Masks,
    /// The slave, for `Stdio`.
    pub(crate) terminal: Option<Fd>,
    /// The directory sys of a procfs that is attached nowhere.
    pub(crate) sysctls: Option<Fd>,
    /// The host's procfs.
    pub(crate) procfs: Option<Fd>,
    /// Landlock rules in the making.
    pub(crate) landlock: Option<landlock::Rules>,
    /// Soft and hard limit of open files for the payload.
    pub(crate) late_files_limit: Option<[u64; 2]>,
    /// The capabilities of the payload, which are taken when the filter is loaded.
    pub(crate) until_filter: Option<capabilities::Sets>,
    /// Flags and program of the payload's filter of system calls.
    pub(crate) filter: Option<(u32, &'static [u8])>,
    /// The filter of the init that stays.
    pub(crate) guard: Option<&'static [u8]>,
    /// Closed by the exec alone: tells the init that stays.
    pub(crate) alive: Option<Fd>,
    line_buffer: Option<&'static mut [u8]>,
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

    /// The descriptor in a slot, which is empty from now on.
    pub(crate) fn take_slot(&mut self, slot: u16) -> Result<Fd, Failure> {
        let fd = self.slot(slot)?;
        if let Some(place) = self.slots.get_mut(usize::from(slot)) {
            *place = -1;
        }
        Ok(Fd::own(fd))
    }

    /// A buffer for lines; give it back with [`Init::keep_line_buffer`].
    pub(crate) fn line_buffer(&mut self) -> Result<&'static mut [u8], Failure> {
        match self.line_buffer.take() {
            Some(buffer) => Ok(buffer),
            None => Ok(self.arena.array(lines::LINE_MAX)?),
        }
    }

    /// Keeps the buffer for the next file.
    pub(crate) fn keep_line_buffer(&mut self, buffer: &'static mut [u8]) {
        self.line_buffer = Some(buffer);
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
        if !self.is_told_to_go() {
            sys::exit(EXIT_FAILED);
        }
    }

    /// Waits for the other end's word: whether it is `GO`.
    pub(crate) fn is_told_to_go(&self) -> bool {
        let mut byte = [0];
        fs::read(self.socket.raw(), &mut byte) == Ok(1) && byte == [GO]
    }
}

/// Receives the plan, walks it, and ends as the payload or with a FAILED report.
pub(crate) fn run() -> ! {
    let socket = match message::secure_descriptors() {
        Ok(socket) => socket,
        Err(_) => sys::exit(EXIT_FAILED),
    };
    // It cannot fail; the exec replaces it.
    let _ = process::prctl(PR_SET_NAME, INIT_NAME.as_ptr() as usize, 0);
    // Modes that operations name are exact; `Reset` sets the payload's mask.
    fs::umask(0);
    let message = Arena::new()
        .map_err(Failure::from)
        .and_then(|mut arena| Ok((message::receive(&socket, &mut arena)?, arena)));
    match message {
        Ok((Some(message), arena)) => walk(socket, arena, message),
        Ok((None, _)) => sys::exit(EXIT_FAILED),
        Err(failure) => fail(&socket, u32::MAX, failure),
    }
}

fn walk(socket: Fd, arena: Arena, message: Message) -> ! {
    let Message {
        mut ops,
        mut body,
        slots,
    } = message;
    let mut init = Init {
        socket,
        arena,
        slots,
        op: 0,
        more: false,
        root: None,
        given_tree: None,
        host_is_cut_off: false,
        parent: None,
        attached: None,
        masks: masks::Masks::default(),
        terminal: None,
        sysctls: None,
        procfs: None,
        landlock: None,
        late_files_limit: None,
        until_filter: None,
        filter: None,
        guard: None,
        alive: None,
        line_buffer: None,
        home: None,
    };
    loop {
        do_all(&mut init, ops, body);
        if !init.more {
            // `Exec` does not come back.
            fail(&init.socket, ops, Failure::of(Detail::BadMessage));
        }
        init.more = false;
        (ops, body) = next(&mut init);
    }
}

fn do_all(init: &mut Init, ops: u32, body: &'static [u8]) {
    let mut reader = Reader::new(body);
    for index in 0..ops {
        init.op = if init.more { index | EARLY } else { index };
        let done = Op::decode(&mut reader)
            .ok_or(Failure::of(Detail::BadMessage))
            .and_then(|op| dispatch::step(init, op));
        if let Err(failure) = done {
            fail(&init.socket, init.op, failure);
        }
    }
}

/// The message that follows, which has slots of its own.
fn next(init: &mut Init) -> (u32, &'static [u8]) {
    for fd in init.slots.iter().filter(|fd| **fd >= 0) {
        drop(Fd::own(*fd));
    }
    match message::receive(&init.socket, &mut init.arena) {
        Ok(Some(Message { ops, body, slots })) => {
            init.slots = slots;
            if let Err(failure) = crate::process::wait_no_more() {
                fail(&init.socket, EARLY, failure);
            }
            (ops, body)
        }
        // Nobody wants this container any more.
        Ok(None) => sys::exit(EXIT_FAILED),
        Err(failure) => fail(&init.socket, u32::MAX, failure),
    }
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
