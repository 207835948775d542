//! Limits of a container: memory, processor, block devices, files.

use crate::wire::fields::is_default;
use serde::{Deserialize, Serialize};

/// Limits. Zero and empty mean that a limit is left as it is.
///
/// ```
/// use execdriver_core::{LinuxResources, Resources};
/// let resources = Resources {
///     memory: 32 << 20,
///     linux: Some(LinuxResources { cpuset_cpus: "0-1".into(), ..Default::default() }),
///     ..Default::default()
/// };
/// assert_eq!(resources.cpu_shares, 0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resources {
    /// The most memory, bytes; -1: unlimited.
    pub memory: i64,
    /// The memory that the container keeps under pressure, bytes.
    pub memory_reservation: i64,
    /// The weight of its processor time against others': 2 to 262144 (Windows: 1 to 10000).
    pub cpu_shares: i64,
    /// The weight of its block I/O against others': 10 to 1000.
    pub blkio_weight: u16,
    /// What only Linux knows. `None` on a Linux command means the default and is read back as it.
    pub linux: Option<LinuxResources>,
    /// What only Windows knows. Not in the original; in the JSON unless default.
    pub windows: Option<WindowsResources>,
}

/// Limits that only Windows has.
///
/// ```
/// use execdriver_core::{Resources, WindowsResources};
/// let windows = WindowsResources { cpu_maximum: 5_000, processes: 20, ..Default::default() };
/// let half = Resources { windows: Some(windows), ..Resources::default() };
/// assert!(half.validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct WindowsResources {
    /// The most processor time, in ten-thousandths of all processors': 1 to 10000; -1: unlimited. Not together with a
    /// weight (`cpu_shares`).
    pub cpu_maximum: i64,
    /// The processors, `0-2,4`: of the first 64.
    pub cpu_affinity: String,
    /// The most processes at once; -1: unlimited.
    pub processes: i64,
}

/// Limits that only Linux has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinuxResources {
    /// Weights by device.
    pub blkio_weight_device: Vec<WeightDevice>,
    /// Most bytes read a second.
    pub blkio_throttle_read_bps_device: Vec<ThrottleDevice>,
    /// Most bytes written a second.
    pub blkio_throttle_write_bps_device: Vec<ThrottleDevice>,
    /// Most reads a second.
    pub blkio_throttle_read_iops_device: Vec<ThrottleDevice>,
    /// Most writes a second.
    pub blkio_throttle_write_iops_device: Vec<ThrottleDevice>,
    /// Memory and swap together, bytes; -1: unlimited swap.
    pub memory_swap: i64,
    /// The most kernel memory, bytes (cgroup v1).
    pub kernel_memory: i64,
    /// Processor time in each `cpu_period`, microseconds; -1: unlimited.
    pub cpu_quota: i64,
    /// The processors, `0-2,4`.
    pub cpuset_cpus: String,
    /// The memory nodes, `0-2,4`.
    pub cpuset_mems: String,
    /// The period of `cpu_quota`, microseconds, 1000 to 1000000.
    pub cpu_period: i64,
    /// Limits of each process: setrlimit(2).
    pub rlimits: Vec<Rlimit>,
    /// At the memory limit processes wait instead of being killed (cgroup v1).
    pub oom_kill_disable: bool,
    /// The most processes and threads; -1: unlimited. In the JSON unless 0.
    pub pids_limit: i64,
    /// How readily memory is swapped, 0 to 100; -1: unset, the default (cgroup v1).
    pub memory_swappiness: i64,
    /// How readily the kernel ends its processes for want of memory, -1000 to 1000: of an `update`
    /// and of an exec. A command has [`oom_score_adj`](crate::LinuxCommand::oom_score_adj).
    pub oom_score_adj: Option<i32>,
    /// The most memory in huge pages, by their size. Not in the original; in the JSON unless empty.
    pub hugepage_limits: Vec<HugepageLimit>,
}

impl Default for LinuxResources {
    fn default() -> Self {
        Self {
            blkio_weight_device: Vec::new(),
            blkio_throttle_read_bps_device: Vec::new(),
            blkio_throttle_write_bps_device: Vec::new(),
            blkio_throttle_read_iops_device: Vec::new(),
            blkio_throttle_write_iops_device: Vec::new(),
            memory_swap: 0,
            kernel_memory: 0,
            cpu_quota: 0,
            cpuset_cpus: String::new(),
            cpuset_mems: String::new(),
            cpu_period: 0,
            rlimits: Vec::new(),
            oom_kill_disable: false,
            pids_limit: 0,
            memory_swappiness: -1,
            oom_score_adj: None,
            hugepage_limits: Vec::new(),
        }
    }
}

/// A block device's weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeightDevice {
    /// The device's major number.
    pub major: i64,
    /// The device's minor number.
    pub minor: i64,
    /// The weight of the container on it, 10 to 1000.
    pub weight: u16,
    /// The weight of the container's own processes against its child cgroups.
    #[serde(rename = "leafWeight")]
    pub leaf_weight: u16,
}

/// A block device's speed limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThrottleDevice {
    /// The device's major number.
    pub major: i64,
    /// The device's minor number.
    pub minor: i64,
    /// Bytes or operations a second.
    pub rate: u64,
}

/// A limit of huge pages of one size.
///
/// ```
/// use execdriver_core::HugepageLimit;
/// let four = HugepageLimit { page_size: "2MB".into(), limit: 8 << 20 };
/// assert_eq!(four.limit / (2 << 20), 4);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HugepageLimit {
    /// The pages' size, as the kernel names its files: `64KB`, `2MB`, `1GB`.
    pub page_size: String,
    /// The most memory in such pages, bytes; -1: unlimited.
    pub limit: i64,
}

/// One limit of setrlimit(2).
///
/// ```
/// use execdriver_core::Rlimit;
/// let files = Rlimit { kind: Rlimit::kind_of("nofile").unwrap(), soft: 42, hard: 42 };
/// assert_eq!(files.kind, 7);
/// assert_eq!(files.name(), Some("nofile"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rlimit {
    /// Linux's number of the resource, `RLIMIT_CPU` = 0 to `RLIMIT_RTTIME` = 15.
    #[serde(rename = "type", skip_serializing_if = "is_default")]
    pub kind: u32,
    /// What the process may raise its limit to. `u64::MAX`: unlimited.
    #[serde(skip_serializing_if = "is_default")]
    pub hard: u64,
    /// The limit in force. `u64::MAX`: unlimited.
    #[serde(skip_serializing_if = "is_default")]
    pub soft: u64,
}

/// The resources' names without `RLIMIT_`, by Linux's number (asm-generic/resource.h; the same on
/// x86_64 and aarch64).
const RLIMIT_NAMES: [&str; 16] = [
    "cpu",
    "fsize",
    "data",
    "stack",
    "core",
    "rss",
    "nproc",
    "nofile",
    "memlock",
    "as",
    "locks",
    "sigpending",
    "msgqueue",
    "nice",
    "rtprio",
    "rttime",
];

impl Rlimit {
    /// The number of the resource `name` (lower case, without `RLIMIT_`).
    pub fn kind_of(name: &str) -> Option<u32> {
        (0..)
            .zip(RLIMIT_NAMES)
            .find_map(|(kind, known)| (known == name).then_some(kind))
    }

    /// The resource's name, `nofile`.
    pub fn name(&self) -> Option<&'static str> {
        RLIMIT_NAMES.get(usize::try_from(self.kind).ok()?).copied()
    }

    /// Every resource's name, in the order of their numbers.
    pub fn names() -> &'static [&'static str] {
        &RLIMIT_NAMES
    }
}
