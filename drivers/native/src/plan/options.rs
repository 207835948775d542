//! The options of a mount in the words of mount(8), as the new mount interface takes them.

use super::PlanError;
use libc::{
    MOUNT_ATTR__ATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODIRATIME,
    MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_RDONLY,
    MOUNT_ATTR_STRICTATIME,
};

/// What the words of a mount amount to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct MountOptions {
    /// `MOUNT_ATTR_*` bits that are set.
    pub(super) set: u64,
    /// `MOUNT_ATTR_*` bits that are asked to be clear.
    pub(super) clear: u64,
    /// A bind, whatever the type says.
    pub(super) bind: bool,
    /// With the mounts below the source.
    pub(super) recursive: bool,
    /// Owners are mapped, those of the mounts below the source too or not.
    pub(super) idmap: Option<bool>,
    /// `MS_PRIVATE` and so on, with `MS_REC` or not.
    pub(super) propagation: Option<u64>,
    /// Parameters of the file system: a key, or a key with a value.
    pub(super) params: Vec<(String, Option<String>)>,
}

/// What one word does.
#[derive(Clone, Copy)]
enum Word {
    Set(u64),
    Clear(u64),
    /// The access time words exclude one another.
    Atime(u64),
    Bind {
        recursive: bool,
    },
    Idmap {
        below: bool,
    },
    Propagation(u64),
    /// A flag of the whole file system, not of one mount of it.
    Superblock,
    Nothing,
    Unsupported,
}

/// Every word that is not a parameter of a file system. The recursive ones (`rro`) are the plain
/// ones: attributes of a bind always reach the mounts below it.
const WORDS: &[(&str, Word)] = &[
    ("defaults", Word::Nothing),
    ("ro", Word::Set(MOUNT_ATTR_RDONLY)),
    ("rro", Word::Set(MOUNT_ATTR_RDONLY)),
    ("rw", Word::Clear(MOUNT_ATTR_RDONLY)),
    ("rrw", Word::Clear(MOUNT_ATTR_RDONLY)),
    ("nosuid", Word::Set(MOUNT_ATTR_NOSUID)),
    ("rnosuid", Word::Set(MOUNT_ATTR_NOSUID)),
    ("suid", Word::Clear(MOUNT_ATTR_NOSUID)),
    ("rsuid", Word::Clear(MOUNT_ATTR_NOSUID)),
    ("nodev", Word::Set(MOUNT_ATTR_NODEV)),
    ("rnodev", Word::Set(MOUNT_ATTR_NODEV)),
    ("dev", Word::Clear(MOUNT_ATTR_NODEV)),
    ("rdev", Word::Clear(MOUNT_ATTR_NODEV)),
    ("noexec", Word::Set(MOUNT_ATTR_NOEXEC)),
    ("rnoexec", Word::Set(MOUNT_ATTR_NOEXEC)),
    ("exec", Word::Clear(MOUNT_ATTR_NOEXEC)),
    ("rexec", Word::Clear(MOUNT_ATTR_NOEXEC)),
    ("nodiratime", Word::Set(MOUNT_ATTR_NODIRATIME)),
    ("rnodiratime", Word::Set(MOUNT_ATTR_NODIRATIME)),
    ("diratime", Word::Clear(MOUNT_ATTR_NODIRATIME)),
    ("rdiratime", Word::Clear(MOUNT_ATTR_NODIRATIME)),
    ("nosymfollow", Word::Set(MOUNT_ATTR_NOSYMFOLLOW)),
    ("rnosymfollow", Word::Set(MOUNT_ATTR_NOSYMFOLLOW)),
    ("symfollow", Word::Clear(MOUNT_ATTR_NOSYMFOLLOW)),
    ("rsymfollow", Word::Clear(MOUNT_ATTR_NOSYMFOLLOW)),
    ("noatime", Word::Atime(MOUNT_ATTR_NOATIME)),
    ("rnoatime", Word::Atime(MOUNT_ATTR_NOATIME)),
    ("strictatime", Word::Atime(MOUNT_ATTR_STRICTATIME)),
    ("rstrictatime", Word::Atime(MOUNT_ATTR_STRICTATIME)),
    ("relatime", Word::Atime(0)),
    ("rrelatime", Word::Atime(0)),
    ("atime", Word::Nothing),
    ("norelatime", Word::Nothing),
    ("nostrictatime", Word::Nothing),
    ("bind", Word::Bind { recursive: false }),
    ("rbind", Word::Bind { recursive: true }),
    // A mount below that stayed shared would carry the container's mounts to the host.
    (
        "private",
        Word::Propagation(libc::MS_PRIVATE | libc::MS_REC),
    ),
    (
        "rprivate",
        Word::Propagation(libc::MS_PRIVATE | libc::MS_REC),
    ),
    ("slave", Word::Propagation(libc::MS_SLAVE | libc::MS_REC)),
    ("rslave", Word::Propagation(libc::MS_SLAVE | libc::MS_REC)),
    ("shared", Word::Propagation(libc::MS_SHARED)),
    ("rshared", Word::Propagation(libc::MS_SHARED | libc::MS_REC)),
    (
        "unbindable",
        Word::Propagation(libc::MS_UNBINDABLE | libc::MS_REC),
    ),
    (
        "runbindable",
        Word::Propagation(libc::MS_UNBINDABLE | libc::MS_REC),
    ),
    ("sync", Word::Superblock),
    ("dirsync", Word::Superblock),
    ("lazytime", Word::Superblock),
    ("mand", Word::Superblock),
    ("async", Word::Nothing),
    ("nolazytime", Word::Nothing),
    ("nomand", Word::Nothing),
    ("silent", Word::Nothing),
    ("loud", Word::Nothing),
    // Every devpts is a new instance since Linux 4.7.
    ("newinstance", Word::Nothing),
    ("remount", Word::Unsupported),
    ("tmpcopyup", Word::Unsupported),
    ("copy-symlink", Word::Unsupported),
    ("idmap", Word::Idmap { below: false }),
    ("ridmap", Word::Idmap { below: true }),
];

impl MountOptions {
    /// Reads the words in order; a later one beats an earlier one.
    pub(super) fn parse(field: &str, words: &[String]) -> Result<Self, PlanError> {
        let mut options = Self::default();
        for word in words {
            let known = WORDS.iter().find(|(known, _)| known == word);
            match known.map(|(_, word)| *word) {
                Some(known) => options.apply(field, word, known)?,
                None => options.param(word),
            }
        }
        Ok(options)
    }

    /// The value of a parameter.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(name, _)| name == key)
            .and_then(|(_, value)| value.as_deref())
    }

    fn apply(&mut self, field: &str, text: &str, word: Word) -> Result<(), PlanError> {
        match word {
            Word::Set(bit) => {
                self.set |= bit;
                self.clear &= !bit;
            }
            Word::Clear(bit) => {
                self.clear |= bit;
                self.set &= !bit;
            }
            Word::Atime(bits) => {
                self.set = self.set & !MOUNT_ATTR__ATIME | bits;
                // The kernel wants the whole field cleared to set any of it: mount_setattr(2).
                self.clear |= MOUNT_ATTR__ATIME;
            }
            Word::Bind { recursive } => {
                self.bind = true;
                self.recursive = recursive;
            }
            Word::Idmap { below } => self.idmap = Some(below),
            Word::Propagation(kind) => self.propagation = Some(kind),
            Word::Superblock => self.param(text),
            Word::Nothing => {}
            Word::Unsupported => {
                let what = format!("mount option {text:?} ({field}.options)");
                return Err(PlanError::unsupported(what));
            }
        }
        Ok(())
    }

    fn param(&mut self, word: &str) {
        if word.is_empty() {
            return;
        }
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (word, None),
        };
        self.params.retain(|(name, _)| name != key);
        self.params.push((key.to_owned(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> MountOptions {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        MountOptions::parse("mounts", &words).unwrap()
    }

    #[test]
    fn later_words_beat_earlier_ones() {
        let options = parse(&["nosuid", "ro", "suid", "rw"]);
        assert_eq!(options.set, 0);
        assert_eq!(options.clear, MOUNT_ATTR_NOSUID | MOUNT_ATTR_RDONLY);
        let options = parse(&["size=1k", "size=2k", "noatime", "strictatime"]);
        assert_eq!(options.value("size"), Some("2k"));
        assert_eq!(options.set, MOUNT_ATTR_STRICTATIME);
        assert_eq!(options.clear, MOUNT_ATTR__ATIME);
    }

    #[test]
    fn what_is_no_flag_is_a_parameter_of_the_file_system() {
        let options = parse(&["ptmxmode=0666", "sync", "rbind", "rslave"]);
        assert_eq!(options.params.len(), 2);
        assert!(options.bind && options.recursive);
        assert_eq!(options.propagation, Some(libc::MS_SLAVE | libc::MS_REC));
    }

    #[test]
    fn options_that_would_be_ignored_are_refused() {
        for word in ["remount", "tmpcopyup", "copy-symlink"] {
            let error = MountOptions::parse("mounts", &[word.to_owned()]).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
