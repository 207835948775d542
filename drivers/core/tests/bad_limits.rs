//! A limit that no system can keep is refused, with the field's name.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use execdriver_core::{
    Command, Error, HugepageLimit, LinuxCommand, LinuxResources, Platform, Resources, Rlimit,
    ThrottleDevice, WeightDevice, WindowsCommand, spec,
};

/// The field and the reason of an `InvalidCommand`.
#[track_caller]
fn invalid<T: std::fmt::Debug>(result: Result<T, Error>) -> (String, String) {
    match result {
        Err(Error::InvalidCommand { field, reason }) => (field, reason),
        other => panic!("{other:?}"),
    }
}

/// The field that is named after `change`, by the limits alone and within a command.
#[track_caller]
fn after_limits(change: impl FnOnce(&mut Resources, &mut LinuxResources)) -> String {
    let mut resources = Resources::default();
    let mut linux = LinuxResources::default();
    change(&mut resources, &mut linux);
    resources.linux = Some(linux);
    let field = invalid(resources.validate()).0;
    let mut command = Command::linux("web-1", "/srv/rootfs", "/bin/sh");
    command.validate().unwrap();
    command.resources = Some(resources);
    assert_eq!(invalid(command.validate()).0, field);
    field
}

#[test]
fn limits_out_of_range_are_refused() {
    for bad in [-2, i64::MIN] {
        assert_eq!(
            after_limits(|common, _| common.memory = bad),
            "resources.memory"
        );
    }
    for bad in [-1, 1, 262_145, 99_999_999] {
        assert_eq!(
            after_limits(|common, _| common.cpu_shares = bad),
            "resources.cpu_shares"
        );
    }
    for bad in [1, 9, 1001] {
        assert_eq!(
            after_limits(|common, _| common.blkio_weight = bad),
            "resources.blkio_weight"
        );
    }
    for bad in [-2, 101] {
        let field = after_limits(|_, linux| linux.memory_swappiness = bad);
        assert_eq!(field, "resources.memory_swappiness");
    }
    let swap = |common: &mut Resources, linux: &mut LinuxResources| {
        (common.memory, linux.memory_swap) = (2 << 20, 1 << 20);
    };
    assert_eq!(after_limits(swap), "resources.memory_swap");
    assert_eq!(
        after_limits(|_, linux| linux.cpu_period = 999),
        "resources.cpu_period"
    );
    assert_eq!(
        after_limits(|_, linux| linux.cpu_quota = 999),
        "resources.cpu_quota"
    );
    assert_eq!(
        after_limits(|_, linux| linux.pids_limit = -2),
        "resources.pids_limit"
    );
    let pages = |size: &str, limit| {
        let page_size = size.to_owned();
        HugepageLimit { page_size, limit }
    };
    for bad in [
        "", "MB", "2", "2mb", "+2MB", "02MB", "0MB", "2MB\n", "../2MB", "2.5MB",
    ] {
        let field = after_limits(|_, linux| linux.hugepage_limits = vec![pages(bad, 0)]);
        assert_eq!(field, "resources.hugepage_limits[0].page_size", "{bad}");
    }
    let twice = |_: &mut Resources, linux: &mut LinuxResources| {
        linux.hugepage_limits = vec![pages("2MB", 0), pages("2MB", -1)];
    };
    assert_eq!(
        after_limits(twice),
        "resources.hugepage_limits[1].page_size"
    );
    let below = after_limits(|_, linux| linux.hugepage_limits = vec![pages("1GB", -2)]);
    assert_eq!(below, "resources.hugepage_limits[0].limit");
    for bad in ["a", "1-", "-1", "2-1", "1,,2", "99999", " 1"] {
        let field = after_limits(|_, linux| linux.cpuset_cpus = bad.into());
        assert_eq!(field, "resources.cpuset_cpus", "{bad}");
    }
    let mut linux = LinuxResources {
        cpuset_cpus: "0-2,4".into(),
        ..Default::default()
    };
    (linux.cpu_quota, linux.memory_swap, linux.memory_swappiness) = (-1, -1, 0);
    Resources {
        linux: Some(linux),
        cpu_shares: 2,
        ..Default::default()
    }
    .validate()
    .unwrap();
}

#[test]
fn weights_of_processor_time_are_judged_by_the_platform_and_not_by_other_limits() {
    let alone = |cpu_shares| Resources {
        cpu_shares,
        ..Default::default()
    };
    let linux = Platform::Linux(LinuxCommand::default());
    let windows = Platform::Windows(WindowsCommand::default());
    for (shares, on_linux, on_windows) in [
        (1, false, true),
        (2, true, true),
        (10_000, true, true),
        (10_001, true, false),
        (262_144, true, false),
        (262_145, false, false),
    ] {
        let limits = alone(shares);
        assert_eq!(limits.validate_for(&linux).is_ok(), on_linux, "{shares}");
        assert_eq!(
            limits.validate_for(&windows).is_ok(),
            on_windows,
            "{shares}"
        );
        assert_eq!(
            limits.validate().is_ok(),
            on_linux || on_windows,
            "{shares}"
        );
        assert_eq!(spec::limits(&limits).is_ok(), on_linux, "{shares}");
    }
}

#[test]
fn device_limits_and_rlimits_out_of_range_are_refused() {
    let weight = WeightDevice {
        weight: 9,
        ..Default::default()
    };
    assert_eq!(
        after_limits(|_, linux| linux.blkio_weight_device = vec![weight]),
        "resources.blkio_weight_device[0].weight"
    );
    let throttle = ThrottleDevice {
        major: -1,
        ..Default::default()
    };
    assert_eq!(
        after_limits(|_, linux| linux.blkio_throttle_read_bps_device = vec![throttle]),
        "resources.blkio_throttle_read_bps_device[0].major"
    );
    let rlimit = |kind, soft, hard| Rlimit { kind, soft, hard };
    for (bad, field) in [
        (vec![rlimit(16, 1, 1)], "resources.rlimits[0].type"),
        (vec![rlimit(7, 2, 1)], "resources.rlimits[0].soft"),
        (
            vec![rlimit(7, 1, 1), rlimit(7, 1, 2)],
            "resources.rlimits[1].type",
        ),
    ] {
        assert_eq!(after_limits(|_, linux| linux.rlimits = bad), field);
    }
}
