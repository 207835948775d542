//! A caller's stream whose blocking calls another thread can end.
//!
//! What a driver makes itself is a pipe for overlapped calls ([`super::pipe`]). What a caller gives is mostly a handle for
//! synchronous ones: then the thread in the call is what has to be told.
//!
//! # Safety
//! The handle of the thread is a duplicate that is ours; the stream's own is borrowed while a call lasts.
//!
//! References: learn.microsoft.com/windows/win32/fileio: CancelSynchronousIo, CancelIoEx.

use super::{check, raw};
use std::io::{self, Read, Write};
use std::os::windows::io::{AsHandle, FromRawHandle, OwnedHandle};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, ERROR_OPERATION_ABORTED,
};
use windows_sys::Win32::System::IO::{CancelIoEx, CancelSynchronousIo};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetCurrentThread};

/// How long a call may take to hear of its end, before it is left alone.
const HEARD: Duration = Duration::from_secs(10);

/// The stream.
#[derive(Debug)]
pub(crate) struct Interruptible<T> {
    stream: T,
    state: Arc<Mutex<State>>,
}

/// What ends its calls.
#[derive(Debug, Clone)]
pub(crate) struct Interrupter {
    state: Arc<Mutex<State>>,
    /// The stream's own handle once more, for calls that are overlapped after all.
    handle: Arc<OwnedHandle>,
}

#[derive(Debug, Default)]
struct State {
    interrupted: bool,
    /// The thread that is in a call.
    inside: Option<OwnedHandle>,
}

impl<T: AsHandle> Interruptible<T> {
    /// Makes the stream interruptible.
    ///
    /// # Errors
    /// Its handle cannot be duplicated.
    pub(crate) fn new(stream: T) -> io::Result<(Self, Interrupter)> {
        let handle = Arc::new(stream.as_handle().try_clone_to_owned()?);
        let state = Arc::<Mutex<State>>::default();
        let interrupter = Interrupter {
            state: Arc::clone(&state),
            handle,
        };
        Ok((Self { stream, state }, interrupter))
    }

    /// One call, or none after an interruption.
    fn call<R>(&mut self, call: impl FnOnce(&mut T) -> io::Result<R>) -> io::Result<R> {
        let thread = this_thread()?;
        {
            let mut state = lock(&self.state);
            if state.interrupted {
                return Err(io::ErrorKind::TimedOut.into());
            }
            state.inside = Some(thread);
        }
        let done = call(&mut self.stream);
        let mut state = lock(&self.state);
        state.inside = None;
        match done {
            // Some wrappers make no error of their own of it: whatever fails then, failed by the interruption.
            Err(_) if state.interrupted => Err(io::ErrorKind::TimedOut.into()),
            Err(error) if super::is(&error, ERROR_OPERATION_ABORTED) => {
                Err(io::ErrorKind::Interrupted.into())
            }
            done => done,
        }
    }
}

impl<T: Read + AsHandle> Read for Interruptible<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.call(|stream| stream.read(buffer))
    }
}

impl<T: Write + AsHandle> Write for Interruptible<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.call(|stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.call(Write::flush)
    }
}

impl Interrupter {
    /// Makes the pending call fail with [`io::ErrorKind::TimedOut`], and every later one.
    pub(crate) fn interrupt(&self) {
        let end = Instant::now() + HEARD;
        lock(&self.state).interrupted = true;
        loop {
            {
                let state = lock(&self.state);
                let Some(thread) = &state.inside else {
                    return;
                };
                // The thread says that it is inside before it is: who finds nothing to cancel tries again.
                // SAFETY: the handle is the thread's with every right, and open while the lock is held.
                let _ = unsafe { CancelSynchronousIo(raw(thread.as_handle())) };
                // SAFETY: null stands for every call on this handle, which is open.
                let _ = unsafe { CancelIoEx(raw(self.handle.as_handle()), std::ptr::null()) };
            }
            if Instant::now() > end {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A handle of the calling thread that others can use.
fn this_thread() -> io::Result<OwnedHandle> {
    // SAFETY: it takes nothing; the pseudo handle needs no release.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: as above.
    let thread = unsafe { GetCurrentThread() };
    let mut real = std::ptr::null_mut();
    // SAFETY: both pseudo handles stand for ours, and the result's place lives while the call lasts.
    check(unsafe {
        DuplicateHandle(
            process,
            thread,
            process,
            &raw mut real,
            0,
            0,
            DUPLICATE_SAME_ACCESS,
        )
    })?;
    // SAFETY: the system has just given this handle, to us alone.
    Ok(unsafe { OwnedHandle::from_raw_handle(real) })
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    /// Whether a reader of this pipe that nobody writes is freed.
    fn is_freed(reader: File) {
        let (mut stream, interrupter) = Interruptible::new(reader).unwrap();
        let thread = std::thread::spawn(move || stream.read(&mut [0; 16]));
        // Before its call or in it: either has to end.
        std::thread::sleep(Duration::from_millis(50));
        interrupter.interrupt();
        let error = thread.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_read_that_blocks_is_freed_on_a_synchronous_and_on_an_overlapped_pipe() {
        let (reader, _writer) = os_pipe::pipe().unwrap();
        is_freed(OwnedHandle::from(reader).into());
        let mut child = std::process::Command::new("cmd")
            .args(["/c", "pause"])
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // What the standard library reads a child from is for overlapped calls.
        let stderr = OwnedHandle::from(child.stderr.take().unwrap());
        is_freed(stderr.into());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn what_comes_before_the_interruption_is_read_and_nothing_after() {
        let (reader, mut writer) = os_pipe::pipe().unwrap();
        let (mut stream, interrupter) =
            Interruptible::new(File::from(OwnedHandle::from(reader))).unwrap();
        writer.write_all(b"before").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(stream.read(&mut buffer).unwrap(), 6);
        writer.write_all(b"after").unwrap();
        interrupter.interrupt();
        assert!(stream.read(&mut buffer).is_err());
    }
}
