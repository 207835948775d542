//! A pseudo console: a terminal without a window.
//!
//! Looked up when it is needed: Windows before 10 1809 has none.
//!
//! # Safety
//! The signatures are those of consoleapi.h. A console is closed once, by its owner; calls on it hold the lock meanwhile.
//!
//! References: learn.microsoft.com/windows/console/creating-a-pseudoconsole-session.

use super::ntdll::{Address, address};
use super::{pipe, raw};
use execdriver_core::WindowSize;
use std::ffi::CStr;
use std::io;
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::sync::{Mutex, MutexGuard, PoisonError};
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Console::{COORD, HPCON};
use windows_sys::core::HRESULT;

type Create = unsafe extern "system" fn(COORD, HANDLE, HANDLE, u32, *mut HPCON) -> HRESULT;
type Resize = unsafe extern "system" fn(HPCON, COORD) -> HRESULT;
type Close = unsafe extern "system" fn(HPCON);

/// What it has when nobody says it.
const DEFAULT_SIZE: WindowSize = WindowSize {
    rows: 25,
    columns: 80,
};

/// A pseudo console; it closes when it is dropped, and that ends what is attached to it.
#[derive(Debug)]
pub(crate) struct PseudoConsole {
    /// `None` after its end.
    handle: Mutex<Option<HPCON>>,
    /// The console's own ends of its pipes: it has duplicates, but only once something has attached to it.
    ends: Mutex<Option<[OwnedHandle; 2]>>,
}

impl PseudoConsole {
    /// Makes one of this size: it, where to type, and where what it shows comes out.
    pub(crate) fn new(
        size: Option<WindowSize>,
    ) -> io::Result<(Self, pipe::PipeEnd, pipe::PipeEnd)> {
        let (keyboard, input) = pipe::input()?;
        let (screen, output) = pipe::output()?;
        // SAFETY: the name stands for this signature.
        let create: Create = unsafe { std::mem::transmute(find(c"CreatePseudoConsole")?) };
        let size = coordinates(size.unwrap_or(DEFAULT_SIZE))?;
        let (input_handle, output_handle) = (raw(input.as_handle()), raw(output.as_handle()));
        let mut handle = 0;
        // SAFETY: both handles are open, and the result's place lives while the call lasts.
        succeeded(unsafe { create(size, input_handle, output_handle, 0, &raw mut handle) })?;
        let console = Self {
            handle: Mutex::new(Some(handle)),
            ends: Mutex::new(Some([input, output])),
        };
        Ok((console, keyboard, screen))
    }

    /// The process is made: the console's own ends can go, so that its close is seen.
    pub(crate) fn attached(&self) {
        *lock(&self.ends) = None;
    }

    /// Tells what is attached its new size.
    ///
    /// # Errors
    /// `BrokenPipe` after its close; Wine 8 has no resizing (`E_NOTIMPL`).
    pub(crate) fn resize(&self, size: WindowSize) -> io::Result<()> {
        let size = coordinates(size)?;
        // SAFETY: the name stands for this signature.
        let resize: Resize = unsafe { std::mem::transmute(find(c"ResizePseudoConsole")?) };
        match *lock(&self.handle) {
            // SAFETY: the console is open: its close needs this lock.
            Some(handle) => succeeded(unsafe { resize(handle, size) }),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Closes it; what it still has to show comes out first, so somebody must read.
    pub(crate) fn close(&self) {
        self.attached();
        let Some(handle) = lock(&self.handle).take() else {
            return;
        };
        if let Ok(close) = find(c"ClosePseudoConsole") {
            // SAFETY: the name stands for this signature.
            let close: Close = unsafe { std::mem::transmute(close) };
            // SAFETY: it was taken out and is closed this one time.
            unsafe { close(handle) };
        }
    }

    /// As the attribute of a process takes it.
    pub(super) fn raw(&self) -> HPCON {
        lock(&self.handle).unwrap_or_default()
    }
}

impl Drop for PseudoConsole {
    fn drop(&mut self) {
        self.close();
    }
}

fn find(name: &CStr) -> io::Result<Address> {
    address(c"kernel32.dll", name)
}

/// What a console takes: 1 to 32767 each.
fn coordinates(size: WindowSize) -> io::Result<COORD> {
    let one = |number: u16| i16::try_from(number).ok().filter(|number| *number > 0);
    match (one(size.columns), one(size.rows)) {
        (Some(x), Some(y)) => Ok(COORD { X: x, Y: y }),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn succeeded(result: HRESULT) -> io::Result<()> {
    if result >= 0 {
        return Ok(());
    }
    Err(io::Error::from_raw_os_error(result))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
