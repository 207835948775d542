//! Executes the program: arguments, environment, search along `PATH`.

use core::ffi::{CStr, c_char};

use crate::capabilities;
use crate::run::{Done, Failure, Init};
use crate::split::PathBuffer;
use crate::sys::abi::RLIMIT_NOFILE;
use crate::sys::{Errno, Fd, fs, process};
use crate::wire::{Detail, FILTER_NEW_LISTENER, Kind, Strings};

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
    let path = envp
        .iter()
        .filter_map(|entry| value_of(entry, b"PATH="))
        .last()
        .unwrap_or_default();
    let has_slash = program.to_bytes().contains(&b'/');
    // What takes looking is looked up before the filter is in force: it may not let faccessat(2) through.
    let known = match init.filter {
        None => None,
        Some(_) if has_slash && !fs::exists(program) => return Err(Errno::ENOENT.into()),
        Some(_) if has_slash => Some(0),
        Some(_) => Some(present(program, path)),
    };
    apply_filter(init)?;
    if has_slash {
        let errno = execute(program, arguments, environment);
        return Err(failed(program, errno, known.is_some()));
    }
    Err(search(program, path, known, arguments, environment))
}

/// Bit n: the n-th directory of `path` has the program.
fn present(program: &CStr, path: &[u8]) -> u64 {
    let mut buffer = PathBuffer::new();
    directories(path)
        .zip(0..64)
        .fold(0, |present, (directory, n)| {
            let candidate = buffer.set(&[directory, b"/", program.to_bytes()]);
            present | u64::from(candidate.is_some_and(fs::exists)) << n
        })
}

/// An empty entry is the working directory.
pub(crate) fn directories(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b':').map(|entry| match entry {
        [] => b".",
        entry => entry,
    })
}

/// The last thing before the exec: from here on only `execve(2)` has to pass the filter, and `sendmsg(2)` for a failure
/// to be told. A listener must be in other hands before, since the exec itself may be one of the calls that wait for it.
fn apply_filter(init: &Init) -> Done {
    let Some((flags, program)) = init.filter else {
        return init.report(Kind::Executing, 0, None);
    };
    if flags & FILTER_NEW_LISTENER == 0 {
        init.report(Kind::Executing, 0, None)?;
        return capabilities::load_filter(init, flags, program).map(drop);
    }
    let listener = capabilities::load_filter(init, flags, program)?;
    init.report(Kind::Listener, 0, listener.as_ref().map(Fd::raw))?;
    // The exec closes it; close(2) may be a call that waits for it.
    listener.map(Fd::leak);
    init.await_go();
    init.report(Kind::Executing, 0, None)
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

/// Tries each directory of `path` in turn, as `execvp(3)`: what may not be executed is passed over, but remembered. With
/// `known` only those whose bit is set.
fn search(
    program: &CStr,
    path: &[u8],
    known: Option<u64>,
    arguments: &[*const c_char],
    environment: &[*const c_char],
) -> Failure {
    let mut result = Failure::with(Errno::ENOENT, Detail::NotInPath);
    if program.is_empty() {
        return result;
    }
    for (directory, n) in directories(path).zip(0u32..) {
        if known.is_some_and(|known| known.checked_shr(n).unwrap_or(0) & 1 == 0) {
            continue;
        }
        let mut buffer = PathBuffer::new();
        let Some(candidate) = buffer.set(&[directory, b"/", program.to_bytes()]) else {
            continue;
        };
        match execute(candidate, arguments, environment) {
            Errno::ENOENT | Errno::ENOTDIR if known.is_none() && !fs::exists(candidate) => {}
            Errno::EACCES => result = Errno::EACCES.into(),
            errno => return failed(candidate, errno, known.is_some()),
        }
    }
    result
}

fn failed(program: &CStr, errno: Errno, known: bool) -> Failure {
    let interpreter = errno == Errno::ENOENT && (known || fs::exists(program));
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
pub(crate) fn pointers(
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
