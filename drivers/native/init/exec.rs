//! Executes the program: arguments, environment, search along `PATH`.

use core::ffi::{CStr, c_char};

use crate::run::{Done, Failure, Init};
use crate::split::PathBuffer;
use crate::sys::abi::RLIMIT_NOFILE;
use crate::sys::{Errno, fs, process};
use crate::wire::{Detail, Kind, Strings};

/// Reports EXECUTING and becomes the payload.
pub(crate) fn exec(init: &mut Init, argv: Strings<'static>, envp: Strings<'static>) -> Done {
    let program = argv.iter().next().ok_or(Failure::of(Detail::BadMessage))?;
    crate::process::close_leftovers(init)?;
    let arguments = pointers(init, argv.iter())?;
    let home = init.home.filter(|_| {
        envp.iter()
            .all(|entry| value_of(entry, b"HOME=").is_none_or(<[u8]>::is_empty))
    });
    let kept = envp
        .iter()
        .filter(|entry| home.is_none() || value_of(entry, b"HOME=").is_none());
    let environment = pointers(init, kept.chain(home))?;
    if let Some(limit) = init.late_files_limit {
        process::limit(RLIMIT_NOFILE, Some(limit))?;
    }
    init.report(Kind::Executing, 0, None)?;
    if program.to_bytes().contains(&b'/') {
        return Err(failed(program, execute(program, arguments, environment)));
    }
    let path = envp
        .iter()
        .filter_map(|entry| value_of(entry, b"PATH="))
        .last()
        .unwrap_or_default();
    Err(search(program, path, arguments, environment))
}

/// execve(2), again for a while when the file is open for writing somewhere: a host that writes a program and starts it
/// meets copies of its own descriptor in the children that its other threads are just about to execute.
fn execute(program: &CStr, arguments: &[*const c_char], environment: &[*const c_char]) -> Errno {
    for pause in 0..6 {
        match process::execute(program, arguments, environment) {
            Errno::ETXTBSY => process::pause(1 << pause),
            errno => return errno,
        }
    }
    Errno::ETXTBSY
}

/// Tries each directory of `path` in turn, as `execvp(3)`: what may not be executed is passed over, but remembered.
fn search(
    program: &CStr,
    path: &[u8],
    arguments: &[*const c_char],
    environment: &[*const c_char],
) -> Failure {
    let mut result = Failure::with(Errno::ENOENT, Detail::NotInPath);
    if program.is_empty() {
        return result;
    }
    for directory in path.split(|byte| *byte == b':') {
        // An empty entry is the working directory.
        let directory = if directory.is_empty() {
            b"."
        } else {
            directory
        };
        let mut buffer = PathBuffer::new();
        let Some(candidate) = buffer.set(&[directory, b"/", program.to_bytes()]) else {
            continue;
        };
        match execute(candidate, arguments, environment) {
            Errno::ENOENT | Errno::ENOTDIR if !fs::exists(candidate) => {}
            Errno::EACCES => result = Errno::EACCES.into(),
            errno => return failed(candidate, errno),
        }
    }
    result
}

fn failed(program: &CStr, errno: Errno) -> Failure {
    let interpreter = errno == Errno::ENOENT && fs::exists(program);
    Failure::with(
        errno,
        if interpreter {
            Detail::InterpreterMissing
        } else {
            Detail::None
        },
    )
}

fn value_of<'e>(entry: &'e CStr, key: &[u8]) -> Option<&'e [u8]> {
    entry.to_bytes().strip_prefix(key)
}

/// The array that `execve(2)` takes, with its null at the end.
fn pointers(
    init: &mut Init,
    texts: impl Iterator<Item = &'static CStr> + Clone,
) -> Result<&'static [*const c_char], Failure> {
    let array = init
        .arena
        .array::<*const c_char>(texts.clone().count() + 1)?;
    for (place, text) in array.iter_mut().zip(texts) {
        *place = text.as_ptr();
    }
    Ok(array)
}
