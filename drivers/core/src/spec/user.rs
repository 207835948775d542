//! The grammar of `user[:group]`, parsed before anything is looked up.

use super::User;
use crate::{Error, Result};

/// The largest id that a user or a group may have, as in the original.
pub const MAX_ID: u32 = 2_147_483_647;

/// A number, or a name that the container's own files know.
///
/// What looks like a number is one and is never looked up by name: an image whose `/etc/passwd`
/// names a user `1000` with uid 0 would make `--user 1000` root (CVE-2016-3697), and so would a
/// number too large to be one (CVE-2026-46680).
///
/// ```
/// use execdriver_core::spec::IdOrName;
/// assert_eq!(IdOrName::parse("007"), Ok(IdOrName::Id(7)));
/// assert_eq!(IdOrName::parse("daemon"), Ok(IdOrName::Name("daemon")));
/// assert!(IdOrName::parse("4294967296").is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdOrName<'a> {
    /// A number up to [`MAX_ID`].
    Id(u32),
    /// A name.
    Name(&'a str),
}

impl<'a> IdOrName<'a> {
    /// Parses one side of `user:group`.
    ///
    /// # Errors
    /// Why it is neither: a number out of range or with a sign, an empty text, one with `:` or a
    /// control character.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let numeric = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if numeric {
            return match text.parse() {
                Ok(id) if id <= MAX_ID && digits == text => Ok(Self::Id(id)),
                _ => Err(format!(
                    "got {text}, uids and gids must be in range 0-{MAX_ID}"
                )),
            };
        }
        let bad = |character: char| character == ':' || character.is_control();
        if text.is_empty() || text.contains(bad) {
            return Err(format!("got {text:?}, expected a name or a number"));
        }
        Ok(Self::Name(text))
    }
}

/// `user[:group]` taken apart. Both may be absent.
///
/// ```
/// use execdriver_core::spec::{IdOrName, UserText};
/// let text = UserText::parse("daemon:77")?;
/// assert_eq!(text.user, Some(IdOrName::Name("daemon")));
/// assert_eq!(text.group, Some(IdOrName::Id(77)));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct UserText<'a> {
    /// Before the colon.
    pub user: Option<IdOrName<'a>>,
    /// After the colon.
    pub group: Option<IdOrName<'a>>,
}

impl<'a> UserText<'a> {
    /// Parses `""`, `user`, `user:group`, `:group` and `user:`.
    ///
    /// # Errors
    /// Why a side is neither a name nor a number; a second colon.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        let side = |text: &'a str| match text {
            "" => Ok(None),
            text => IdOrName::parse(text).map(Some),
        };
        Ok(Self {
            user: side(user)?,
            group: side(group)?,
        })
    }
}

/// Checks the user of a process and its extra groups.
pub(super) fn names(user: &str, groups: &[String]) -> Result<User> {
    UserText::parse(user).map_err(|reason| Error::invalid("process_config.user", reason))?;
    for (index, group) in groups.iter().enumerate() {
        IdOrName::parse(group)
            .map_err(|reason| Error::invalid(format!("group_add[{index}]"), reason))?;
    }
    Ok(User::Names {
        user: user.to_owned(),
        groups: groups.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn user_unknown_num() {
        let text = UserText::parse("4242:77").unwrap();
        assert_eq!(text.user, Some(IdOrName::Id(4242)));
        assert_eq!(text.group, Some(IdOrName::Id(77)));
        assert_eq!(UserText::parse("4242").unwrap().group, None);
        assert_eq!(UserText::parse("").unwrap(), UserText::default());
    }

    #[test]
    fn user_bad() {
        for bad in [
            "2147483648",
            "-1",
            "+1",
            "4294967296",
            "1:-1",
            "1:99999999999999999999",
        ] {
            let reason = UserText::parse(bad).unwrap_err();
            assert!(
                reason.ends_with("uids and gids must be in range 0-2147483647"),
                "{bad}: {reason}"
            );
        }
        for bad in ["a:b:c", "a\nb", "a\0", "a:\u{7f}"] {
            let reason = UserText::parse(bad).unwrap_err();
            assert!(
                reason.ends_with("expected a name or a number"),
                "{bad:?}: {reason}"
            );
        }
    }

    #[test]
    fn a_bad_extra_group_is_named_by_its_place() {
        let groups = ["audio".to_owned(), "audio".to_owned(), "-7".to_owned()];
        assert!(names("", &groups[..2]).is_ok());
        let error = names("", &groups).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("invalid group_add[2]: got -7")
        );
    }

    proptest! {
        /// CVE-2026-30892: `-u 1` became uid 0.
        #[test]
        fn numbers_come_back_as_they_went_in(uid in 0..=MAX_ID, gid in 0..=MAX_ID) {
            let text = format!("{uid}:{gid}");
            let parsed = UserText::parse(&text).unwrap();
            prop_assert_eq!(parsed.user, Some(IdOrName::Id(uid)));
            prop_assert_eq!(parsed.group, Some(IdOrName::Id(gid)));
        }

        /// CVE-2016-3697 and CVE-2026-46680: a number is never a name, however large.
        #[test]
        fn what_looks_like_a_number_is_never_a_name(text in "[-+]?[0-9]{1,40}") {
            prop_assert!(!matches!(IdOrName::parse(&text), Ok(IdOrName::Name(_))));
        }

        #[test]
        fn any_text_parses_or_is_refused(text in any::<String>()) {
            if let Ok(parsed) = UserText::parse(&text) {
                let side = |side: Option<IdOrName<'_>>| match side {
                    Some(IdOrName::Name(name)) => name.to_owned(),
                    Some(IdOrName::Id(id)) => id.to_string(),
                    None => String::new(),
                };
                let again = format!("{}:{}", side(parsed.user), side(parsed.group));
                prop_assert_eq!(UserText::parse(&again).unwrap(), parsed);
            }
        }
    }
}
