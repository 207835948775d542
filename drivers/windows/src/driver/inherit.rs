//! The host program's own streams as files for a process.

use execdriver_core::Stdio;
use std::fs::File;
use std::io::{self, IsTerminal};

/// Which of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Input,
    Output,
    Error,
}

/// What a process is given for the host's own stream: the open file itself, or, where that is a console, what has to be
/// copied. A console's handle serves only processes that are attached to the same console, and those of containers have
/// their own.
pub(super) fn own(which: Which) -> io::Result<Inherited> {
    let is_console = match which {
        Which::Input => io::stdin().is_terminal(),
        Which::Output => io::stdout().is_terminal(),
        Which::Error => io::stderr().is_terminal(),
    };
    if is_console {
        return Ok(Inherited::Copied(console(which)?));
    }
    Ok(duplicate(which)?.map_or(Inherited::Nothing, Inherited::File))
}

/// See [`own`].
#[derive(Debug)]
pub(super) enum Inherited {
    Nothing,
    File(File),
    Copied(Stdio),
}

/// The console as a file: bytes as they are, while the standard library's streams take UTF-8 alone.
fn console(which: Which) -> io::Result<Stdio> {
    match which {
        _ if cfg!(not(windows)) => Ok(Stdio::Inherit),
        Which::Input => Ok(Stdio::reader(File::open("CONIN$")?)),
        Which::Output | Which::Error => {
            let file = File::options().read(true).write(true).open("CONOUT$")?;
            Ok(Stdio::writer(file))
        }
    }
}

#[cfg(windows)]
fn duplicate(which: Which) -> io::Result<Option<File>> {
    use std::os::windows::io::{AsHandle, AsRawHandle};
    let owned = match which {
        Which::Input => io::stdin().as_handle().try_clone_to_owned(),
        Which::Output => io::stdout().as_handle().try_clone_to_owned(),
        Which::Error => io::stderr().as_handle().try_clone_to_owned(),
    }?;
    // A program without a console may have none.
    Ok((!owned.as_raw_handle().is_null()).then(|| File::from(owned)))
}

#[cfg(not(windows))]
fn duplicate(which: Which) -> io::Result<Option<File>> {
    use std::os::fd::AsFd;
    let owned = match which {
        Which::Input => io::stdin().as_fd().try_clone_to_owned(),
        Which::Output => io::stdout().as_fd().try_clone_to_owned(),
        Which::Error => io::stderr().as_fd().try_clone_to_owned(),
    }?;
    Ok(Some(File::from(owned)))
}
