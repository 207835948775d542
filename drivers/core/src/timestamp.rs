//! A point in time with Go's text: RFC 3339 with as many decimals as needed.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// A point in time between the years 0 and 9999, to the nanosecond. Not a [`SystemTime`], whose
/// range and steps differ between operating systems.
///
/// ```
/// use execdriver_core::Timestamp;
/// use std::time::{Duration, SystemTime};
/// let time = Timestamp::from(SystemTime::UNIX_EPOCH + Duration::from_millis(1500));
/// assert_eq!(time.to_string(), "1970-01-01T00:00:01.5Z");
/// assert_eq!("1970-01-01T01:00:01.5+01:00".parse(), Ok(time));
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    seconds: i64,
    /// Nanoseconds after that second.
    nanos: u32,
}

/// 0000-01-01T00:00:00Z.
const MIN: i64 = -62_167_219_200;
/// 9999-12-31T23:59:59Z.
const MAX: i64 = 253_402_300_799;
const DAY: i64 = 86_400;
/// The days of 400 years, after which the Gregorian calendar repeats itself.
const ERA: i64 = 146_097;

impl Timestamp {
    /// `seconds` since 1970 and `nanos` after that second; `None` outside the years 0 to 9999 or
    /// from a second of nanoseconds on.
    pub fn new(seconds: i64, nanos: u32) -> Option<Self> {
        ((MIN..=MAX).contains(&seconds) && nanos < 1_000_000_000).then_some(Self { seconds, nanos })
    }

    /// How long after `earlier` it is; `None` if it is before.
    pub fn since(&self, earlier: Self) -> Option<Duration> {
        let nanos = |time: &Self| i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
        let gap = u128::try_from(nanos(self) - nanos(&earlier)).ok()?;
        let seconds = u64::try_from(gap / 1_000_000_000).ok()?;
        let rest = u32::try_from(gap % 1_000_000_000).ok()?;
        Some(Duration::new(seconds, rest))
    }
}

/// Times outside the years 0 to 9999 become the nearest end.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let (seconds, nanos) = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => (
                i64::try_from(after.as_secs()).unwrap_or(MAX),
                after.subsec_nanos(),
            ),
            Err(error) => {
                let before = error.duration();
                let seconds = -i64::try_from(before.as_secs()).unwrap_or(MAX);
                match before.subsec_nanos() {
                    0 => (seconds, 0),
                    nanos => (seconds - 1, 1_000_000_000 - nanos),
                }
            }
        };
        let end = if seconds < 0 { MIN } else { MAX };
        Self::new(seconds, nanos).unwrap_or(Self {
            seconds: end,
            nanos: 0,
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.seconds.div_euclid(DAY));
        let second = self.seconds.rem_euclid(DAY);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}",
            second % 60
        )?;
        if self.nanos != 0 {
            let decimals = format!("{:09}", self.nanos);
            write!(f, ".{}", decimals.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(text: String) -> Result<Self, InvalidTimestamp> {
        text.parse()
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        parse(text).ok_or_else(|| InvalidTimestamp(text.to_owned()))
    }
}

/// A text that is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time, expected one like 2016-02-01T12:00:00.5Z")]
pub struct InvalidTimestamp(String);

fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let at = time.find(['Z', '+', '-'])?;
    let (time, zone) = time.split_at_checked(at)?;
    let (time, decimals) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let valid = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let seconds = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    let time = Timestamp::new(seconds - offset(zone)?, nanoseconds(decimals)?)?;
    valid.then_some(time)
}

/// Three numbers of exactly `widths` digits.
fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut next = |width| number(parts.next()?, width);
    let found = [next(widths[0])?, next(widths[1])?, next(widths[2])?];
    parts.next().is_none().then_some(found)
}

fn number(text: &str, width: usize) -> Option<i64> {
    let digits = text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

fn nanoseconds(decimals: &str) -> Option<u32> {
    let digits = (1..=9).contains(&decimals.len());
    let value = number(digits.then_some(decimals)?, decimals.len())?;
    let missing = u32::try_from(9 - decimals.len()).ok()?;
    u32::try_from(value * 10_i64.pow(missing)).ok()
}

/// `Z` or `+hh:mm`, in seconds.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn days_of(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    days(next_year, next_month, 1) - days(year, month, 1)
}

/// Days since 1970. Years are counted from March, so that the leap day is the last of a year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let in_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    // 719468 days from 0000-03-01 to 1970-01-01.
    year.div_euclid(400) * ERA + in_era - 719_468
}

/// Year, month and day of a number of days since 1970: the inverse of [`days`].
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let in_era = days.rem_euclid(ERA);
    let of_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let of_year = in_era - (365 * of_era + of_era / 4 - of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12 + 1;
    let year = of_era + days.div_euclid(ERA) * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_as_gos() {
        for text in [
            "0001-01-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999999999Z",
            "1970-01-01T00:00:00Z",
            "2000-02-29T12:34:56.00000001Z",
            "2016-02-29T23:59:59.12Z",
            "9999-12-31T23:59:59.999999999Z",
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
        let zoned: Timestamp = "2016-01-01T00:30:00-01:30".parse().unwrap();
        assert_eq!(zoned.to_string(), "2016-01-01T02:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2016-02-30T00:00:00Z",
            "2015-02-29T00:00:00Z",
            "2016-13-01T00:00:00Z",
            "2016-01-01T24:00:00Z",
            "2016-01-01T00:00:60Z",
            "2016-01-01T00:00:00",
            "2016-01-01 00:00:00Z",
            "2016-01-01T00:00:00.Z",
            "2016-01-01T00:00:00.1234567890Z",
            "2016-1-01T00:00:00Z",
            "2016-01-01T00:00:00Zx",
            "2016-01-01T00:00:00+1:00",
            "2016-01-01T00:00:00+\u{e9}0:00",
            "+016-01-01T00:00:00Z",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_before_1970_convert_too() {
        let time = SystemTime::UNIX_EPOCH - Duration::from_millis(1);
        assert_eq!(
            Timestamp::from(time).to_string(),
            "1969-12-31T23:59:59.999Z"
        );
        let since = Timestamp::from(SystemTime::UNIX_EPOCH).since(time.into());
        assert_eq!(since, Some(Duration::from_millis(1)));
    }

    proptest! {
        #[test]
        fn every_time_is_read_back(seconds in MIN..=MAX, nanos in 0_u32..1_000_000_000) {
            let time = Timestamp::new(seconds, nanos).unwrap();
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}
