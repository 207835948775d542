//! Made-up limits for the round trip.

use super::text;
use execdriver_core::{
    HugepageLimit, LinuxResources, Resources, Rlimit, ThrottleDevice, WeightDevice,
    WindowsResources,
};
use proptest::collection::vec;
use proptest::prelude::*;

pub(super) fn resources(linux: bool) -> impl Strategy<Value = Resources> {
    let common = (any::<i64>(), any::<i64>(), any::<i64>(), any::<u16>());
    let windows = (any::<i64>(), "[0-9,-]{0,5}", any::<i64>());
    let windows = windows.prop_map(|(cpu_maximum, cpu_affinity, processes)| WindowsResources {
        cpu_maximum,
        cpu_affinity,
        processes,
    });
    let all = (common, linux_resources(), windows);
    all.prop_map(move |(common, limits, windows)| Resources {
        memory: common.0,
        memory_reservation: common.1,
        cpu_shares: common.2,
        blkio_weight: common.3,
        linux: linux.then_some(limits),
        windows: (!linux && windows != WindowsResources::default()).then_some(windows),
    })
}

fn linux_resources() -> impl Strategy<Value = LinuxResources> {
    let weight = any::<(i64, i64, u16, u16)>();
    let weight = weight.prop_map(|(major, minor, weight, leaf_weight)| WeightDevice {
        major,
        minor,
        weight,
        leaf_weight,
    });
    let throttle = any::<(i64, i64, u64)>();
    let throttle = throttle.prop_map(|(major, minor, rate)| ThrottleDevice { major, minor, rate });
    let rlimit = (0_u32..3, 0_u64..3, any::<u64>());
    let rlimit = rlimit.prop_map(|(kind, hard, soft)| Rlimit { kind, hard, soft });
    let numbers = any::<[i64; 5]>();
    let rest = (
        text(),
        text(),
        vec(rlimit, 0..3),
        any::<bool>(),
        -1_i64..2,
        any::<Option<i32>>(),
        vec((text(), any::<i64>()), 0..2),
    );
    (
        vec(weight, 0..2),
        vec(vec(throttle, 0..2), 4),
        numbers,
        rest,
    )
        .prop_map(|(weights, throttles, numbers, rest)| LinuxResources {
            blkio_weight_device: weights,
            blkio_throttle_read_bps_device: throttles[0].clone(),
            blkio_throttle_write_bps_device: throttles[1].clone(),
            blkio_throttle_read_iops_device: throttles[2].clone(),
            blkio_throttle_write_iops_device: throttles[3].clone(),
            memory_swap: numbers[0],
            kernel_memory: numbers[1],
            cpu_quota: numbers[2],
            cpu_period: numbers[3],
            memory_swappiness: numbers[4],
            cpuset_cpus: rest.0,
            cpuset_mems: rest.1,
            rlimits: rest.2,
            oom_kill_disable: rest.3,
            pids_limit: rest.4,
            oom_score_adj: rest.5,
            hugepage_limits: (rest.6.into_iter())
                .map(|(page_size, limit)| HugepageLimit { page_size, limit })
                .collect(),
        })
}
