//! Waiting for whoever starts the container, and what the program is handed beside its streams.

use core::ffi::CStr;

use crate::exec::directories;
use crate::process::close_leftovers;
use crate::run::{Done, Failure, Init};
use crate::split::PathBuffer;
use crate::sys::abi::{AT_FDCWD, O_PATH, S_IFDIR};
use crate::sys::{Errno, Fd, fs, socket};
use crate::wire::{Detail, Kind, SOCKET_FD};

/// Waits for whoever starts the container, which may be another process than the one that made it. A program that is not
/// there is told to the one that makes it: later nobody could tell that from a program that ended at once.
pub(crate) fn hold(init: &mut Init, slot: u16, program: &CStr, path: &[u8]) -> Done {
    find(program, path)?;
    let listener = init.take_slot(slot)?;
    init.report(Kind::Held, 0, None)?;
    loop {
        let starter = socket::accept(listener.raw())?;
        // The number is known to stay: so it is the connection that takes it.
        fs::dup_to_cloexec(starter.raw(), SOCKET_FD)?;
        if init.is_told_to_go() {
            return Ok(());
        }
    }
}

/// Whether the exec would find the program, and may execute it.
fn find(program: &CStr, path: &[u8]) -> Done {
    if program.to_bytes().contains(&b'/') {
        return Ok(executable(program)?);
    }
    let mut result = Failure::with(Errno::ENOENT, Detail::NotInPath);
    for directory in directories(path) {
        let mut buffer = PathBuffer::new();
        let candidate = buffer.set(&[directory, b"/", program.to_bytes()]);
        match candidate.map(executable) {
            Some(Ok(())) => return Ok(()),
            Some(Err(Errno::EACCES)) => result = Errno::EACCES.into(),
            _ => {}
        }
    }
    Err(result)
}

fn executable(program: &CStr) -> Result<(), Errno> {
    const X_OK: usize = 1;
    let file = fs::open(AT_FDCWD, program, O_PATH, 0)?;
    match fs::stat(file.raw())?.kind() {
        S_IFDIR => Err(Errno::EACCES),
        _ => fs::access(program, X_OK),
    }
}

/// Gives the program `count` descriptors, from the slots from `slot` on, as 3 and so on. The socket makes room for them.
pub(crate) fn preserve(init: &mut Init, slot: u16, count: u16) -> Done {
    close_leftovers(init)?;
    let end = SOCKET_FD + i32::from(count);
    init.socket = Fd::own(fs::dup_above(init.socket.raw(), end)?);
    for place in init.slots.iter_mut().filter(|fd| (0..end).contains(*fd)) {
        let moved = fs::dup_above(*place, end)?;
        drop(Fd::own(core::mem::replace(place, moved)));
    }
    let first = usize::from(slot);
    let wanted = init.slots.get_mut(first..first + usize::from(count));
    let wanted = wanted.ok_or(Failure::of(Detail::BadMessage))?;
    for (place, number) in wanted.iter_mut().zip(SOCKET_FD..) {
        fs::dup_to(*place, number)?;
        drop(Fd::own(core::mem::replace(place, number)));
    }
    Ok(())
}
