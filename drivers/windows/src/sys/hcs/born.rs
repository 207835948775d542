//! What a new process comes with: the host's ends of its pipes.
//!
//! # Safety
//! The library gives these handles away with the process, once.

use super::table::Info;
use crate::hcs::service::{Handle, NewProcess};
use crate::sys::pipe::{Canceller, PipeEnd};
use execdriver_core::console::{Cancel, Side};
use std::os::windows::io::{FromRawHandle, OwnedHandle};

/// Takes over what a new process came with.
pub(super) fn adopt(handle: Handle, info: &Info) -> NewProcess {
    let [stdin, stdout, stderr] = info.pipes.map(|pipe| {
        let given = !pipe.is_null();
        // SAFETY: the library has just given this handle, to us alone.
        given.then(|| PipeEnd::adopt(unsafe { OwnedHandle::from_raw_handle(pipe) }))
    });
    let outputs: Vec<Canceller> = stdout
        .iter()
        .chain(&stderr)
        .map(PipeEnd::canceller)
        .collect();
    let input = stdin.as_ref().map(PipeEnd::canceller);
    NewProcess {
        handle,
        pid: info.pid,
        stdin: stdin.map(|end| Box::new(end) as _),
        stdout: stdout.map(|end| Box::new(end) as _),
        stderr: stderr.map(|end| Box::new(end) as _),
        cancel: Some(Box::new(Pipes { input, outputs })),
    }
}

/// Frees whoever blocks on a process's pipes.
struct Pipes {
    input: Option<Canceller>,
    outputs: Vec<Canceller>,
}

impl Cancel for Pipes {
    fn cancel(&self, side: Side) {
        match side {
            Side::Input => self.input.iter().for_each(Canceller::cancel),
            Side::Output => self.outputs.iter().for_each(Canceller::cancel),
            // The caller's own, which cannot be cancelled here.
            Side::Sink => {}
        }
    }
}
