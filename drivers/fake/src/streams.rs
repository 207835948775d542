//! The fake's side of the pipes.

use crate::process::Process;
use execdriver_core::{BoxError, Pipes, Stdio};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread;

/// Where the output of a process goes.
pub(crate) struct Outputs {
    stdout: Box<dyn Write>,
    stderr: Box<dyn Write>,
    cap: Option<u64>,
    truncated: bool,
}

impl Outputs {
    /// Opens the outputs, and gives back what is to be read.
    pub(crate) fn open(
        pipes: Pipes,
        tty: bool,
        cap: Option<u64>,
    ) -> (Self, Option<Box<dyn Read + Send>>) {
        let outputs = Self {
            stdout: writer(pipes.stdout, || Box::new(io::stdout())),
            stderr: if tty {
                Box::new(io::sink())
            } else {
                writer(pipes.stderr, || Box::new(io::stderr()))
            },
            cap,
            truncated: false,
        };
        (outputs, reader(pipes.stdin))
    }

    /// Writes what the script says, up to the cap each.
    pub(crate) fn say(&mut self, process: &Process, tty: bool) -> Result<(), BoxError> {
        let script = &process.script;
        self.write(&script.stdout)?;
        if tty {
            return self.write(&script.stderr);
        }
        let bytes = kept(&script.stderr, self.cap);
        self.truncated |= bytes.len() < script.stderr.len();
        self.stderr.write_all(bytes)?;
        Ok(self.stderr.flush()?)
    }

    /// Whether the cap dropped something.
    pub(crate) fn truncated(&self) -> bool {
        self.truncated
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BoxError> {
        let kept = kept(bytes, self.cap);
        self.truncated |= kept.len() < bytes.len();
        self.stdout.write_all(kept)?;
        Ok(self.stdout.flush()?)
    }

    /// Copies input to output on the calling thread until its end or the process's.
    pub(crate) fn echo(
        &mut self,
        process: &Arc<Process>,
        input: Option<Box<dyn Read + Send>>,
    ) -> Result<(), BoxError> {
        let Some(input) = input else {
            process.end_input();
            return Ok(());
        };
        // The reader may block in the caller's own code, and then outlives this call.
        let (send, received) = crossbeam_channel::bounded(4);
        thread::Builder::new()
            .name("fake-stdin".into())
            .spawn(move || read_all(input, &send))?;
        loop {
            match received.recv_timeout(std::time::Duration::from_millis(5)) {
                Ok(bytes) => {
                    process.wait_while_paused();
                    self.write(&bytes)?;
                }
                Err(crossbeam_channel::RecvTimeoutError::Timeout) if !process.killed() => {}
                Err(_) => break,
            }
        }
        process.end_input();
        Ok(())
    }
}

fn read_all(mut input: Box<dyn Read + Send>, send: &crossbeam_channel::Sender<Vec<u8>>) {
    let mut buffer = [0; 8192];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) if send.send(buffer[..n].to_vec()).is_err() => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

fn kept(bytes: &[u8], cap: Option<u64>) -> &[u8] {
    let room = cap.map_or(usize::MAX, |cap| usize::try_from(cap).unwrap_or(usize::MAX));
    &bytes[..bytes.len().min(room)]
}

fn writer(stdio: Stdio, inherited: fn() -> Box<dyn Write>) -> Box<dyn Write> {
    match stdio {
        Stdio::Inherit => inherited(),
        Stdio::Fd(file) => Box::new(file),
        Stdio::Writer(writer) => writer,
        Stdio::Capture(capture) => Box::new(capture),
        _ => Box::new(io::sink()),
    }
}

fn reader(stdio: Stdio) -> Option<Box<dyn Read + Send>> {
    match stdio {
        Stdio::Inherit => Some(Box::new(io::stdin())),
        Stdio::Fd(file) => Some(Box::new(file)),
        Stdio::Reader(reader) => Some(reader),
        _ => None,
    }
}
