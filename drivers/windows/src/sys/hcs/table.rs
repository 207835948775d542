//! The table of the library's functions, looked up by name.
//!
//! # Safety
//! A name is looked up once, and its address used with the one type that is written beside it.

use crate::hcs::HcsError;
use crate::hcs::service::Handle;
use crate::sys::wide;
use std::ffi::{CStr, c_void};
use std::io;
use std::ptr::null_mut;
use windows_sys::Win32::Foundation::{HANDLE, HMODULE};
use windows_sys::Win32::System::LibraryLoader::{
    GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LOAD_WITH_ALTERED_SEARCH_PATH, LoadLibraryExW,
};

/// A text that goes in.
type In = *const u16;
/// A place for a text that comes out.
type Out = *mut *mut u16;

/// What the library calls with a notice.
pub(super) type Callback = unsafe extern "system" fn(u32, *const c_void, i32, In);

/// What a new process comes with.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Info {
    pub(super) pid: u32,
    reserved: u32,
    pub(super) pipes: [HANDLE; 3],
}

impl Default for Info {
    fn default() -> Self {
        Self {
            pid: 0,
            reserved: 0,
            pipes: [null_mut(); 3],
        }
    }
}

/// Declares the table and how it is filled: functions that nothing can be done without, and optional ones.
macro_rules! table {
    (
        needed { $($need:ident: $need_name:literal ($($need_arg:ty),*),)* }
        optional { $($may:ident: $may_name:literal ($($may_arg:ty),*),)* }
    ) => {
        /// The functions.
        #[derive(Debug, Clone, Copy)]
        pub(super) struct Table {
            $(pub(super) $need: unsafe extern "system" fn($($need_arg),*) -> i32,)*
            $(pub(super) $may: Option<unsafe extern "system" fn($($may_arg),*) -> i32>,)*
        }

        /// The functions' names.
        #[cfg(test)]
        pub(super) const NAMES: &[&CStr] = &[$($need_name,)* $($may_name,)*];

        impl Table {
            fn fill(module: HMODULE) -> Result<Self, HcsError> {
                type Any = unsafe extern "system" fn() -> isize;
                $(
                    let $need = find(module, $need_name).ok_or(HcsError::Missing {
                        call: name($need_name),
                    })?;
                )*
                $(let $may = find(module, $may_name);)*
                Ok(Self {
                    $($need: {
                        // SAFETY: the function of this name has this type.
                        unsafe {
                            std::mem::transmute::<Any, unsafe extern "system" fn($($need_arg),*) -> i32>($need)
                        }
                    },)*
                    $($may: $may.map(|found| {
                        // SAFETY: the function of this name has this type.
                        unsafe {
                            std::mem::transmute::<Any, unsafe extern "system" fn($($may_arg),*) -> i32>(found)
                        }
                    }),)*
                })
            }
        }
    };
}

table! {
    needed {
        create_system: c"HcsCreateComputeSystem" (In, In, HANDLE, *mut Handle, Out),
        open_system: c"HcsOpenComputeSystem" (In, *mut Handle, Out),
        close_system: c"HcsCloseComputeSystem" (Handle),
        start: c"HcsStartComputeSystem" (Handle, In, Out),
        shutdown: c"HcsShutdownComputeSystem" (Handle, In, Out),
        terminate: c"HcsTerminateComputeSystem" (Handle, In, Out),
        system_properties: c"HcsGetComputeSystemProperties" (Handle, In, Out, Out),
        watch_system: c"HcsRegisterComputeSystemCallback" (Handle, Callback, *const c_void, *mut Handle),
        unwatch_system: c"HcsUnregisterComputeSystemCallback" (Handle),
        create_process: c"HcsCreateProcess" (Handle, In, *mut Info, *mut Handle, Out),
        open_process: c"HcsOpenProcess" (Handle, u32, *mut Handle, Out),
        close_process: c"HcsCloseProcess" (Handle),
        terminate_process: c"HcsTerminateProcess" (Handle, Out),
        process_properties: c"HcsGetProcessProperties" (Handle, Out, Out),
        watch_process: c"HcsRegisterProcessCallback" (Handle, Callback, *const c_void, *mut Handle),
        unwatch_process: c"HcsUnregisterProcessCallback" (Handle),
    }
    optional {
        pause: c"HcsPauseComputeSystem" (Handle, In, Out),
        resume: c"HcsResumeComputeSystem" (Handle, In, Out),
        modify_system: c"HcsModifyComputeSystem" (Handle, In, Out),
        signal_process: c"HcsSignalProcess" (Handle, In, Out),
        modify_process: c"HcsModifyProcess" (Handle, In, Out),
        name_to_guid: c"NameToGuid" (In, *mut [u8; 16]),
        network: c"HNSCall" (In, In, In, Out),
    }
}

impl Table {
    /// Loads the library at an absolute path, or the system's own, and looks its functions up.
    pub(super) fn load(path: Option<&str>) -> Result<Self, HcsError> {
        let library = path.unwrap_or(super::NAME);
        let flags = match path {
            Some(_) => LOAD_WITH_ALTERED_SEARCH_PATH,
            None => LOAD_LIBRARY_SEARCH_SYSTEM32,
        };
        let name = wide(library);
        // SAFETY: the text is ended by a zero, and no file handle is what is wanted there.
        let module = unsafe { LoadLibraryExW(name.as_ptr(), null_mut(), flags) };
        if module.is_null() {
            return Err(HcsError::Load {
                library: library.to_owned(),
                source: io::Error::last_os_error(),
            });
        }
        Self::fill(module)
    }
}

fn find(module: HMODULE, name: &CStr) -> Option<unsafe extern "system" fn() -> isize> {
    // SAFETY: the library is loaded and stays so; the name is ended by a zero.
    unsafe { GetProcAddress(module, name.as_ptr().cast()) }
}

/// The name as a text; all of them are plain letters.
fn name(name: &'static CStr) -> &'static str {
    name.to_str().unwrap_or("a function of the compute service")
}
