//! User namespaces: `host`, `auto`, `keep-id` or `UID:GID:SIZE`.

use execdriver::{Command, IdMap, LinuxCommand, RemappedRoot, UserNamespace};
use std::path::Path;
use std::str::FromStr;

/// The value of `--userns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UsernsArg {
    /// The driver chooses, or there is none.
    Choice(UserNamespace),
    /// The container's root is this user and group of the host, with as many ids from there on.
    Range { uid: u32, gid: u32, size: u32 },
}

impl FromStr for UsernsArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "host" => return Ok(Self::Choice(UserNamespace::Host)),
            "auto" => return Ok(Self::Choice(UserNamespace::Auto)),
            "keep-id" => return Ok(Self::Choice(UserNamespace::KeepId)),
            _ => {}
        }
        let wrong = || format!("{text:?} is not host, auto, keep-id or UID:GID:SIZE");
        let mut numbers = text.split(':').map(str::parse::<u32>);
        let mut next = || numbers.next().and_then(Result::ok).ok_or_else(wrong);
        let range = Self::Range {
            uid: next()?,
            gid: next()?,
            size: next()?,
        };
        match numbers.next() {
            None => Ok(range),
            Some(_) => Err(wrong()),
        }
    }
}

impl UsernsArg {
    /// Says it in the command. A root file system whose owner is nobody inside is shown with its
    /// owners mapped, as only root can.
    pub(crate) fn apply(
        self,
        command: &mut Command,
        linux: &mut LinuxCommand,
        rootfs: Option<&Path>,
    ) {
        match self {
            Self::Choice(choice) => {
                linux.user_namespace = choice;
                if choice == UserNamespace::KeepId && command.process.user.is_empty() {
                    command.process.user = host::own_user().unwrap_or_default();
                }
            }
            Self::Range { uid, gid, size } => {
                let range = |host_id| IdMap {
                    container_id: 0,
                    host_id,
                    size,
                };
                linux.remapped_root = Some(RemappedRoot { uid, gid });
                linux.uid_mappings = vec![range(uid)];
                linux.gid_mappings = vec![range(gid)];
            }
        }
        if let Some(rootfs) = rootfs {
            linux.idmap_rootfs =
                host::is_root() && host::owner(rootfs).is_some_and(|owner| self.is_foreign(owner));
        }
    }

    /// Whether a user of the host is nobody inside. The ranges that are given out never hold root.
    fn is_foreign(self, owner: u32) -> bool {
        match self {
            Self::Choice(UserNamespace::Auto | UserNamespace::KeepId) => owner == 0,
            Self::Choice(_) => false,
            Self::Range { uid, size, .. } => {
                owner.checked_sub(uid).is_none_or(|offset| offset >= size)
            }
        }
    }
}

#[cfg(unix)]
mod host {
    use nix::unistd::{getegid, geteuid};
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    pub(super) fn is_root() -> bool {
        geteuid().is_root()
    }

    pub(super) fn own_user() -> Option<String> {
        Some(format!("{}:{}", geteuid(), getegid()))
    }

    pub(super) fn owner(path: &Path) -> Option<u32> {
        Some(path.metadata().ok()?.uid())
    }
}

#[cfg(not(unix))]
mod host {
    use std::path::Path;

    pub(super) fn is_root() -> bool {
        false
    }

    pub(super) fn own_user() -> Option<String> {
        None
    }

    pub(super) fn owner(_: &Path) -> Option<u32> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_namespace_is_a_word_or_a_range() {
        let parse = |text: &str| text.parse::<UsernsArg>();
        assert_eq!(
            parse("auto").unwrap(),
            UsernsArg::Choice(UserNamespace::Auto)
        );
        let range = parse("100000:200000:65536").unwrap();
        let expected = UsernsArg::Range {
            uid: 100_000,
            gid: 200_000,
            size: 65_536,
        };
        assert_eq!(range, expected);
        assert!(range.is_foreign(0) && range.is_foreign(165_536) && !range.is_foreign(100_000));
        for text in [
            "",
            "none",
            "1",
            "1:2",
            "1:2:3:4",
            "a:b:c",
            "-1:0:1",
            "1:2:4294967296",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_range_says_who_root_is() {
        let mut command = Command::linux("x", "/srv", "/bin/true");
        let mut linux = LinuxCommand::default();
        let range = UsernsArg::Range {
            uid: 1000,
            gid: 2000,
            size: 10,
        };
        range.apply(&mut command, &mut linux, None);
        assert_eq!(linux.uid_mappings[0].host_id, 1000);
        assert_eq!(linux.gid_mappings[0].host_id, 2000);
        assert_eq!(
            linux.remapped_root,
            Some(RemappedRoot {
                uid: 1000,
                gid: 2000
            })
        );
        assert!(!linux.idmap_rootfs);
    }
}
