//! `start`: lets the program of a container that was made run.

use super::{OciError, OciResult, Runtime, Status, hooks, listener, lock, state};
use crate::container::descriptors::first_process;
use crate::container::error;
use crate::launch::{Held, LaunchError, Limits, Process, release};
use crate::state::{self as records, BundleRecord, Entry, Record};
use execdriver_core::Error;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, connect, socket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a process that has told its failure may take to end.
const END_PATIENCE: Duration = Duration::from_secs(2);

impl Runtime {
    /// Starts the program of a container in the created state. Where it cannot be executed, the container is stopped.
    ///
    /// # Errors
    /// The state is another, or a step failed.
    pub fn start(&self, id: &str) -> OciResult<()> {
        let (entry, _) = self.load(id)?;
        let locked = lock(&entry)?;
        let record = locked.read().map_err(Error::from)?;
        let wrong = |status| OciError::WrongState {
            verb: "start",
            status,
        };
        let status = state::status(&record);
        if status != Status::Created {
            return Err(wrong(status));
        }
        let process = Arc::new(first_process(&record).ok_or_else(|| wrong(Status::Stopped))?);
        let socket = connection(&entry).map_err(error::setup("reach the first process"))?;
        // Written before it is so: whoever kills us in between leaves one that can be killed and deleted.
        let started = |record: &mut Record| record.status = records::Status::Running;
        let record = locked.modify(started).map_err(Error::from)?;
        let bundle = record.bundle.as_deref().cloned().unwrap_or_default();
        let mut told = state::state(&record);
        told.status = Status::Created;
        let mut listener = |process: &Arc<Process>, fd| {
            listener::of_record(&entry, &record, &told, process.pid(), fd)
        };
        let released = release(Held {
            process: &process,
            socket,
            describe: &|index| bundle.describe(index),
            listener: Some(&mut listener),
            init_stays: false,
            limits: Limits::default(),
        });
        released.map_err(|error| {
            // It ends by itself, and clients delete at once what was not started.
            let _ = process.wait_until(Some(Instant::now() + END_PATIENCE));
            failed(error, &bundle, &record)
        })?;
        entry.remove_start_address();
        drop(locked);
        self.poststart(&record)
    }

    /// Runs the `poststart` hooks. One that fails stops the container (runtime.md).
    pub(super) fn poststart(&self, record: &Record) -> OciResult<()> {
        let hooks = record
            .bundle
            .as_deref()
            .and_then(|bundle| bundle.hooks.as_ref());
        let poststart = hooks.and_then(|hooks| hooks.poststart().as_deref());
        let run = hooks::run("poststart", poststart, &state::state(record));
        if run.is_err()
            && let Some(process) = first_process(record)
        {
            // The failed hook is the story.
            let _ = process.signal(libc::SIGKILL);
        }
        run
    }
}

fn connection(entry: &Entry) -> nix::Result<OwnedFd> {
    let made = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let address = entry.start_address()?;
    loop {
        match connect(made.as_raw_fd(), &address) {
            Err(Errno::EINTR) => {}
            other => return other.map(|()| made),
        }
    }
}

fn failed(error: LaunchError, bundle: &BundleRecord, record: &Record) -> Error {
    let last = bundle.first_step + u32::try_from(bundle.steps.len()).unwrap_or(0);
    let program = record.command.iter().next().unwrap_or_default();
    match error {
        LaunchError::Step {
            index,
            words,
            cause,
        } => error::late_step(index + 1 == last, words, cause, program),
        other => error::setup("start the first process")(other),
    }
}

impl BundleRecord {
    fn describe(&self, index: u32) -> String {
        let position = index.checked_sub(self.first_step);
        let position = position.and_then(|position| usize::try_from(position).ok());
        let words = position.and_then(|position| self.steps.get(position));
        words.map_or_else(|| "start the first process".to_owned(), Clone::clone)
    }
}
