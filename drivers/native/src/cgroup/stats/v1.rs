//! What the files of cgroup version 1 say, in the contract's words.
//!
//! Kernel documents `admin-guide/cgroup-v1/{cpuacct,memory,blkio-controller}`.

use super::text::{device, keyed, number};
use execdriver_core::{BlkioEntry, CpuUsage, MemoryEvents, ThrottlingData};

/// `cpuacct.stat` counts in these: `USER_HZ`, 100 on every architecture of this driver.
const TICK_NS: u64 = 10_000_000;

/// From `cpuacct.usage_percpu`, nanoseconds by processor, and `cpuacct.stat`, ticks.
pub(super) fn cpu_usage(percpu: &str, stat: &str) -> CpuUsage {
    let percpu_usage: Vec<u64> = percpu.split_whitespace().filter_map(number).collect();
    let mut usage = CpuUsage {
        total_usage: percpu_usage.iter().copied().fold(0, u64::saturating_add),
        percpu_usage,
        ..CpuUsage::default()
    };
    for (key, ticks) in keyed(stat) {
        let nanoseconds = ticks.saturating_mul(TICK_NS);
        match key {
            "user" => usage.usage_in_usermode = nanoseconds,
            "system" => usage.usage_in_kernelmode = nanoseconds,
            _ => {}
        }
    }
    usage
}

/// From `cpu.stat`; `throttled_time` is in nanoseconds.
pub(super) fn throttling(stat: &str) -> ThrottlingData {
    let mut data = ThrottlingData::default();
    for (key, value) in keyed(stat) {
        match key {
            "nr_periods" => data.periods = value,
            "nr_throttled" => data.throttled_periods = value,
            "throttled_time" => data.throttled_time = value,
            _ => {}
        }
    }
    data
}

/// From `memory.oom_control`; `oom_kill` since Linux 4.13.
pub(in crate::cgroup) fn memory_events(oom_control: &str) -> MemoryEvents {
    let mut events = MemoryEvents::default();
    for (key, value) in keyed(oom_control) {
        match key {
            "oom_kill" => events.oom_kill = value,
            "under_oom" => events.under_oom = value != 0,
            _ => {}
        }
    }
    events
}

/// From a file such as `blkio.throttle.io_serviced_recursive`: lines of `major:minor operation
/// count`. The sum of all devices in the last line has no device and is left out.
pub(super) fn blkio(text: &str) -> Vec<BlkioEntry> {
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        let (major, minor) = device(words.next()?)?;
        let (second, third) = (words.next()?, words.next());
        let (op, value) = third.map_or(("", second), |third| (second, third));
        let value = number(value).filter(|_| words.next().is_none())?;
        let op = op.to_owned();
        Some(BlkioEntry {
            major,
            minor,
            op,
            value,
        })
    };
    text.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_the_sum_of_the_processors_and_ticks_become_nanoseconds() {
        let usage = cpu_usage("1500 2500 \n", "user 12\nsystem 3\n");
        assert_eq!(usage.total_usage, 4000);
        assert_eq!(usage.percpu_usage, [1500, 2500]);
        assert_eq!(usage.usage_in_usermode, 120_000_000);
        assert_eq!(usage.usage_in_kernelmode, 30_000_000);
        let most = format!("{0} {0}\n", u64::MAX);
        let stat = format!("user {}\n", u64::MAX);
        let usage = cpu_usage(&most, &stat);
        assert_eq!(
            (usage.total_usage, usage.usage_in_usermode),
            (u64::MAX, u64::MAX)
        );
        assert_eq!(cpu_usage("", "nonsense"), CpuUsage::default());
    }

    #[test]
    fn throttling_is_as_the_kernel_6_18_prints_it() {
        let text =
            "nr_periods 11\nnr_throttled 7\nthrottled_time 512345\nnr_bursts 0\nburst_time 0\n";
        let data = throttling(text);
        assert_eq!((data.periods, data.throttled_periods), (11, 7));
        assert_eq!(data.throttled_time, 512_345);
    }

    #[test]
    fn a_kernel_that_does_not_count_its_kills_is_read_too() {
        let events = memory_events("oom_kill_disable 1\nunder_oom 1\n");
        assert_eq!((events.oom_kill, events.under_oom), (0, true));
        let events = memory_events("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
        assert_eq!((events.oom_kill, events.under_oom), (3, false));
    }

    #[test]
    fn block_devices_are_told_apart_and_the_sum_of_all_is_left_out() {
        let text = "254:0 Read 4096\n254:0 Write 0\n254:0 Total 4096\n8:16 5\nTotal 4101\n";
        let entries = blkio(text);
        let entry = |major, minor, op: &str, value| BlkioEntry {
            major,
            minor,
            op: op.into(),
            value,
        };
        assert_eq!(
            entries,
            [
                entry(254, 0, "Read", 4096),
                entry(254, 0, "Write", 0),
                entry(254, 0, "Total", 4096),
                entry(8, 16, "", 5),
            ]
        );
        for odd in [
            "",
            "Total 0\n",
            "8:0\n",
            "8:0 Read\n",
            "8:0 Read 1 2\n",
            "a:0 Read 1\n",
        ] {
            assert_eq!(blkio(odd), [], "{odd:?}");
        }
    }
}
