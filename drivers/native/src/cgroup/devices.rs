//! The device rules of version 1: which device nodes a container may use, whoever made them.

use super::Cgroup;
use super::error::CgroupError;
use crate::at;
use nix::fcntl::OFlag;
use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};

/// One rule of `devices.allow` or `devices.deny`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceRule {
    pub(crate) allow: bool,
    pub(crate) kind: DeviceClass,
    /// `None`: all.
    pub(crate) major: Option<u32>,
    /// `None`: all.
    pub(crate) minor: Option<u32>,
    /// Of `r`, `w` and `m` (mknod).
    pub(crate) access: String,
}

/// Which nodes a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceClass {
    All,
    Block,
    Char,
}

impl DeviceRule {
    /// From the fields of the contract and of OCI: `a`, `b`, `c` or `u` (`""` is `a`); -1 or
    /// nothing for all.
    ///
    /// # Errors
    /// `InvalidDeviceRule` that shows the rule.
    pub(crate) fn new(
        allow: bool,
        kind: &str,
        major: Option<i64>,
        minor: Option<i64>,
        access: &str,
    ) -> Result<Self, CgroupError> {
        let invalid = |reason| CgroupError::InvalidDeviceRule {
            rule: format!("{kind} {major:?}:{minor:?} {access}"),
            reason,
        };
        let kind = match kind {
            "" | "a" => DeviceClass::All,
            "b" => DeviceClass::Block,
            "c" | "u" => DeviceClass::Char,
            _ => return Err(invalid("the type must be a, b, c or u")),
        };
        let number = |value: Option<i64>| match value {
            None | Some(-1) => Ok(None),
            Some(value) => u32::try_from(value)
                .map(Some)
                .map_err(|_| invalid("a number must be -1 or from 0 to 4294967295")),
        };
        let (major, minor) = (number(major)?, number(minor)?);
        let repeated = |c: char| access.matches(c).count() > 1;
        if access.chars().any(|c| !"rwm".contains(c) || repeated(c)) {
            return Err(invalid("the access must be of r, w and m, each once"));
        }
        let access = if access.is_empty() { "rwm" } else { access };
        Ok(Self {
            allow,
            kind,
            major,
            minor,
            access: access.to_owned(),
        })
    }

    /// `devices.allow` or `devices.deny`.
    fn file(&self) -> &'static OsStr {
        OsStr::new(if self.allow {
            "devices.allow"
        } else {
            "devices.deny"
        })
    }
}

/// The text that the kernel reads (its `Documentation/admin-guide/cgroup-v1/devices.rst`).
impl fmt::Display for DeviceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |value: Option<u32>| value.map_or("*".to_owned(), |value| value.to_string());
        let kind = match self.kind {
            // The kernel ignores the rest of such a rule; a partial one must not become total.
            DeviceClass::All if self.is_total() => return f.write_str("a"),
            DeviceClass::All => "a",
            DeviceClass::Block => "b",
            DeviceClass::Char => "c",
        };
        let (major, minor) = (number(self.major), number(self.minor));
        write!(f, "{kind} {major}:{minor} {}", self.access)
    }
}

impl DeviceRule {
    fn is_total(&self) -> bool {
        let all = self.major.is_none() && self.minor.is_none();
        all && self.access.len() == 3 && self.kind == DeviceClass::All
    }

    /// The kernel has no rule for "both kinds, but not everything": it is two.
    fn split(&self) -> Vec<Self> {
        if self.kind != DeviceClass::All || self.is_total() {
            return vec![self.clone()];
        }
        [DeviceClass::Block, DeviceClass::Char]
            .into_iter()
            .map(|kind| Self {
                kind,
                ..self.clone()
            })
            .collect()
    }
}

/// The lines for the kernel, in order: everything is denied first.
fn lines(rules: &[DeviceRule]) -> Vec<DeviceRule> {
    let deny_all = DeviceRule {
        allow: false,
        kind: DeviceClass::All,
        major: None,
        minor: None,
        access: "rwm".to_owned(),
    };
    let rest = rules.iter().flat_map(DeviceRule::split);
    let mut lines: Vec<_> = std::iter::once(deny_all).chain(rest).collect();
    // The template begins with the denial, too.
    lines.dedup();
    lines
}

impl Cgroup {
    /// Denies all devices and then applies the rules in their order. To be called before a
    /// process is placed; one total allow rule (`a`) gives everything back (privileged).
    ///
    /// # Errors
    /// `Io`; `NotACgroup` when there is no devices cgroup of our own ([`Cgroup::has`] tells).
    pub(crate) fn restrict_devices(&self, rules: &[DeviceRule]) -> Result<(), CgroupError> {
        let Some(member) = self.controller("devices") else {
            return Err(CgroupError::NotACgroup {
                path: "devices".into(),
            });
        };
        let failed = CgroupError::io("write a device rule of", &member.path);
        write_rules(member.dir.as_fd(), &lines(rules)).map_err(failed)
    }
}

/// One call a rule, one descriptor for neighbours of the same file.
fn write_rules(dir: BorrowedFd<'_>, lines: &[DeviceRule]) -> nix::Result<()> {
    for same in lines.chunk_by(|a, b| a.allow == b.allow) {
        let Some(first) = same.first() else { continue };
        let mut file = File::from(at::open_file(dir, first.file(), OFlag::O_WRONLY)?);
        for rule in same {
            file.write_all(rule.to_string().as_bytes())
                .map_err(at::errno)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_become_the_kernels_words_after_a_deny_of_all() {
        let rule = |kind, major, minor, access| {
            DeviceRule::new(true, kind, Some(major), Some(minor), access).unwrap()
        };
        let rules = [
            rule("c", -1, -1, "m"),
            rule("c", 136, -1, "rwm"),
            rule("b", 8, 0, "r"),
            rule("a", 5, 1, "rw"),
            rule("", -1, -1, ""),
        ];
        let text: Vec<String> = lines(&rules).iter().map(DeviceRule::to_string).collect();
        let expected = [
            "a",
            "c *:* m",
            "c 136:* rwm",
            "b 8:0 r",
            "b 5:1 rw",
            "c 5:1 rw",
            "a",
        ];
        assert_eq!(text, expected);
        assert_eq!(lines(&rules)[0].file(), "devices.deny");
        assert_eq!(lines(&rules)[1].file(), "devices.allow");
    }

    #[test]
    fn a_rule_with_another_type_number_or_access_is_refused() {
        for (kind, major, access) in [
            ("x", 1, "r"),
            ("c", -2, "r"),
            ("c", 1 << 33, "r"),
            ("c", 1, "rr"),
            ("c", 1, "x"),
        ] {
            assert!(DeviceRule::new(true, kind, Some(major), None, access).is_err());
        }
    }
}
