//! Receives the message: header, descriptors, body.

use crate::run::Failure;
use crate::sys::arena::Arena;
use crate::sys::{Fd, Result, fs, socket};
use crate::wire::{Detail, FDS_PER_BATCH, HEADER_LEN, Header, SOCKET_FD};

/// A message as it arrived.
pub(crate) struct Message {
    pub(crate) ops: u32,
    pub(crate) body: &'static [u8],
    /// Descriptor of each slot, -1 while empty.
    pub(crate) slots: &'static mut [i32],
}

/// Bodies up to this size arrive together with the header.
const USUAL_BODY: usize = 128 << 10;

/// Makes descriptors 0 to 3 ours alone: 0 to 2 are copies of the socket, so that nothing that is opened on the way to
/// the payload lands on them.
pub(crate) fn secure_descriptors() -> Result<Fd> {
    fs::set_cloexec(SOCKET_FD)?;
    fs::close_range(SOCKET_FD as u32 + 1, u32::MAX)?;
    for standard in 0..SOCKET_FD {
        fs::dup_to_cloexec(SOCKET_FD, standard)?;
    }
    Ok(Fd::own(SOCKET_FD))
}

/// Reads the whole message; `None` when the parent closed the socket before it sent one.
pub(crate) fn receive(
    from: &Fd,
    arena: &mut Arena,
) -> core::result::Result<Option<Message>, Failure> {
    let malformed = Failure::of(Detail::BadMessage);
    let mut head = [0; HEADER_LEN];
    let mut batch = [-1; FDS_PER_BATCH + 3];
    let first = arena.array::<u8>(USUAL_BODY)?;
    let (got, count) = socket::receive(from.raw(), &mut head, first, &mut batch)?;
    if got == 0 {
        return Ok(None);
    }
    let header = Header::decode(&head)
        .filter(|_| got >= HEADER_LEN)
        .ok_or(malformed)?;
    let (fds, slot_count) = (usize::from(header.fds), usize::from(header.slots));
    let slots = arena.array::<i32>(slot_count)?;
    slots.fill(-1);
    let mut filled = store(slots, 0, &batch[..count])?;
    let mut have = got - HEADER_LEN;
    if filled < fds && have > 0 {
        return Err(malformed);
    }
    while filled < fds {
        let (got, count) = socket::receive(from.raw(), &mut [0], &mut [], &mut batch)?;
        if got == 0 || count == 0 {
            return Err(malformed);
        }
        filled = store(slots, filled, &batch[..count])?;
    }
    let len = header.body_len as usize;
    let body = if len <= first.len() {
        first
    } else {
        let large = arena.array::<u8>(len)?;
        large[..have].copy_from_slice(&first[..have]);
        large
    };
    while have < len {
        let rest = body.get_mut(have..len).ok_or(malformed)?;
        match fs::read(from.raw(), rest)? {
            0 => return Err(malformed),
            more => have += more,
        }
    }
    if filled != fds || have != len {
        return Err(malformed);
    }
    Ok(Some(Message {
        ops: header.ops,
        body: body.get(..len).ok_or(malformed)?,
        slots,
    }))
}

fn store(slots: &mut [i32], filled: usize, batch: &[i32]) -> core::result::Result<usize, Failure> {
    let end = filled + batch.len();
    slots
        .get_mut(filled..end)
        .ok_or(Failure::of(Detail::BadMessage))?
        .copy_from_slice(batch);
    Ok(end)
}
