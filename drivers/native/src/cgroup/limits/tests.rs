//! What is written where, for version 1 and 2, without a kernel.

use super::*;
use execdriver_core::spec::limits;
use execdriver_core::{LinuxResources as Linux, Resources, ThrottleDevice, WeightDevice};

fn have(version: Version) -> Available {
    let v1 = ["memory", "cpu", "cpuset", "blkio", "pids", "hugetlb"];
    match version {
        Version::V1 => Available {
            v1: v1.map(str::to_owned).to_vec(),
            ..Available::default()
        },
        Version::V2 => Available {
            v2: ["cpuset", "cpu", "io", "memory", "pids", "hugetlb", "rdma"]
                .map(str::to_owned)
                .to_vec(),
            ..Available::default()
        },
    }
}

fn linux(change: impl FnOnce(&mut Resources, &mut Linux)) -> LinuxResources {
    let (mut common, mut own) = (Resources::default(), Linux::default());
    change(&mut common, &mut own);
    common.linux = Some(own);
    limits(&common).unwrap()
}

fn written(resources: &LinuxResources, version: Version) -> Vec<String> {
    let nothing = LinuxResources::default();
    let settings = settings(resources, &nothing, &have(version), Purpose::Create).unwrap();
    lines(&settings)
}

fn lines(settings: &[Setting]) -> Vec<String> {
    let line = |setting: &Setting| {
        let files = setting
            .files
            .iter()
            .map(|(file, value)| format!("{file}={value}"));
        files.collect::<Vec<_>>().join(" or ")
    };
    settings.iter().map(line).collect()
}

fn refused(resources: &LinuxResources, version: Version) -> String {
    let nothing = LinuxResources::default();
    settings(resources, &nothing, &have(version), Purpose::Create)
        .unwrap_err()
        .to_string()
}

fn everything() -> LinuxResources {
    linux(|common, own| {
        common.memory = 32 << 20;
        common.memory_reservation = 16 << 20;
        common.cpu_shares = 1000;
        common.blkio_weight = 300;
        own.memory_swap = 64 << 20;
        own.cpu_quota = 8000;
        own.cpu_period = 50_000;
        own.cpuset_cpus = "0-2,4".into();
        own.cpuset_mems = "0".into();
        own.pids_limit = 64;
        own.blkio_weight_device = vec![WeightDevice {
            major: 8,
            minor: 0,
            weight: 500,
            leaf_weight: 0,
        }];
        let device = |rate| {
            vec![ThrottleDevice {
                major: 8,
                minor: 16,
                rate,
            }]
        };
        own.blkio_throttle_read_bps_device = device(1 << 20);
        own.blkio_throttle_write_iops_device = device(0);
    })
}

#[test]
fn version_1_has_the_contracts_order_and_words() {
    let mut all = everything();
    let mut memory = all.memory().unwrap();
    memory
        .set_swappiness(Some(0))
        .set_disable_oom_killer(Some(true))
        .set_kernel_tcp(Some(4096));
    all.set_memory(Some(memory));
    let expected = [
        "memory.limit_in_bytes=33554432",
        "memory.soft_limit_in_bytes=16777216",
        "memory.memsw.limit_in_bytes=67108864",
        "memory.kmem.tcp.limit_in_bytes=4096",
        "memory.oom_control=1",
        "memory.swappiness=0",
        "cpu.shares=1000",
        "cpu.cfs_period_us=50000",
        "cpu.cfs_quota_us=8000",
        "cpuset.cpus=0-2,4",
        "cpuset.mems=0",
        "blkio.weight=300 or blkio.bfq.weight=300",
        "blkio.weight_device=8:0 500 or blkio.bfq.weight_device=8:0 500",
        "blkio.throttle.read_bps_device=8:16 1048576",
        "blkio.throttle.write_iops_device=8:16 0",
        "pids.max=64",
    ];
    assert_eq!(written(&all, Version::V1), expected);
}

#[test]
fn more_operations_a_second_than_the_kernel_counts_are_refused() {
    let of = |rate| {
        linux(|_, own| {
            own.blkio_throttle_read_iops_device = vec![ThrottleDevice {
                major: 8,
                minor: 16,
                rate,
            }];
        })
    };
    for version in [Version::V1, Version::V2] {
        assert_eq!(written(&of(u32::MAX.into()), version).len(), 1);
        assert_eq!(
            refused(&of(1 << 32), version),
            "invalid resources.blkio_throttle_read_iops_device[0]: got 4294967296 a second, expected at \
             most 4294967295"
        );
    }
}

#[test]
fn version_2_says_the_same_in_its_own_units() {
    let expected = [
        "memory.max=33554432",
        "memory.low=16777216",
        "memory.swap.max=33554432",
        "cpu.weight=99",
        "cpu.max=8000 50000",
        "cpuset.cpus=0-2,4",
        "cpuset.mems=0",
        "io.bfq.weight=300 or io.weight=default 2930",
        "io.bfq.weight=8:0 500 or io.weight=8:0 4950",
        "io.max=8:16 rbps=1048576",
        "io.max=8:16 wiops=max",
        "pids.max=64",
    ];
    assert_eq!(written(&everything(), Version::V2), expected);
    let needed = needed(&everything());
    assert_eq!(needed, ["memory", "cpuset", "cpu", "io", "pids"]);
}

#[test]
fn shares_become_weights_through_the_defaults_of_both() {
    for (shares, weight) in [
        (2, 1),
        (3, 2),
        (512, 59),
        (1024, 100),
        (2048, 174),
        (262_144, 10_000),
    ] {
        assert_eq!(cpu::weight_of_shares(shares), weight, "{shares}");
    }
    let all: Vec<u64> = (1..=18)
        .map(|bit| cpu::weight_of_shares(1 << bit))
        .collect();
    assert!(all.is_sorted(), "{all:?}");
}

#[test]
fn what_version_2_lacks_is_refused_with_a_mend() {
    let swappiness = linux(|_, own| own.memory_swappiness = 0);
    assert!(refused(&swappiness, Version::V2).contains("vm.swappiness"));
    let oom = linux(|_, own| own.oom_kill_disable = true);
    assert!(refused(&oom, Version::V2).starts_with("resources.oom_kill_disable: "));
    let kernel = linux(|_, own| own.kernel_memory = 1 << 20);
    assert!(refused(&kernel, Version::V2).contains("set resources.memory"));
    assert!(needed(&LinuxResources::default()).is_empty());
}

#[test]
fn unlimited_asks_for_nothing_of_a_new_cgroup_and_frees_one_in_use() {
    let unlimited = linux(|common, own| {
        common.memory = -1;
        own.memory_swap = -1;
        own.pids_limit = -1;
        own.cpu_quota = -1;
    });
    let none = Available {
        otherwise: "no cgroups".into(),
        ..Available::default()
    };
    let nothing = LinuxResources::default();
    let at_start = settings(&unlimited, &nothing, &none, Purpose::Create).unwrap();
    assert_eq!(at_start, []);
    let later = settings(&unlimited, &nothing, &have(Version::V2), Purpose::Update).unwrap();
    let expected = [
        "memory.max=max",
        "memory.swap.max=max",
        "cpu.max=max 100000",
        "pids.max=max",
    ];
    assert_eq!(lines(&later), expected);
    let later = settings(&unlimited, &nothing, &have(Version::V1), Purpose::Update).unwrap();
    assert_eq!(lines(&later)[0], "memory.limit_in_bytes=-1");
}

#[test]
fn a_controller_that_is_missing_is_named_with_the_reason() {
    let have = Available {
        v1: vec!["cpu".into()],
        v2: vec!["pids".into()],
        refused: vec![("memory".into(), "/a has processes".into())],
        otherwise: "it is not mounted".into(),
    };
    let error = |resources: &LinuxResources| {
        let nothing = LinuxResources::default();
        settings(resources, &nothing, &have, Purpose::Create)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error(&linux(|common, _| common.memory = 1 << 20)),
        "resources.memory: the container's cgroup has no memory controller: /a has processes"
    );
    assert_eq!(
        error(&linux(|common, _| common.blkio_weight = 100)),
        "resources.blkio_weight: the container's cgroup has no blkio or io controller: it is not mounted"
    );
    // Each goes where its controller is.
    let both = linux(|common, own| {
        common.cpu_shares = 2;
        own.pids_limit = 5;
    });
    let nothing = LinuxResources::default();
    let found = settings(&both, &nothing, &have, Purpose::Create).unwrap();
    let places: Vec<_> = found.iter().map(|setting| setting.version).collect();
    assert_eq!(places, [Version::V1, Version::V2]);
}

#[test]
fn values_that_no_kernel_takes_are_refused_by_their_field() {
    let small = linux(|common, _| common.memory = 1000);
    assert!(refused(&small, Version::V1).contains("expected at least 4096"));
    let alone = linux(|_, own| own.memory_swap = 1 << 20);
    assert!(refused(&alone, Version::V1).contains("without resources.memory"));
    let mut oci = LinuxResources::default();
    let mut cpu = LinuxCpu::default();
    cpu.set_shares(Some(1));
    oci.set_cpu(Some(cpu));
    assert!(refused(&oci, Version::V1).contains("minimum allowed cpu-shares is 2"));
    for (file, part) in [
        ("cgroup.procs", "acts on the cgroup itself"),
        ("cgroup.kill", "acts on the cgroup itself"),
        ("../memory.max", "name of a file"),
        ("memory", "name of a file"),
        ("bogus.max", "no bogus controller"),
    ] {
        let mut oci = LinuxResources::default();
        oci.set_unified(Some([(file.to_owned(), "1".to_owned())].into()));
        let text = refused(&oci, Version::V2);
        assert!(text.contains(part), "{file}: {text}");
    }
}

#[test]
fn an_update_keeps_the_other_half_of_a_file() {
    let before = linux(|common, own| {
        common.memory = 32 << 20;
        own.memory_swap = 64 << 20;
        own.cpu_quota = 8000;
        own.cpu_period = 50_000;
    });
    let update = linux(|common, own| {
        common.memory = 48 << 20;
        own.cpu_quota = 9000;
    });
    let found = settings(&update, &before, &have(Version::V2), Purpose::Update).unwrap();
    let expected = [
        "memory.max=50331648",
        "memory.swap.max=16777216",
        "cpu.max=9000 50000",
    ];
    assert_eq!(lines(&found), expected);
    let above = linux(|common, _| common.memory = 65 << 20);
    let error = settings(&above, &before, &have(Version::V1), Purpose::Update).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("raise resources.memory_swap too"),
        "{error}"
    );
    let after = merged(&before, &update);
    assert_eq!(after.memory().unwrap().limit(), Some(48 << 20));
    assert_eq!(after.memory().unwrap().swap(), Some(64 << 20));
    assert_eq!(after.cpu().as_ref().unwrap().period(), Some(50_000));
}

#[test]
fn the_way_back_is_what_the_file_said() {
    let undone = |shape: Shape, before: &str| {
        let setting = Setting {
            version: Version::V1,
            controller: "memory".into(),
            files: Vec::new(),
            field: String::new(),
            absent: "",
            shape,
            check: Check::None,
        };
        setting.undo(before)
    };
    assert_eq!(
        undone(Shape::Whole, "default 100\n8:0 5\n"),
        ["default 100"]
    );
    assert_eq!(undone(Shape::Whole, ""), [""]);
    assert_eq!(
        undone(
            Shape::Key("oom_kill_disable"),
            "oom_kill_disable 0\nunder_oom 0\n"
        ),
        ["0"]
    );
    let device = |text| {
        undone(
            Shape::Device {
                device: "8:0".into(),
                gone: "8:0 0".into(),
            },
            text,
        )
    };
    assert_eq!(device("8:16 7\n8:0 5\n"), ["8:0 5"]);
    assert_eq!(device("8:01 5\n"), ["8:0 0"]);
    let nested = |text| {
        undone(
            Shape::Nested {
                device: "8:0".into(),
                name: "wbps",
            },
            text,
        )
    };
    assert_eq!(
        nested("8:0 rbps=1 wbps=2 riops=max wiops=max\n"),
        ["8:0 wbps=2"]
    );
    assert_eq!(nested(""), ["8:0 wbps=max"]);
}
