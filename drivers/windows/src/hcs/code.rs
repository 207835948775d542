//! HRESULTs of the compute service and what they mean.

use std::fmt;

/// An HRESULT. The compute service has the same answers under two facilities: 0xC037.... of its
/// first interface and 0x8037.... of its second; they mean the same here.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Code(pub(crate) i32);

/// What an HRESULT says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub(crate) enum Meaning {
    /// Done.
    Ok,
    /// Begun; a notification tells how it ends.
    Pending,
    /// The system is in a state in which this cannot be.
    InvalidState,
    /// The system ended while something waited for it.
    UnexpectedExit,
    /// The service gave up waiting.
    TimedOut,
    /// The connection to the guest was closed.
    ConnectionClosed,
    /// The guest did not understand.
    UnknownMessage,
    /// The service could not read the document.
    InvalidJson,
    /// There is no such compute system.
    NotFound,
    /// There is one of this id already.
    AlreadyExists,
    /// The system has stopped already.
    AlreadyStopped,
    /// The service went away.
    ServiceDisconnect,
    /// The process has ended already.
    ProcessStopped,
    /// A code of Win32 (winerror.h).
    Win32(u16),
    /// Nothing that is known here.
    Other,
}

/// The low bits of the compute service's own codes, under either facility.
const OWN: [(i32, Meaning, &str); 13] = [
    (0x103, Meaning::Pending, "the operation is pending"),
    (0x117, Meaning::Pending, "the operation is pending"),
    (
        0x105,
        Meaning::InvalidState,
        "not possible in the state that the compute system is in",
    ),
    (
        0x106,
        Meaning::UnexpectedExit,
        "the compute system exited unexpectedly",
    ),
    (0x109, Meaning::TimedOut, "the compute service timed out"),
    (
        0x10A,
        Meaning::ConnectionClosed,
        "the connection with the guest was closed",
    ),
    (
        0x10B,
        Meaning::UnknownMessage,
        "the guest does not know the message",
    ),
    (
        0x10D,
        Meaning::InvalidJson,
        "the compute service could not read the document",
    ),
    (0x10E, Meaning::NotFound, "no such compute system"),
    (
        0x10F,
        Meaning::AlreadyExists,
        "a compute system of this id exists already",
    ),
    (
        0x110,
        Meaning::AlreadyStopped,
        "the compute system has stopped already",
    ),
    (
        0x11E,
        Meaning::ServiceDisconnect,
        "lost communication with the compute service",
    ),
    (
        0x11F,
        Meaning::ProcessStopped,
        "the process has ended already",
    ),
];

/// Codes of Win32 that the compute service answers with.
const WIN32: [(u16, &str); 14] = [
    (2, "file not found"),
    (3, "path not found"),
    (5, "access denied"),
    (6, "invalid handle"),
    (13, "invalid data"),
    (50, "not supported"),
    (109, "the pipe has ended"),
    (126, "module not found"),
    (161, "the path is invalid"),
    (193, "not a valid program"),
    (267, "the directory name is invalid"),
    (1115, "a shutdown is in progress"),
    (1168, "element not found"),
    (10022, "invalid argument"),
];

/// The facility Win32, whatever the severity.
const WIN32_FACILITY: u32 = 0x0007_0000;
const FACILITY_MASK: u32 = 0x1FFF_0000;
/// Both facilities of the compute service, without severity, customer and NTSTATUS bits.
const OWN_FACILITY: u32 = 0x0037_0000;
const OWN_MASK: u32 = 0x3FFF_0000;

impl Code {
    /// Success.
    #[cfg(test)]
    pub(crate) const OK: Self = Self(0);

    /// The code of these bits.
    pub(crate) const fn of(bits: u32) -> Self {
        Self(bits.cast_signed())
    }

    /// The code of a Win32 error.
    pub(crate) const fn win32(error: u16) -> Self {
        Self::of(0x8007_0000 | error as u32)
    }

    /// The bits.
    pub(crate) const fn bits(self) -> u32 {
        self.0.cast_unsigned()
    }

    /// What it says.
    pub(crate) fn meaning(self) -> Meaning {
        self.known().map_or_else(
            || match self.win32_code() {
                Some(1168) => Meaning::NotFound,
                Some(code) => Meaning::Win32(code),
                None => Meaning::Other,
            },
            |(meaning, _)| meaning,
        )
    }

    /// Whether the call failed. Pending is no failure.
    pub(crate) fn failed(self) -> bool {
        self.0 < 0 && self.meaning() != Meaning::Pending
    }

    fn low(self) -> i32 {
        i32::from((self.bits() & 0xFFFF) as u16)
    }

    fn win32_code(self) -> Option<u16> {
        let win32 = self.bits() & FACILITY_MASK == WIN32_FACILITY;
        win32.then(|| u16::try_from(self.low()).unwrap_or_default())
    }

    fn known(self) -> Option<(Meaning, &'static str)> {
        if self.0 == 0 {
            return Some((Meaning::Ok, "success"));
        }
        if self.bits() & OWN_MASK != OWN_FACILITY {
            return None;
        }
        let own = OWN.iter().find(|(low, _, _)| *low == self.low());
        own.map(|(_, meaning, text)| (*meaning, *text))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let win32 = || {
            let code = self.win32_code()?;
            WIN32.iter().find(|(known, _)| *known == code)
        };
        let text = self.known().map(|(_, text)| text);
        match text.or_else(|| win32().map(|(_, text)| *text)) {
            Some(text) => write!(f, "{text} (0x{:08X})", self.bits()),
            None => write!(f, "error 0x{:08X}", self.bits()),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code(0x{:08X})", self.bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_facilities_of_the_compute_service_mean_the_same() {
        for (low, meaning, _) in OWN {
            for facility in [0xC037_0000_u32, 0x8037_0000] {
                let code = Code::of(facility | low.cast_unsigned());
                assert_eq!(code.meaning(), meaning, "{code:?}");
                assert_eq!(code.failed(), meaning != Meaning::Pending, "{code:?}");
            }
        }
    }

    #[test]
    fn win32_codes_are_told_by_number_and_a_gone_element_is_not_found() {
        assert_eq!(Code::of(0x8007_006D).meaning(), Meaning::Win32(109));
        assert_eq!(Code::of(0x8007_0490).meaning(), Meaning::NotFound);
        assert_eq!(Code::win32(10022), Code::of(0x8007_2726));
        assert_eq!(
            Code::of(0x8007_2726).to_string(),
            "invalid argument (0x80072726)"
        );
        assert_eq!(Code::of(0x8000_4005).meaning(), Meaning::Other);
        assert_eq!(Code::of(0x8000_4005).to_string(), "error 0x80004005");
        assert!(Code::of(0x8000_4005).failed());
        assert_eq!(Code::OK.meaning(), Meaning::Ok);
    }
}
