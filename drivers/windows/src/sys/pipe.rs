//! Pipes whose host's end a blocked thread can be freed from.
//!
//! Anonymous pipes cannot be cancelled without racing against the thread; named ones opened for overlapped calls can. Each
//! pipe has a name of its own, one instance, and takes no client but the end that is opened here at once.
//!
//! # Safety
//! An overlapped call is always waited for before its buffer and its `OVERLAPPED` go.
//!
//! References: learn.microsoft.com/windows/win32/ipc/named-pipes, CancelIoEx.

use super::{check, owned, raw, wide};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, Read, Write};
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_INVALID_FUNCTION, ERROR_IO_PENDING, ERROR_NO_DATA,
    ERROR_OPERATION_ABORTED, ERROR_PIPE_NOT_CONNECTED, GENERIC_READ, GENERIC_WRITE,
    INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_READ_ATTRIBUTES,
    FILE_WRITE_ATTRIBUTES, OPEN_EXISTING, PIPE_ACCESS_INBOUND, PIPE_ACCESS_OUTBOUND, ReadFile,
    WriteFile,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE, PIPE_WAIT,
    PeekNamedPipe,
};
use windows_sys::Win32::System::Threading::CreateEventW;

/// What a pipe holds: as a pipe of Linux does.
const CAPACITY: u32 = 64 * 1024;

/// What a cancelled reader still takes of what had arrived.
const DRAIN: u64 = 1 << 20;

/// The host's end of a pipe. Clones share it; it closes with the last.
#[derive(Debug, Clone)]
pub(crate) struct PipeEnd(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    handle: OwnedHandle,
    cancelled: AtomicBool,
    /// Bytes that a cancelled reader may still take.
    drain: AtomicU64,
}

/// A pipe that the process writes: the host's end and the process's.
pub(crate) fn output() -> io::Result<(PipeEnd, OwnedHandle)> {
    pair(PIPE_ACCESS_INBOUND, GENERIC_WRITE | FILE_READ_ATTRIBUTES)
}

/// A pipe that the process reads: the host's end and the process's.
pub(crate) fn input() -> io::Result<(PipeEnd, OwnedHandle)> {
    pair(PIPE_ACCESS_OUTBOUND, GENERIC_READ | FILE_WRITE_ATTRIBUTES)
}

fn pair(direction: u32, access: u32) -> io::Result<(PipeEnd, OwnedHandle)> {
    let name = wide(unused_name());
    // SAFETY: the name is ended by a zero, null attributes are allowed.
    let server = unsafe {
        CreateNamedPipeW(
            name.as_ptr(),
            direction | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
            PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
            1,
            CAPACITY,
            CAPACITY,
            0,
            std::ptr::null(),
        )
    };
    let server = opened(server)?;
    // SAFETY: as above; a null template is allowed.
    let client = unsafe {
        CreateFileW(
            name.as_ptr(),
            access,
            0,
            std::ptr::null(),
            OPEN_EXISTING,
            0,
            std::ptr::null_mut(),
        )
    };
    Ok((PipeEnd::adopt(server), opened(client)?))
}

/// The answer of a call that gives a file, or the invalid handle on failure.
fn opened(handle: windows_sys::Win32::Foundation::HANDLE) -> io::Result<OwnedHandle> {
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    owned(handle)
}

/// A name that nobody can foresee: who could would be the pipe's server, or its client, before us.
fn unused_name() -> String {
    // RandomState is seeded from the system's random source; two of them make 128 bits.
    let random = || RandomState::new().hash_one(std::process::id());
    format!(
        r"\\.\pipe\execdriver-{:016x}{:016x}",
        random(),
        random().rotate_left(32)
    )
}

/// What cancels a [`PipeEnd`] without keeping it open.
#[derive(Debug, Clone)]
pub(crate) struct Canceller(Weak<Inner>);

impl Canceller {
    /// As [`PipeEnd::cancel`]; of an end that is closed there is nothing to cancel.
    pub(crate) fn cancel(&self) {
        if let Some(inner) = self.0.upgrade() {
            PipeEnd(inner).cancel();
        }
    }
}

impl PipeEnd {
    /// The host's end of a pipe that another has made, for overlapped calls.
    pub(crate) fn adopt(handle: OwnedHandle) -> Self {
        Self(Arc::new(Inner {
            handle,
            cancelled: AtomicBool::new(false),
            drain: AtomicU64::new(DRAIN),
        }))
    }

    /// What cancels it from elsewhere.
    pub(crate) fn canceller(&self) -> Canceller {
        Canceller(Arc::downgrade(&self.0))
    }

    /// Makes pending and later calls fail, reads after they took what had arrived.
    pub(crate) fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        // SAFETY: null stands for every call on this handle, which is open.
        let _ = unsafe { CancelIoEx(raw(self.0.handle.as_handle()), std::ptr::null()) };
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Whether bytes have arrived; an error when the other end is closed and none are left. What is no pipe but takes
    /// overlapped calls, as another's end may be, cannot tell: nothing has.
    fn arrived(&self) -> io::Result<bool> {
        let mut available = 0;
        let null = std::ptr::null_mut();
        // SAFETY: only the one count is asked for, and lives while the call lasts.
        let peeked = check(unsafe {
            PeekNamedPipe(
                raw(self.0.handle.as_handle()),
                null,
                0,
                std::ptr::null_mut(),
                &raw mut available,
                std::ptr::null_mut(),
            )
        });
        match peeked {
            Err(error) if super::is(&error, ERROR_INVALID_FUNCTION) => Ok(false),
            peeked => peeked.map(|()| available > 0),
        }
    }

    /// Starts a call by `start` and waits for its end, or for the cancellation if that may end it.
    fn overlapped(
        &self,
        cancellable: bool,
        start: impl FnOnce(*mut OVERLAPPED) -> i32,
    ) -> io::Result<usize> {
        // SAFETY: null attributes and no name are allowed.
        let event = owned(unsafe { CreateEventW(std::ptr::null(), 1, 0, std::ptr::null()) })?;
        let mut call = OVERLAPPED {
            hEvent: raw(event.as_handle()),
            ..OVERLAPPED::default()
        };
        if let Err(error) = check(start(&raw mut call))
            && !super::is(&error, ERROR_IO_PENDING)
        {
            return Err(error);
        }
        let handle = raw(self.0.handle.as_handle());
        // Who cancels sets the flag first and cancels then: one of the two sees the other.
        if cancellable && self.cancelled() {
            // SAFETY: `call` is the one that has just been started on this handle.
            let _ = unsafe { CancelIoEx(handle, &raw const call) };
        }
        let mut done = 0;
        // SAFETY: `call` was started on this handle and is waited for to its end.
        check(unsafe { GetOverlappedResult(handle, &raw const call, &raw mut done, 1) })?;
        Ok(done as usize)
    }

    fn read_once(&self, buffer: &mut [u8], cancellable: bool) -> io::Result<usize> {
        let (handle, length) = (raw(self.0.handle.as_handle()), length(buffer.len()));
        self.overlapped(cancellable, |call| {
            // SAFETY: `overlapped` waits for the call, which `buffer` outlives.
            unsafe {
                ReadFile(
                    handle,
                    buffer.as_mut_ptr(),
                    length,
                    std::ptr::null_mut(),
                    call,
                )
            }
        })
    }
}

/// Reads block, an end of file is the other end's close; messages of no bytes are skipped.
impl Read for PipeEnd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let cancelled = self.cancelled();
            if cancelled && self.0.drain.load(Ordering::Relaxed) == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let got = match self.arrived() {
                // Nothing is there and nothing will be waited for.
                Ok(false) if cancelled => return Err(io::ErrorKind::TimedOut.into()),
                // What has arrived is read without waiting, and needs no second cancellation.
                Ok(_) => self.read_once(buffer, !cancelled),
                Err(error) => Err(error),
            };
            match got {
                // A writer may write nothing at all (WriteFile with 0 bytes); that is no end.
                Ok(0) => {}
                Ok(got) => {
                    if cancelled {
                        let left = self.0.drain.load(Ordering::Relaxed);
                        let left = left.saturating_sub(got as u64);
                        self.0.drain.store(left, Ordering::Relaxed);
                    }
                    return Ok(got);
                }
                Err(error) if ended(&error) => return Ok(0),
                // The next turn sees the flag and drains.
                Err(error) if super::is(&error, ERROR_OPERATION_ABORTED) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Write for PipeEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.cancelled() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let (handle, length) = (raw(self.0.handle.as_handle()), length(bytes.len()));
        let written = self.overlapped(true, |call| {
            // SAFETY: `overlapped` waits for the call, which `bytes` outlive.
            unsafe { WriteFile(handle, bytes.as_ptr(), length, std::ptr::null_mut(), call) }
        });
        written.map_err(|error| match error {
            error if ended(&error) => io::ErrorKind::BrokenPipe.into(),
            error if super::is(&error, ERROR_OPERATION_ABORTED) => io::ErrorKind::TimedOut.into(),
            error => error,
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl execdriver_core::console::InputEnd for PipeEnd {}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Whether the other end is closed, in the three ways that Windows says it.
fn ended(error: &io::Error) -> bool {
    [ERROR_BROKEN_PIPE, ERROR_NO_DATA, ERROR_PIPE_NOT_CONNECTED]
        .iter()
        .any(|code| super::is(error, *code))
}
