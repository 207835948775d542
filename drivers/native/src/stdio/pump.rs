//! An output that the waiting thread copies itself, because its receiver never blocks.

use super::end::End;
use execdriver_core::Capture;
use execdriver_core::console::{Action, Stream, StreamError};
use std::io::{self, Write};

/// Bytes read at once from a stream that has shown no more: enough for most, and no block of the allocator's, for which the threads
/// of a busy host would have to be waited for.
const FEW: usize = 4 * 1024;

/// Bytes read at once from a stream that has filled the few.
const MANY: usize = 64 * 1024;

/// Reads in a row before others get their turn.
const TURN: usize = 16;

/// The buffer for many bytes that all pumps of a console use in turn: empty until one needs it.
#[derive(Default)]
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    fn or<'a>(&'a mut self, few: &'a mut [u8]) -> &'a mut [u8] {
        if self.0.is_empty() { few } else { &mut self.0 }
    }

    fn grow(&mut self) {
        self.0.resize(MANY, 0);
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
        let mut few = [0; FEW];
        for _ in 0..TURN {
            let bytes = buffer.or(&mut few);
            match self.end.read(bytes) {
                Ok(0) => return true,
                Ok(got) => {
                    self.deliver(&bytes[..got]);
                    if got < bytes.len() {
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
