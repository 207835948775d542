//! What the files of cgroup version 2 say, in the contract's words (`admin-guide/cgroup-v2`).

use super::text::{device, keyed, number};
use execdriver_core::{BlkioEntry, BlkioStats, CpuStats, MemoryEvents, Pressure, PressureData};

const NS_PER_US: u64 = 1000;

/// From `cpu.stat`, which is in microseconds.
pub(super) fn cpu(stat: &str) -> CpuStats {
    let mut stats = CpuStats::default();
    for (key, value) in keyed(stat) {
        let nanoseconds = value.saturating_mul(NS_PER_US);
        match key {
            "usage_usec" => stats.cpu_usage.total_usage = nanoseconds,
            "user_usec" => stats.cpu_usage.usage_in_usermode = nanoseconds,
            "system_usec" => stats.cpu_usage.usage_in_kernelmode = nanoseconds,
            "nr_periods" => stats.throttling_data.periods = value,
            "nr_throttled" => stats.throttling_data.throttled_periods = value,
            "throttled_usec" => stats.throttling_data.throttled_time = nanoseconds,
            _ => {}
        }
    }
    stats
}

/// From `memory.events`, which counts sub-cgroups too.
pub(in crate::cgroup) fn memory_events(text: &str) -> MemoryEvents {
    let mut events = MemoryEvents::default();
    for (key, value) in keyed(text) {
        match key {
            "low" => events.low = value,
            "high" => events.high = value,
            "max" => events.max = value,
            "oom" => events.oom = value,
            "oom_kill" => events.oom_kill = value,
            "oom_group_kill" => events.oom_group_kill = value,
            _ => {}
        }
    }
    events
}

/// The value of one key.
pub(super) fn value(text: &str, wanted: &str) -> Option<u64> {
    keyed(text).find_map(|(key, value)| (key == wanted).then_some(value))
}

/// From `io.stat`: a device, then `key=value` words. Some kernels print devices that did nothing
/// without an end of line, so a line may name several.
pub(super) fn io(text: &str) -> BlkioStats {
    let mut stats = BlkioStats::default();
    let mut current = None;
    for word in text.split_whitespace() {
        let Some((key, value)) = word.split_once('=') else {
            current = device(word);
            continue;
        };
        let (Some((major, minor)), Some(value)) = (current, number(value)) else {
            continue;
        };
        let (list, op) = match key {
            "rbytes" => (&mut stats.io_service_bytes_recursive, "Read"),
            "wbytes" => (&mut stats.io_service_bytes_recursive, "Write"),
            "dbytes" => (&mut stats.io_service_bytes_recursive, "Discard"),
            "rios" => (&mut stats.io_serviced_recursive, "Read"),
            "wios" => (&mut stats.io_serviced_recursive, "Write"),
            "dios" => (&mut stats.io_serviced_recursive, "Discard"),
            _ => continue,
        };
        let op = op.to_owned();
        list.push(BlkioEntry {
            major,
            minor,
            op,
            value,
        });
    }
    stats
}

/// From `cpu.pressure` and its like. Before Linux 5.13 `cpu.pressure` has no line `full`.
pub(super) fn pressure(text: &str) -> Pressure {
    let mut found = Pressure::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let data = match words.next() {
            Some("some") => &mut found.some,
            Some("full") => &mut found.full,
            _ => continue,
        };
        *data = pressure_line(words);
    }
    found
}

fn pressure_line<'a>(words: impl Iterator<Item = &'a str>) -> PressureData {
    let mut data = PressureData::default();
    for (key, value) in words.filter_map(|word| word.split_once('=')) {
        let share = || value.parse().unwrap_or_default();
        match key {
            "avg10" => data.avg10 = share(),
            "avg60" => data.avg60 = share(),
            "avg300" => data.avg300 = share(),
            "total" => data.total = number(value).unwrap_or(0),
            _ => {}
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microseconds_become_nanoseconds() {
        let text = "usage_usec 36488\nuser_usec 20000\nsystem_usec 16488\nnice_usec 0\n\
                    core_sched.force_idle_usec 0\nnr_periods 5\nnr_throttled 2\n\
                    throttled_usec 77\nnr_bursts 0\nburst_usec 0\n";
        let stats = cpu(text);
        assert_eq!(stats.cpu_usage.total_usage, 36_488_000);
        assert_eq!(stats.cpu_usage.usage_in_usermode, 20_000_000);
        assert_eq!(stats.cpu_usage.usage_in_kernelmode, 16_488_000);
        assert_eq!(stats.throttling_data.periods, 5);
        assert_eq!(stats.throttling_data.throttled_periods, 2);
        assert_eq!(stats.throttling_data.throttled_time, 77_000);
        let most = format!("usage_usec {}\n", u64::MAX);
        assert_eq!(cpu(&most).cpu_usage.total_usage, u64::MAX);
    }

    #[test]
    fn memory_events_are_read_by_their_whole_key() {
        let text = "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\nsock_throttled 7\n";
        let events = memory_events(text);
        assert_eq!((events.low, events.high, events.max), (1, 2, 3));
        assert_eq!(
            (events.oom, events.oom_kill, events.oom_group_kill),
            (4, 5, 6)
        );
        assert_eq!(value(text, "oom"), Some(4));
        assert_eq!(value(text, "oom_"), None);
    }

    #[test]
    fn devices_of_io_stat_are_told_apart_even_on_one_line() {
        let text = "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=8 dios=2 cost.usage=9\n\
                    7:0 7:1 254:1 rbytes=1 rios=x\n1:2\n";
        let stats = io(text);
        let bytes: Vec<_> = stats
            .io_service_bytes_recursive
            .iter()
            .map(|e| (e.major, e.minor, e.op.as_str(), e.value))
            .collect();
        assert_eq!(
            bytes,
            [
                (8, 0, "Read", 4096),
                (8, 0, "Write", 0),
                (8, 0, "Discard", 8),
                (254, 1, "Read", 1),
            ]
        );
        assert_eq!(stats.io_serviced_recursive.len(), 3);
        assert_eq!(io("rbytes=1\njunk rbytes=2\n"), BlkioStats::default());
    }

    #[test]
    fn pressure_is_read_with_and_without_its_second_line() {
        let text = "some avg10=1.53 avg60=0.40 avg300=100.00 total=12345\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        let found = pressure(text);
        assert_eq!(found.some.avg10.hundredths(), 153);
        assert_eq!(found.some.avg300.hundredths(), 10_000);
        assert_eq!((found.some.total, found.full.total), (12_345, 7));
        let older = pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n");
        assert_eq!(older.full, PressureData::default());
        for odd in [
            "",
            "some\n",
            "other avg10=1.00\n",
            "some avg10=x total=-1\n",
        ] {
            assert!(pressure(odd).is_none(), "{odd:?}");
        }
    }
}
