//! The facts of the host in the form that plans are built from.

use crate::at;
use crate::cgroup::limits::Available;
use crate::cgroup::{Cgroup, Version};
use crate::facts::HostFacts;
use crate::plan::{AppArmor, Hierarchy, Host, HostCgroup, OwnCgroup, OwnDirectory};
use std::borrow::Cow;

/// `cgroup` is the container's own; an error says why it has none. `limited`: whether any limit was
/// asked for.
pub(super) fn host<'a>(
    facts: &'a HostFacts,
    cgroup: Result<&'a Cgroup, &str>,
    limited: bool,
) -> Host<'a> {
    let version = |wanted| {
        facts
            .cgroups
            .list
            .iter()
            .filter(move |hierarchy| hierarchy.version == wanted)
    };
    let mut v1 = Vec::with_capacity(facts.cgroups.list.len());
    v1.extend(version(Version::V1).map(|hierarchy| Hierarchy {
        controllers: Cow::Borrowed(hierarchy.controllers.text()),
        mount_point: Cow::Borrowed(&*hierarchy.mount),
    }));
    let v2 = version(Version::V2).next();
    Host {
        uid: facts.euid,
        gid: facts.egid,
        capabilities: facts.capabilities.permitted & facts.capabilities.bounding,
        last_capability: u32::from(facts.capabilities.last),
        outer: facts.user_namespaces.outer.clone(),
        sub_ids: None,
        oom_score_adj: own_oom_score_adj(),
        kcore: facts.kcore,
        root_is_initramfs: facts.root_is_initramfs,
        landlock_abi: facts.security.landlock_abi,
        apparmor: match facts.security.apparmor {
            true => AppArmor::Active {
                default: Err(Cow::Borrowed("it was not asked for")),
            },
            false => AppArmor::Absent,
        },
        selinux: facts.security.selinux,
        core_scheduling: facts.security.core_scheduling.clone(),
        time_namespaces: facts.has_namespace("time"),
        cgroup: HostCgroup {
            v1,
            v2: v2.map(|v2| Cow::Borrowed(&*v2.mount)),
            own: match cgroup {
                Ok(cgroup) => OwnCgroup::Made {
                    directories: directories(cgroup, facts.cgroups.list.len()),
                    no_device_rules: match cgroup.has("devices") {
                        true => facts
                            .no_device_lists()
                            .map(|(reason, mend)| format!("{reason} ({mend})")),
                        false => facts.no_device_programs(),
                    },
                    available: match limited {
                        true => cgroup.available(),
                        false => Available::default(),
                    },
                },
                Err(reason) => OwnCgroup::None {
                    reason: reason.to_owned(),
                },
            },
        },
    }
}

fn directories(cgroup: &Cgroup, hierarchies: usize) -> Vec<OwnDirectory<'_>> {
    let mut directories = Vec::with_capacity(hierarchies);
    let own = |(path, (dev, ino))| OwnDirectory {
        path: Cow::Borrowed(path),
        dev,
        ino,
    };
    directories.extend(cgroup.directories().map(own));
    directories
}

/// 0, the kernel's default, where /proc does not tell.
#[inline(never)]
fn own_oom_score_adj() -> i32 {
    let mut page = [0; 4096];
    let file = std::fs::File::open("/proc/self/oom_score_adj").ok();
    let text = file.and_then(|file| at::record_in(&file.into(), &mut page, 64).ok());
    text.and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse().ok())
        .unwrap_or(0)
}
