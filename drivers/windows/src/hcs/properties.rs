//! What the service tells of systems and processes, read.

use crate::backend::ProcessIdentity;
use execdriver_core::{
    BlkioEntry, CgroupStats, CpuUsage, MemoryData, NetworkStats, ResourceStats, Timestamp,
};
use serde::Deserialize;

/// Whether a process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Not,
    With(u32),
}

/// The exit code of a process that could not be waited for.
const WAIT_FAILED: u32 = u32::MAX;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct ProcessProperties {
    exited: bool,
    exit_code: u32,
    last_wait_result: i32,
}

/// What the properties of a process say about its end.
///
/// # Errors
/// The document is none.
pub(crate) fn exit(document: &str) -> serde_json::Result<Ended> {
    let properties: ProcessProperties = serde_json::from_str(document)?;
    Ok(match properties {
        ProcessProperties { exited: false, .. } => Ended::Not,
        ProcessProperties {
            last_wait_result: 0,
            exit_code,
            ..
        } => Ended::With(exit_code),
        _ => Ended::With(WAIT_FAILED),
    })
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct SystemProperties {
    state: String,
    stopped: bool,
    statistics: Statistics,
    process_list: Vec<ProcessDetails>,
}

/// Whether the basic properties of a system say that it has stopped.
pub(crate) fn has_stopped(document: &str) -> bool {
    let read = serde_json::from_str::<SystemProperties>(document);
    read.is_ok_and(|properties| properties.stopped || properties.state == "Stopped")
}

/// Whether the basic properties of a system say that it is in this state: `Running`, `Paused`.
pub(crate) fn is_in_state(document: &str, state: &str) -> bool {
    let read = serde_json::from_str::<SystemProperties>(document);
    read.is_ok_and(|properties| properties.state == state)
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Statistics {
    memory: Memory,
    processor: Processor,
    storage: Storage,
    network: Option<Vec<Network>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Memory {
    memory_usage_commit_bytes: u64,
    memory_usage_commit_peak_bytes: u64,
    memory_usage_private_working_set_bytes: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Processor {
    #[serde(rename = "TotalRuntime100ns")]
    total: u64,
    #[serde(rename = "RuntimeUser100ns")]
    user: u64,
    #[serde(rename = "RuntimeKernel100ns")]
    kernel: u64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Storage {
    read_count_normalized: u64,
    read_size_bytes: u64,
    write_count_normalized: u64,
    write_size_bytes: u64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Network {
    endpoint_id: String,
    bytes_received: u64,
    packets_received: u64,
    dropped_packets_incoming: u64,
    bytes_sent: u64,
    packets_sent: u64,
    dropped_packets_outgoing: u64,
}

/// The statistics of a system in the contract's terms. The service counts in 100 ns and in committed bytes, the sum of
/// what its processes may use, which is what its memory limit is about.
///
/// # Errors
/// The document is none.
pub(crate) fn statistics(document: &str, read: Timestamp) -> serde_json::Result<ResourceStats> {
    let properties: SystemProperties = serde_json::from_str(document)?;
    let Statistics {
        memory,
        processor,
        storage,
        network,
    } = properties.statistics;
    let mut counted = CgroupStats::default();
    counted.cpu_stats.cpu_usage = CpuUsage {
        total_usage: processor.total.saturating_mul(100),
        usage_in_usermode: processor.user.saturating_mul(100),
        usage_in_kernelmode: processor.kernel.saturating_mul(100),
        ..CpuUsage::default()
    };
    counted.memory_stats.usage = MemoryData {
        usage: memory.memory_usage_commit_bytes,
        max_usage: memory.memory_usage_commit_peak_bytes,
        ..MemoryData::default()
    };
    let private = memory.memory_usage_private_working_set_bytes;
    if private != 0 {
        let table = &mut counted.memory_stats.stats;
        table.insert("private_working_set".to_owned(), private);
    }
    counted.blkio_stats.io_service_bytes_recursive = entries([
        ("Read", storage.read_size_bytes),
        ("Write", storage.write_size_bytes),
    ]);
    counted.blkio_stats.io_serviced_recursive = entries([
        ("Read", storage.read_count_normalized),
        ("Write", storage.write_count_normalized),
    ]);
    let interface = |network: Network| NetworkStats {
        name: network.endpoint_id,
        rx_bytes: network.bytes_received,
        rx_packets: network.packets_received,
        rx_dropped: network.dropped_packets_incoming,
        tx_bytes: network.bytes_sent,
        tx_packets: network.packets_sent,
        tx_dropped: network.dropped_packets_outgoing,
        ..NetworkStats::default()
    };
    Ok(ResourceStats {
        interfaces: network
            .unwrap_or_default()
            .into_iter()
            .map(interface)
            .collect(),
        cgroup: Some(counted),
        read,
        memory_limit: 0,
        system_usage: 0,
    })
}

fn entries(counts: [(&str, u64); 2]) -> Vec<BlkioEntry> {
    let entry = |(op, value): (&str, u64)| BlkioEntry {
        op: op.to_owned(),
        value,
        ..BlkioEntry::default()
    };
    counts.into_iter().map(entry).collect()
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ProcessDetails {
    process_id: u32,
    create_timestamp: Option<String>,
}

/// The processes of a process list: their pids, and when they were made, which is 0 where the service does not tell.
///
/// # Errors
/// The document is none.
pub(crate) fn processes(document: &str) -> serde_json::Result<Vec<ProcessIdentity>> {
    let properties: SystemProperties = serde_json::from_str(document)?;
    let identity = |process: &ProcessDetails| ProcessIdentity {
        pid: process.process_id,
        created: process
            .create_timestamp
            .as_deref()
            .and_then(ticks)
            .unwrap_or(0),
    };
    Ok(properties.process_list.iter().map(identity).collect())
}

/// A time as the system counts it for a process: 100 ns since 1601.
fn ticks(time: &str) -> Option<u64> {
    /// 1601-01-01, the epoch of `FILETIME`.
    const EPOCH: i64 = -11_644_473_600;
    let since = time.parse::<Timestamp>().ok()?;
    let since = since.since(Timestamp::new(EPOCH, 0)?)?;
    u64::try_from(since.as_nanos() / 100).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_needs_an_exit_and_a_wait_that_worked() {
        let document = |exited: bool, wait: i32| {
            format!(
                r#"{{"ProcessId":7,"Exited":{exited},"ExitCode":4294967295,"LastWaitResult":{wait}}}"#
            )
        };
        assert_eq!(exit(&document(false, 0)).unwrap(), Ended::Not);
        assert_eq!(exit(&document(true, 0)).unwrap(), Ended::With(u32::MAX));
        assert_eq!(exit(&document(true, -1)).unwrap(), Ended::With(WAIT_FAILED));
        let code = r#"{"Exited":true,"ExitCode":42}"#;
        assert_eq!(exit(code).unwrap(), Ended::With(42));
        assert!(exit("").is_err());
    }

    /// Defect 30 of the original: it had none. Moby 17.05 took user time from the kernel's field.
    #[test]
    fn windows_stats_are_in_nanoseconds_and_every_field_is_its_own() {
        let document = r#"{"Id":"x","Statistics":{"Timestamp":"2026-01-01T00:00:00Z","Uptime100ns":5,
            "Processor":{"TotalRuntime100ns":30,"RuntimeUser100ns":20,"RuntimeKernel100ns":10},
            "Memory":{"MemoryUsageCommitBytes":1,"MemoryUsageCommitPeakBytes":2,"MemoryUsagePrivateWorkingSetBytes":3},
            "Storage":{"ReadCountNormalized":4,"ReadSizeBytes":5,"WriteCountNormalized":6,"WriteSizeBytes":7},
            "Network":[{"EndpointId":"e","BytesReceived":8,"PacketsReceived":9,"DroppedPacketsIncoming":10,
                        "BytesSent":11,"PacketsSent":12,"DroppedPacketsOutgoing":13}]}}"#;
        let stats = statistics(document, Timestamp::default()).unwrap();
        let counted = stats.cgroup.unwrap();
        let cpu = counted.cpu_stats.cpu_usage;
        assert_eq!(
            [
                cpu.total_usage,
                cpu.usage_in_usermode,
                cpu.usage_in_kernelmode
            ],
            [3000, 2000, 1000]
        );
        let memory = counted.memory_stats;
        assert_eq!([memory.usage.usage, memory.usage.max_usage], [1, 2]);
        assert_eq!(memory.stats["private_working_set"], 3);
        let values = |entries: &[BlkioEntry]| entries.iter().map(|e| e.value).collect::<Vec<_>>();
        assert_eq!(
            values(&counted.blkio_stats.io_service_bytes_recursive),
            [5, 7]
        );
        assert_eq!(values(&counted.blkio_stats.io_serviced_recursive), [4, 6]);
        let net = &stats.interfaces[0];
        assert_eq!(net.name, "e");
        assert_eq!([net.rx_bytes, net.rx_packets, net.rx_dropped], [8, 9, 10]);
        assert_eq!([net.tx_bytes, net.tx_packets, net.tx_dropped], [11, 12, 13]);
    }

    /// Defect 30 of the original: it had none.
    #[test]
    fn windows_pids_are_those_of_the_process_list() {
        let document = r#"{"ProcessList":[{"ProcessId":4,"ImageName":"cmd.exe",
            "CreateTimestamp":"1601-01-01T00:00:01.0000002Z"},{"ProcessId":8,"CreateTimestamp":null},{"ProcessId":9,"CreateTimestamp":"x"}]}"#;
        let found = processes(document).unwrap();
        let found: Vec<_> = found.iter().map(|one| (one.pid, one.created)).collect();
        assert_eq!(found, [(4, 10_000_002), (8, 0), (9, 0)]);
        assert!(processes("{}").unwrap().is_empty());
        assert!(processes("[").is_err());
    }

    #[test]
    fn a_system_has_stopped_when_it_says_so() {
        assert!(has_stopped(r#"{"Stopped":true}"#));
        assert!(has_stopped(r#"{"State":"Stopped"}"#));
        assert!(!has_stopped(r#"{"State":"Running"}"#));
        assert!(!has_stopped(""));
    }
}
