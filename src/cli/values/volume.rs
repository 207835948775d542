//! Volumes and temporary file systems: `SRC:DST[:ro|rw|idmap,...]`, `DST[:OPTIONS]`.

use execdriver::Mount;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The value of `--volume`; the host is not asked before [`VolumeArg::resolve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VolumeArg {
    source: String,
    destination: String,
    writable: bool,
    idmap: bool,
}

impl FromStr for VolumeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text, cfg!(windows))
    }
}

impl VolumeArg {
    fn parse(text: &str, windows: bool) -> Result<Self, String> {
        let parts: Vec<&str> = match windows {
            true => split(text),
            false => text.split(':').collect(),
        };
        let (source, destination, options) = match parts[..] {
            [source, destination] => (source, destination, "rw"),
            [source, destination, options] => (source, destination, options),
            _ => return Err(format!("{text:?} is not SRC:DST or SRC:DST:OPTIONS")),
        };
        let (mut writable, mut idmap) = (true, false);
        for option in options.split(',') {
            match option {
                "rw" => writable = true,
                "ro" => writable = false,
                "idmap" => idmap = true,
                _ => {
                    return Err(format!(
                        "{option:?} of {text:?} is not one of ro, rw, idmap"
                    ));
                }
            }
        }
        let absolute = match windows {
            true => is_absolute(destination),
            false => destination.starts_with('/'),
        };
        if source.is_empty() || !absolute {
            return Err(format!(
                "{text:?} needs a source and an absolute destination"
            ));
        }
        Ok(Self {
            source: source.to_owned(),
            destination: destination.to_owned(),
            writable,
            idmap,
        })
    }

    /// The mount; a relative source starts at the current directory.
    pub(crate) fn resolve(&self) -> Result<Mount, String> {
        let source = source(&self.source)
            .map_err(|error| format!("{:?}: {}", self.source, super::reason(&error)))?;
        let mount = Mount {
            writable: self.writable,
            ..Mount::bind(source, &self.destination)
        };
        Ok(match self.idmap {
            true => mount.id_mapped(),
            false => mount,
        })
    }
}

/// The parts between colons, but not those of drives (`C:\a`) nor those in paths to the system (`\\?\C:\a`, `\\.\pipe\a`).
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(':') {
        let part = &text[start..at];
        let part = [r"\\?\", r"\\.\"]
            .iter()
            .find_map(|prefix| part.strip_prefix(prefix))
            .unwrap_or(part);
        let is_drive = part.len() == 1
            && part.starts_with(|c: char| c.is_ascii_alphabetic())
            && text[at + 1..].starts_with(['\\', '/']);
        // `a:\\.\pipe\b` and `a:\\server\b`: no drive is followed by two.
        if !is_drive || text[at + 1..].starts_with(r"\\") {
            parts.push(&text[start..at]);
            start = at + 1;
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Whether a path of Windows has a drive, or is of a server or of the system.
fn is_absolute(path: &str) -> bool {
    let bytes = path.as_bytes();
    let drive = bytes.first().is_some_and(u8::is_ascii_alphabetic) && bytes.get(1) == Some(&b':');
    path.starts_with(r"\\") || (drive && matches!(bytes.get(2), Some(b'\\' | b'/')))
}

/// Where the source is, which is there.
fn source(path: &str) -> io::Result<PathBuf> {
    if cfg!(not(windows)) {
        return Path::new(path).canonicalize();
    }
    // A pipe that is opened only to see whether it is there would have had its client.
    if !path.starts_with(r"\\.\") {
        std::fs::metadata(path)?;
    }
    // With its links, as those who made them meant it; and in the form that people write.
    std::path::absolute(path)
}

/// Parses `DST[:OPTIONS]`, the options as mount(8) takes them for tmpfs.
pub(crate) fn tmpfs(text: &str) -> Result<Mount, String> {
    let (destination, options) = text.split_once(':').unwrap_or((text, ""));
    if !destination.starts_with('/') {
        return Err(format!("{text:?} needs an absolute destination"));
    }
    Ok(Mount::tmpfs(destination, options))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_of_windows_has_drives_shares_and_pipes() {
        let of = |text: &str| {
            let volume = VolumeArg::parse(text, true)?;
            Ok((volume.source, volume.destination, volume.writable))
        };
        let is = |text: &str, source: &str, destination: &str, writable| {
            let expected = (source.to_owned(), destination.to_owned(), writable);
            assert_eq!(of(text), Ok::<_, String>(expected), "{text}");
        };
        is(r"C:\a:C:\b", r"C:\a", r"C:\b", true);
        is(r"C:\a:d:/b:ro", r"C:\a", "d:/b", false);
        is(r"data:C:\b:rw", "data", r"C:\b", true);
        is(r"d:C:\b", "d", r"C:\b", true);
        is(r".\x:C:\b", r".\x", r"C:\b", true);
        is(r"\\?\C:\a:C:\b:ro", r"\\?\C:\a", r"C:\b", false);
        is(r"\\server\share:C:\b", r"\\server\share", r"C:\b", true);
        is(
            r"\\.\pipe\x:\\.\pipe\y:ro",
            r"\\.\pipe\x",
            r"\\.\pipe\y",
            false,
        );
        is(r"p:\\.\pipe\y", "p", r"\\.\pipe\y", true);
        for text in [
            "",
            r"C:\a",
            r"C:\a:b",
            r"C:\a:\b",
            r"C:\a:C:b",
            r"C:\a:C:\b:zz",
            r":C:\b",
            r"C:\a:C:\b:ro:rw",
        ] {
            assert!(of(text).is_err(), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_volume_has_a_source_a_destination_and_perhaps_a_mode() {
        let volume = |text: &str| text.parse::<VolumeArg>()?.resolve();
        let mount = volume("/:/host:ro").unwrap();
        assert_eq!(
            (mount.destination.as_str(), mount.writable),
            ("/host", false)
        );
        let mount = volume("/:/host:idmap,ro").unwrap();
        assert!(mount.idmap.is_some() && !mount.writable);
        for text in ["", "/", "/:host", ":/x", "/:/x:zz", "/nope-not-there:/x"] {
            assert!(volume(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_tmpfs_may_have_options() {
        let mount = tmpfs("/run:size=5k,mode=700").unwrap();
        assert_eq!(mount.data, "size=5k,mode=700");
        assert!(mount.is_tmpfs());
        assert!(tmpfs("run").is_err());
    }
}
