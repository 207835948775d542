//! A peer that speaks D-Bus as a bus with systemd behind it: what a driver asks of it is written down, and it answers
//! as systemd does, or otherwise when told so. It has its own reading and writing of messages.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

mod odd;
pub(crate) use odd::Odd;

/// The peer; its thread ends with the test's process.
#[derive(Clone)]
pub(crate) struct FakeSystemd {
    /// For the driver.
    pub(crate) address: String,
    calls: Arc<Mutex<Vec<String>>>,
    odd: Arc<Mutex<Vec<(&'static str, Odd)>>>,
}

impl FakeSystemd {
    /// Listens below `directory`.
    pub(crate) fn start(directory: &Path, odd: &[(&'static str, Odd)]) -> Self {
        let path = directory.join("bus");
        let listener = UnixListener::bind(&path).expect("listen");
        let peer = Self {
            address: format!("unix:path={}", path.display()),
            calls: Arc::default(),
            odd: Arc::new(Mutex::new(odd.to_vec())),
        };
        let server = peer.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                thread::spawn(move || server.serve(stream));
            }
        });
        peer
    }

    /// The calls so far: the member and the texts of its body.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().expect("calls").clone()
    }

    /// Whether something like this was called.
    pub(crate) fn was_called(&self, call: &str) -> bool {
        self.calls().iter().any(|line| line.starts_with(call))
    }

    fn serve(&self, mut stream: UnixStream) -> Option<()> {
        let mut line = Vec::new();
        while !line.ends_with(b"BEGIN\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            line.push(byte[0]);
            if line.ends_with(b"\r\n") && line.starts_with(b"\0AUTH EXTERNAL ") {
                match self.odd_of("AUTH") {
                    Some(Odd::Close) => return None,
                    Some(Odd::Bytes(bytes)) => stream.write_all(&bytes).ok()?,
                    _ => stream.write_all(b"OK 0123456789abcdef\r\n").ok()?,
                }
                line = vec![];
            }
        }
        let mut unit = String::new();
        loop {
            let call = Incoming::read(&mut stream)?;
            let words = call.texts.join(" ");
            let text = format!("{} {words}", call.member);
            self.calls.lock().ok()?.push(text.trim().to_owned());
            if call.member == "StartTransientUnit" {
                unit = call.texts.first()?.clone();
                let slice = call.texts.iter().position(|text| text == "Slice")?;
                // The value's own signature comes before it.
                unit = format!("{}/{unit}", levels(call.texts.get(slice + 1)?));
            }
            self.answer(&mut stream, &call, &unit)?;
        }
    }

    fn odd_of(&self, member: &str) -> Option<Odd> {
        let mut all = self.odd.lock().ok()?;
        let at = all.iter().position(|(name, _)| *name == member)?;
        match all[at].1 {
            Odd::ErrorOnce(name) => {
                all.remove(at);
                Some(Odd::Error(name))
            }
            _ => Some(all[at].1.clone()),
        }
    }

    fn answer(&self, stream: &mut UnixStream, call: &Incoming, unit: &str) -> Option<()> {
        let odd = self.odd_of(&call.member);
        match &odd {
            Some(Odd::Error(name)) => {
                return stream.write_all(&error(call.serial, name)).ok();
            }
            Some(Odd::Silence) => return Some(()),
            Some(Odd::Close) => return None,
            Some(Odd::Bytes(bytes)) => return stream.write_all(bytes).ok(),
            _ => {}
        }
        let reply = |signature: &str, body: &[u8]| answer(2, call.serial, signature, body);
        let job = format!("/org/freedesktop/systemd1/job/{}", call.serial);
        let message = match call.member.as_str() {
            "Hello" => reply("s", &text(":1.7")),
            "GetUnit" => reply("o", &text("/org/freedesktop/systemd1/unit/x")),
            "Get" => {
                let value = match (call.texts.last().map(String::as_str), &odd) {
                    (Some("ControlGroup"), Some(Odd::Group(path))) => (*path).to_owned(),
                    (Some("ControlGroup"), _) => format!("/{unit}"),
                    _ => "252".to_owned(),
                };
                let mut body = vec![1, b's', 0];
                body = text_after(body, &value);
                reply("v", &body)
            }
            "StartTransientUnit" | "StopUnit" => {
                let result = match odd {
                    Some(Odd::Result(result)) => result,
                    _ => "done",
                };
                let mut all = Vec::new();
                if matches!(odd, Some(Odd::Stranger)) {
                    all.extend(removed(&job, "failed", ":1.666"));
                }
                // The end may well be said before the call is answered.
                all.extend(removed(&job, result, ":1.1"));
                all.extend(reply("o", &text(&job)));
                all
            }
            "ResetFailedUnit" => error(call.serial, "org.freedesktop.systemd1.NoSuchUnit"),
            _ => reply("", &[]),
        };
        stream.write_all(&message).ok()
    }
}

/// `a-b.slice` lies in `a.slice`.
fn levels(slice: &str) -> String {
    let parts: Vec<&str> = slice.trim_end_matches(".slice").split('-').collect();
    let level = |n: usize| format!("{}.slice", parts[..=n].join("-"));
    let levels: Vec<String> = (0..parts.len()).map(level).collect();
    levels.join("/")
}

/// A call, as far as the peer understands it.
struct Incoming {
    serial: u32,
    member: String,
    /// The texts of its body, in order, those in variants included.
    texts: Vec<String>,
}

impl Incoming {
    fn read(stream: &mut UnixStream) -> Option<Self> {
        let mut fixed = [0; 16];
        stream.read_exact(&mut fixed).ok()?;
        assert_eq!(
            (fixed[0], fixed[1], fixed[3]),
            (b'l', 1, 1),
            "a call, version 1"
        );
        let number = |at: usize| u32::from_le_bytes(fixed[at..at + 4].try_into().expect("four"));
        let (body, serial, fields) = (number(4), number(8), number(12));
        let padded = (fields as usize).next_multiple_of(8);
        let mut rest = vec![0; padded + body as usize];
        stream.read_exact(&mut rest).ok()?;
        let (header, body) = rest.split_at(padded);
        let mut cursor = Cursor {
            bytes: header,
            at: 0,
        };
        let (mut member, mut signature) = (String::new(), String::new());
        while cursor.at < fields as usize {
            cursor.align(8);
            let code = cursor.byte();
            let kind = cursor.signature();
            let text = if kind == "g" {
                cursor.signature()
            } else {
                cursor.text()
            };
            match code {
                3 => member = text,
                8 => signature = text,
                _ => {}
            }
        }
        let mut texts = Vec::new();
        let mut cursor = Cursor { bytes: body, at: 0 };
        cursor.walk(&signature, &mut texts);
        assert_eq!(cursor.at, body.len(), "{member} has more than {signature}");
        Some(Self {
            serial,
            member,
            texts,
        })
    }
}

/// Reads what the driver sent; anything wrong in it is a panic, which the test sees as a lost connection.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn align(&mut self, to: usize) {
        let next = self.at.next_multiple_of(to);
        assert!(
            self.bytes[self.at..next].iter().all(|byte| *byte == 0),
            "padding is zero"
        );
        self.at = next;
    }

    fn byte(&mut self) -> u8 {
        self.at += 1;
        self.bytes[self.at - 1]
    }

    fn u32(&mut self) -> u32 {
        self.align(4);
        self.at += 4;
        u32::from_le_bytes(self.bytes[self.at - 4..self.at].try_into().expect("four"))
    }

    fn terminated(&mut self, length: usize) -> String {
        let text = self.bytes[self.at..self.at + length].to_vec();
        self.at += length;
        assert_eq!(self.byte(), 0);
        String::from_utf8(text).expect("UTF-8")
    }

    fn text(&mut self) -> String {
        let length = self.u32() as usize;
        self.terminated(length)
    }

    fn signature(&mut self) -> String {
        let length = usize::from(self.byte());
        self.terminated(length)
    }

    /// Values of these types, one after another.
    fn walk(&mut self, mut signature: &str, texts: &mut Vec<String>) {
        while !signature.is_empty() {
            let length = whole(signature);
            self.one(&signature[..length], texts);
            signature = &signature[length..];
        }
    }

    fn one(&mut self, kind: &str, texts: &mut Vec<String>) {
        match kind.as_bytes()[0] {
            b's' | b'o' => {
                let text = self.text();
                texts.push(text);
            }
            b'u' | b'b' => drop(self.u32()),
            b't' => {
                self.align(8);
                self.at += 8;
            }
            b'v' => {
                let inner = self.signature();
                self.one(&inner, texts);
            }
            b'(' => {
                self.align(8);
                self.walk(&kind[1..kind.len() - 1], texts);
            }
            b'a' => {
                let length = self.u32() as usize;
                let element = &kind[1..];
                self.align(if element.starts_with(['(', 't']) {
                    8
                } else {
                    4
                });
                let end = self.at + length;
                while self.at < end {
                    self.one(element, texts);
                }
                assert_eq!(self.at, end, "an array ends where it says");
            }
            other => panic!("type {other}"),
        }
    }
}

/// How much of a signature is its first type.
fn whole(signature: &str) -> usize {
    match signature.as_bytes()[0] {
        b'a' => 1 + whole(&signature[1..]),
        b'(' => {
            let mut depth = 0;
            let end = signature.find(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0
            });
            end.expect("a closing bracket") + 1
        }
        _ => 1,
    }
}

fn removed(job: &str, result: &str, sender: &str) -> Vec<u8> {
    let mut body = 7u32.to_le_bytes().to_vec();
    for part in [job, "x.scope", result] {
        body = text_after(body, part);
    }
    let fields = [
        (1, "o", "/org/freedesktop/systemd1"),
        (2, "s", "org.freedesktop.systemd1.Manager"),
        (3, "s", "JobRemoved"),
        (7, "s", sender),
    ];
    message(4, &fields, None, "uoss", &body)
}

fn answer(kind: u8, to: u32, signature: &str, body: &[u8]) -> Vec<u8> {
    message(kind, &[(7, "s", ":1.1")], Some(to), signature, body)
}

fn error(to: u32, name: &str) -> Vec<u8> {
    let fields = [(4, "s", name), (7, "s", ":1.1")];
    message(3, &fields, Some(to), "s", &text("as the test wants it"))
}

/// A message of this kind with these fields.
pub(crate) fn message(
    kind: u8,
    fields: &[(u8, &str, &str)],
    to: Option<u32>,
    signature: &str,
    body: &[u8],
) -> Vec<u8> {
    let mut header = Vec::new();
    for (code, kind, value) in fields {
        pad(&mut header, 8);
        header.extend([*code, 1, kind.as_bytes()[0], 0]);
        header = text_after(header, value);
    }
    if let Some(to) = to {
        pad(&mut header, 8);
        header.extend([5, 1, b'u', 0]);
        header.extend(to.to_le_bytes());
    }
    if !signature.is_empty() {
        pad(&mut header, 8);
        header.extend([8, 1, b'g', 0, u8::try_from(signature.len()).expect("short")]);
        header.extend(signature.as_bytes());
        header.push(0);
    }
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short").to_le_bytes();
    let mut message = vec![b'l', kind, 1, 1];
    message.extend(size(body));
    message.extend(1u32.to_le_bytes());
    message.extend(size(&header));
    message.extend(header);
    pad(&mut message, 8);
    message.extend(body);
    message
}

fn text(value: &str) -> Vec<u8> {
    text_after(Vec::new(), value)
}

fn text_after(mut bytes: Vec<u8>, value: &str) -> Vec<u8> {
    pad(&mut bytes, 4);
    bytes.extend(u32::try_from(value.len()).expect("short").to_le_bytes());
    bytes.extend(value.as_bytes());
    bytes.push(0);
    bytes
}

fn pad(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}
