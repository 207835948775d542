//! What is said of the limits of hosts that were recorded.

use super::*;
use crate::cgroup::Hierarchies;
use crate::facts::{CgroupAccess, KernelVersion};
use execdriver_core::Enforcement;

const V1: &str = "\
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio
37 31 0:34 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
38 31 0:35 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
";
const V1_OWN: &str = "4:memory:/\n3:blkio:/\n2:pids:/\n1:cpu,cpuacct:/\n0::/\n";
const V2_BESIDE: &str = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
const PROC_CGROUPS: &str = "\
#subsys_name\thierarchy\tnum_cgroups\tenabled
cpuset\t0\t1\t1
memory\t4\t369\t1
blkio\t7\t27\t1
rdma\t0\t1\t0
";

/// Root of a host that mounts these, with Linux 6.1.
fn root(mountinfo: &str, own: &str) -> HostFacts {
    let mut facts = HostFacts::read();
    facts.euid = 0;
    facts.user_namespaces.outer = None;
    facts.kernel = KernelVersion::parse("6.1.0");
    facts.cgroups = Hierarchies::detect(mountinfo, own);
    let names = facts.cgroups.list.iter().map(|one| match one.version {
        Version::V1 => one.controllers.text().to_owned(),
        Version::V2 => "unified".to_owned(),
    });
    facts.cgroup_access = CgroupAccess {
        writable: names.collect(),
        ..CgroupAccess::default()
    };
    facts
}

fn handed(controllers: &str, path: &str) -> Option<UnifiedAccess> {
    Some(UnifiedAccess {
        path: path.into(),
        controllers: controllers.split(' ').map(str::to_owned).collect(),
        occupied: false,
    })
}

fn cgroup_files(names: &[&str]) -> CgroupFiles {
    CgroupFiles {
        controllers: enabled(PROC_CGROUPS),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// `yes`, or the reason and the mend.
fn of(facts: &HostFacts, files: &CgroupFiles, name: &str) -> String {
    let all = controls(facts, files);
    let found = all.iter().find(|control| control.name == name).unwrap();
    match &found.enforcement {
        Enforcement::Enforced => "yes".to_owned(),
        Enforcement::Unavailable { reason, mend } => format!("{reason}: {mend}"),
        other => other.to_string(),
    }
}

#[test]
fn a_version_1_host_has_what_it_mounts_and_is_told_to_mount_the_rest() {
    let mut facts = root(V1, V1_OWN);
    let files = cgroup_files(&[
        "memory.limit_in_bytes",
        "memory.memsw.limit_in_bytes",
        "blkio.throttle.read_bps_device",
        "blkio.bfq.io_service_bytes",
    ]);
    for name in [
        MEMORY,
        SWAP,
        TUNING,
        BLOCK,
        WEIGHTS,
        "limits of cpu time",
        "limits of processes",
    ] {
        assert_eq!(of(&facts, &files, name), "yes", "{name}");
    }
    let cpuset = of(&facts, &files, "choice of processors");
    assert!(cpuset.ends_with("mount -t cgroup -o cpuset none /sys/fs/cgroup/cpuset"));
    let pages = of(&facts, &files, "limits of huge pages");
    assert!(pages.contains("the kernel has no controller hugetlb: boot a kernel"));
    assert!(of(&facts, &files, KERNEL).contains("set resources.memory"));
    facts.kernel = KernelVersion::parse("5.10.1");
    assert_eq!(of(&facts, &files, KERNEL), "yes");
}

#[test]
fn a_version_1_kernel_without_swap_accounting_weights_or_rates_is_told_what_to_boot() {
    let facts = root(V1, V1_OWN);
    let files = cgroup_files(&["memory.limit_in_bytes", "blkio.reset_stats"]);
    assert_eq!(of(&facts, &files, MEMORY), "yes");
    assert!(of(&facts, &files, SWAP).ends_with("`swapaccount=1`"));
    assert!(of(&facts, &files, WEIGHTS).contains("modprobe bfq"));
    assert!(of(&facts, &files, BLOCK).ends_with("CONFIG_BLK_DEV_THROTTLING"));
}

#[test]
fn a_hybrid_host_has_the_rest_in_version_2() {
    let mut facts = root(&format!("{V1}{V2_BESIDE}"), V1_OWN);
    facts.cgroup_access.unified = handed("cpuset hugetlb", "/sys/fs/cgroup/unified");
    let files = cgroup_files(&["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]);
    for name in [MEMORY, "choice of processors", "limits of huge pages"] {
        assert_eq!(of(&facts, &files, name), "yes", "{name}");
    }
}

#[test]
fn a_version_2_host_is_judged_by_its_controllers_and_the_files_of_any_cgroup() {
    let mut facts = root(V2, "0::/\n");
    facts.cgroup_access.unified = handed("cpuset cpu io memory pids", "/sys/fs/cgroup");
    let files = cgroup_files(&["memory.stat", "io.cost.qos"]);
    for name in [MEMORY, SWAP, BLOCK, WEIGHTS, "choice of processors"] {
        assert_eq!(of(&facts, &files, name), "yes", "{name}");
    }
    assert!(of(&facts, &files, TUNING).starts_with("version 2 has neither"));
    assert!(of(&facts, &files, KERNEL).starts_with("version 2 has no such limit"));
    let without = cgroup_files(&["memory.max"]);
    assert!(of(&facts, &without, SWAP).contains("swapaccount"));
    let both = cgroup_files(&["memory.max", "memory.swap.max"]);
    assert_eq!(of(&facts, &both, SWAP), "yes");
}

#[test]
fn what_root_is_told_to_do_fits_where_the_hierarchies_are() {
    let files = CgroupFiles::default();
    let told = |mounts: &str, own: &str| {
        let mut facts = root(mounts, own);
        facts.euid = 1000;
        facts.cgroup_access = CgroupAccess::default();
        of(&facts, &files, MEMORY)
    };
    assert!(told(V2, "0::/\n").contains("D=/sys/fs/cgroup/USER;"));
    let both = "31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                32 23 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    let text = told(both, "4:memory:/\n0::/\n");
    assert!(text.contains("D=/sys/fs/cgroup/pids/USER;"), "{text}");
    assert!(!text.contains("systemd-run"), "{text}");
}

#[test]
fn what_was_not_delegated_is_told_by_controller() {
    let mut facts = root(V2, "0::/user.slice\n");
    facts.euid = 1000;
    facts.cgroup_access = CgroupAccess::default();
    let files = CgroupFiles::default();
    let text = of(&facts, &files, MEMORY);
    assert!(text.contains("Delegate=yes"), "{text}");
    facts.cgroup_access.unified = handed("memory pids", "/sys/fs/cgroup/kim");
    assert_eq!(of(&facts, &files, MEMORY), "yes");
    assert_eq!(of(&facts, &files, "limits of processes"), "yes");
    let text = of(&facts, &files, "choice of processors");
    assert!(text.contains("/sys/fs/cgroup/kim has no controller cpuset"));
    assert!(text.contains("Delegate=cpu cpuset io memory pids"));
    let text = of(&facts, &files, "limits of huge pages");
    assert!(text.contains("echo +hugetlb >/sys/fs/cgroup/kim/../cgroup.subtree_control"));
    facts.cgroup_access.unified.as_mut().unwrap().occupied = true;
    let text = of(&facts, &files, MEMORY);
    assert!(text.contains("mkdir /sys/fs/cgroup/kim/host"), "{text}");
}

#[test]
fn a_host_without_cgroups_is_told_to_mount_them() {
    let facts = root("", "");
    let all = controls(&facts, &CgroupFiles::default());
    let told = |control: &Control| control.enforcement.to_string().contains("can be made");
    assert!(all.iter().all(told), "{all:?}");
}

#[test]
fn disabled_controllers_are_not_the_kernels() {
    assert_eq!(enabled(PROC_CGROUPS), ["cpuset", "memory", "blkio"]);
}
