//! The facts as controls: what this host enforces, what it lacks, and the exact mend.

use super::read::DEVICES;
use super::{HostFacts, confine};
use crate::cgroup::{Layout, mend, program_mend};
use execdriver_core::Control;
use execdriver_core::spec::capability_name;
use std::path::Path;

/// What the facts say of every facility that a container can ask for; the driver adds what it
/// does not implement and its operations.
pub(crate) fn controls(facts: &HostFacts) -> Vec<Control> {
    let mut controls = kernel(facts);
    controls.extend(namespaces(facts));
    controls.extend(cgroups(facts));
    controls.extend(file_systems(facts));
    controls.extend(devices(facts));
    controls.extend(capabilities(facts));
    controls.extend(confine::controls(facts));
    controls.extend(super::rootless::controls(facts));
    controls.extend(super::rights::controls(facts));
    controls
}

/// The operations that need a freezer: version 1's controller, or any cgroup of version 2.
pub(crate) fn pause(facts: &HostFacts) -> [Control; 2] {
    let access = &facts.cgroup_access;
    let mend = mend(&facts.cgroups, access.read_only);
    let freezes = |name: &String| name == "unified" || name.split(',').any(|n| n == "freezer");
    let has = access.writable.iter().any(freezes);
    let reason = "no freezer: no cgroup with one can be made for a container";
    ["pause", "unpause"].map(|name| control(has, ("operations", name), reason, mend))
}

fn kernel(facts: &HostFacts) -> Vec<Control> {
    let group = "kernel";
    let version = control(
        facts.kernel.at_least(5, 10),
        (group, "version"),
        &format!(
            "this is Linux {}, the driver is made for 5.10 and later",
            facts.kernel
        ),
        "boot a newer kernel",
    );
    let sandbox = match facts.under_seccomp {
        true => "start the outer container with a seccomp profile that allows it",
        false => "boot a newer kernel",
    };
    let calls = &facts.calls;
    let needed = [
        ("clone3", calls.clone3),
        ("openat2", calls.openat2),
        ("pidfd_open", calls.pidfd_open),
        ("close_range", calls.close_range),
    ];
    let calls = needed
        .into_iter()
        .map(|(name, has)| control(has, (group, name), "the call answers ENOSYS", sandbox));
    let memfd = control(
        facts.executable_memfd,
        (group, "executable memory file"),
        &format!("vm.memfd_noexec is {}", facts.memfd_noexec),
        "sysctl -w vm.memfd_noexec=1",
    );
    let mut all = vec![version];
    all.extend(calls);
    all.push(memfd);
    all
}

fn namespaces(facts: &HostFacts) -> Vec<Control> {
    let group = "namespaces";
    let forbidden = facts
        .user_namespaces
        .forbidden(facts.capabilities.may_administrate());
    let one = |kind: &str| {
        if !facts.has_namespace(kind) {
            let reason = "the kernel was built without it";
            return Control::unavailable(group, kind, reason, "boot a kernel that has it");
        }
        // Without privileges every other namespace needs a user namespace around it.
        match forbidden {
            Some((reason, mend)) if kind == "user" || !facts.capabilities.may_administrate() => {
                Control::unavailable(group, kind, reason, mend)
            }
            _ => Control::enforced(group, kind),
        }
    };
    ["mnt", "uts", "ipc", "pid", "net", "cgroup", "user", "time"]
        .map(one)
        .to_vec()
}

fn cgroups(facts: &HostFacts) -> Vec<Control> {
    let group = "cgroups";
    let access = &facts.cgroup_access;
    let mend = mend(&facts.cgroups, access.read_only);
    let refused = match facts.cgroups.layout() {
        Layout::None => "no cgroup hierarchy is mounted".to_owned(),
        _ => format!(
            "no write access to our own cgroup in {}",
            access.refused.join(" ")
        ),
    };
    let any = !access.writable.is_empty();
    let place = |name: &str| control(any, (group, name), &refused, mend);
    let device_rules = match facts.cgroups.controller("devices") {
        Some(_) => {
            let writable = |name: &String| name.split(',').any(|name| name == "devices");
            let writable = access.writable.iter().any(writable);
            match facts.no_device_lists().filter(|_| writable) {
                Some((reason, mend)) => Control::unavailable(group, "device rules", reason, mend),
                None => control(writable, (group, "device rules"), &refused, mend),
            }
        }
        None if !any => Control::unavailable(group, "device rules", &refused, mend),
        None => match facts.device_programs_refused {
            None => Control::enforced(group, "device rules"),
            Some(errno) => {
                let reason = format!("bpf(2) for a device program: {}", errno.desc());
                Control::unavailable(group, "device rules", &reason, program_mend(errno))
            }
        },
    };
    let whole = facts.calls.cgroup_kill && access.writable.iter().any(|name| name == "unified");
    let freezer = access.writable.iter().any(|name| name.contains("freezer"));
    let kill = control(
        whole || freezer,
        (group, "kill of everything at once"),
        "neither cgroup.kill nor a freezer is at hand; without a pid namespace of its own a \
         container that forks faster than it is killed can outlive its kill",
        mend,
    );
    let counted = place("statistics");
    vec![
        place("a cgroup for each container"),
        counted,
        device_rules,
        kill,
    ]
}

fn file_systems(facts: &HostFacts) -> Vec<Control> {
    let group = "mounts";
    let overlay = control(
        facts.has_filesystem("overlay"),
        (group, "ephemeral root (overlay)"),
        "the kernel has no overlay file system loaded",
        "modprobe overlay",
    );
    let confined = !facts.is_root() || facts.user_namespaces.outer.is_some();
    let overlay = match confined && !facts.kernel.at_least(5, 11) {
        true => Control::unavailable(
            group,
            "ephemeral root (overlay)",
            "overlay file systems of ordinary users came with Linux 5.11",
            "boot a newer kernel, or start the host program as root",
        ),
        false => overlay,
    };
    let mqueue = control(
        facts.has_filesystem("mqueue"),
        (group, "/dev/mqueue"),
        "the kernel has no mqueue file system",
        "boot a kernel with CONFIG_POSIX_MQUEUE",
    );
    let calls = &facts.calls;
    let all = calls.fsopen && calls.move_mount && calls.open_tree;
    let descriptors = control(
        all,
        (group, "mounts by descriptor"),
        "fsopen, move_mount or open_tree answer ENOSYS",
        "start the outer container with a seccomp profile that allows them",
    );
    let readonly = control(
        calls.mount_setattr,
        (group, "recursively read-only mounts"),
        "the kernel has no mount_setattr (Linux 5.12)",
        "boot a newer kernel",
    );
    vec![descriptors, readonly, overlay, mqueue]
}

fn devices(facts: &HostFacts) -> Vec<Control> {
    let one = |&(path, major, minor): &(&str, u32, u32)| {
        control(
            facts.devices.iter().any(|have| have == Path::new(path)),
            ("devices", path),
            "the host has no such node with the right numbers",
            &format!("mknod -m 666 {path} c {major} {minor}"),
        )
    };
    DEVICES.iter().map(one).collect()
}

/// "All capabilities" means all that the host program has: what it lacks it cannot give.
fn capabilities(facts: &HostFacts) -> Vec<Control> {
    if !facts.is_root() {
        return Vec::new(); // A user namespace of its own gives a container all of them inside.
    }
    let missing = facts.capabilities.missing();
    if missing.is_empty() {
        return vec![Control::enforced("capabilities", "all")];
    }
    let name = |number: &u8| capability_name(*number).unwrap_or_else(|| number.to_string());
    let names: Vec<String> = missing.iter().map(name).collect();
    let reason = format!("the host program itself lacks {}", names.join(", "));
    let mend = "start it from a service or container that keeps them";
    vec![Control::unavailable("capabilities", "all", &reason, mend)]
}

pub(super) fn control(has: bool, (group, name): (&str, &str), reason: &str, mend: &str) -> Control {
    match has {
        true => Control::enforced(group, name),
        false => Control::unavailable(group, name, reason, mend),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::Hierarchies;
    use crate::facts::{CapabilitySets, CgroupAccess, HostFacts};
    use execdriver_core::Enforcement;
    use nix::errno::Errno;

    fn find<'a>(controls: &'a [Control], group: &str, name: &str) -> &'a Control {
        let found = controls.iter().find(|c| c.group == group && c.name == name);
        found.unwrap_or_else(|| panic!("{group} {name}"))
    }

    fn mend_of(control: &Control) -> &str {
        match &control.enforcement {
            Enforcement::Unavailable { mend, .. } => mend,
            other => panic!("{} is {other}", control.name),
        }
    }

    /// An ordinary user of a version 2 host on which root has forbidden what can be forbidden.
    fn rootless() -> HostFacts {
        let mountinfo = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let mut facts = HostFacts::read();
        facts.cgroups = Hierarchies::detect(mountinfo, "0::/user.slice\n");
        facts.cgroup_access = CgroupAccess {
            refused: vec!["unified".into()],
            ..CgroupAccess::default()
        };
        facts.euid = 1000;
        facts.capabilities = CapabilitySets::parse("", "40");
        facts.user_namespaces.max = 0;
        facts.filesystems.clear();
        facts.devices.clear();
        facts.executable_memfd = false;
        (facts.seccomp, facts.seccomp_notify) = (false, false);
        facts.memfd_noexec = 2;
        facts
    }

    #[test]
    fn a_limited_host_gets_a_mend_for_each_thing_that_it_lacks() {
        let controls = controls(&rootless());
        for (group, name, mend) in [
            ("namespaces", "pid", "max_user_namespaces=15000"),
            ("namespaces", "user", "max_user_namespaces=15000"),
            ("cgroups", "a cgroup for each container", "Delegate=yes"),
            ("cgroups", "device rules", "Delegate=yes"),
            ("mounts", "ephemeral root (overlay)", "modprobe overlay"),
            ("devices", "/dev/fuse", "mknod -m 666 /dev/fuse c 10 229"),
            ("kernel", "executable memory file", "vm.memfd_noexec=1"),
            ("seccomp", "filter", "CONFIG_SECCOMP_FILTER"),
            ("seccomp", "notify", "CONFIG_SECCOMP_FILTER"),
        ] {
            let got = mend_of(find(&controls, group, name));
            assert!(got.contains(mend), "{group} {name}: {got}");
        }
        let lacking = |c: &&Control| matches!(c.enforcement, Enforcement::Unavailable { .. });
        assert!(
            controls
                .iter()
                .filter(lacking)
                .all(|c| !mend_of(c).is_empty())
        );
    }

    #[test]
    fn a_pause_needs_a_freezer_of_either_version() {
        let mut facts = rootless();
        let [pause, unpause] = pause(&facts);
        assert!(mend_of(&pause).contains("Delegate=yes"));
        assert!(matches!(
            unpause.enforcement,
            Enforcement::Unavailable { .. }
        ));
        for name in ["unified", "freezer", "cpu,freezer"] {
            facts.cgroup_access.writable = vec!["memory".into(), name.into()];
            let [pause, _] = super::pause(&facts);
            assert_eq!(pause.enforcement, Enforcement::Enforced, "{name}");
        }
    }

    #[test]
    fn on_a_version_2_host_device_rules_need_the_right_to_load_programs() {
        let mut facts = rootless();
        facts.cgroup_access.writable = vec!["unified".into()];
        facts.device_programs_refused = None;
        let free = controls(&facts);
        let rules = find(&free, "cgroups", "device rules");
        assert_eq!(rules.enforcement, Enforcement::Enforced);
        facts.device_programs_refused = Some(Errno::EPERM);
        let refused = controls(&facts);
        let mend = mend_of(find(&refused, "cgroups", "device rules"));
        assert!(mend.contains("CAP_BPF"), "{mend}");
    }

    #[test]
    fn what_root_itself_lacks_is_said() {
        let mut facts = rootless();
        facts.euid = 0;
        let status = "CapPrm:\t000001fffeffffff\nCapBnd:\t000001ffffffffff\n";
        facts.capabilities = CapabilitySets::parse(status, "40");
        let controls = controls(&facts);
        let all = find(&controls, "capabilities", "all");
        assert!(
            all.enforcement
                .to_string()
                .ends_with("lacks CAP_SYS_RESOURCE")
        );
    }

    #[test]
    fn this_host_can_be_examined() {
        let controls = controls(&HostFacts::read());
        assert!(controls.len() > 20);
    }
}
