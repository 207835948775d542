//! An output that the waiting thread copies itself, because its receiver never blocks.

use super::end::End;
use execdriver_core::Capture;
use execdriver_core::console::{Action, Stream, StreamError};
use std::io::{self, Write};

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// Chunks read in a row before others get their turn.
const TURN: usize = 16;

/// The buffer that all pumps of a console use in turn; made when the first byte arrives.
#[derive(Default)]
pub(super) struct Buffer(Vec<u8>);

/// One output on its way into a capture, or to nowhere.
pub(super) struct Pump {
    pub(super) end: End,
    stream: Stream,
    capture: Option<Capture>,
    /// Bytes that may still be delivered.
    left: u64,
    pub(super) truncated: bool,
    pub(super) error: Option<StreamError>,
}

impl Pump {
    pub(super) fn new(
        stream: Stream,
        end: End,
        capture: Option<Capture>,
        cap: Option<u64>,
    ) -> Self {
        let left = cap.filter(|_| capture.is_some()).unwrap_or(u64::MAX);
        Self {
            end,
            stream,
            capture,
            left,
            truncated: false,
            error: None,
        }
    }

    /// Copies what is there, up to a bound; whether the stream has ended.
    pub(super) fn turn(&mut self, buffer: &mut Buffer) -> bool {
        let buffer = &mut buffer.0;
        buffer.resize(CHUNK, 0);
        for _ in 0..TURN {
            match self.end.read(buffer) {
                Ok(0) => return true,
                Ok(got) => {
                    self.deliver(&buffer[..got]);
                    if got < CHUNK {
                        return false;
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return false,
                    io::ErrorKind::Interrupted => {}
                    _ => {
                        self.error = Some(StreamError {
                            stream: self.stream,
                            action: Action::Read,
                            source: error,
                        });
                        return true;
                    }
                },
            }
        }
        false
    }

    fn deliver(&mut self, bytes: &[u8]) {
        let kept = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.left -= kept as u64;
        self.truncated |= kept < bytes.len();
        if let Some(capture) = &mut self.capture {
            // A capture takes everything.
            let _ = capture.write_all(&bytes[..kept]);
        }
    }
}
