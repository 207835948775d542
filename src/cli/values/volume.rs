//! Volumes and temporary file systems: `SRC:DST[:ro|rw|idmap,...]`, `DST[:OPTIONS]`.

use execdriver::Mount;
use std::path::Path;
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
        let parts: Vec<&str> = text.split(':').collect();
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
        if source.is_empty() || !destination.starts_with('/') {
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
}

impl VolumeArg {
    /// The mount; a relative source starts at the current directory.
    pub(crate) fn resolve(&self) -> Result<Mount, String> {
        let source = Path::new(&self.source)
            .canonicalize()
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
