//! What a host gives to containers without real root: ids, owners, controllers of cgroups; each with its mend.

use super::HostFacts;
use crate::cgroup::Version;
use execdriver_core::Control;

/// The limits that a container may ask for, and the controllers that they take.
const LIMITS: [(&str, &str); 5] = [
    ("limits of memory", "memory"),
    ("limits of cpu time", "cpu"),
    ("limits of processes", "pids"),
    ("limits of block I/O", "io"),
    ("choice of processors", "cpuset"),
];

const DELEGATE: &str = "mkdir -p /etc/systemd/system/user@.service.d && printf \
     '[Service]\\nDelegate=cpu cpuset io memory pids\\n' >/etc/systemd/system/user@.service.d/delegate.conf \
     && systemctl daemon-reload, then log in anew";

pub(super) fn controls(facts: &HostFacts) -> Vec<Control> {
    let mut controls = ids(facts);
    controls.extend(limits(facts));
    controls
}

fn ids(facts: &HostFacts) -> Vec<Control> {
    let group = "user namespaces";
    let root = facts.is_root();
    let confined = facts.user_namespaces.outer.is_some();
    let one = |name: &str, lacks: Option<(String, String)>| match lacks {
        Some((reason, mend)) => Control::unavailable(group, name, &reason, &mend),
        None => Control::enforced(group, name),
    };
    let range = if root {
        None
    } else {
        facts.sub_ids.missing(false)
    };
    let owners = if !facts.calls.mount_setattr {
        Some((
            "the kernel has no mount_setattr (Linux 5.12)",
            "boot a newer kernel",
        ))
    } else if !root || confined || !facts.capabilities.may_administrate() {
        Some((
            "only root of the host may map the owners of its file systems",
            "start the host program as root, or `chown -R` the files to the container's root",
        ))
    } else {
        None
    };
    let owners = owners.map(|(reason, mend)| (reason.to_owned(), mend.to_owned()));
    vec![
        one("a range of ids", range),
        one("automatic ids (auto, keep-id)", facts.sub_ids.missing(root)),
        one("id-mapped mounts", owners),
    ]
}

/// On version 2 a subtree may be handed over with some controllers only; on version 1 each has a
/// hierarchy of its own.
fn limits(facts: &HostFacts) -> Vec<Control> {
    let group = "cgroups";
    let version_1 = |name: &str| {
        let name = if name == "io" { "blkio" } else { name };
        let hierarchies = facts.cgroups.list.iter();
        hierarchies
            .filter(|hierarchy| hierarchy.version == Version::V1)
            .any(|hierarchy| hierarchy.controllers.iter().any(|have| have == name))
    };
    let writable = |name: &str| {
        let name = if name == "io" { "blkio" } else { name };
        let mut all = facts.cgroup_access.writable.iter();
        all.any(|have| have.split(',').any(|have| have == name))
    };
    LIMITS
        .iter()
        .map(|(what, name)| {
            if version_1(name) {
                return match writable(name) {
                    true => Control::enforced(group, what),
                    false => not_writable(facts, what),
                };
            }
            match &facts.cgroup_access.unified {
                Some(unified) if unified.controllers.iter().any(|have| have == name) => {
                    if unified.occupied {
                        occupied(unified.path.display().to_string(), what)
                    } else {
                        Control::enforced(group, what)
                    }
                }
                Some(unified) => {
                    let path = unified.path.display();
                    let reason = format!("{path} has no controller {name}");
                    let mend = match facts.is_root() {
                        true => format!(
                            "boot a kernel with the controller {name}, or without its version 1"
                        ),
                        false => DELEGATE.to_owned(),
                    };
                    Control::unavailable(group, what, &reason, &mend)
                }
                None => not_writable(facts, what),
            }
        })
        .collect()
}

fn occupied(path: String, what: &str) -> Control {
    let reason = format!("{path} has processes of its own, and only the leaves of version 2 may");
    let mend =
        format!("mkdir {path}/host && echo PID >{path}/host/cgroup.procs, for the host program");
    Control::unavailable("cgroups", what, &reason, &mend)
}

fn not_writable(facts: &HostFacts, what: &str) -> Control {
    let mend = crate::cgroup::mend(&facts.cgroups, facts.cgroup_access.read_only);
    let reason = "no cgroup with the controller can be made";
    Control::unavailable("cgroups", what, reason, mend)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::Hierarchies;
    use crate::facts::{CgroupAccess, UnifiedAccess};
    use execdriver_core::Enforcement;

    fn kim() -> HostFacts {
        let mut facts = HostFacts::read();
        facts.euid = 1000;
        facts.user_namespaces.outer = None;
        facts.sub_ids.user = "kim".to_owned();
        facts.sub_ids.named = true;
        facts.sub_ids.helpers = None;
        let mountinfo = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        facts.cgroups = Hierarchies::detect(mountinfo, "0::/user.slice\n");
        facts.cgroup_access = CgroupAccess::default();
        facts
    }

    fn of(facts: &HostFacts, name: &str) -> String {
        let all = controls(facts);
        let found = all.iter().find(|control| control.name == name).unwrap();
        match &found.enforcement {
            Enforcement::Unavailable { reason, mend } => format!("{reason}: {mend}"),
            other => other.to_string(),
        }
    }

    #[test]
    fn an_ordinary_user_is_told_which_package_and_which_line_is_missing() {
        let mut facts = kim();
        let text = of(&facts, "a range of ids");
        assert!(
            text.contains("newuidmap") && text.contains("apt-get install uidmap"),
            "{text}"
        );
        facts.sub_ids.helpers = Some(crate::launch::IdHelpers {
            newuidmap: "/usr/bin/newuidmap".into(),
            newgidmap: "/usr/bin/newgidmap".into(),
        });
        facts.sub_ids.uids.clear();
        let text = of(&facts, "automatic ids (auto, keep-id)");
        assert!(
            text.contains("usermod --add-subuids") && text.ends_with(" kim"),
            "{text}"
        );
        let text = of(&facts, "id-mapped mounts");
        assert!(text.contains("only root of the host"), "{text}");
    }

    #[test]
    fn what_was_not_delegated_is_told_by_controller() {
        let mut facts = kim();
        let text = of(&facts, "limits of memory");
        assert!(text.contains("Delegate=yes"), "{text}");
        facts.cgroup_access.unified = Some(UnifiedAccess {
            path: "/sys/fs/cgroup/kim".into(),
            controllers: vec!["memory".to_owned(), "pids".to_owned()],
            occupied: false,
        });
        assert_eq!(
            of(&facts, "limits of memory"),
            of(&facts, "limits of processes")
        );
        let text = of(&facts, "choice of processors");
        assert!(
            text.contains("/sys/fs/cgroup/kim has no controller cpuset"),
            "{text}"
        );
        assert!(
            text.contains("Delegate=cpu cpuset io memory pids"),
            "{text}"
        );
        facts.cgroup_access.unified.as_mut().unwrap().occupied = true;
        let text = of(&facts, "limits of memory");
        assert!(text.contains("mkdir /sys/fs/cgroup/kim/host"), "{text}");
    }
}
