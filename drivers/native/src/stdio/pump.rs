//! An output that the waiting thread copies itself, because its receiver never blocks.

use super::end::End;
use execdriver_core::Capture;
use execdriver_core::console::{Action, Stream, StreamError};
use std::io::{self, Write};

/// Bytes read at once: enough for most, then as much as the stream proves to need.
const CHUNKS: [usize; 2] = [4 * 1024, 64 * 1024];

/// Reads in a row before others get their turn.
const TURN: usize = 16;

/// The buffer that all pumps of a console use in turn.
#[derive(Default)]
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    fn grow(&mut self) {
        let next = CHUNKS.into_iter().find(|size| *size > self.0.len());
        self.0.resize(next.unwrap_or(self.0.len()), 0);
    }
}

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
        if buffer.0.is_empty() {
            buffer.grow();
        }
        for _ in 0..TURN {
            match self.end.read(&mut buffer.0) {
                Ok(0) => return true,
                Ok(got) => {
                    self.deliver(&buffer.0[..got]);
                    if got < buffer.0.len() {
                        return false;
                    }
                    buffer.grow();
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
