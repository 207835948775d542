//! Pressure stall information: how much of the time something was waited for.

use crate::wire::fields::is_default;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// How long processes waited for one resource (kernel document `accounting/psi`).
///
/// ```
/// use execdriver_core::Pressure;
/// assert!(Pressure::default().is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pressure {
    /// At least one process waited.
    #[serde(skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "crate::wire::fields::object")]
    pub some: PressureData,
    /// All that were not idle waited.
    #[serde(skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "crate::wire::fields::object")]
    pub full: PressureData,
}

impl Pressure {
    /// Whether nothing was waited for, or nothing is known of it.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The shares of the time that was waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PressureData {
    /// Of the last 10 seconds.
    #[serde(skip_serializing_if = "is_default")]
    pub avg10: Percent,
    /// Of the last 60 seconds.
    #[serde(skip_serializing_if = "is_default")]
    pub avg60: Percent,
    /// Of the last 300 seconds.
    #[serde(skip_serializing_if = "is_default")]
    pub avg300: Percent,
    /// In all, microseconds.
    #[serde(skip_serializing_if = "is_default")]
    pub total: u64,
}

/// A percentage in hundredths, as the kernel prints it; in the JSON a number such as `12.34`.
///
/// ```
/// use execdriver_core::Percent;
/// let share: Percent = "12.34".parse()?;
/// assert_eq!((share.hundredths(), share.to_string().as_str()), (1234, "12.34"));
/// assert!("101".parse::<Percent>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Percent(u16);

impl Percent {
    /// All of it, in hundredths of a percent.
    const WHOLE: u16 = 10_000;

    /// From hundredths of a percent; `None` above 10000.
    pub fn new(hundredths: u16) -> Option<Self> {
        (hundredths <= Self::WHOLE).then_some(Self(hundredths))
    }

    /// In hundredths of a percent, 0 to 10000.
    pub fn hundredths(self) -> u16 {
        self.0
    }

    fn nearest(percent: f64) -> Option<Self> {
        let text = format!("{percent:.2}");
        let (whole, part) = text.split_once('.')?;
        let whole = whole.parse::<u16>().ok()?.checked_mul(100)?;
        Self::new(whole.checked_add(part.parse().ok()?)?)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl std::str::FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.parse().ok().and_then(Self::nearest);
        parsed.ok_or_else(|| format!("got {text:?}, expected a number from 0 to 100"))
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / 100.0)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        let expected = || format!("got {number}, expected a number from 0 to 100");
        Self::nearest(number).ok_or_else(|| serde::de::Error::custom(expected()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_percentage_is_read_back_from_json_and_from_text() {
        for hundredths in 0..=10_000 {
            let percent = Percent::new(hundredths).unwrap();
            let json = serde_json::to_string(&percent).unwrap();
            assert_eq!(serde_json::from_str::<Percent>(&json).unwrap(), percent);
            assert_eq!(percent.to_string().parse(), Ok(percent));
        }
        assert_eq!(Percent::new(10_001), None);
    }

    #[test]
    fn what_is_no_percentage_is_refused() {
        for text in ["", "x", "-1", "100.01", "NaN", "inf", "1e9"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<Percent>("100.1").is_err());
    }
}
