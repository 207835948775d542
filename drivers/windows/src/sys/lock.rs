//! A lock between processes: a mutex by name, which the system gives up for an owner that dies.
//!
//! # Safety
//! A mutex belongs to the thread that waited for it; the guard is not `Send` and is released there.
//!
//! Reference: learn.microsoft.com/windows/win32/sync/mutex-objects.

use super::{owned, raw, wide};
use std::io;
use std::marker::PhantomData;
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::time::Duration;
use windows_sys::Win32::Foundation::{WAIT_ABANDONED, WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{CreateMutexW, ReleaseMutex, WaitForSingleObject};

/// The lock, held.
#[derive(Debug)]
pub(crate) struct Lock {
    mutex: OwnedHandle,
    _of_this_thread: PhantomData<*const ()>,
}

impl Lock {
    /// Takes the lock of this name.
    ///
    /// # Errors
    /// `TimedOut` when another has it for longer than `limit`.
    pub(crate) fn take(name: &str, limit: Duration) -> io::Result<Self> {
        let name = wide(name);
        // SAFETY: null attributes are allowed, the name is ended by a zero.
        let mutex = owned(unsafe { CreateMutexW(std::ptr::null(), 0, name.as_ptr()) })?;
        let millis = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX - 1);
        // SAFETY: the handle is a mutex's.
        match unsafe { WaitForSingleObject(raw(mutex.as_handle()), millis) } {
            // What an owner that died has left is a file written whole or not at all.
            WAIT_OBJECT_0 | WAIT_ABANDONED => Ok(Self {
                mutex,
                _of_this_thread: PhantomData,
            }),
            WAIT_TIMEOUT => Err(io::ErrorKind::TimedOut.into()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // SAFETY: this thread took it, as the guard cannot leave it.
        let _ = unsafe { ReleaseMutex(raw(self.mutex.as_handle())) };
    }
}
