//! Values of limits: sizes of which -1 is unlimited, parts of processors, numbers of a device.

use super::size::size;
use execdriver::HugepageLimit;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A size in bytes, or -1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) i64);

/// A number for a block device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceNumber<T> {
    device: PathBuf,
    pub(crate) value: T,
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-1" {
            return Ok(Self(-1));
        }
        // Docker's users write 64mb too.
        let plain = match text.strip_suffix(['b', 'B']) {
            Some(rest) if rest.ends_with(|last: char| last.is_ascii_alphanumeric()) => rest,
            _ => text,
        };
        let bytes =
            size(plain).map_err(|_| format!("{text:?} is not a size such as 64m or 1g, or -1"))?;
        i64::try_from(bytes)
            .map(Self)
            .map_err(|_| format!("{text:?} is too large"))
    }
}

/// A number of processors with a fraction.
pub(crate) fn cpus(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    let in_range = number.filter(|number| (0.01..=8192.0).contains(number));
    in_range.ok_or_else(|| {
        format!("{text:?} is not a number of processors such as 0.5 or 2, from 0.01 to 8192")
    })
}

/// `PAGE=SIZE`, in which no pages at all are a size too.
pub(crate) fn huge_pages(text: &str) -> Result<HugepageLimit, String> {
    let parts = text.split_once('=').filter(|(page, _)| !page.is_empty());
    let (page, limit) = parts
        .ok_or_else(|| format!("{text:?} is not a size of pages and a limit, such as 2MB=64m"))?;
    let limit = match limit {
        "0" => 0,
        limit => limit.parse::<Bytes>()?.0,
    };
    Ok(HugepageLimit {
        page_size: page.to_ascii_uppercase(),
        limit,
    })
}

/// `DEVICE:NUMBER`.
pub(crate) fn of_device<T: FromStr>(text: &str) -> Result<DeviceNumber<T>, String> {
    split(text, |value| value.parse().ok())
}

/// `DEVICE:SIZE`.
pub(crate) fn rate(text: &str) -> Result<DeviceNumber<u64>, String> {
    split(text, |value| {
        let bytes: Bytes = value.parse().ok()?;
        u64::try_from(bytes.0).ok()
    })
}

fn split<T>(text: &str, value: impl Fn(&str) -> Option<T>) -> Result<DeviceNumber<T>, String> {
    let parts = text
        .rsplit_once(':')
        .filter(|(device, _)| !device.is_empty());
    let parsed = parts.and_then(|(device, number)| Some((device, value(number)?)));
    let (device, value) = parsed
        .ok_or_else(|| format!("{text:?} is not a device with a number, such as /dev/sda:1m"))?;
    Ok(DeviceNumber {
        device: device.into(),
        value,
    })
}

impl<T> DeviceNumber<T> {
    /// Major and minor number: given as such, or asked of the node.
    pub(crate) fn numbers(&self) -> Result<(i64, i64), String> {
        let text = self.device.to_string_lossy();
        let pair = text
            .split_once(':')
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        pair.map_or_else(|| of_node(&self.device), Ok)
    }
}

#[cfg(unix)]
fn of_node(path: &Path) -> Result<(i64, i64), String> {
    use nix::sys::stat::{SFlag, major, minor, stat};
    let found = stat(path).map_err(|errno| format!("{}: {}", path.display(), errno.desc()))?;
    if SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits()) != SFlag::S_IFBLK {
        return Err(format!("{} is not a block device", path.display()));
    }
    let number = |number: u64| {
        i64::try_from(number).map_err(|_| format!("{}: its number is too large", path.display()))
    };
    Ok((number(major(found.st_rdev))?, number(minor(found.st_rdev))?))
}

#[cfg(not(unix))]
fn of_node(path: &Path) -> Result<(i64, i64), String> {
    Err(format!(
        "{} is not MAJOR:MINOR, and this system has no such nodes",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_sizes_or_unlimited_and_devices_are_named_or_numbered() {
        let bytes = |text: &str| text.parse::<Bytes>().map(|bytes| bytes.0);
        assert_eq!(bytes("32m"), Ok(32 << 20));
        assert_eq!(bytes("1gb"), Ok(1 << 30));
        assert_eq!(bytes("512b"), Ok(512));
        assert_eq!(bytes("-1"), Ok(-1));
        for text in ["", "b", "-2", "0", "1x", "9223372036854775808"] {
            assert!(bytes(text).is_err(), "{text:?}");
        }
        assert_eq!(cpus("0.5"), Ok(0.5));
        for text in ["", "0", "-1", "nan", "inf", "1e9"] {
            assert!(cpus(text).is_err(), "{text:?}");
        }
        let pages = huge_pages("2mb=0").unwrap();
        assert_eq!((pages.page_size.as_str(), pages.limit), ("2MB", 0));
        assert_eq!(huge_pages("1GB=-1").unwrap().limit, -1);
        for text in ["", "2MB", "=1m", "2MB=", "2MB=x"] {
            assert!(huge_pages(text).is_err(), "{text:?}");
        }
        assert_eq!(rate("8:0:1m").unwrap().value, 1 << 20);
        assert_eq!(rate("8:0:1m").unwrap().numbers(), Ok((8, 0)));
        assert!(of_device::<u16>("/dev/sda").is_err());
        assert!(of_device::<u16>(":5").is_err());
        let null = of_device::<u16>("/dev/null:5").unwrap().numbers();
        assert!(null.is_err(), "{null:?}");
    }
}
