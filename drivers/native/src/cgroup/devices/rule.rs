//! One device rule, and what an ordered list of them means.

use std::fmt;

/// What may be done to the nodes of some devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceRule {
    pub(crate) allow: bool,
    pub(crate) kind: DeviceClass,
    /// `None`: all.
    pub(crate) major: Option<u32>,
    /// `None`: all.
    pub(crate) minor: Option<u32>,
    pub(crate) access: Access,
}

/// Which nodes a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceClass {
    All,
    Block,
    Char,
}

/// A set of uses of a device, with the numbers of `linux/bpf.h` (`BPF_DEVCG_ACC_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Access(u8);

impl Access {
    pub(crate) const NONE: Self = Self(0);
    /// `m`: make a node.
    pub(crate) const MAKE: Self = Self(1);
    /// `r`: open for reading.
    pub(crate) const READ: Self = Self(2);
    /// `w`: open for writing.
    pub(crate) const WRITE: Self = Self(4);
    pub(crate) const ALL: Self = Self(7);

    /// The bits of the kernel's number.
    pub(super) fn bits(self) -> i32 {
        i32::from(self.0)
    }

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn contains(self, other: Self) -> bool {
        other.without(self) == Self::NONE
    }

    /// Of `r`, `w` and `m`, each at most once.
    fn parse(text: &str) -> Option<Self> {
        let mut access = Self::NONE;
        for letter in text.chars() {
            let one = match letter {
                'r' => Self::READ,
                'w' => Self::WRITE,
                'm' => Self::MAKE,
                _ => return None,
            };
            if access.contains(one) {
                return None;
            }
            access = access.union(one);
        }
        Some(access)
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (one, letter) in [(Self::READ, "r"), (Self::WRITE, "w"), (Self::MAKE, "m")] {
            if self.contains(one) {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}

/// A rule that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {reason}")]
pub(crate) struct InvalidRule {
    rule: String,
    reason: &'static str,
}

impl DeviceRule {
    /// From the fields of the contract and of OCI: `a`, `b`, `c` or `u` (`""` is `a`); -1 or
    /// nothing for all; no access is every access.
    ///
    /// # Errors
    /// One that shows the rule.
    pub(crate) fn new(
        allow: bool,
        kind: &str,
        major: Option<i64>,
        minor: Option<i64>,
        access: &str,
    ) -> Result<Self, InvalidRule> {
        let invalid = |reason| InvalidRule {
            rule: format!("{kind} {major:?}:{minor:?} {access}"),
            reason,
        };
        let kind = match kind {
            "" | "a" => DeviceClass::All,
            "b" => DeviceClass::Block,
            "c" | "u" => DeviceClass::Char,
            _ => return Err(invalid("the type must be a, b, c or u")),
        };
        // The highest number is the kernel's own word for "all" in version 1.
        let number = |value: Option<i64>| match value {
            None | Some(-1) => Ok(None),
            Some(value) => u32::try_from(value)
                .ok()
                .filter(|value| *value != u32::MAX)
                .map(Some)
                .ok_or_else(|| invalid("a number must be -1 or from 0 to 4294967294")),
        };
        let (major, minor) = (number(major)?, number(minor)?);
        let access = match access {
            "" => Access::ALL,
            access => Access::parse(access)
                .ok_or_else(|| invalid("the access must be of r, w and m, each once"))?,
        };
        Ok(Self {
            allow,
            kind,
            major,
            minor,
            access,
        })
    }

    /// Whether it speaks of every use of every device.
    pub(super) fn is_total(&self) -> bool {
        let all = self.major.is_none() && self.minor.is_none();
        all && self.access == Access::ALL && self.kind == DeviceClass::All
    }

    /// Whether it is about these devices, all of them; `None` is any number.
    pub(super) fn covers(&self, kind: DeviceClass, major: Option<u32>, minor: Option<u32>) -> bool {
        (self.kind == DeviceClass::All || self.kind == kind)
            && (self.major.is_none() || self.major == major)
            && (self.minor.is_none() || self.minor == minor)
    }
}

/// What the rules allow with devices of which no rule knows more than this: the meaning of a list.
pub(super) fn allowed(
    rules: &[DeviceRule],
    kind: DeviceClass,
    major: Option<u32>,
    minor: Option<u32>,
) -> Access {
    let about = rules.iter().filter(|rule| rule.covers(kind, major, minor));
    about.fold(Access::NONE, |access, rule| match rule.allow {
        true => access.union(rule.access),
        false => access.without(rule.access),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_with_another_type_number_or_access_is_refused() {
        for (kind, major, access) in [
            ("x", 1, "r"),
            ("p", 1, "r"),
            ("c", -2, "r"),
            ("c", 1 << 33, "r"),
            // Version 1 would take it for "all".
            ("c", 4_294_967_295, "r"),
            ("c", 1, "rr"),
            ("c", 1, "x"),
        ] {
            let rule = DeviceRule::new(true, kind, Some(major), None, access);
            assert!(rule.is_err(), "{kind} {major} {access}");
        }
    }

    #[test]
    fn the_last_rule_about_an_access_decides() {
        let rule = |allow, kind, major, access| {
            DeviceRule::new(allow, kind, Some(major), Some(3), access).unwrap()
        };
        let rules = [
            rule(true, "a", -1, "rwm"),
            rule(false, "c", 1, "wm"),
            rule(true, "c", 1, "m"),
        ];
        let char = |major| allowed(&rules, DeviceClass::Char, Some(major), Some(3)).to_string();
        assert_eq!((char(1), char(2)), ("rm".to_owned(), "rwm".to_owned()));
        let other = allowed(&rules, DeviceClass::Char, Some(1), Some(4));
        assert_eq!(other, Access::NONE);
    }
}
