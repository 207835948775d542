//! What a host gives to containers without real root: ids and owners; each with its mend.

use super::HostFacts;
use execdriver_core::Control;

pub(super) fn controls(facts: &HostFacts) -> Vec<Control> {
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
    // The kernel lets nobody drop groups by a map that he wrote himself (CVE-2014-8989).
    let groups = range.clone().map(|(reason, mend)| {
        let reason = format!("a single id's map denies setgroups, and {reason}");
        (reason, mend)
    });
    vec![
        one("a range of ids", range),
        one("supplementary groups", groups),
        one("automatic ids (auto, keep-id)", facts.sub_ids.missing(root)),
        one("id-mapped mounts", owners),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::Hierarchies;
    use crate::facts::CgroupAccess;
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
        let text = of(&facts, "supplementary groups");
        assert!(
            text.contains("setgroups") && text.ends_with(" kim"),
            "{text}"
        );
        let text = of(&facts, "id-mapped mounts");
        assert!(text.contains("only root of the host"), "{text}");
    }
}
