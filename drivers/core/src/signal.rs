//! Signals by number and by name, the same on every operating system.

use crate::Error;
use std::str::FromStr;

/// A signal number of Linux (signal(7)), 1 to 64, or 0 to ask whether the process exists.
///
/// Drivers of other systems map what they can: Windows knows KILL and TERM.
///
/// ```
/// use execdriver_core::Signal;
/// assert_eq!("SIGTERM".parse::<Signal>()?, Signal::TERM);
/// assert_eq!("kill".parse::<Signal>()?.number(), 9);
/// assert!(Signal::new(999).is_err());
/// # Ok::<(), execdriver_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(u8);

/// Names in the order of their numbers, from 1 (signal(7), x86 and Arm).
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
const RTMIN: u8 = 34;
const RTMAX: u8 = 64;

impl Signal {
    /// Sends nothing; asks whether the process exists.
    pub const PROBE: Self = Self(0);
    /// Hang-up.
    pub const HUP: Self = Self(1);
    /// Interrupt: what Ctrl-C sends.
    pub const INT: Self = Self(2);
    /// Quit.
    pub const QUIT: Self = Self(3);
    /// Kill; cannot be caught.
    pub const KILL: Self = Self(9);
    /// User-defined 1.
    pub const USR1: Self = Self(10);
    /// User-defined 2.
    pub const USR2: Self = Self(12);
    /// Terminate.
    pub const TERM: Self = Self(15);
    /// Continue.
    pub const CONT: Self = Self(18);
    /// Stop; cannot be caught.
    pub const STOP: Self = Self(19);
    /// The window's size changed.
    pub const WINCH: Self = Self(28);

    /// The signal of this number.
    ///
    /// # Errors
    /// [`Error::InvalidCommand`] when the number is not 0 to 64.
    pub fn new(number: i32) -> Result<Self, Error> {
        u8::try_from(number)
            .ok()
            .filter(|n| *n <= RTMAX)
            .map(Self)
            .ok_or_else(|| Error::invalid("signal", format!("{number} is not in 0..=64")))
    }

    /// The number, as kill(2) takes it.
    pub fn number(self) -> i32 {
        i32::from(self.0)
    }

    /// The name without `SIG`, where the number has one.
    pub fn name(self) -> Option<&'static str> {
        let index = usize::from(self.0).checked_sub(1)?;
        NAMES.get(index).copied()
    }
}

impl FromStr for Signal {
    type Err = Error;

    /// A number, or a name in any case with or without `SIG`: `9`, `KILL`, `sigkill`, `RTMIN+3`.
    fn from_str(text: &str) -> Result<Self, Error> {
        if let Ok(number) = text.parse::<i32>() {
            return Self::new(number);
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some(index) = NAMES.iter().position(|known| *known == name) {
            return u8::try_from(index + 1)
                .map(Self)
                .map_err(|_| Error::invalid("signal", "out of range"));
        }
        real_time(name).ok_or_else(|| {
            Error::invalid(
                "signal",
                format!("{text:?} is neither a number in 0..=64 nor a name such as TERM"),
            )
        })
    }
}

fn real_time(name: &str) -> Option<Signal> {
    let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(""), _) => RTMIN,
        (_, Some("")) => RTMAX,
        (Some(offset), _) => RTMIN.checked_add(offset.strip_prefix('+')?.parse().ok()?)?,
        (_, Some(offset)) => RTMAX.checked_sub(offset.strip_prefix('-')?.parse().ok()?)?,
        (None, None) => return None,
    };
    (RTMIN..=RTMAX).contains(&number).then_some(Signal(number))
}

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            Some(name) => write!(f, "SIG{name}"),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back_to_its_number() {
        for number in 1..=31 {
            let signal = Signal::new(number).unwrap();
            assert_eq!(signal.to_string().parse::<Signal>().unwrap(), signal);
        }
    }

    #[test]
    fn real_time_signals_have_offsets_within_their_range() {
        assert_eq!("SIGRTMIN+3".parse::<Signal>().unwrap().number(), 37);
        assert_eq!("rtmax-1".parse::<Signal>().unwrap().number(), 63);
        assert!("RTMIN+31".parse::<Signal>().is_err());
        assert!("RTMAX-200".parse::<Signal>().is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "999", "-1", "SIG", "FOO", "RTMIN-1"] {
            assert!(text.parse::<Signal>().is_err(), "{text:?}");
        }
    }
}
