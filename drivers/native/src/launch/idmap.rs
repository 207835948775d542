//! The id maps of a new user namespace, written from outside while its first process waits.

use std::fmt;
use std::path::PathBuf;

use super::idhelper::{Helper, IdHelpers};
use super::process::Process;
use super::procfs::{ProcessDir, ProcfsError};

/// `size` ids from `inside` on are the host's from `outside` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdRange {
    /// First id in the container.
    pub(crate) inside: u32,
    /// First id on the host.
    pub(crate) outside: u32,
    /// How many.
    pub(crate) size: u32,
}

/// The maps of a new user namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IdMaps {
    /// User ids.
    pub(crate) uids: Vec<IdRange>,
    /// Group ids.
    pub(crate) gids: Vec<IdRange>,
    /// Forbid `setgroups(2)`: without CAP_SETGID the kernel demands it before the group map (user_namespaces(7)).
    pub(crate) deny_setgroups: bool,
    /// Who writes the maps when we may not.
    pub(crate) helpers: Option<IdHelpers>,
}

impl fmt::Display for IdMaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (uids, gids) = (one_line(&self.uids), one_line(&self.gids));
        write!(f, "its users are \"{uids}\", its groups \"{gids}\"")
    }
}

/// The ranges of a map as the kernel shows it.
pub(crate) fn parse(text: &str) -> Vec<IdRange> {
    let range = |line: &str| {
        let mut numbers = line.split_ascii_whitespace().map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(IdRange {
            inside: next()?,
            outside: next()?,
            size: next()?,
        })
    };
    text.lines().filter_map(range).collect()
}

/// The host's id of the container's `id`.
pub(crate) fn outside(map: &[IdRange], id: u32) -> Option<u32> {
    map.iter().find_map(|range| {
        let offset = id.checked_sub(range.inside)?;
        (offset < range.size).then(|| range.outside + offset)
    })
}

/// The host's user and group of the root of a process's user namespace, if it has one.
pub(crate) fn root_of(process: &Process) -> Result<Option<(u32, u32)>, ProcfsError> {
    let dir = ProcessDir::open(process)?;
    let root = |file| {
        let mut page = [0; MAX_BYTES];
        let text = dir.read(file, &mut page)?;
        Ok(outside(&parse(&String::from_utf8_lossy(text)), 0))
    };
    Ok(root("uid_map")?.zip(root("gid_map")?))
}

/// A map as the kernel shows it, its lines separated by commas.
pub(crate) fn one_line(map: &[IdRange]) -> String {
    lines(map).join(", ")
}

fn lines(map: &[IdRange]) -> Vec<String> {
    map.iter()
        .map(|range| format!("{} {} {}", range.inside, range.outside, range.size))
        .collect()
}

/// Why a map was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdMapError {
    /// The kernel takes 340 ranges (user_namespaces(7)).
    #[error("{file} has {ranges} ranges, the kernel takes 1 to {MAX_RANGES}")]
    Ranges {
        /// `uid_map` or `gid_map`.
        file: &'static str,
        /// How many were asked for.
        ranges: usize,
    },
    /// The kernel takes less than one page of text.
    #[error("{file} has {bytes} bytes, the kernel takes less than {MAX_BYTES}")]
    Length {
        /// `uid_map` or `gid_map`.
        file: &'static str,
        /// Its text's length.
        bytes: usize,
    },
    /// The file could not be written.
    #[error("cannot map ids \"{map}\"")]
    Write {
        /// The map, or the word for setgroups.
        map: String,
        /// What the kernel said.
        #[source]
        source: ProcfsError,
    },
    /// A helper did not write it.
    #[error("{}: {reason}", .program.display())]
    Helper {
        /// newuidmap or newgidmap.
        program: PathBuf,
        /// What it said.
        reason: String,
    },
}

const MAX_RANGES: usize = 340;
const MAX_BYTES: usize = 4096;

/// Writes setgroups, gid_map and uid_map of the process `pid`, whose directory is `dir`; three system calls each, or two
/// programs.
pub(crate) fn write(dir: &ProcessDir, pid: i32, maps: &IdMaps) -> Result<(), IdMapError> {
    if let Some(helpers) = &maps.helpers {
        return by_helpers(helpers, dir, pid, maps);
    }
    if maps.deny_setgroups {
        put(dir, "setgroups", "deny")?;
    }
    put(dir, "gid_map", &text("gid_map", &maps.gids)?)?;
    put(dir, "uid_map", &text("uid_map", &maps.uids)?)
}

fn by_helpers(
    helpers: &IdHelpers,
    dir: &ProcessDir,
    pid: i32,
    maps: &IdMaps,
) -> Result<(), IdMapError> {
    text("gid_map", &maps.gids)?;
    text("uid_map", &maps.uids)?;
    // Each is some milliseconds of looking up its caller's name: both at once.
    let groups = Helper::start(&helpers.newgidmap, pid, &maps.gids)?;
    let users = Helper::start(&helpers.newuidmap, pid, &maps.uids);
    groups.finish()?;
    users?.finish()?;
    // The word of a program is good, the kernel's is better: its status may have been reaped by other code of the host.
    for (file, program) in [
        ("gid_map", &helpers.newgidmap),
        ("uid_map", &helpers.newuidmap),
    ] {
        let mut first = [0];
        let written = dir
            .read(file, &mut first)
            .map_err(|source| IdMapError::Write {
                map: file.to_owned(),
                source,
            })?;
        if written.is_empty() {
            return Err(IdMapError::Helper {
                program: program.clone(),
                reason: format!("it left {file} empty"),
            });
        }
    }
    Ok(())
}

fn put(dir: &ProcessDir, file: &'static str, content: &str) -> Result<(), IdMapError> {
    dir.write(file, content)
        .map_err(|source| IdMapError::Write {
            map: content.replace('\n', ", "),
            source,
        })
}

fn text(file: &'static str, ranges: &[IdRange]) -> Result<String, IdMapError> {
    if ranges.is_empty() || ranges.len() > MAX_RANGES {
        return Err(IdMapError::Ranges {
            file,
            ranges: ranges.len(),
        });
    }
    let text = lines(ranges).join("\n");
    if text.len() >= MAX_BYTES {
        return Err(IdMapError::Length {
            file,
            bytes: text.len(),
        });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_one_line_a_range() {
        let range = |inside, outside| IdRange {
            inside,
            outside,
            size: 1,
        };
        assert_eq!(
            text("uid_map", &[range(0, 1000), range(1, 100_000)]).unwrap(),
            "0 1000 1\n1 100000 1"
        );
    }

    #[test]
    fn a_map_that_the_kernel_would_refuse_for_its_size_is_named() {
        let range = IdRange {
            inside: 4_000_000_000,
            outside: 4_000_000_000,
            size: 1,
        };
        assert!(matches!(
            text("uid_map", &[]),
            Err(IdMapError::Ranges { ranges: 0, .. })
        ));
        assert!(matches!(
            text("uid_map", &[range; 341]),
            Err(IdMapError::Ranges { ranges: 341, .. })
        ));
        assert!(matches!(
            text("gid_map", &[range; 340]),
            Err(IdMapError::Length {
                file: "gid_map",
                ..
            })
        ));
    }
}
