//! What a container has used, in the original's JSON.

use crate::wire::fields::is_default;
use crate::{Pressure, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One reading of a container's counters.
///
/// ```
/// use execdriver_core::ResourceStats;
/// let stats = ResourceStats::default();
/// assert_eq!(
///     stats.to_json()?,
///     r#"{"read":"1970-01-01T00:00:00Z","memory_limit":0,"system_usage":0}"#
/// );
/// # Ok::<(), execdriver_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourceStats {
    /// The interfaces of the container's own network namespace; none when it has none of its own.
    pub interfaces: Vec<NetworkStats>,
    /// What the cgroup counted. `None`: nothing to read; the key is absent.
    pub cgroup: Option<CgroupStats>,
    /// When it was read.
    pub read: Timestamp,
    /// The memory limit in bytes; the machine's memory when there is none.
    pub memory_limit: i64,
    /// Processor time of the whole machine, nanoseconds; 0 from a driver.
    pub system_usage: u64,
}

/// Counters of a network interface since it exists.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct NetworkStats {
    /// The interface's name.
    pub name: String,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Errors while receiving.
    pub rx_errors: u64,
    /// Packets dropped while receiving.
    pub rx_dropped: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Errors while sending.
    pub tx_errors: u64,
    /// Packets dropped while sending.
    pub tx_dropped: u64,
}

/// The cgroup's counters since it exists.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CgroupStats {
    /// Processor.
    #[serde(deserialize_with = "crate::wire::fields::object")]
    pub cpu_stats: CpuStats,
    /// Memory.
    #[serde(deserialize_with = "crate::wire::fields::object")]
    pub memory_stats: MemoryStats,
    /// Processes. Not in the original; in the JSON unless zero.
    #[serde(skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "crate::wire::fields::object")]
    pub pids_stats: PidsStats,
    /// Block devices.
    #[serde(deserialize_with = "crate::wire::fields::object")]
    pub blkio_stats: BlkioStats,
    /// Huge pages, by their size (`2MB`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(deserialize_with = "crate::wire::fields::map_of_objects")]
    pub hugetlb_stats: BTreeMap<String, HugetlbStats>,
}

/// Processor time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CpuStats {
    /// How much was used.
    #[serde(deserialize_with = "crate::wire::fields::object")]
    pub cpu_usage: CpuUsage,
    /// How often the quota stopped it.
    #[serde(deserialize_with = "crate::wire::fields::object")]
    pub throttling_data: ThrottlingData,
    /// How long it was waited for. Not in the original; in the JSON unless zero.
    #[serde(skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "crate::wire::fields::object")]
    pub psi: Pressure,
}

/// Processor time used, nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CpuUsage {
    /// All of it.
    #[serde(skip_serializing_if = "is_default")]
    pub total_usage: u64,
    /// By processor.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "crate::wire::fields::list")]
    pub percpu_usage: Vec<u64>,
    /// In the kernel.
    pub usage_in_kernelmode: u64,
    /// In user mode.
    pub usage_in_usermode: u64,
}

/// What the processor quota did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThrottlingData {
    /// Periods in which it ran.
    #[serde(skip_serializing_if = "is_default")]
    pub periods: u64,
    /// Periods in which it was stopped.
    #[serde(skip_serializing_if = "is_default")]
    pub throttled_periods: u64,
    /// How long it was stopped, nanoseconds.
    #[serde(skip_serializing_if = "is_default")]
    pub throttled_time: u64,
}

/// Memory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryStats {
    /// Page cache, bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub cache: u64,
    /// Memory.
    #[serde(deserialize_with = "crate::wire::fields::object")]
    pub usage: MemoryData,
    /// Memory and swap.
    #[serde(deserialize_with = "crate::wire::fields::object")]
    pub swap_usage: MemoryData,
    /// Kernel memory.
    #[serde(deserialize_with = "crate::wire::fields::object")]
    pub kernel_usage: MemoryData,
    /// The kernel's own table, `memory.stat`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(deserialize_with = "crate::wire::fields::map")]
    pub stats: BTreeMap<String, u64>,
    /// What happened at its limits. Not in the original; in the JSON unless zero.
    #[serde(skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "crate::wire::fields::object")]
    pub events: MemoryEvents,
    /// How long it was waited for. Not in the original; in the JSON unless zero.
    #[serde(skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "crate::wire::fields::object")]
    pub psi: Pressure,
}

/// One kind of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryData {
    /// Bytes now.
    #[serde(skip_serializing_if = "is_default")]
    pub usage: u64,
    /// The most bytes so far.
    #[serde(skip_serializing_if = "is_default")]
    pub max_usage: u64,
    /// How often the limit was hit.
    pub failcnt: u64,
}

/// What happened at the limits of memory, counted since the cgroup exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryEvents {
    /// Reclaimed although below the protected amount (cgroup v2).
    #[serde(skip_serializing_if = "is_default")]
    pub low: u64,
    /// Throttled above `memory.high` (cgroup v2).
    #[serde(skip_serializing_if = "is_default")]
    pub high: u64,
    /// About to go over the limit (cgroup v2; see `failcnt` for v1).
    #[serde(skip_serializing_if = "is_default")]
    pub max: u64,
    /// At the limit with nothing left to reclaim (cgroup v2).
    #[serde(skip_serializing_if = "is_default")]
    pub oom: u64,
    /// Processes that the kernel killed for want of memory.
    #[serde(skip_serializing_if = "is_default")]
    pub oom_kill: u64,
    /// Whole groups that it killed (cgroup v2, Linux 5.17).
    #[serde(skip_serializing_if = "is_default")]
    pub oom_group_kill: u64,
    /// Whether processes wait for memory just now (cgroup v1 with `oom_kill_disable`).
    #[serde(skip_serializing_if = "is_default")]
    pub under_oom: bool,
}

/// Processes and threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PidsStats {
    /// How many now.
    #[serde(skip_serializing_if = "is_default")]
    pub current: u64,
    /// How many at most; 0: unlimited.
    #[serde(skip_serializing_if = "is_default")]
    pub limit: u64,
    /// The most so far (Linux 6.11, or 6.6 on cgroup v2).
    #[serde(skip_serializing_if = "is_default")]
    pub peak: u64,
}

/// Block devices, by operation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlkioStats {
    /// Bytes transferred.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "crate::wire::fields::objects")]
    pub io_service_bytes_recursive: Vec<BlkioEntry>,
    /// Operations done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "crate::wire::fields::objects")]
    pub io_serviced_recursive: Vec<BlkioEntry>,
    /// Operations waiting now.
    #[serde(rename = "io_queue_recursive", skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "crate::wire::fields::objects")]
    pub io_queued_recursive: Vec<BlkioEntry>,
    /// Nanoseconds of service.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "crate::wire::fields::objects")]
    pub io_service_time_recursive: Vec<BlkioEntry>,
    /// Nanoseconds of waiting.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "crate::wire::fields::objects")]
    pub io_wait_time_recursive: Vec<BlkioEntry>,
    /// Operations merged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "crate::wire::fields::objects")]
    pub io_merged_recursive: Vec<BlkioEntry>,
    /// Milliseconds of device time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "crate::wire::fields::objects")]
    pub io_time_recursive: Vec<BlkioEntry>,
    /// Sectors transferred.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "crate::wire::fields::objects")]
    pub sectors_recursive: Vec<BlkioEntry>,
    /// How long it was waited for. Not in the original; in the JSON unless zero.
    #[serde(skip_serializing_if = "is_default")]
    #[serde(deserialize_with = "crate::wire::fields::object")]
    pub psi: Pressure,
}

/// One counter of one device and operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlkioEntry {
    /// The device's major number.
    #[serde(skip_serializing_if = "is_default")]
    pub major: u64,
    /// The device's minor number.
    #[serde(skip_serializing_if = "is_default")]
    pub minor: u64,
    /// `Read`, `Write`, `Sync`, `Async`, `Total`.
    #[serde(skip_serializing_if = "is_default")]
    pub op: String,
    /// The count.
    #[serde(skip_serializing_if = "is_default")]
    pub value: u64,
}

/// Huge pages of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HugetlbStats {
    /// Bytes now.
    #[serde(skip_serializing_if = "is_default")]
    pub usage: u64,
    /// The most bytes so far.
    #[serde(skip_serializing_if = "is_default")]
    pub max_usage: u64,
    /// How often the limit was hit.
    pub failcnt: u64,
}
