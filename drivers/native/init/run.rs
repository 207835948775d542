//! The walk: one loop over the operations, one match, one report when something fails.

use core::ffi::CStr;

use crate::message::{self, Message};
use crate::sys::abi::{AT_FDCWD, MountAttr, PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_NO_NEW_PRIVS};
use crate::sys::arena::Arena;
use crate::sys::{self, Errno, Fd, fs, process, socket};
use crate::wire::{Detail, GO, INIT_NAME, Kind, Op, Reader, Report};
use crate::{
    capabilities, devices, exec, identity, lines, masks, mounts, paths, pid1, process as this,
    root, stdio, sysctl, terminal,
};

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
    /// Whether mounts that we make stay invisible to the host.
    pub(crate) host_is_cut_off: bool,
    /// The directory of the last device or link, by its path.
    pub(crate) parent: Option<(&'static [u8], Fd)>,
    pub(crate) masks: masks::Masks,
    /// The slave, for `Stdio`.
    pub(crate) terminal: Option<Fd>,
    /// The directory sys of a procfs that is attached nowhere.
    pub(crate) sysctls: Option<Fd>,
    /// Soft and hard limit of open files for the payload.
    pub(crate) late_files_limit: Option<[u64; 2]>,
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
    let Message { ops, body, slots } = message;
    let mut init = Init {
        socket,
        arena,
        slots,
        op: 0,
        root: None,
        host_is_cut_off: false,
        parent: None,
        masks: masks::Masks::default(),
        terminal: None,
        sysctls: None,
        late_files_limit: None,
        line_buffer: None,
        home: None,
    };
    let malformed = Failure::of(Detail::BadMessage);
    let mut reader = Reader::new(body);
    for index in 0..ops {
        init.op = index;
        let done = Op::decode(&mut reader)
            .ok_or(malformed)
            .and_then(|op| step(&mut init, op));
        if let Err(failure) = done {
            fail(&init.socket, index, failure);
        }
    }
    // `Exec` does not come back.
    fail(&init.socket, ops, malformed)
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

fn step(init: &mut Init, op: Op<'static>) -> Done {
    match op {
        Op::ReportNs {} => {
            init.report(Kind::Ns, 0, None)?;
            init.await_go();
            Ok(())
        }
        Op::Place { slot } => this::place(init, slot),
        Op::Join { slot, flags } => this::join(init, slot, flags),
        Op::Fork {} => this::fork(init),
        Op::TakeRoot { setgroups } => this::take_root(setgroups),
        Op::Undumpable {} => Ok(process::prctl(PR_SET_DUMPABLE, 0, 0).map(drop)?),
        Op::Unshare { flags } => Ok(process::unshare(flags)?),
        Op::LoopbackUp {} => Ok(socket::loopback_up()?),
        Op::Hostname { name } => Ok(process::set_hostname(name)?),
        Op::Domainname { name } => Ok(process::set_domainname(name)?),
        Op::Setsid {
            controlling_terminal,
        } => stdio::session(controlling_terminal),
        Op::Rlimit {
            resource,
            soft,
            hard,
        } => this::limit(init, resource, soft, hard),
        Op::SessionKeyring {} => this::new_keyring(),
        Op::Sysctl { path, value } => sysctl::write(init, path, value),
        Op::NoNewPrivs {} => Ok(process::prctl(PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)?),
        Op::Seccomp { flags, program } => Ok(process::seccomp(flags, program)?),
        Op::Reset { flags, umask } => this::reset(flags, umask),
        Op::DieWithHost { signal, slot } => this::die_with_host(init, signal, slot),
        Op::Cwd { path } => this::enter(init, path),
        Op::Stdio {
            stdin,
            stdout,
            stderr,
        } => stdio::stdio(init, [stdin, stdout, stderr]),
        Op::Identity {
            flags,
            user,
            groups,
            uid,
            gid,
            gids,
            chown,
        } => identity::assume(
            init,
            &identity::Wanted {
                flags,
                user,
                groups,
                uid,
                gid,
                gids,
                chown,
            },
        ),
        Op::Caps {
            flags,
            bounding,
            effective,
            permitted,
            inheritable,
            ambient,
        } => {
            let sets = capabilities::Sets {
                bounding,
                effective,
                permitted,
                inheritable,
                ambient,
            };
            capabilities::drop_to(sets, flags)
        }
        Op::Pid1 { status } => pid1::stay(init, status),
        Op::Exec { argv, envp } => exec::exec(init, argv, envp),
        _ => step_in_files(init, op),
    }
}

/// The operations on mounts and files.
fn step_in_files(init: &mut Init, op: Op<'static>) -> Done {
    match op {
        Op::Source {
            slot,
            path,
            dev,
            ino,
            recursive,
        } => root::source(init, slot, &root::HostPath { path, dev, ino }, recursive),
        Op::Borrow { from, slot, path } => root::borrow(init, from, slot, path),
        Op::Propagation { flags } => root::propagation(init, flags),
        Op::Root {
            path,
            dev,
            ino,
            flags,
        } => root::root(init, &root::HostPath { path, dev, ino }, flags),
        Op::Overlay {
            lower,
            dev,
            ino,
            size,
            inodes,
            userxattr,
        } => {
            let host = root::HostPath {
                path: lower,
                dev,
                ino,
            };
            root::overlay(
                init,
                &host,
                &root::Layer {
                    size,
                    inodes,
                    userxattr,
                },
            )
        }
        Op::MountFs {
            fstype,
            target,
            params,
            attrs,
            flags,
        } => mounts::mount_fs(
            init,
            &mounts::NewMount {
                fstype,
                target,
                params,
                attrs,
                flags,
            },
        ),
        Op::Bind {
            slot,
            target,
            attr_set,
            attr_clr,
            propagation,
            flags,
        } => {
            let attrs = MountAttr {
                set: attr_set,
                clr: attr_clr,
                propagation,
                userns_fd: 0,
            };
            mounts::bind(
                init,
                &mounts::Bind {
                    slot,
                    target,
                    attrs,
                    flags,
                },
            )
        }
        Op::Device {
            path,
            kind,
            major,
            minor,
            mode,
            uid,
            gid,
        } => devices::make_device(
            init,
            path,
            &devices::Node {
                kind,
                major,
                minor,
                mode,
                uid,
                gid,
            },
        ),
        Op::Symlink { target, path } => devices::make_symlink(init, target, path),
        Op::Mkdir { path, mode } => paths::make_directory(init, path.to_bytes(), mode).map(drop),
        Op::MaskInit {} => masks::prepare(init),
        Op::Mask { path } => masks::mask(init, path),
        Op::ReadonlyPath { path } => mounts::readonly_path(init, path),
        Op::RemountReadonly { path } => mounts::remount_readonly(init, path),
        Op::Terminal {
            rows,
            cols,
            uid,
            gid,
            console,
        } => terminal::open(
            init,
            &terminal::Wanted {
                rows,
                cols,
                uid,
                gid,
                console,
            },
        ),
        Op::Pivot {} => root::pivot(init),
        // `step` has the others.
        _ => Err(Failure::of(Detail::BadMessage)),
    }
}
