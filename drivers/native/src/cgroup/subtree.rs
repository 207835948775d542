//! Version 2: a cgroup's children have the controllers that it enables for them.
//!
//! That is refused to a cgroup that has processes of its own, the root excepted ("no internal
//! processes", the kernel's `Documentation/admin-guide/cgroup-v2.rst`).

use crate::at;
use nix::errno::Errno;
use std::ffi::OsStr;
use std::os::fd::BorrowedFd;

/// What containers are given wherever it can be had: limits come with an update too, and without
/// the controller nothing is counted.
const USUAL: [&str; 6] = ["cpuset", "cpu", "io", "memory", "pids", "hugetlb"];

const CONTROL: &str = "cgroup.subtree_control";

/// Controllers to enable, and what would let us.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) names: Vec<&'a str>,
    /// Whether others are version 1's: then systemd hands over none of these.
    pub(super) beside_v1: bool,
}

/// A controller that could not be enabled.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) controller: String,
    /// `None`: the cgroup has not got it itself.
    pub(super) errno: Option<Errno>,
    /// And the mend.
    pub(super) why: String,
}

impl<'a> Wanted<'a> {
    /// The `needed` ones, and the usual ones too unless version 1 has those.
    pub(super) fn of(needed: &'a [String], beside_v1: bool) -> Self {
        let mut names = Vec::with_capacity(needed.len() + USUAL.len());
        names.extend(needed.iter().map(String::as_str));
        if !beside_v1 {
            let rest = |name: &&str| !needed.iter().any(|have| have == name);
            names.extend(USUAL.into_iter().filter(rest));
        }
        Self { names, beside_v1 }
    }
}

/// Enables those of `wanted` for the children of `dir` that it has itself; why not, for each that
/// could not be.
pub(super) fn enable(dir: BorrowedFd<'_>, path: &str, wanted: &Wanted<'_>) -> Vec<Refused> {
    let text = |file: &str| {
        let text = at::read_record(dir, OsStr::new(file), 4096).unwrap_or_default();
        String::from_utf8(text).unwrap_or_default()
    };
    let has = |text: &str, name: &str| text.split_ascii_whitespace().any(|have| have == name);
    let enabled = text(CONTROL);
    let missing = |name: &&str| !has(&enabled, name);
    if !wanted.names.iter().any(missing) {
        return Vec::new();
    }
    let own = text("cgroup.controllers");
    let missing = wanted.names.iter().copied().filter(missing);
    let (there, absent): (Vec<&str>, Vec<&str>) = missing.partition(|name| has(&own, name));
    let write = |names: &[&str]| {
        let text: Vec<String> = names.iter().map(|name| format!("+{name}")).collect();
        at::write(dir, OsStr::new(CONTROL), text.join(" ").as_bytes())
    };
    let mut refused: Vec<Refused> = absent
        .into_iter()
        .map(|name| Refused {
            controller: name.to_owned(),
            errno: None,
            why: absence(path, &own),
        })
        .collect();
    if !there.is_empty() && is_occupied(dir) {
        // The kernel would take the controllers of threads (cpu, pids), and call every cgroup below
        // invalid from then on: no process gets into one (cgroup-v2.rst, "Threads").
        let refusals = there.into_iter();
        refused.extend(refusals.map(|name| Refused {
            controller: name.to_owned(),
            errno: Some(Errno::EBUSY),
            why: refusal(path, Errno::EBUSY, wanted.beside_v1),
        }));
        return refused;
    }
    // All at once or, since one refusal refuses all, one by one.
    if !there.is_empty() && write(&there).is_err() {
        for name in there {
            if let Err(errno) = write(&[name]) {
                refused.push(Refused {
                    controller: name.to_owned(),
                    errno: Some(errno),
                    why: refusal(path, errno, wanted.beside_v1),
                });
            }
        }
    }
    refused
}

/// Whether it has processes of its own, as only the root may beside controllers; the root alone has
/// no type.
fn is_occupied(dir: BorrowedFd<'_>) -> bool {
    let has = |file: &str| at::read(dir, OsStr::new(file), 64).is_ok_and(|text| !text.is_empty());
    has("cgroup.type") && has("cgroup.procs")
}

fn absence(path: &str, own: &str) -> String {
    let list = match own.trim() {
        "" => "nothing",
        list => list,
    };
    format!(
        "cgroup.controllers of {} has {list} (enable it in the cgroup.subtree_control of its parents; the root has what \
         the kernel has and no version 1 hierarchy holds)",
        path
    )
}

fn refusal(path: &str, errno: Errno, beside_v1: bool) -> String {
    match errno {
        Errno::EBUSY => format!(
            "{path} has processes of its own, and in cgroup version 2 only the leaves may (start the host program in \
             a cgroup below it, or name a cgroup_parent without processes)"
        ),
        Errno::EACCES | Errno::EPERM if beside_v1 => format!(
            "no write access to {path}/{CONTROL} (start the host program as root, or let root do `chown USER \
             {path}/{CONTROL}`)"
        ),
        Errno::EROFS => format!("{path}/{CONTROL}: {} (mount it read-write)", errno.desc()),
        Errno::EACCES | Errno::EPERM => format!(
            "no write access to {path}/{CONTROL} (start the host program with `systemd-run --user --scope -p \
             Delegate=yes`, or as root)"
        ),
        Errno::EOPNOTSUPP => format!("{path} is in threaded mode (name another cgroup_parent)"),
        errno => format!("{path}/{CONTROL}: {}", errno.desc()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_hand_a_controller_down_is_told_what_helps_on_this_host() {
        let path = "/sys/fs/cgroup/unified/kim";
        let v2 = refusal(path, Errno::EACCES, false);
        assert!(v2.contains("systemd-run --user"), "{v2}");
        let both = refusal(path, Errno::EACCES, true);
        assert!(!both.contains("systemd-run"), "{both}");
        assert!(both.contains("chown USER /sys/fs/cgroup/unified/kim/cgroup.subtree_control"));
        let read_only = refusal(path, Errno::EROFS, false);
        assert!(read_only.contains("read-write"), "{read_only}");
    }
}
