//! Names of the system's objects, one for each container of each root.

use execdriver_core::ContainerId;
use std::path::Path;

/// A container as the back-ends know it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SystemName {
    /// The container's id, unique below one root.
    pub(crate) id: String,
    /// A name of the host's: `execdriver-<root>-<id>`, where two roots may have the same id; with the number of a run,
    /// which a later one of the same id shares with nobody who still looks at the earlier.
    pub(crate) object: String,
}

impl SystemName {
    /// The name of `id` below `root`, which has to be the same text in every process.
    pub(crate) fn new(root: &Path, id: &ContainerId) -> Self {
        // Windows does not tell upper from lower case in paths, nor / from \.
        let root = root.to_string_lossy().replace('\\', "/").to_lowercase();
        let hash = fnv1a(root.trim_end_matches('/').as_bytes());
        Self {
            id: id.to_string(),
            object: format!("execdriver-{hash:016x}-{id}"),
        }
    }

    /// The name of one run of the container.
    pub(crate) fn of_run(&self, run: u64) -> Self {
        Self {
            id: self.id.clone(),
            object: format!("{}-{run:x}", self.object),
        }
    }
}

/// FNV-1a, 64 bits: names need no secrecy, only the same result in every version of every program.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_root_in_any_spelling_gives_one_name_and_another_root_another() {
        let id = ContainerId::parse("web-1").unwrap();
        let name = |root: &str| SystemName::new(Path::new(root), &id).object;
        assert_eq!(name("C:\\Run\\x"), name("c:/run/x/"));
        assert_ne!(name("C:\\run\\x"), name("C:\\run\\y"));
        assert!(name("C:\\run").ends_with("-web-1"));
    }

    #[test]
    fn the_longest_id_still_makes_a_name_that_windows_takes() {
        let id = ContainerId::parse(&"a".repeat(200)).unwrap();
        let name = SystemName::new(Path::new("C:\\"), &id).of_run(u64::MAX);
        assert!(name.object.len() < 250, "MAX_PATH is 260");
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
