//! The options of a mount in the words of mount(8), as the new mount interface takes them.

use super::PlanError;
use libc::{
    MOUNT_ATTR__ATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODIRATIME,
    MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_RDONLY,
    MOUNT_ATTR_STRICTATIME,
};
use std::fmt;

/// What the words of a mount amount to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct MountOptions<'a> {
    /// `MOUNT_ATTR_*` bits of the mount itself.
    pub(super) own: Attributes,
    /// Those of the mounts below it too.
    pub(super) deep: Attributes,
    /// A bind, whatever the type says.
    pub(super) bind: bool,
    /// With the mounts below the source.
    pub(super) recursive: bool,
    /// Owners are mapped, those of the mounts below the source too or not.
    pub(super) idmap: Option<bool>,
    /// `MS_PRIVATE` and so on, with `MS_REC` or not.
    pub(super) propagation: Option<u64>,
    /// Changes a mount that is there.
    pub(super) remount: bool,
    /// Counts the changes of files in their inodes, which only mount(2) takes.
    pub(super) iversion: bool,
    /// A tmpfs that begins with what it covers.
    pub(super) copy_up: bool,
    /// Parameters of the file system.
    pub(super) params: Vec<Param<'a>>,
}

/// A parameter of a file system: a key, or a key with a value.
pub(super) type Param<'a> = (&'a str, Option<&'a str>);

/// Bits of a mount that are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    /// `MOUNT_ATTR_*` bits that are set.
    pub(super) set: u64,
    /// `MOUNT_ATTR_*` bits that are asked to be clear.
    pub(super) clear: u64,
}

impl Attributes {
    /// Whether nothing is asked for.
    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }

    fn apply(&mut self, bits: Bits) {
        match bits {
            Set(bit) => {
                self.set |= bit;
                self.clear &= !bit;
            }
            Clear(bit) => {
                self.clear |= bit;
                self.set &= !bit;
            }
            Atime(bits) => {
                self.set = self.set & !MOUNT_ATTR__ATIME | bits;
                // The kernel wants the whole field cleared to set any of it: mount_setattr(2).
                self.clear |= MOUNT_ATTR__ATIME;
            }
            // mount(8): only takes back the word that it denies; without any the kernel's default is relatime.
            NotAtime(bits) => {
                if self.set & MOUNT_ATTR__ATIME == bits {
                    self.set &= !MOUNT_ATTR__ATIME;
                }
            }
        }
    }
}

/// What a word does to the bits of a mount.
#[derive(Clone, Copy)]
enum Bits {
    Set(u64),
    Clear(u64),
    /// The access time words exclude one another.
    Atime(u64),
    NotAtime(u64),
}

/// What one word does.
#[derive(Clone, Copy)]
enum Word {
    Own(Bits),
    Deep(Bits),
    Bind {
        recursive: bool,
    },
    Idmap {
        below: bool,
    },
    Propagation(u64),
    /// A flag of the whole file system, not of one mount of it.
    Superblock,
    /// Takes back such a flag.
    NotSuperblock(&'static str),
    Iversion(bool),
    Remount,
    CopyUp,
    Nothing,
    Unsupported,
}

use Bits::{Atime, Clear, NotAtime, Set};
use Word::{Deep, Own};

/// Every word that is not a parameter of a file system: mount(8), and the table of OCI's config.md.
const WORDS: &[(&str, Word)] = &[
    ("defaults", Word::Nothing),
    ("ro", Own(Set(MOUNT_ATTR_RDONLY))),
    ("rro", Deep(Set(MOUNT_ATTR_RDONLY))),
    ("rw", Own(Clear(MOUNT_ATTR_RDONLY))),
    ("rrw", Deep(Clear(MOUNT_ATTR_RDONLY))),
    ("nosuid", Own(Set(MOUNT_ATTR_NOSUID))),
    ("rnosuid", Deep(Set(MOUNT_ATTR_NOSUID))),
    ("suid", Own(Clear(MOUNT_ATTR_NOSUID))),
    ("rsuid", Deep(Clear(MOUNT_ATTR_NOSUID))),
    ("nodev", Own(Set(MOUNT_ATTR_NODEV))),
    ("rnodev", Deep(Set(MOUNT_ATTR_NODEV))),
    ("dev", Own(Clear(MOUNT_ATTR_NODEV))),
    ("rdev", Deep(Clear(MOUNT_ATTR_NODEV))),
    ("noexec", Own(Set(MOUNT_ATTR_NOEXEC))),
    ("rnoexec", Deep(Set(MOUNT_ATTR_NOEXEC))),
    ("exec", Own(Clear(MOUNT_ATTR_NOEXEC))),
    ("rexec", Deep(Clear(MOUNT_ATTR_NOEXEC))),
    ("nodiratime", Own(Set(MOUNT_ATTR_NODIRATIME))),
    ("rnodiratime", Deep(Set(MOUNT_ATTR_NODIRATIME))),
    ("diratime", Own(Clear(MOUNT_ATTR_NODIRATIME))),
    ("rdiratime", Deep(Clear(MOUNT_ATTR_NODIRATIME))),
    ("nosymfollow", Own(Set(MOUNT_ATTR_NOSYMFOLLOW))),
    ("rnosymfollow", Deep(Set(MOUNT_ATTR_NOSYMFOLLOW))),
    ("symfollow", Own(Clear(MOUNT_ATTR_NOSYMFOLLOW))),
    ("rsymfollow", Deep(Clear(MOUNT_ATTR_NOSYMFOLLOW))),
    ("noatime", Own(Atime(MOUNT_ATTR_NOATIME))),
    ("rnoatime", Deep(Atime(MOUNT_ATTR_NOATIME))),
    ("strictatime", Own(Atime(MOUNT_ATTR_STRICTATIME))),
    ("rstrictatime", Deep(Atime(MOUNT_ATTR_STRICTATIME))),
    ("relatime", Own(Atime(0))),
    ("rrelatime", Deep(Atime(0))),
    ("atime", Own(NotAtime(MOUNT_ATTR_NOATIME))),
    // Which of the mounts below have it, nobody knows: all get the kernel's default.
    ("ratime", Deep(Atime(0))),
    ("norelatime", Own(NotAtime(0))),
    ("rnorelatime", Deep(NotAtime(0))),
    ("nostrictatime", Own(NotAtime(MOUNT_ATTR_STRICTATIME))),
    ("rnostrictatime", Deep(Atime(0))),
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
    ("async", Word::NotSuperblock("sync")),
    ("nolazytime", Word::NotSuperblock("lazytime")),
    ("nomand", Word::NotSuperblock("mand")),
    ("iversion", Word::Iversion(true)),
    ("noiversion", Word::Iversion(false)),
    ("silent", Word::Nothing),
    ("loud", Word::Nothing),
    // Every devpts is a new instance since Linux 4.7.
    ("newinstance", Word::Nothing),
    ("remount", Word::Remount),
    ("tmpcopyup", Word::CopyUp),
    ("copy-symlink", Word::Unsupported),
    ("idmap", Word::Idmap { below: false }),
    ("ridmap", Word::Idmap { below: true }),
];

/// Every word that is understood without being a parameter of a file system.
pub(crate) fn mount_words() -> Vec<&'static str> {
    let done = |(_, word): &&(&str, Word)| !matches!(word, Word::Unsupported);
    WORDS.iter().filter(done).map(|(word, _)| *word).collect()
}

/// Whether owners are to be mapped.
pub(super) fn map_owners(words: &[String]) -> bool {
    let maps = |word: &String| matches!(known(word), Some(Word::Idmap { .. }));
    words.iter().any(maps)
}

fn known(word: &str) -> Option<Word> {
    let found = WORDS.iter().find(|(known, _)| *known == word);
    found.map(|(_, word)| *word)
}

impl<'a> MountOptions<'a> {
    /// Reads the words in order; a later one beats an earlier one.
    pub(super) fn parse(
        field: impl fmt::Display,
        words: &'a [impl AsRef<str>],
    ) -> Result<Self, PlanError> {
        let mut options = Self::default();
        for word in words.iter().map(AsRef::as_ref) {
            match known(word) {
                Some(known) => options.apply(&field, word, known)?,
                None => options.param(word),
            }
        }
        Ok(options)
    }

    /// The `MOUNT_ATTR_*` bits of a new file system, below which there is nothing.
    pub(super) fn attributes(&self) -> u64 {
        match self.deep.clear & MOUNT_ATTR__ATIME {
            0 => self.own.set | self.deep.set,
            _ => self.own.set & !MOUNT_ATTR__ATIME | self.deep.set,
        }
    }

    /// The value of a parameter.
    pub(super) fn value(&self, key: &str) -> Option<&'a str> {
        let found = self.params.iter().find(|(name, _)| *name == key);
        found.and_then(|(_, value)| *value)
    }

    fn apply(
        &mut self,
        field: impl fmt::Display,
        text: &'a str,
        word: Word,
    ) -> Result<(), PlanError> {
        match word {
            Own(bits) => self.own.apply(bits),
            Deep(bits) => self.deep.apply(bits),
            Word::Bind { recursive } => {
                self.bind = true;
                self.recursive = recursive;
            }
            Word::Idmap { below } => self.idmap = Some(below),
            Word::Propagation(kind) => self.propagation = Some(kind),
            Word::Superblock => self.param(text),
            Word::NotSuperblock(word) => self.params.retain(|(name, _)| *name != word),
            Word::Iversion(on) => self.iversion = on,
            Word::Remount => self.remount = true,
            Word::CopyUp => self.copy_up = true,
            Word::Nothing => {}
            Word::Unsupported => {
                let what = format!("mount option {text:?} ({field}.options)");
                return Err(PlanError::unsupported(what));
            }
        }
        Ok(())
    }

    fn param(&mut self, word: &'a str) {
        if word.is_empty() {
            return;
        }
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (word, None),
        };
        self.params.retain(|(name, _)| *name != key);
        self.params.push((key, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<'a>(words: &'a [&str]) -> MountOptions<'a> {
        MountOptions::parse("mounts", words).unwrap()
    }

    #[test]
    fn later_words_beat_earlier_ones() {
        let options = parse(&["nosuid", "ro", "suid", "rw"]);
        assert_eq!(options.own.set, 0);
        assert_eq!(options.own.clear, MOUNT_ATTR_NOSUID | MOUNT_ATTR_RDONLY);
        let options = parse(&["size=1k", "size=2k", "noatime", "strictatime"]);
        assert_eq!(options.value("size"), Some("2k"));
        assert_eq!(options.own.set, MOUNT_ATTR_STRICTATIME);
        assert_eq!(options.own.clear, MOUNT_ATTR__ATIME);
    }

    #[test]
    fn a_word_takes_back_only_what_it_denies() {
        assert_eq!(parse(&["noatime", "atime"]).own.set, 0);
        let strict = parse(&["strictatime", "atime", "norelatime"]);
        assert_eq!(strict.own.set, MOUNT_ATTR_STRICTATIME);
        assert_eq!(parse(&["strictatime", "nostrictatime"]).own.set, 0);
        assert!(parse(&["sync", "async"]).params.is_empty());
        assert!(!parse(&["iversion", "noiversion"]).iversion);
        // Alone it asks for nothing.
        assert!(parse(&["atime"]).own.is_empty());
    }

    #[test]
    fn config_linux_mount_options_recursive_ones_are_kept_apart() {
        let options = parse(&["rbind", "rro", "nosuid"]);
        assert_eq!(options.deep.set, MOUNT_ATTR_RDONLY);
        assert_eq!(options.own.set, MOUNT_ATTR_NOSUID);
        assert_eq!(parse(&["ratime"]).deep.clear, MOUNT_ATTR__ATIME);
    }

    /// The words of the table in OCI's config.md, 1.3.
    #[test]
    fn config_linux_mount_options_every_word_of_the_table_is_known() {
        let words = "async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev \
                     nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private \
                     ratime rbind rdev rdiratime relatime remount rexec rnoatime rnodiratime rnoexec rnorelatime \
                     rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid \
                     rsymfollow runbindable rw shared silent slave strictatime suid symfollow sync tmpcopyup unbindable \
                     idmap ridmap";
        for word in words.split_whitespace() {
            assert!(mount_words().contains(&word), "{word}");
        }
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
        let word = "copy-symlink";
        let error = MountOptions::parse("mounts", &[word.to_owned()]).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}
