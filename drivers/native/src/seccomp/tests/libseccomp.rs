//! libseccomp as a judge: the program that it makes of a document, used as container runtimes use it.
//!
//! # Safety
//! The functions of the library are called with the types of its header (2.5), by pointers that were found by name; a
//! context is released once, and only this module has it.
#![allow(unsafe_code)]

use super::super::Machine;
use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompOperator as Operator, LinuxSyscall,
};
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::io::{Read, Seek};
use std::os::fd::AsRawFd;
use std::sync::OnceLock;

/// `struct scmp_arg_cmp`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Compare {
    arg: c_uint,
    operator: c_int,
    first: u64,
    second: u64,
}

type Context = *mut c_void;

/// What is called.
struct Library {
    init: unsafe extern "C" fn(u32) -> Context,
    release: unsafe extern "C" fn(Context),
    attribute: unsafe extern "C" fn(Context, c_int, u32) -> c_int,
    architecture: unsafe extern "C" fn(Context, u32) -> c_int,
    resolve: unsafe extern "C" fn(*const c_char) -> c_int,
    resolve_there: unsafe extern "C" fn(u32, *const c_char) -> c_int,
    rule: unsafe extern "C" fn(Context, u32, c_int, c_uint, *const Compare) -> c_int,
    export: unsafe extern "C" fn(Context, c_int) -> c_int,
}

/// The library's name, as programs that are linked with it have it.
pub(super) const NAME: &str = "libseccomp.so.2";

/// `SCMP_FLTATR_ACT_BADARCH`.
const BAD_ARCHITECTURE: c_int = 2;
const KILL_PROCESS: u32 = 0x8000_0000;
/// `__NR_SCMP_ERROR`; numbers between it and zero are of calls that this machine has not.
const NO_SUCH_NAME: c_int = -1;

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let name = CString::new(NAME).unwrap();
        // SAFETY: the name is NUL-terminated; the library's constructors do nothing to the program.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!handle.is_null(), "{NAME} cannot be loaded");
        Library {
            init: function(handle, c"seccomp_init"),
            release: function(handle, c"seccomp_release"),
            attribute: function(handle, c"seccomp_attr_set"),
            architecture: function(handle, c"seccomp_arch_add"),
            resolve: function(handle, c"seccomp_syscall_resolve_name"),
            resolve_there: function(handle, c"seccomp_syscall_resolve_name_arch"),
            rule: function(handle, c"seccomp_rule_add_array"),
            export: function(handle, c"seccomp_export_bpf"),
        }
    })
}

/// A function of the library, as the type that its field has.
fn function<F: Copy>(library: *mut c_void, name: &CStr) -> F {
    assert_eq!(size_of::<F>(), size_of::<*mut c_void>());
    // SAFETY: an open library and a NUL-terminated name.
    let found = unsafe { libc::dlsym(library, name.as_ptr()) };
    assert!(!found.is_null(), "{NAME} has no {name:?}");
    // SAFETY: a function pointer has a pointer's size; each caller's type is that of the header.
    unsafe { std::mem::transmute_copy(&found) }
}

/// The number of a call on a machine, if the library knows one: its table ends with the kernel of its day.
pub(super) fn number(name: &str, machine: Machine) -> Option<u32> {
    let name = CString::new(name).unwrap();
    // SAFETY: a NUL-terminated name.
    let number = unsafe { (library().resolve_there)(token(machine), name.as_ptr()) };
    u32::try_from(number).ok()
}

/// The program for `document` on the first of `machines`, and on the others, if the library takes every rule.
///
/// As container runtimes do: a rule that says what the default says is left out, and so is a name that is not known; two
/// conditions on one argument are two rules.
pub(super) fn program(
    document: &LinuxSeccomp,
    machines: &[Machine],
) -> Result<Vec<u8>, (String, c_int)> {
    let library = library();
    let default = action(document.default_action(), document.default_errno_ret());
    // SAFETY: takes a number.
    let context = unsafe { (library.init)(default) };
    assert!(!context.is_null(), "action {default:#x}");
    let built = build(context, document, default, machines);
    // SAFETY: the context is live, and nothing uses it afterwards.
    unsafe { (library.release)(context) };
    built
}

fn build(
    context: Context,
    document: &LinuxSeccomp,
    default: u32,
    machines: &[Machine],
) -> Result<Vec<u8>, (String, c_int)> {
    let library = library();
    // SAFETY: a live context.
    let set = unsafe { (library.attribute)(context, BAD_ARCHITECTURE, KILL_PROCESS) };
    assert_eq!(set, 0);
    for machine in machines {
        // SAFETY: a live context.
        let added = unsafe { (library.architecture)(context, token(*machine)) };
        // The machine's own is there already.
        assert!(added == 0 || added == -libc::EEXIST, "{machine:?}: {added}");
    }
    for call in document.syscalls().iter().flatten() {
        let verdict = action(call.action(), call.errno_ret());
        if verdict == default {
            continue;
        }
        for name in call.names() {
            let text = CString::new(name.as_str()).unwrap();
            // SAFETY: a NUL-terminated name.
            let number = unsafe { (library.resolve)(text.as_ptr()) };
            if number == NO_SUCH_NAME {
                continue;
            }
            for compares in compares(call) {
                let count = u32::try_from(compares.len()).unwrap();
                // SAFETY: a live context and `count` comparisons.
                let added =
                    unsafe { (library.rule)(context, verdict, number, count, compares.as_ptr()) };
                if added != 0 {
                    return Err((name.clone(), added));
                }
            }
        }
    }
    let mut file = tempfile::tempfile().unwrap();
    // SAFETY: a live context and an open file.
    let exported = unsafe { (library.export)(context, file.as_raw_fd()) };
    assert_eq!(exported, 0);
    let mut program = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut program).unwrap();
    Ok(program)
}

fn compares(call: &LinuxSyscall) -> Vec<Vec<Compare>> {
    let all: Vec<Compare> = (call.args().iter().flatten())
        .map(|arg| Compare {
            arg: u32::try_from(arg.index()).unwrap(),
            operator: match arg.op() {
                Operator::ScmpCmpNe => 1,
                Operator::ScmpCmpLt => 2,
                Operator::ScmpCmpLe => 3,
                Operator::ScmpCmpEq => 4,
                Operator::ScmpCmpGe => 5,
                Operator::ScmpCmpGt => 6,
                Operator::ScmpCmpMaskedEq => 7,
            },
            first: arg.value(),
            second: arg.value_two().unwrap_or_default(),
        })
        .collect();
    let twice = |one: &Compare| all.iter().filter(|other| other.arg == one.arg).count() > 1;
    match all.iter().any(twice) {
        true => all.into_iter().map(|one| vec![one]).collect(),
        false => vec![all],
    }
}

/// `SCMP_ARCH_*`: the kernel's number, and one of the library's own for x32.
fn token(machine: Machine) -> u32 {
    match machine {
        Machine::X32 => 0x4000_003e,
        machine => machine.audit(),
    }
}

/// `SCMP_ACT_*`.
fn action(action: Action, data: Option<u32>) -> u32 {
    let data = data.unwrap_or(1);
    match action {
        Action::ScmpActKill | Action::ScmpActKillThread => 0,
        Action::ScmpActKillProcess => KILL_PROCESS,
        Action::ScmpActTrap => 0x0003_0000,
        Action::ScmpActErrno => 0x0005_0000 | data,
        Action::ScmpActNotify => 0x7fc0_0000,
        Action::ScmpActTrace => 0x7ff0_0000 | data,
        Action::ScmpActLog => 0x7ffc_0000,
        Action::ScmpActAllow => 0x7fff_0000,
    }
}
