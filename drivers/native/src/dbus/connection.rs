//! A connection: authenticated, one call at a time, every wait bounded.

use super::message::{self, ERROR, FIXED, METHOD_RETURN, Message};
use super::{BusError, Call, address};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, connect, setsockopt, socket, sockopt};
use nix::sys::time::TimeVal;
use nix::unistd::geteuid;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// An answer to authentication is a line.
const LONGEST_LINE: usize = 512;

/// One connection to a bus.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: UnixStream,
    serial: u32,
    deadline: Instant,
    /// Signals that came while an answer was awaited.
    signals: Vec<Message>,
}

impl Connection {
    /// Connects, authenticates as this user and says hello. All that is done with the connection has
    /// to be over in `patience`.
    pub(crate) fn open(address: &str, patience: Duration) -> Result<Self, BusError> {
        let stream = connected(address, patience)?;
        let mut connection = Self {
            stream,
            serial: 0,
            deadline: Instant::now() + patience,
            signals: Vec::new(),
        };
        connection.authenticate()?;
        connection.call(&bus("Hello", ""), &[])?;
        Ok(connection)
    }

    /// Asks the bus for the signals of an interface that are sent by the owner of a name.
    pub(crate) fn watch(&mut self, sender: &str, interface: &str) -> Result<(), BusError> {
        let rule = format!("type='signal',sender='{sender}',interface='{interface}'");
        let mut body = super::Writer::default();
        body.text(&rule);
        self.call(&bus("AddMatch", "s"), &body.into_bytes())?;
        Ok(())
    }

    /// Calls a method and waits for its answer.
    ///
    /// # Errors
    /// `Reply` when the answer is an error.
    pub(crate) fn call(&mut self, call: &Call<'_>, body: &[u8]) -> Result<Message, BusError> {
        self.serial += 1;
        let serial = self.serial;
        self.write(&call.message(serial, body), call.member)?;
        loop {
            let message = self.read(call.member)?;
            match (message.kind, message.reply_to) {
                (METHOD_RETURN, Some(to)) if to == serial => return Ok(message),
                (ERROR, Some(to)) if to == serial => return Err(message.into_error()),
                (message::SIGNAL, _) => self.keep(message),
                // Calls to us, and answers to nothing that we asked.
                _ => {}
            }
        }
    }

    /// The next signal that is wanted, one that came already included.
    pub(crate) fn signal(
        &mut self,
        waits_for: &str,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Message, BusError> {
        if let Some(at) = self.signals.iter().position(&wanted) {
            return Ok(self.signals.swap_remove(at));
        }
        loop {
            let message = self.read(waits_for)?;
            if message.kind == message::SIGNAL && wanted(&message) {
                return Ok(message);
            }
        }
    }

    fn keep(&mut self, message: Message) {
        // A busy host's other units; the one that is awaited comes after its call was answered, or
        // shortly before.
        if self.signals.len() >= 1024 {
            self.signals.remove(0);
        }
        self.signals.push(message);
    }

    fn authenticate(&mut self) -> Result<(), BusError> {
        let user = geteuid().to_string();
        let user: String = user.bytes().map(|digit| format!("{digit:02x}")).collect();
        let hello = format!("\0AUTH EXTERNAL {user}\r\n");
        self.write(hello.as_bytes(), "authentication")?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.read_exact(&mut byte, "authentication")?;
            line.extend(byte);
            if line.len() > LONGEST_LINE {
                return Err(BusError::Malformed("an endless line"));
            }
        }
        if !line.starts_with(b"OK ") {
            let answer = String::from_utf8_lossy(&line).trim().to_owned();
            return Err(BusError::Refused { answer });
        }
        self.write(b"BEGIN\r\n", "authentication")
    }

    fn read(&mut self, call: &str) -> Result<Message, BusError> {
        let mut fixed = [0; FIXED];
        self.read_exact(&mut fixed, call)?;
        let mut bytes = vec![0; message::length(&fixed)?];
        let (head, rest) = bytes.split_at_mut(FIXED);
        head.copy_from_slice(&fixed);
        self.read_exact(rest, call)?;
        Message::parse(&bytes)
    }

    fn read_exact(&mut self, mut bytes: &mut [u8], call: &str) -> Result<(), BusError> {
        while !bytes.is_empty() {
            let left = self.left(call)?;
            self.stream
                .set_read_timeout(Some(left))
                .map_err(BusError::Io)?;
            match self.stream.read(bytes) {
                Ok(0) => return Err(BusError::Io(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => bytes = bytes.get_mut(read..).unwrap_or_default(),
                Err(error) => again(error)?,
            }
        }
        Ok(())
    }

    fn write(&mut self, mut bytes: &[u8], call: &str) -> Result<(), BusError> {
        while !bytes.is_empty() {
            let left = self.left(call)?;
            self.stream
                .set_write_timeout(Some(left))
                .map_err(BusError::Io)?;
            match self.stream.write(bytes) {
                Ok(0) => return Err(BusError::Io(io::ErrorKind::WriteZero.into())),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) => again(error)?,
            }
        }
        Ok(())
    }

    fn left(&self, call: &str) -> Result<Duration, BusError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(BusError::Timeout {
                call: call.to_owned(),
            }),
            false => Ok(left),
        }
    }
}

/// Interrupted, or a timeout, which the caller sees by the clock.
fn again(error: io::Error) -> Result<(), BusError> {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    match error.kind() {
        Interrupted | TimedOut | WouldBlock => Ok(()),
        _ => Err(BusError::Io(error)),
    }
}

/// A full queue of connections makes connect(2) wait, at most as long as a send may.
fn connected(address: &str, patience: Duration) -> Result<UnixStream, BusError> {
    let place = address::socket(address)?;
    let failed = |errno: nix::Error| BusError::Connect {
        address: address.to_owned(),
        source: errno.into(),
    };
    let flags = SockFlag::SOCK_CLOEXEC;
    let made = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(failed)?;
    let seconds = i64::try_from(patience.as_secs()).unwrap_or(i64::MAX);
    let bound = TimeVal::new(seconds.max(1), 0);
    setsockopt(&made, sockopt::SendTimeout, &bound).map_err(failed)?;
    connect(made.as_raw_fd(), &place).map_err(failed)?;
    Ok(UnixStream::from(made))
}

/// A call of the bus itself.
fn bus<'a>(member: &'a str, signature: &'a str) -> Call<'a> {
    Call {
        destination: "org.freedesktop.DBus",
        path: "/org/freedesktop/DBus",
        interface: "org.freedesktop.DBus",
        member,
        signature,
    }
}
