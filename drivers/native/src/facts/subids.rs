//! The ids beside its own that a user may give to its user namespaces: subuid(5), newuidmap(1).

use crate::launch::IdHelpers;
use nix::unistd::{Uid, User};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where distributions install the helpers; never searched for in a `PATH` that somebody else set.
const PLACES: [&str; 4] = [
    "/usr/bin",
    "/bin",
    "/usr/local/bin",
    // NixOS has no setuid programs in its store.
    "/run/wrappers/bin",
];

/// `count` ids from `first` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubRange {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// What the host gives to one user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SubIds {
    /// The user's name; its number where it has none.
    pub(crate) user: String,
    /// Whether it has a name, without which newuidmap does nothing.
    pub(crate) named: bool,
    /// Of /etc/subuid, in the order of the file.
    pub(crate) uids: Vec<SubRange>,
    /// Of /etc/subgid.
    pub(crate) gids: Vec<SubRange>,
    /// The programs that write them for who is not root; `None` when one is missing.
    pub(crate) helpers: Option<IdHelpers>,
}

impl SubIds {
    /// Of the user `uid`, as of now: an administrator may change the files at any time.
    pub(crate) fn read(uid: u32) -> Self {
        let name = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        let name = name.map(|user| user.name);
        let ranges = |path: &str| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            parse(&text, name.as_deref(), uid)
        };
        Self {
            uids: ranges("/etc/subuid"),
            gids: ranges("/etc/subgid"),
            helpers: helpers(),
            named: name.is_some(),
            user: name.unwrap_or_else(|| uid.to_string()),
        }
    }

    /// Why there is no range to be had, and the mend; `None` when there is one. Root writes its
    /// maps itself.
    pub(crate) fn missing(&self, root: bool) -> Option<(String, String)> {
        if self.helpers.is_none() && !root {
            return Some((
                "newuidmap and newgidmap are not installed as set-user-ID programs".to_owned(),
                "apt-get install uidmap (Debian), dnf install shadow-utils (Fedora)".to_owned(),
            ));
        }
        if !self.named && !root {
            let user = &self.user;
            return Some((
                format!("user {user} has no name in /etc/passwd"),
                format!("useradd --uid {user} NAME"),
            ));
        }
        for (ranges, file) in [(&self.uids, "/etc/subuid"), (&self.gids, "/etc/subgid")] {
            if ranges.is_empty() {
                let user = &self.user;
                return Some((
                    format!("{file} has no line for {user}"),
                    format!(
                        "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"
                    ),
                ));
            }
        }
        None
    }

    /// Whether all of these ids belong to the user.
    pub(crate) fn contain(ranges: &[SubRange], first: u32, count: u32) -> bool {
        let end = |first: u32, count: u32| u64::from(first) + u64::from(count);
        ranges
            .iter()
            .any(|range| range.first <= first && end(first, count) <= end(range.first, range.count))
    }
}

/// The ranges of lines `user:first:count`, the user by its name or its number.
fn parse(text: &str, name: Option<&str>, uid: u32) -> Vec<SubRange> {
    let number = uid.to_string();
    let mine = |line: &str| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let range = SubRange {
            first: fields.next()?.parse().ok()?,
            count: fields.next()?.parse().ok()?,
        };
        let sound = range.count > 0 && range.first.checked_add(range.count).is_some();
        (sound && (Some(owner) == name || owner == number)).then_some(range)
    };
    text.lines().filter_map(mine).collect()
}

fn helpers() -> Option<IdHelpers> {
    Some(IdHelpers {
        newuidmap: helper("newuidmap")?,
        newgidmap: helper("newgidmap")?,
    })
}

/// Root's own, that nobody else can change. Whether it has its rights by the mode or by file
/// capabilities, it says itself when it fails.
fn helper(name: &str) -> Option<PathBuf> {
    let trusted = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|data| {
            let mode = data.permissions().mode();
            data.is_file() && data.uid() == 0 && mode & 0o022 == 0 && mode & 0o111 != 0
        })
    };
    let mut paths = PLACES.iter().map(|dir| Path::new(dir).join(name));
    paths.find(trusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "root:1:2\nkim:100000:65536\n1000:300000:10\nkim:x:1\nkim:5\nkim:7:0\n\
                        kim:4294967295:9\n\nlee:1000:1\n";

    #[test]
    fn lines_by_name_and_by_number_count_and_broken_ones_do_not() {
        let found = parse(TEXT, Some("kim"), 1000);
        let ranges: Vec<_> = found
            .iter()
            .map(|range| (range.first, range.count))
            .collect();
        assert_eq!(ranges, [(100_000, 65536), (300_000, 10)]);
        assert_eq!(parse(TEXT, None, 1000).len(), 1);
        assert!(parse(TEXT, Some("1"), 7).is_empty());
    }

    #[test]
    fn a_range_is_the_users_when_all_of_it_is() {
        let ranges = parse(TEXT, Some("kim"), 1);
        assert!(SubIds::contain(&ranges, 100_000, 65536));
        assert!(SubIds::contain(&ranges, 165_535, 1));
        assert!(!SubIds::contain(&ranges, 165_535, 2));
        assert!(!SubIds::contain(&ranges, 99_999, 2));
        assert!(!SubIds::contain(&ranges, u32::MAX, u32::MAX));
    }

    #[test]
    fn what_is_missing_has_its_mend() {
        let mut ids = SubIds {
            user: "kim".to_owned(),
            named: true,
            ..SubIds::default()
        };
        assert!(ids.missing(false).unwrap().1.contains("uidmap"));
        let (reason, mend) = ids.missing(true).unwrap();
        assert_eq!(reason, "/etc/subuid has no line for kim");
        assert!(mend.starts_with("usermod --add-subuids") && mend.ends_with(" kim"));
        ids.uids = parse(TEXT, Some("kim"), 1);
        assert!(ids.missing(true).unwrap().0.contains("/etc/subgid"));
        ids.gids.clone_from(&ids.uids);
        assert_eq!(ids.missing(true), None);
    }
}
