//! Devices of the host's: `/dev/fuse[:/dev/inside][:rwm]`, or a directory of them.

use execdriver::Device;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The value of `--device`; the host is not asked before [`DeviceArg::resolve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceArg {
    host: String,
    inside: String,
    permissions: String,
}

impl FromStr for DeviceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
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
        Ok(Self {
            host: host.to_owned(),
            inside: inside.to_owned(),
            permissions: permissions.to_owned(),
        })
    }
}

impl DeviceArg {
    /// Asks the host what the node is; a directory gives all the nodes in it and below.
    pub(crate) fn resolve(&self) -> Result<Vec<Device>, String> {
        let host = &self.host;
        let mut found = Vec::new();
        self.collect(Path::new(host), Path::new(&self.inside), &mut found)
            .map_err(|error| format!("{host:?}: {}", super::reason(&error)))?;
        if found.is_empty() {
            return Err(format!("{host:?} is not a device node"));
        }
        Ok(found)
    }

    fn collect(&self, host: &Path, inside: &Path, found: &mut Vec<Device>) -> std::io::Result<()> {
        let metadata = fs::metadata(host)?;
        if !metadata.is_dir() {
            let inside = inside.to_string_lossy();
            found.extend(node(&metadata, &inside, &self.permissions));
            return Ok(());
        }
        let mut entries: Vec<PathBuf> = fs::read_dir(host)?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()?;
        entries.sort();
        for entry in entries {
            // A link may lead in circles or out of the directory; what it names has its own place.
            let is_link = fs::symlink_metadata(&entry).is_ok_and(|meta| meta.is_symlink());
            if let (false, Some(name)) = (is_link, entry.file_name()) {
                self.collect(&entry, &inside.join(name), found)?;
            }
        }
        Ok(())
    }
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

    fn resolve(text: &str) -> Result<Vec<Device>, String> {
        text.parse::<DeviceArg>()?.resolve()
    }

    #[test]
    fn the_host_says_what_a_device_is() {
        let zero = &resolve("/dev/zero:/dev/nulo:rw").unwrap()[0];
        assert_eq!((zero.major, zero.minor), (1, 5));
        assert_eq!(
            (zero.path.as_str(), zero.permissions.as_str()),
            ("/dev/nulo", "rw")
        );
    }

    #[test]
    fn what_is_no_device_is_refused() {
        let empty = tempfile::tempdir().unwrap();
        for path in ["/etc/passwd", &empty.path().to_string_lossy()] {
            assert!(resolve(path).unwrap_err().contains("not a device node"));
        }
        for text in ["", "zero", "/dev/zero:x", "/dev/zero:/y:", "/dev/no-such"] {
            assert!(resolve(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_directory_gives_the_devices_below_it_and_follows_no_link() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("/dev/null", dir.path().join("link")).unwrap();
        let path = dir.path().to_string_lossy().into_owned();
        assert!(resolve(&path).is_err());
        let pts = resolve("/dev/pts:/dev/terminals").unwrap();
        let at = |path: &str| pts.iter().any(|device| device.path == path);
        assert!(at("/dev/terminals/ptmx"), "{pts:?}");
    }
}
