//! The copier of the input: ends at the end of the source, of the process, or of the console.

use super::copier::{self, Chunk, Shared, guarded};
use super::{Action, InputEnd, Source, Stream};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// The copier as its console sees it.
pub(super) struct Input {
    copier: JoinHandle<()>,
    slot: Arc<Mutex<Slot>>,
}

/// The driver's end, in reach of both threads: a copier that stays blocked in the caller's `read`
/// must not keep it open.
struct Slot {
    end: Option<Box<dyn InputEnd>>,
    /// The copier is in the caller's own `read` and can only be left alone.
    out_of_reach: bool,
}

impl Input {
    pub(super) fn start(
        source: Source,
        end: Box<dyn InputEnd>,
        shared: &Arc<Shared>,
    ) -> io::Result<Self> {
        let slot = Arc::new(Mutex::new(Slot {
            end: Some(end),
            out_of_reach: false,
        }));
        let (blocking, mut source) = match source {
            Source::Blocking(source) => (true, source),
            Source::Cancellable(source) => (false, source),
        };
        let (theirs, shared) = (Arc::clone(&slot), Arc::clone(shared));
        let copier = copier::start(Stream::Stdin, move || {
            copy(source.as_mut(), blocking, &theirs, &shared);
            // Of the caller's type: its drop may panic like its read.
            let dropped = guarded(|| {
                drop(source);
                Ok(())
            });
            if let Err(error) = dropped {
                shared.fail(Stream::Stdin, Action::Read, error);
            }
        })?;
        Ok(Self { copier, slot })
    }

    /// Ends the copier, whose pending calls were cancelled, and drops the driver's end.
    pub(super) fn end(self) {
        let out_of_reach = {
            let mut slot = lock(&self.slot);
            slot.end = None;
            slot.out_of_reach
        };
        if !out_of_reach {
            let _ = self.copier.join();
        }
    }
}

fn copy(source: &mut dyn Read, blocking: bool, slot: &Mutex<Slot>, shared: &Shared) {
    let mut chunk = Chunk::new();
    loop {
        {
            let mut slot = lock(slot);
            if slot.end.is_none() {
                return;
            }
            slot.out_of_reach = blocking;
        }
        let got = guarded(|| chunk.read(source));
        let mut slot = lock(slot);
        slot.out_of_reach = false;
        let Some(end) = slot.end.as_mut() else {
            return;
        };
        let written = match got {
            Ok([]) => None,
            Ok(bytes) => Some(end.write_all(bytes)),
            Err(error) => {
                shared.fail(Stream::Stdin, Action::Read, error);
                None
            }
        };
        let over = written.is_none();
        let failed = written.unwrap_or_else(|| end.end_of_input()).err();
        // A process need not read its input: a broken pipe is no failure.
        match failed {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                shared.fail(Stream::Stdin, Action::Write, error);
            }
            None if !over => continue,
            _ => {}
        }
        slot.end = None;
        return;
    }
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
