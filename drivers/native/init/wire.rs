//! The message from the parent to init and the reports back: one definition for both sides.
//!
//! A message is a 16 byte header, descriptors in `SCM_RIGHTS`, and a body of operations. All numbers are little-endian
//! and unaligned. Strings carry their length and their NUL, so that init can hand them to the kernel where they lie.
//!
//! ```text
//! parent                                   init
//!   header [+ up to 250 descriptors] ----->
//!   one zero byte + up to 250 more   ----->   (once for each further batch)
//!   body                             ----->             (all of it again after one that begins with `More`)
//!                                    <-----   NS        when `ReportNs` is reached
//!   go (one byte)                    ----->             or unasked, for `AwaitGo`
//!                                    <-----   FORKED    + pidfd, when `Fork` is reached
//!   go (one byte)                    ----->
//!                                    <-----   TERMINAL  + pty master, when `Terminal` is reached
//!                                    <-----   LISTENER  + the filter's listener, when `Exec` has loaded one that asks it
//!   go (one byte)                    ----->
//!                                    <-----   OFFERED   + a tree of mounts, when `Offer` is reached
//!                                    <-----   MOUNTED   when `ReportMounted` is reached
//!   go (one byte)                    ----->
//!                                    <-----   EXECUTING, then end of file: the payload runs
//!                                    <-----   or FAILED (also after EXECUTING), then end of file
//! ```
//! A FAILED of an init that stays above the program says, too, that the program ended before it was executed.
//! With at most 250 descriptors, header and body may be one `sendmsg`. An end of file without EXECUTING is a failed start,
//! and so is one after it when the process then still has init's name: a signal ended it inside `execve`.

use core::ffi::CStr;

/// First bytes of every message.
pub(crate) const MAGIC: u32 = 0x3144_5845; // "EXD1"
/// Bytes of the header.
pub(crate) const HEADER_LEN: usize = 16;
/// Bytes of a report.
pub(crate) const REPORT_LEN: usize = 24;
/// Largest body that init accepts, in bytes: far above what `execve` takes (a quarter of the stack limit, 6 MiB at most).
pub(crate) const BODY_MAX: u32 = 64 << 20;
/// Descriptors in one `SCM_RIGHTS` batch; the kernel's own limit is 253.
pub(crate) const FDS_PER_BATCH: usize = 250;
/// The byte that lets init go on after NS, FORKED and LISTENER.
pub(crate) const GO: u8 = 1;
/// The descriptor that the parent's socket has when init starts.
pub(crate) const SOCKET_FD: i32 = 3;
/// Init's thread name until it executes the program: a process that ended with this name never executed it.
pub(crate) const INIT_NAME: &CStr = c"execdriver:init";
/// In the index of a report: of an operation of a message that another follows.
pub(crate) const EARLY: u32 = 1 << 31;
/// A slot number that names no slot.
pub(crate) const NO_SLOT: u16 = u16::MAX;
/// In `DieWithHost`: the socket, whose other end the host process has.
pub(crate) const SOCKET_SLOT: u16 = u16::MAX - 2;
/// In `Stdio`: the terminal that `Terminal` opened.
pub(crate) const TERMINAL_SLOT: u16 = u16::MAX - 1;
/// In `Terminal`: leave the owner alone.
pub(crate) const NO_ID: u32 = u32::MAX;

/// `Root`: the whole tree becomes read-only at once.
pub(crate) const ROOT_READONLY: u32 = 1;
/// `Root`: like [`ROOT_READONLY`], but the top mount stays as it was until `RemountReadonly` of `/`.
pub(crate) const ROOT_READONLY_BELOW: u32 = 2;
/// `Root`: attached over the directory itself, where hooks look for it, and not over `/`.
pub(crate) const ROOT_IN_PLACE: u32 = 4;
/// `MountFs`, `Attach`: no part of the target may be a symbolic link, and it must be a directory (CVE-2019-19921).
pub(crate) const MOUNT_REAL_DIR: u32 = 1;
/// `MountFs`: the new file system's root takes the mode of the directory that it covers (tmpfs only).
pub(crate) const MOUNT_INHERIT_MODE: u32 = 2;
/// `MountFs`: a tmpfs begins with a copy of the directory that it covers.
pub(crate) const MOUNT_COPY_UP: u32 = 4;
/// `Bind`: attributes reach the mounts below, too.
pub(crate) const BIND_RECURSIVE: u32 = 1;
/// `Bind`: make the target (and its parents) when it is missing.
pub(crate) const BIND_CREATE: u32 = 2;
/// `Bind`: what is bound is a device, and a target that is there already must be the same one.
pub(crate) const BIND_DEVICE: u32 = 4;
/// `Identity`: `user` and `groups` are text to be looked up; else `uid`, `gid` and `gids` are used as they are.
pub(crate) const IDENTITY_BY_NAME: u32 = 1;
/// `Identity`: `HOME` is set from the passwd entry when the environment lacks it or has it empty.
pub(crate) const IDENTITY_SET_HOME: u32 = 2;
/// `Identity`: the user namespace denies `setgroups`: leave the supplementary groups alone.
pub(crate) const IDENTITY_KEEP_GROUPS: u32 = 4;
/// `Caps`: ask for no capability that init does not have itself.
pub(crate) const CAPS_AT_MOST_OWN: u32 = 1;
/// `Caps`: CAP_SYS_ADMIN stays permitted, not effective, until `Exec` has loaded the filter of `Filter`.
pub(crate) const CAPS_UNTIL_FILTER: u32 = 2;
/// `Filter`: a listener is asked, and goes to the parent.
pub(crate) const FILTER_NEW_LISTENER: u32 = 1 << 3;
/// What an init that stays calls behind its `Guard`.
pub(crate) const GUARDED: [&str; 13] = [
    "capset",
    "close",
    "close_range",
    "exit",
    "exit_group",
    "kill",
    "read",
    "restart_syscall",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "sendmsg",
    "waitid",
    "write",
];
/// `Reset`: nice value 0 (as far as the process may).
pub(crate) const RESET_NICE: u32 = 2;
/// `Reset`: all processors (as far as the cpuset goes).
pub(crate) const RESET_AFFINITY: u32 = 4;

/// Where encoded bytes go; the parent's is a `Vec<u8>`.
pub(crate) trait Sink {
    /// Appends the bytes.
    fn put(&mut self, bytes: &[u8]);
}

/// A cursor over a body; every `take` checks the length.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub(crate) const fn new(body: &'a [u8]) -> Self {
        Reader { rest: body }
    }

    /// Whether all was read.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }
}

/// A value inside an operation.
trait Field<'a>: Sized {
    fn take(reader: &mut Reader<'a>) -> Option<Self>;
    fn put(&self, out: &mut impl Sink);
}

macro_rules! number_fields {
    ($($ty:ty),*) => { $(
        impl<'a> Field<'a> for $ty {
            fn take(reader: &mut Reader<'a>) -> Option<Self> {
                Some(<$ty>::from_le_bytes(reader.array()?))
            }
            fn put(&self, out: &mut impl Sink) {
                out.put(&self.to_le_bytes());
            }
        }
    )* };
}
number_fields!(u8, u16, u32, u64, i32);

impl<'a> Field<'a> for bool {
    fn take(reader: &mut Reader<'a>) -> Option<Self> {
        match u8::take(reader)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
    fn put(&self, out: &mut impl Sink) {
        u8::from(*self).put(out);
    }
}

impl<'a> Field<'a> for &'a [u8] {
    fn take(reader: &mut Reader<'a>) -> Option<Self> {
        let len = u32::take(reader)?;
        reader.bytes(usize::try_from(len).ok()?)
    }
    fn put(&self, out: &mut impl Sink) {
        // A body may not pass BODY_MAX, which the encoder checks as a whole; a saturated length only ever fails there.
        u32::try_from(self.len()).unwrap_or(u32::MAX).put(out);
        out.put(self);
    }
}

impl<'a> Field<'a> for &'a CStr {
    fn take(reader: &mut Reader<'a>) -> Option<Self> {
        CStr::from_bytes_with_nul(<&[u8]>::take(reader)?).ok()
    }
    fn put(&self, out: &mut impl Sink) {
        self.to_bytes_with_nul().put(out);
    }
}

/// Strings one behind the other, each with its NUL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Strings<'a>(&'a [u8]);

impl<'a> Strings<'a> {
    /// No string.
    pub(crate) const EMPTY: Strings<'static> = Strings(&[]);

    /// Reads a packed list; `None` when the last string has no NUL.
    pub(crate) fn new(packed: &'a [u8]) -> Option<Self> {
        (packed.last().is_none_or(|last| *last == 0)).then_some(Strings(packed))
    }

    /// The strings in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a CStr> + Clone {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let next = CStr::from_bytes_until_nul(rest).ok()?;
            rest = rest.get(next.count_bytes() + 1..)?;
            Some(next)
        })
    }
}

impl<'a> Field<'a> for Strings<'a> {
    fn take(reader: &mut Reader<'a>) -> Option<Self> {
        Strings::new(<&[u8]>::take(reader)?)
    }
    fn put(&self, out: &mut impl Sink) {
        self.0.put(out);
    }
}

/// Parameters of a file system: a key alone is a flag, a key with a value is a string.
///
/// Packed as strings that alternate: the key, then `=value`, or an empty string for a flag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params<'a>(Strings<'a>);

impl<'a> Params<'a> {
    /// Reads a packed list; `None` when it is not pairs.
    pub(crate) fn new(strings: Strings<'a>) -> Option<Self> {
        let mut count = 0usize;
        for (index, text) in strings.iter().enumerate() {
            let bytes = text.to_bytes();
            if index % 2 == 1 && bytes.first().is_some_and(|first| *first != b'=') {
                return None;
            }
            count += 1;
        }
        count.is_multiple_of(2).then_some(Params(strings))
    }

    /// Key and value of each parameter.
    pub(crate) fn iter(self) -> impl Iterator<Item = (&'a CStr, Option<&'a CStr>)> {
        let mut strings = self.0.iter();
        core::iter::from_fn(move || {
            let key = strings.next()?;
            let value = strings.next()?.to_bytes_with_nul().get(1..);
            Some((
                key,
                value.and_then(|value| CStr::from_bytes_with_nul(value).ok()),
            ))
        })
    }
}

impl<'a> Field<'a> for Params<'a> {
    fn take(reader: &mut Reader<'a>) -> Option<Self> {
        Params::new(Strings::take(reader)?)
    }
    fn put(&self, out: &mut impl Sink) {
        self.0.put(out);
    }
}

/// 32 bit numbers one behind the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers<'a>(&'a [u8]);

impl<'a> Numbers<'a> {
    /// No number.
    pub(crate) const EMPTY: Numbers<'static> = Numbers(&[]);

    /// Reads a packed list; `None` when a number is cut.
    pub(crate) fn new(packed: &'a [u8]) -> Option<Self> {
        packed.len().is_multiple_of(4).then_some(Numbers(packed))
    }

    /// The numbers in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = u32> {
        let (quads, _) = self.0.as_chunks::<4>();
        quads.iter().map(|quad| u32::from_le_bytes(*quad))
    }
}

impl<'a> Field<'a> for Numbers<'a> {
    fn take(reader: &mut Reader<'a>) -> Option<Self> {
        Numbers::new(<&[u8]>::take(reader)?)
    }
    fn put(&self, out: &mut impl Sink) {
        self.0.put(out);
    }
}

#[path = "op.rs"]
#[macro_use]
mod op;
#[path = "ops.rs"]
mod ops;
pub(crate) use ops::Op;

#[path = "report.rs"]
mod report;
pub(crate) use report::{Detail, Kind, Report};

/// What stands before the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of the body.
    pub(crate) body_len: u32,
    /// Operations in the body.
    pub(crate) ops: u32,
    /// Descriptors that come along; they are slots `0..fds`.
    pub(crate) fds: u16,
    /// Slots in all; those above `fds` are filled by `Source`.
    pub(crate) slots: u16,
}

impl Header {
    /// The bytes on the wire.
    pub(crate) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        out[..4].copy_from_slice(&MAGIC.to_le_bytes());
        out[4..8].copy_from_slice(&self.body_len.to_le_bytes());
        out[8..12].copy_from_slice(&self.ops.to_le_bytes());
        out[12..14].copy_from_slice(&self.fds.to_le_bytes());
        out[14..].copy_from_slice(&self.slots.to_le_bytes());
        out
    }

    /// Reads and checks the bytes.
    pub(crate) fn decode(bytes: &[u8; HEADER_LEN]) -> Option<Header> {
        let mut reader = Reader::new(bytes);
        let magic = u32::take(&mut reader)?;
        let header = Header {
            body_len: u32::take(&mut reader)?,
            ops: u32::take(&mut reader)?,
            fds: u16::take(&mut reader)?,
            slots: u16::take(&mut reader)?,
        };
        let sane = magic == MAGIC
            && header.body_len <= BODY_MAX
            && header.fds <= header.slots
            && header.slots < TERMINAL_SLOT;
        sane.then_some(header)
    }
}
