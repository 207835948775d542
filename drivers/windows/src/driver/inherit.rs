//! Streams of the caller's and of the host program's own, as files for a process or as what copiers can be freed from.

use execdriver_core::Stdio;
use execdriver_core::console::{Cancel, Side, Source};
use std::fs::File;
use std::io::{self, IsTerminal};

/// Which of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Input,
    Output,
    Error,
}

/// The host's own stream as a file that a process can be given; `None` where it is a console, whose handles serve only
/// processes that are attached to the same one, and those of containers have their own.
pub(super) fn file(which: Which) -> io::Result<Option<Own>> {
    if is_console(which) {
        return Ok(None);
    }
    Ok(Some(duplicate(which)?.map_or(Own::Nothing, Own::File)))
}

/// See [`file()`].
#[derive(Debug)]
pub(super) enum Own {
    /// The host program has no such stream.
    Nothing,
    File(File),
}

fn is_console(which: Which) -> bool {
    match which {
        Which::Input => io::stdin().is_terminal(),
        Which::Output => io::stdout().is_terminal(),
        Which::Error => io::stderr().is_terminal(),
    }
}

/// What a copier reads, and what frees it from there.
pub(super) type Input = (Source, Box<dyn Cancel>);

/// What a copier writes, and what frees it from there.
pub(super) type Output = (Stdio, Box<dyn Cancel>);

#[cfg(windows)]
mod freed {
    use super::{Cancel, File, Input, Output, Own, Side, Source, Stdio, Which, is_console};
    use crate::sys::console::ConsoleInput;
    use crate::sys::interrupt::{Interrupter, Interruptible};
    use std::io::{self, Read, Write};
    use std::os::windows::io::AsHandle;

    /// Ends the calls on one side.
    struct Ends(Side, Interrupter);

    impl Cancel for Ends {
        fn cancel(&self, side: Side) {
            if side == self.0 {
                self.1.interrupt();
            }
        }
    }

    fn input(stream: impl Read + AsHandle + Send + 'static) -> io::Result<Input> {
        let (stream, interrupter) = Interruptible::new(stream)?;
        let source = Source::Cancellable(Box::new(stream));
        Ok((source, Box::new(Ends(Side::Input, interrupter))))
    }

    fn output(stream: impl Write + AsHandle + Send + 'static) -> io::Result<Output> {
        let (stream, interrupter) = Interruptible::new(stream)?;
        let ends = Ends(Side::Sink, interrupter);
        Ok((Stdio::writer(stream), Box::new(ends)))
    }

    pub(in super::super) fn input_of(file: File) -> io::Result<Input> {
        input(file)
    }

    pub(in super::super) fn output_of(file: File) -> io::Result<Output> {
        output(file)
    }

    /// The host's own input; `None` when it has none.
    pub(in super::super) fn own_input() -> io::Result<Option<Input>> {
        if is_console(Which::Input) {
            return input(ConsoleInput::open()?).map(Some);
        }
        match super::file(Which::Input)? {
            Some(Own::File(file)) => input(file).map(Some),
            _ => Ok(None),
        }
    }

    /// The host's own output or errors; `None` when it has none. A console gets characters: the standard library makes
    /// them of UTF-8.
    pub(in super::super) fn own_output(which: Which) -> io::Result<Option<Output>> {
        match (is_console(which), which) {
            (true, Which::Error) => return output(io::stderr()).map(Some),
            (true, _) => return output(io::stdout()).map(Some),
            (false, _) => {}
        }
        match super::file(which)? {
            Some(Own::File(file)) => output(file).map(Some),
            _ => Ok(None),
        }
    }
}

/// Elsewhere the driver is only tested, over a service in memory, and nothing is freed.
#[cfg(not(windows))]
mod freed {
    use super::{File, Input, Output, Source, Stdio, Which};
    use std::io;

    #[allow(clippy::unnecessary_wraps, reason = "it can fail on Windows")]
    pub(in super::super) fn input_of(file: File) -> io::Result<Input> {
        Ok((Source::Blocking(Box::new(file)), Box::new(())))
    }

    #[allow(clippy::unnecessary_wraps, reason = "it can fail on Windows")]
    pub(in super::super) fn output_of(file: File) -> io::Result<Output> {
        Ok((Stdio::Fd(file), Box::new(())))
    }

    #[allow(clippy::unnecessary_wraps, reason = "it can fail on Windows")]
    pub(in super::super) fn own_input() -> io::Result<Option<Input>> {
        let source = Source::Blocking(Box::new(io::stdin()));
        Ok(Some((source, Box::new(()))))
    }

    #[allow(clippy::unnecessary_wraps, reason = "it can fail on Windows")]
    pub(in super::super) fn own_output(_: Which) -> io::Result<Option<Output>> {
        Ok(Some((Stdio::Inherit, Box::new(()))))
    }
}

pub(super) use freed::{input_of, output_of, own_input, own_output};

/// All of them.
pub(super) struct All(pub(super) Vec<Box<dyn Cancel>>);

impl Cancel for All {
    fn cancel(&self, side: Side) {
        self.0.iter().for_each(|cancel| cancel.cancel(side));
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
