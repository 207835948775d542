//! The copier of an output: reads to the end whatever becomes of the sink.

use super::copier::{self, Chunk, Shared, guarded};
use super::{Action, Stream};
use crossbeam_channel::Sender;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Where an output goes and how much of it.
pub(super) struct Output {
    stream: Stream,
    /// `None` once it failed.
    sink: Option<Box<dyn Write + Send>>,
    /// Bytes that may still be delivered.
    left: u64,
    shared: Arc<Shared>,
}

impl Output {
    pub(super) fn new(
        stream: Stream,
        sink: Box<dyn Write + Send>,
        cap: Option<u64>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            stream,
            sink: Some(sink),
            left: cap.unwrap_or(u64::MAX),
            shared,
        }
    }

    /// Starts the copier; `running` is dropped when it ends.
    pub(super) fn start(
        mut self,
        mut end: Box<dyn Read + Send>,
        running: Option<Sender<()>>,
    ) -> io::Result<JoinHandle<()>> {
        copier::start(self.stream, move || {
            self.copy(end.as_mut());
            drop(end);
            self.close();
            drop(running);
        })
    }

    fn copy(&mut self, end: &mut dyn Read) {
        let mut chunk = Chunk::new();
        loop {
            match chunk.read(end) {
                Ok([]) => return,
                Ok(bytes) => {
                    self.deliver(bytes);
                    if !chunk.flows() {
                        // Nothing more may be waiting: somebody may be looking at a prompt.
                        self.write_with(|sink| sink.flush());
                    }
                }
                Err(error) => return self.shared.fail(self.stream, Action::Read, error),
            }
        }
    }

    fn deliver(&mut self, bytes: &[u8]) {
        let kept = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.left -= kept as u64;
        if kept < bytes.len() {
            self.shared.truncate();
        }
        let shared = Arc::clone(&self.shared);
        self.write_with(|sink| {
            let mut rest = &bytes[..kept];
            while !rest.is_empty() {
                match sink.write(rest) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                }
                shared.advance();
            }
            Ok(())
        });
    }

    /// Does something with the sink, if it is still good; its first failure is its last.
    fn write_with(&mut self, act: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        let Some(sink) = self.sink.as_mut() else {
            return;
        };
        if let Err(error) = guarded(|| act(sink.as_mut())) {
            self.shared.fail(self.stream, Action::Write, error);
            self.drop_sink();
        }
    }

    fn close(&mut self) {
        self.write_with(|sink| sink.flush());
        self.drop_sink();
    }

    fn drop_sink(&mut self) {
        let sink = self.sink.take();
        if let Err(error) = guarded(|| {
            drop(sink);
            Ok(())
        }) {
            self.shared.fail(self.stream, Action::Write, error);
        }
    }
}
