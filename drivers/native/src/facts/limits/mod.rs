//! Which limits this host enforces on containers: by controller, by file, by who we are; each with its mend.

use super::read::text;
use super::{HostFacts, UnifiedAccess};
use crate::cgroup::{Hierarchy, Version};
use execdriver_core::Control;
use std::collections::BTreeSet;
use std::path::Path;

const GROUP: &str = "cgroups";

/// The limits that a container may ask for, and the controllers that they take.
const LIMITS: [(&str, &str); 6] = [
    (MEMORY, "memory"),
    ("limits of cpu time", "cpu"),
    ("limits of processes", "pids"),
    (BLOCK, "io"),
    ("choice of processors", "cpuset"),
    ("limits of huge pages", "hugetlb"),
];
const MEMORY: &str = "limits of memory";
const BLOCK: &str = "limits of block I/O";
const SWAP: &str = "limits of swap";
const KERNEL: &str = "limits of kernel memory";
const TUNING: &str = "swappiness and no OOM kill";
const WEIGHTS: &str = "weights of block I/O";

const DELEGATE: &str = "mkdir -p /etc/systemd/system/user@.service.d && printf \
     '[Service]\\nDelegate=cpu cpuset io memory pids\\n' >/etc/systemd/system/user@.service.d/delegate.conf \
     && systemctl daemon-reload, then log in anew";

/// What the kernel's cgroups have, as far as it shows without making one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CgroupFiles {
    /// The controllers that the kernel has and that no boot parameter disabled, in version 1's
    /// words.
    controllers: Vec<String>,
    /// The names of the files of some cgroups, the roots among them.
    names: BTreeSet<String>,
}

impl CgroupFiles {
    /// Looks at each hierarchy's root, at our own cgroup and at those directly below the root:
    /// most files of version 2 are not in the root.
    pub(crate) fn read(facts: &HostFacts) -> Self {
        let mut names = BTreeSet::new();
        for hierarchy in &facts.cgroups.list {
            names.extend(files(&hierarchy.mount));
            names.extend(hierarchy.own_directory().iter().flat_map(|dir| files(dir)));
            if hierarchy.version == Version::V2 {
                names.extend(below(hierarchy));
            }
        }
        Self {
            controllers: enabled(&text("/proc/cgroups")),
            names,
        }
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether there is one of `files`, or nothing that tells: no cgroup with `beside` was seen,
    /// which stands where the files would.
    fn may_have(&self, files: &[&str], beside: &str) -> bool {
        files.iter().any(|file| self.has(file)) || !self.has(beside)
    }
}

/// The first of those below the root will do, of each kind.
fn below(hierarchy: &Hierarchy) -> BTreeSet<String> {
    const ENOUGH: usize = 16;
    let entries = std::fs::read_dir(&hierarchy.mount).into_iter().flatten();
    let dirs = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    dirs.take(ENOUGH)
        .flat_map(|entry| files(&entry.path()))
        .collect()
}

fn files(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// The lines `name hierarchy cgroups enabled` of `/proc/cgroups`: cgroups(7).
fn enabled(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let name = fields.next()?;
            (fields.nth(2) == Some("1")).then(|| name.to_owned())
        })
        .collect()
}

/// Each limit, and whether it would be in force.
pub(crate) fn controls(facts: &HostFacts, files: &CgroupFiles) -> Vec<Control> {
    let mut controls: Vec<Control> = LIMITS
        .iter()
        .map(|(what, name)| made(what, lacks(facts, files, name)))
        .collect();
    let memory = lacks(facts, files, "memory");
    let block = lacks(facts, files, "io");
    controls.extend([
        made(SWAP, memory.clone().or_else(|| no_swap(files))),
        made(KERNEL, memory.clone().or_else(|| no_kernel(facts))),
        made(TUNING, memory.or_else(|| no_tuning(facts))),
        made(WEIGHTS, block.clone().or_else(|| no_weights(files))),
    ]);
    let throttled = made(BLOCK, block.or_else(|| no_throttle(facts, files)));
    if let Some(listed) = controls.iter_mut().find(|control| control.name == BLOCK) {
        *listed = throttled;
    }
    controls
}

/// Why something cannot be, and the mend.
type Lack = Option<(String, String)>;

fn made(what: &str, lack: Lack) -> Control {
    match lack {
        Some((reason, mend)) => Control::unavailable(GROUP, what, &reason, &mend),
        None => Control::enforced(GROUP, what),
    }
}

fn lack(reason: &str, mend: &str) -> Lack {
    Some((reason.to_owned(), mend.to_owned()))
}

/// Why no container can have the controller, of version 2's `name`. On version 2 a subtree may be
/// handed over with some controllers only; on version 1 each has a hierarchy of its own.
fn lacks(facts: &HostFacts, files: &CgroupFiles, name: &str) -> Lack {
    let v1 = if name == "io" { "blkio" } else { name };
    let access = &facts.cgroup_access;
    if facts.cgroups.controller(v1).is_some() {
        let mut writable = access.writable.iter().flat_map(|have| have.split(','));
        return match writable.any(|have| have == v1) {
            true => None,
            false => not_writable(facts),
        };
    }
    match &access.unified {
        Some(unified) if unified.controllers.iter().any(|have| have == name) => {
            unified.occupied.then(|| occupied(unified))
        }
        _ if facts.cgroups.list.is_empty() => not_writable(facts),
        // It may be that root has it and did not hand it over.
        Some(unified) if !facts.is_root() => {
            let path = unified.path.display();
            let mend = match DELEGATE.contains(name) {
                true => DELEGATE.to_owned(),
                // systemd hands over no others.
                false => format!("let root do `echo +{name} >{path}/../cgroup.subtree_control`"),
            };
            Some((format!("{path} has no controller {name}"), mend))
        }
        None if facts.cgroups.unified().is_some() => not_writable(facts),
        _ => absent(files, name, v1),
    }
}

/// No hierarchy has the controller.
fn absent(files: &CgroupFiles, name: &str, v1: &str) -> Lack {
    if files.controllers.iter().any(|have| have == v1) {
        let reason = format!("no hierarchy with the controller {name} is mounted");
        let dir = format!("/sys/fs/cgroup/{v1}");
        let mend = format!("mkdir -p {dir} && mount -t cgroup -o {v1} none {dir}");
        return Some((reason, mend));
    }
    let reason = format!("the kernel has no controller {name}");
    let mend = format!("boot a kernel that has it, without `cgroup_disable={v1}`");
    Some((reason, mend))
}

fn occupied(unified: &UnifiedAccess) -> (String, String) {
    let path = unified.path.display();
    let reason = format!("{path} has processes of its own, and only the leaves of version 2 may");
    let mend =
        format!("mkdir {path}/host && echo PID >{path}/host/cgroup.procs, for the host program");
    (reason, mend)
}

fn not_writable(facts: &HostFacts) -> Lack {
    let mend = crate::cgroup::mend(&facts.cgroups, facts.cgroup_access.read_only);
    lack("no cgroup with the controller can be made", mend)
}

fn no_swap(files: &CgroupFiles) -> Lack {
    let v1 = files.may_have(&["memory.memsw.limit_in_bytes"], "memory.limit_in_bytes");
    let v2 = files.may_have(&["memory.swap.max"], "memory.max");
    if v1 && v2 {
        return None;
    }
    let mend = "boot it with `swapaccount=1`";
    lack("the kernel does not account swap", mend)
}

fn no_kernel(facts: &HostFacts) -> Lack {
    let v1 = facts.cgroups.controller("memory").is_some();
    let reason = match (v1, facts.kernel.at_least(5, 16)) {
        (true, false) => return None,
        (true, true) => "the kernel takes the limit and enforces none since Linux 5.16",
        (false, _) => "version 2 has no such limit",
    };
    lack(
        reason,
        "set resources.memory: kernel memory counts as memory",
    )
}

fn no_tuning(facts: &HostFacts) -> Lack {
    if facts.cgroups.controller("memory").is_some() {
        return None;
    }
    let mend = "leave them out, or boot with the memory controller in version 1";
    lack("version 2 has neither", mend)
}

fn no_weights(files: &CgroupFiles) -> Lack {
    // bfq and the cost model have no weight in the root, and these there.
    let files_of_weights = [
        "blkio.weight",
        "blkio.bfq.weight",
        "blkio.bfq.io_service_bytes",
        "io.weight",
        "io.bfq.weight",
        "io.cost.qos",
    ];
    let any = files_of_weights.iter().any(|file| files.has(file));
    if any {
        return None;
    }
    let mend = "modprobe bfq, or boot a kernel with CONFIG_BFQ_GROUP_IOSCHED";
    lack("the kernel has no weights for block devices", mend)
}

/// On version 2 the root shows nothing of it, and nearly every kernel has it.
fn no_throttle(facts: &HostFacts, files: &CgroupFiles) -> Lack {
    let has = files.has("blkio.throttle.read_bps_device");
    if has || facts.cgroups.controller("blkio").is_none() {
        return None;
    }
    let mend = "boot a kernel with CONFIG_BLK_DEV_THROTTLING";
    lack("the kernel has no rates for block devices", mend)
}

#[cfg(test)]
mod tests;
