//! The rules in the words of version 1: `devices.allow` and `devices.deny`.
//!
//! The kernel keeps one default and a list of exceptions to it, not an ordered list
//! (`Documentation/admin-guide/cgroup-v1/devices.rst`, `security/device_cgroup.c`): with everything
//! denied one exception must give all that a use needs, and taking back is only understood of an
//! exception that was given in the same words. So the rules are worked out here, and what remains is
//! a default and its exceptions; a list that is neither is an error.

use super::rule::{Access, DeviceClass, DeviceRule, allowed};
use crate::cgroup::CgroupError;
use std::fmt;

/// What is written, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) allow: bool,
    /// `None`: everything.
    devices: Option<Devices>,
    access: Access,
}

/// Some devices: those of one kind, of all or one major, and all or one minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Devices {
    kind: DeviceClass,
    major: Option<u32>,
    minor: Option<u32>,
}

/// The lines that mean the same as the rules.
///
/// # Errors
/// `InexpressibleDeviceRules`: a rule takes back a part of what a wider one gives, and only a part.
pub(super) fn lines(rules: &[DeviceRule]) -> Result<Vec<Line>, CgroupError> {
    let mentioned = mentioned(rules);
    let all = closed(&mentioned);
    let free = EVERYTHING
        .iter()
        .all(|kind| kind.allowed(rules) == Access::ALL);
    let found = match free {
        true => denials(rules, &all).or_else(|| exceptions(rules, &mentioned, &all)),
        false => exceptions(rules, &mentioned, &all).or_else(|| denials(rules, &all)),
    };
    found.ok_or(CgroupError::InexpressibleDeviceRules)
}

const EVERYTHING: [Devices; 2] = [
    Devices {
        kind: DeviceClass::Block,
        major: None,
        minor: None,
    },
    Devices {
        kind: DeviceClass::Char,
        major: None,
        minor: None,
    },
];

/// Everything denied, with exceptions; `None` when a wider one would give what a narrower lacks.
fn exceptions(rules: &[DeviceRule], mentioned: &[Devices], all: &[Devices]) -> Option<Vec<Line>> {
    let has = |one: &Devices| one.allowed(rules);
    if !grows_inwards(all, has) {
        return None;
    }
    // In the words of the rules, as far as these suffice: devices.list then reads like them.
    let in_words = |one: &Devices| (*one, has(one).intersection(one.named(rules)));
    let mut given: Vec<_> = mentioned.iter().map(in_words).collect();
    // The kernel asks for making alone, and for reading and writing alone or together.
    let both = Access::READ.union(Access::WRITE);
    for one in all.iter().filter(|one| has(one).contains(both)) {
        let covers =
            |(wider, access): &(Devices, Access)| wider.contains(one) && access.contains(both);
        if given.iter().any(covers) {
            continue;
        }
        match given.iter_mut().find(|(devices, _)| devices == one) {
            Some((_, access)) => *access = access.union(both),
            None => given.push((*one, both)),
        }
    }
    Some(with_default(false, given))
}

/// Everything allowed, with denials; `None` when a wider one would take what a narrower has.
fn denials(rules: &[DeviceRule], all: &[Devices]) -> Option<Vec<Line>> {
    let taken = |one: &Devices| Access::ALL.without(one.allowed(rules));
    if !grows_inwards(all, taken) {
        return None;
    }
    Some(with_default(
        true,
        all.iter().map(|one| (*one, taken(one))).collect(),
    ))
}

/// Whether what holds for some devices holds for each part of them.
fn grows_inwards(all: &[Devices], has: impl Fn(&Devices) -> Access) -> bool {
    all.iter().all(|one| {
        let mut wider = all.iter().filter(|wider| wider.contains(one));
        wider.all(|wider| has(one).contains(has(wider)))
    })
}

fn with_default(allow: bool, mut exceptions: Vec<(Devices, Access)>) -> Vec<Line> {
    exceptions.retain(|(_, access)| *access != Access::NONE);
    let exceptions = exceptions.into_iter().map(|(devices, access)| Line {
        allow: !allow,
        devices: Some(devices),
        access,
    });
    let default = Line {
        allow,
        devices: None,
        access: Access::ALL,
    };
    std::iter::once(default).chain(exceptions).collect()
}

/// What the rules name, in order; a rule about both kinds names two.
fn mentioned(rules: &[DeviceRule]) -> Vec<Devices> {
    // A list that grows takes the allocator's lock each time (realloc(3)).
    let mut found = Vec::with_capacity(2 * rules.len());
    let denies_all = |rule: &&DeviceRule| !rule.allow && rule.is_total();
    for rule in rules.iter().filter(|rule| !denies_all(rule)) {
        for kind in [DeviceClass::Block, DeviceClass::Char] {
            let (major, minor) = (rule.major, rule.minor);
            let devices = Devices { kind, major, minor };
            if rule.covers(kind, major, minor) && !found.contains(&devices) {
                found.push(devices);
            }
        }
    }
    found
}

/// With everything, and with what any two have in common: between these nothing changes.
fn closed(mentioned: &[Devices]) -> Vec<Devices> {
    let mut all = Vec::with_capacity(mentioned.len() + EVERYTHING.len());
    all.extend_from_slice(mentioned);
    all.extend(EVERYTHING.iter().filter(|kind| !mentioned.contains(kind)));
    let majors = mentioned.iter().filter(|one| one.minor.is_none());
    for one in majors {
        for other in mentioned.iter().filter(|other| other.major.is_none()) {
            let common = Devices {
                kind: one.kind,
                major: one.major,
                minor: other.minor,
            };
            if one.kind == other.kind && !all.contains(&common) {
                all.push(common);
            }
        }
    }
    all
}

impl Devices {
    /// Whether the other ones are among these.
    fn contains(&self, other: &Self) -> bool {
        self.kind == other.kind
            && (self.major.is_none() || self.major == other.major)
            && (self.minor.is_none() || self.minor == other.minor)
    }

    fn allowed(&self, rules: &[DeviceRule]) -> Access {
        allowed(rules, self.kind, self.major, self.minor)
    }

    /// What allowing rules about just these name.
    fn named(&self, rules: &[DeviceRule]) -> Access {
        let just = |rule: &&DeviceRule| {
            rule.allow
                && rule.covers(self.kind, self.major, self.minor)
                && (rule.major, rule.minor) == (self.major, self.minor)
        };
        let named = rules.iter().filter(just).map(|rule| rule.access);
        named.fold(Access::NONE, Access::union)
    }
}

impl Line {
    /// The file that it is for.
    pub(super) fn file(&self) -> &'static str {
        match self.allow {
            true => "devices.allow",
            false => "devices.deny",
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(devices) = &self.devices else {
            return f.write_str("a");
        };
        let kind = match devices.kind {
            DeviceClass::All => "a",
            DeviceClass::Block => "b",
            DeviceClass::Char => "c",
        };
        write!(f, "{kind} ")?;
        number(f, devices.major)?;
        f.write_str(":")?;
        number(f, devices.minor)?;
        write!(f, " {}", self.access)
    }
}

fn number(f: &mut fmt::Formatter<'_>, value: Option<u32>) -> fmt::Result {
    match value {
        Some(value) => write!(f, "{value}"),
        None => f.write_str("*"),
    }
}
