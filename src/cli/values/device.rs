//! Devices of the host's: `/dev/fuse[:/dev/inside][:rwm]`.

use execdriver::Device;
use std::fs;

/// Parses `HOST[:CONTAINER][:PERMISSIONS]`, and asks the host what the node is.
pub(crate) fn device(text: &str) -> Result<Device, String> {
    let wrong =
        || format!("{text:?} is not HOST[:CONTAINER][:PERMISSIONS], permissions of r, w, m");
    let parts: Vec<&str> = text.split(':').collect();
    let (host, inside, permissions) = match parts[..] {
        [host] => (host, host, "rwm"),
        [host, inside] if inside.starts_with('/') => (host, inside, "rwm"),
        [host, permissions] => (host, host, permissions),
        [host, inside, permissions] => (host, inside, permissions),
        _ => return Err(wrong()),
    };
    let known = !permissions.is_empty() && permissions.chars().all(|c| "rwm".contains(c));
    if !known || !host.starts_with('/') || !inside.starts_with('/') {
        return Err(wrong());
    }
    let metadata = fs::metadata(host).map_err(|error| format!("device {host:?}: {error}"))?;
    node(&metadata, inside, permissions).ok_or_else(|| format!("{host:?} is not a device node"))
}

#[cfg(unix)]
fn node(metadata: &fs::Metadata, inside: &str, permissions: &str) -> Option<Device> {
    use execdriver::DeviceKind;
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let kind = match metadata.file_type() {
        kind if kind.is_char_device() => DeviceKind::Char,
        kind if kind.is_block_device() => DeviceKind::Block,
        _ => return None,
    };
    let (major, minor) = split(metadata.rdev());
    Some(Device {
        kind,
        permissions: permissions.to_owned(),
        file_mode: metadata.mode() & 0o777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        ..Device::node(inside, major, minor)
    })
}

#[cfg(not(unix))]
fn node(_: &fs::Metadata, _: &str, _: &str) -> Option<Device> {
    None
}

/// Linux's device number as its major and minor parts (makedev(3)).
#[cfg(unix)]
fn split(device: u64) -> (i64, i64) {
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & 0xffff_f000);
    let minor = (device & 0xff) | ((device >> 12) & 0xffff_ff00);
    // Both have 32 bits at most.
    let part = |bits: u64| i64::try_from(bits).unwrap_or(-1);
    (part(major), part(minor))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_host_says_what_a_device_is() {
        let zero = device("/dev/zero:/dev/nulo:rw").unwrap();
        assert_eq!((zero.major, zero.minor), (1, 5));
        assert_eq!(
            (zero.path.as_str(), zero.permissions.as_str()),
            ("/dev/nulo", "rw")
        );
    }

    #[test]
    fn what_is_no_device_is_refused() {
        assert!(device("/etc").unwrap_err().contains("not a device node"));
        for text in ["", "zero", "/dev/zero:x", "/dev/zero:/y:", "/dev/no-such"] {
            assert!(device(text).is_err(), "{text:?}");
        }
    }
}
