//! `events`: what a container uses, and its want of memory, one object a line.

use super::failure::{Answer, Failure};
use super::global::Global;
use super::output;
use execdriver_core::{BlkioEntry, MemoryData, ResourceStats};
use execdriver_native::oci::{EventCounters, OciResult, Watched};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Arguments of `events`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print what it uses now, and end.
    #[arg(long)]
    stats: bool,
    /// How often what it uses is printed: 5s, 500ms, 1m.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    interval: Duration,
    /// The container's id.
    id: String,
}

pub(super) fn run(global: &Global, args: &Args) -> Answer {
    let runtime = global.open()?;
    let used = || -> OciResult<Value> {
        let counters = runtime.event_counters(&args.id)?.unwrap_or_default();
        Ok(stats(&runtime.stats(&args.id)?, &counters))
    };
    if args.stats {
        return say(&args.id, "stats", Some(used()?)).map(|_| 0);
    }
    let mut watch = runtime.watch(&args.id)?;
    loop {
        let is_read = match watch.wait(args.interval)? {
            Watched::OutOfMemory => say(&args.id, "oom", None)?,
            Watched::Nothing => match used() {
                Ok(used) => say(&args.id, "stats", Some(used))?,
                // It has ended since.
                Err(_) => return Ok(0),
            },
            _ => return Ok(0),
        };
        if !is_read {
            return Ok(0);
        }
    }
}

/// Prints an event; whether somebody reads.
fn say(id: &str, kind: &str, data: Option<Value>) -> Result<bool, Failure> {
    let mut event = Map::new();
    event.insert("type".into(), kind.into());
    event.insert("id".into(), id.into());
    if let Some(data) = data {
        event.insert("data".into(), data);
    }
    output::is_read(&format!("{}\n", Value::Object(event)))
}

/// In the form that readers of runc's events know.
fn stats(stats: &ResourceStats, counters: &EventCounters) -> Value {
    let interfaces: Vec<Value> = stats
        .interfaces
        .iter()
        .map(|one| {
            json!({
                "Name": one.name,
                "RxBytes": one.rx_bytes, "RxPackets": one.rx_packets,
                "RxErrors": one.rx_errors, "RxDropped": one.rx_dropped,
                "TxBytes": one.tx_bytes, "TxPackets": one.tx_packets,
                "TxErrors": one.tx_errors, "TxDropped": one.tx_dropped,
            })
        })
        .collect();
    let Some(used) = &stats.cgroup else {
        return json!({ "network_interfaces": interfaces });
    };
    let (cpu, memory, block) = (&used.cpu_stats, &used.memory_stats, &used.blkio_stats);
    let limit = u64::try_from(stats.memory_limit).unwrap_or(u64::MAX);
    let pages = used.hugetlb_stats.iter().map(|(size, pages)| {
        let value = json!({
            "usage": pages.usage, "max": pages.max_usage, "failcnt": pages.failcnt,
        });
        (size.clone(), value)
    });
    let mut data = json!({
        "cpu": {
            "usage": {
                "total": cpu.cpu_usage.total_usage,
                "percpu": cpu.cpu_usage.percpu_usage,
                "percpu_kernel": counters.percpu_kernel,
                "percpu_user": counters.percpu_user,
                "kernel": cpu.cpu_usage.usage_in_kernelmode,
                "user": cpu.cpu_usage.usage_in_usermode,
            },
            "throttling": {
                "periods": cpu.throttling_data.periods,
                "throttledPeriods": cpu.throttling_data.throttled_periods,
                "throttledTime": cpu.throttling_data.throttled_time,
            },
        },
        "memory": {
            "cache": memory.cache,
            "usage": entry(&memory.usage, limit),
            "swap": entry(&memory.swap_usage, counters.swap_limit.unwrap_or(0)),
            "kernel": entry(&memory.kernel_usage, counters.kernel_limit.unwrap_or(0)),
            "raw": memory.stats,
        },
        "pids": { "current": used.pids_stats.current, "limit": used.pids_stats.limit },
        "blkio": {
            "ioServiceBytesRecursive": blocks(&block.io_service_bytes_recursive),
            "ioServicedRecursive": blocks(&block.io_serviced_recursive),
            "ioQueueRecursive": blocks(&block.io_queued_recursive),
            "ioServiceTimeRecursive": blocks(&block.io_service_time_recursive),
            "ioWaitTimeRecursive": blocks(&block.io_wait_time_recursive),
            "ioMergedRecursive": blocks(&block.io_merged_recursive),
            "ioTimeRecursive": blocks(&block.io_time_recursive),
            "sectorsRecursive": blocks(&block.sectors_recursive),
        },
        "hugetlb": pages.collect::<Map<String, Value>>(),
        "intel_rdt": {},
        "network_interfaces": interfaces,
    });
    if let Some((limit, used)) = &counters.kernel_tcp {
        data["memory"]["kernelTCP"] = entry(used, *limit);
    }
    if let Some(set) = &counters.cpuset {
        data["cpuset"] = json!(set.settings);
        data["cpuset"]["cpus"] = json!(set.cpus);
        data["cpuset"]["mems"] = json!(set.mems);
    }
    data
}

fn entry(data: &MemoryData, limit: u64) -> Value {
    json!({ "limit": limit, "usage": data.usage, "max": data.max_usage, "failcnt": data.failcnt })
}

fn blocks(entries: &[BlkioEntry]) -> Vec<Value> {
    let one = |entry: &BlkioEntry| {
        json!({
            "major": entry.major, "minor": entry.minor, "op": entry.op, "value": entry.value,
        })
    };
    entries.iter().map(one).collect()
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("got {text:?}, expected a time as 5s, 500ms, 1m");
    let split = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => number,
        "s" | "" => number.saturating_mul(1000),
        "m" => number.saturating_mul(60_000),
        "h" => number.saturating_mul(3_600_000),
        _ => return Err(wrong()),
    };
    match millis {
        0 => Err(wrong()),
        millis => Ok(Duration::from_millis(millis)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_a_unit_and_is_not_nothing() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert!(duration("0s").is_err());
        assert!(duration("5 parsecs").is_err());
    }
}
