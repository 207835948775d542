//! The library of the compute service: found at run time, called as the safe trait that the back-end knows.
//!
//! It is never linked: a host without it still starts. Strings go in as UTF-16 ended by a zero and come out in memory that
//! is freed with `CoTaskMemFree`.
//!
//! # Safety
//! The functions of the table have the types that the library's names stand for (windows.h of the compute service, as its
//! Go client declares them); the library is never unloaded, as calls that nobody waits for may still be in it.

mod born;
mod suspend;
mod table;

use crate::backend::ProcessIdentity;
use crate::hcs::board::{Board, Notice};
use crate::hcs::service::{Handle, Kind, NO_FUNCTION, NewProcess, Operation, Reply, Service};
use crate::hcs::{Code, HcsError};
use crate::sys::wide;
use std::collections::HashMap;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{null, null_mut};
use std::sync::{Arc, Mutex, PoisonError};
use table::{Info, Table};
use windows_sys::Win32::System::Com::CoTaskMemFree;

/// The library, and the contexts that its callbacks were given.
#[derive(Debug)]
pub(crate) struct Library {
    table: Table,
    /// By registration: each a pointer from `Arc::into_raw`.
    contexts: Mutex<HashMap<Handle, usize>>,
}

/// The library of this name in the system's own directory, where nobody else can put one.
pub(crate) const NAME: &str = "vmcompute.dll";

/// Every function that is looked up.
#[cfg(test)]
pub(crate) fn functions() -> Vec<&'static str> {
    let names = table::NAMES.iter();
    names.filter_map(|name| name.to_str().ok()).collect()
}

impl Library {
    /// Loads it: `path`, an absolute one, or the system's own.
    ///
    /// # Errors
    /// `Load` when there is none, `Missing` when it lacks a function that nothing can be done without.
    pub(crate) fn load(path: Option<&str>) -> Result<Self, HcsError> {
        Ok(Self {
            table: Table::load(path)?,
            contexts: Mutex::default(),
        })
    }

    /// Registers `board` by `register`, which is given the function and its context.
    fn watch(
        &self,
        board: Arc<Board>,
        register: impl FnOnce(*const c_void, *mut Handle) -> i32,
    ) -> Reply<Handle> {
        let context = Arc::into_raw(board);
        let mut registration = 0;
        let code = Code(register(context.cast(), &raw mut registration));
        if code.failed() {
            // SAFETY: it came from `into_raw`, and nobody was registered with it.
            drop(unsafe { Arc::from_raw(context) });
        } else {
            let mut contexts = self.contexts.lock().unwrap_or_else(PoisonError::into_inner);
            contexts.insert(registration, context as usize);
        }
        let answer = String::new();
        Reply {
            code,
            answer,
            value: registration,
        }
    }

    /// Takes a registration back; no callback runs with its context then.
    fn unwatch(&self, registration: Handle, code: Code) -> Code {
        let mut contexts = self.contexts.lock().unwrap_or_else(PoisonError::into_inner);
        let context = contexts.remove(&registration);
        drop(contexts);
        // Where the registration could not be taken back the context stays: it may still be used.
        if let Some(context) = context
            && !code.failed()
        {
            // SAFETY: it came from `into_raw`, once, and the library has just let go of it.
            drop(unsafe { Arc::from_raw(context as *const Board) });
        }
        code
    }
}

/// What the library calls. It puts a notice down and never blocks or unwinds.
unsafe extern "system" fn notify(kind: u32, context: *const c_void, status: i32, data: *const u16) {
    let post = || {
        let Some(kind) = Kind::of(kind) else {
            return;
        };
        // SAFETY: the context is the board of this registration, which keeps it.
        let board = unsafe { &*context.cast::<Board>() };
        // SAFETY: a text of the library's, which stays its.
        let answer = unsafe { text(data) };
        let code = Code(status);
        board.post(kind, Notice { code, answer });
    };
    // A panic must not cross into the library; a notice that caused one is lost.
    let _ = catch_unwind(AssertUnwindSafe(post));
}

unsafe extern "C" {
    /// How many units are before the zero.
    fn wcslen(text: *const u16) -> usize;
}

/// A text, or nothing at null.
unsafe fn text(text: *const u16) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: texts of the library's are ended by a zero.
    let length = unsafe { wcslen(text) };
    // SAFETY: so many units are before the zero.
    String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(text, length) })
}

/// A text that a call gave away.
struct Given(*mut u16);

impl Given {
    fn none() -> Self {
        Self(null_mut())
    }

    fn text(&self) -> String {
        // SAFETY: null, or a text that the library made for us.
        unsafe { text(self.0) }
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        // SAFETY: null, or memory that is ours to free so.
        unsafe { CoTaskMemFree(self.0.cast()) };
    }
}

/// The reply of a call that gives `value`.
fn reply<T>(code: i32, answer: &Given, value: T) -> Reply<T> {
    let (code, answer) = (Code(code), answer.text());
    Reply {
        code,
        answer,
        value,
    }
}

fn no_function<T: Default>() -> Reply<T> {
    let (answer, value) = (String::new(), T::default());
    Reply {
        code: NO_FUNCTION,
        answer,
        value,
    }
}

impl Service for Library {
    fn create_system(&self, id: &str, document: &str) -> Reply<Handle> {
        let (id, document) = (wide(id), wide(document));
        let (mut answer, mut system) = (Given::none(), 0);
        // SAFETY: texts are ended by zeros, places are ours, and no identity is allowed.
        let code = unsafe {
            (self.table.create_system)(
                id.as_ptr(),
                document.as_ptr(),
                null_mut(),
                &raw mut system,
                &raw mut answer.0,
            )
        };
        reply(code, &answer, system)
    }

    fn open_system(&self, id: &str) -> Reply<Handle> {
        let id = wide(id);
        let (mut answer, mut system) = (Given::none(), 0);
        // SAFETY: the text is ended by a zero, places are ours.
        let code =
            unsafe { (self.table.open_system)(id.as_ptr(), &raw mut system, &raw mut answer.0) };
        reply(code, &answer, system)
    }

    fn close_system(&self, system: Handle) -> Code {
        // SAFETY: a handle is a number to the library, which knows its own.
        Code(unsafe { (self.table.close_system)(system) })
    }

    fn operate(&self, system: Handle, operation: Operation) -> Reply<()> {
        let function = match operation {
            Operation::Start => Some(self.table.start),
            Operation::Shutdown => Some(self.table.shutdown),
            Operation::Terminate => Some(self.table.terminate),
            Operation::Pause => self.table.pause,
            Operation::Resume => self.table.resume,
        };
        let Some(function) = function else {
            return no_function();
        };
        let (options, mut answer) = (wide(""), Given::none());
        // SAFETY: the text is ended by a zero, the place is ours.
        let code = unsafe { function(system, options.as_ptr(), &raw mut answer.0) };
        reply(code, &answer, ())
    }

    fn modify_system(&self, system: Handle, request: &str) -> Reply<()> {
        let Some(function) = self.table.modify_system else {
            return no_function();
        };
        let (request, mut answer) = (wide(request), Given::none());
        // SAFETY: the text is ended by a zero, the place is ours.
        let code = unsafe { function(system, request.as_ptr(), &raw mut answer.0) };
        reply(code, &answer, ())
    }

    fn system_properties(&self, system: Handle, query: &str) -> Reply<String> {
        let text = wide(query);
        // The basic properties are asked for by no query at all.
        let query = if query.is_empty() {
            null()
        } else {
            text.as_ptr()
        };
        let (mut answer, mut properties) = (Given::none(), Given::none());
        // SAFETY: the text is ended by a zero, places are ours.
        let code = unsafe {
            (self.table.system_properties)(system, query, &raw mut properties.0, &raw mut answer.0)
        };
        reply(code, &answer, properties.text())
    }

    fn watch_system(&self, system: Handle, board: Arc<Board>) -> Reply<Handle> {
        self.watch(board, |context, registration| {
            // SAFETY: the context is a board that `watch` keeps for as long as the registration.
            unsafe { (self.table.watch_system)(system, notify, context, registration) }
        })
    }

    fn unwatch_system(&self, watch: Handle) -> Code {
        // SAFETY: a handle is a number to the library, which knows its own.
        let code = Code(unsafe { (self.table.unwatch_system)(watch) });
        self.unwatch(watch, code)
    }

    fn create_process(&self, system: Handle, document: &str) -> Reply<NewProcess> {
        let (document, mut answer) = (wide(document), Given::none());
        let (mut info, mut process) = (Info::default(), 0);
        // SAFETY: the text is ended by a zero, places are ours.
        let code = unsafe {
            (self.table.create_process)(
                system,
                document.as_ptr(),
                &raw mut info,
                &raw mut process,
                &raw mut answer.0,
            )
        };
        let made = match Code(code).failed() {
            true => NewProcess::default(),
            false => born::adopt(process, &info),
        };
        reply(code, &answer, made)
    }

    fn open_process(&self, system: Handle, pid: u32) -> Reply<Handle> {
        let (mut answer, mut process) = (Given::none(), 0);
        // SAFETY: places are ours.
        let code =
            unsafe { (self.table.open_process)(system, pid, &raw mut process, &raw mut answer.0) };
        reply(code, &answer, process)
    }

    fn close_process(&self, process: Handle) -> Code {
        // SAFETY: a handle is a number to the library, which knows its own.
        Code(unsafe { (self.table.close_process)(process) })
    }

    fn terminate_process(&self, process: Handle) -> Reply<()> {
        let mut answer = Given::none();
        // SAFETY: the place is ours.
        let code = unsafe { (self.table.terminate_process)(process, &raw mut answer.0) };
        reply(code, &answer, ())
    }

    fn signal_process(&self, process: Handle, options: &str) -> Reply<()> {
        let Some(function) = self.table.signal_process else {
            return no_function();
        };
        let (options, mut answer) = (wide(options), Given::none());
        // SAFETY: the text is ended by a zero, the place is ours.
        let code = unsafe { function(process, options.as_ptr(), &raw mut answer.0) };
        reply(code, &answer, ())
    }

    fn modify_process(&self, process: Handle, settings: &str) -> Reply<()> {
        let Some(function) = self.table.modify_process else {
            return no_function();
        };
        let (settings, mut answer) = (wide(settings), Given::none());
        // SAFETY: the text is ended by a zero, the place is ours.
        let code = unsafe { function(process, settings.as_ptr(), &raw mut answer.0) };
        reply(code, &answer, ())
    }

    fn process_properties(&self, process: Handle) -> Reply<String> {
        let (mut answer, mut properties) = (Given::none(), Given::none());
        // SAFETY: places are ours.
        let code = unsafe {
            (self.table.process_properties)(process, &raw mut properties.0, &raw mut answer.0)
        };
        reply(code, &answer, properties.text())
    }

    fn watch_process(&self, process: Handle, board: Arc<Board>) -> Reply<Handle> {
        self.watch(board, |context, registration| {
            // SAFETY: the context is a board that `watch` keeps for as long as the registration.
            unsafe { (self.table.watch_process)(process, notify, context, registration) }
        })
    }

    fn unwatch_process(&self, watch: Handle) -> Code {
        // SAFETY: a handle is a number to the library, which knows its own.
        let code = Code(unsafe { (self.table.unwatch_process)(watch) });
        self.unwatch(watch, code)
    }

    fn layer_id(&self, name: &str) -> Reply<[u8; 16]> {
        let Some(function) = self.table.name_to_guid else {
            return no_function();
        };
        let (name, mut id) = (wide(name), [0; 16]);
        // SAFETY: the text is ended by a zero, a GUID has 16 bytes.
        let code = unsafe { function(name.as_ptr(), &raw mut id) };
        reply(code, &Given::none(), id)
    }

    fn network(&self, method: &str, path: &str, request: &str) -> Reply<String> {
        let Some(function) = self.table.network else {
            return no_function();
        };
        let (method, path, request) = (wide(method), wide(path), wide(request));
        let mut response = Given::none();
        // SAFETY: texts are ended by zeros, the place is ours.
        let code = unsafe {
            function(
                method.as_ptr(),
                path.as_ptr(),
                request.as_ptr(),
                &raw mut response.0,
            )
        };
        reply(code, &Given::none(), response.text())
    }

    fn suspend_process(&self, process: ProcessIdentity) -> Reply<bool> {
        suspend::reply(suspend::suspend(process))
    }

    fn resume_process(&self, process: ProcessIdentity) -> Reply<bool> {
        suspend::reply(suspend::resume(process))
    }
}
