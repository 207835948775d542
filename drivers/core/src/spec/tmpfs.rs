//! The options of a tmpfs that a command asks for: tmpfs(5).

use super::user::MAX_ID;

/// In force unless the options say otherwise.
const DEFAULTS: [&str; 4] = ["nosuid", "noexec", "nodev", "size=65536k"];

/// Flags: the word, the word that it takes back, and whether it is more than taking back.
const FLAGS: [(&str, &str, bool); 17] = [
    ("defaults", "", false),
    ("ro", "", true),
    ("rw", "ro", false),
    ("nosuid", "", true),
    ("suid", "nosuid", false),
    ("noexec", "", true),
    ("exec", "noexec", false),
    ("nodev", "", true),
    ("dev", "nodev", false),
    ("sync", "", true),
    ("async", "sync", false),
    ("dirsync", "", true),
    ("noatime", "relatime strictatime", true),
    ("relatime", "noatime strictatime", true),
    ("strictatime", "noatime relatime", true),
    ("nodiratime", "", true),
    ("diratime", "nodiratime", false),
];

/// The options in force, or why `data` is refused.
///
/// What the caller does not mention keeps its default (the original dropped `nosuid`, `noexec`
/// and `nodev` with the first option given); a later word beats an earlier one.
pub(super) fn options(data: &str) -> Result<Vec<String>, String> {
    let mut options: Vec<String> = DEFAULTS.iter().map(ToString::to_string).collect();
    for word in data.split(',').filter(|word| !word.is_empty()) {
        if let Some((_, taken_back, adds)) = FLAGS.iter().find(|(flag, ..)| *flag == word) {
            options.retain(|option| option != word && taken_back.split(' ').all(|b| b != option));
            if *adds {
                options.push(word.to_owned());
            }
        } else {
            let key = checked_key(word)?;
            options.retain(|option| option.split('=').next() != Some(key));
            options.push(word.to_owned());
        }
    }
    Ok(options)
}

fn checked_key(word: &str) -> Result<&str, String> {
    let (key, value) = word.split_once('=').unwrap_or((word, ""));
    let expected = match key {
        "size" if is_size(value) || value.strip_suffix('%').is_some_and(is_number) => {
            return Ok(key);
        }
        "nr_inodes" | "nr_blocks" if is_size(value) => return Ok(key),
        "mode" if is_mode(value) => return Ok(key),
        "uid" | "gid" if value.parse().is_ok_and(|id: u32| id <= MAX_ID) => return Ok(key),
        "mpol" if !value.is_empty() => return Ok(key),
        "size" => "a number with or without k, m, g or %",
        "nr_inodes" | "nr_blocks" => "a number with or without k, m or g",
        "mode" => "an octal number up to 7777",
        "uid" | "gid" => "a number from 0 to 2147483647",
        "mpol" => "a memory policy",
        _ => {
            return Err(format!(
                "invalid tmpfs option {key:?}, expected size, mode, uid, gid, nr_inodes, \
                 nr_blocks, mpol or a mount flag"
            ));
        }
    };
    Err(format!(
        "invalid tmpfs option {word:?}, expected {expected}"
    ))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_size(text: &str) -> bool {
    is_number(
        text.strip_suffix(['k', 'K', 'm', 'M', 'g', 'G'])
            .unwrap_or(text),
    )
}

fn is_mode(text: &str) -> bool {
    u32::from_str_radix(text, 8).is_ok_and(|mode| mode <= 0o7777) && is_number(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(data: &str) -> String {
        options(data).unwrap().join(",")
    }

    #[test]
    fn tmpfs_options_keep_the_defaults_that_they_do_not_mention() {
        assert_eq!(joined(""), "nosuid,noexec,nodev,size=65536k");
        assert_eq!(
            joined("size=5k,mode=700"),
            "nosuid,noexec,nodev,size=5k,mode=700"
        );
        assert_eq!(
            joined("mode=1777"),
            "nosuid,noexec,nodev,size=65536k,mode=1777"
        );
    }

    #[test]
    fn tmpfs_options_override_defaults_explicitly_and_the_later_word_wins() {
        assert_eq!(joined("exec,suid,dev"), "size=65536k");
        assert_eq!(joined("exec,noexec"), "nosuid,nodev,size=65536k,noexec");
        assert_eq!(
            joined("ro,rw,size=1m,size=50%"),
            "nosuid,noexec,nodev,size=50%"
        );
        assert_eq!(
            joined("defaults,noatime,strictatime"),
            "nosuid,noexec,nodev,size=65536k,strictatime"
        );
    }

    #[test]
    fn a_tmpfs_option_that_is_not_known_is_named() {
        let error = options("size=1k,foobar").unwrap_err();
        assert!(
            error.starts_with("invalid tmpfs option \"foobar\", expected size"),
            "{error}"
        );
        for bad in [
            "bind",
            "rshared",
            "remount",
            "huge=always",
            "=1",
            "a=b",
            "SIZE=1",
        ] {
            assert!(options(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tmpfs_values_are_checked() {
        for bad in [
            "size",
            "size=",
            "size=k",
            "size=-1",
            "size=1t",
            "size=%",
            "mode=8",
            "mode=+7",
            "mode=10000",
            "uid=-1",
            "gid=2147483648",
            "nr_inodes=5%",
            "nr_blocks=",
            "mpol=",
        ] {
            let error = options(bad).unwrap_err();
            assert!(error.contains(&format!("{bad:?}")), "{bad}: {error}");
        }
        assert!(options("uid=0,gid=2147483647,nr_inodes=1k,nr_blocks=2,mpol=local").is_ok());
    }
}
