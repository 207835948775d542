//! What the kernel keeps for each process and hands down to its children: how it is scheduled,
//! where its memory comes from, which bits of its past it plays.

use crate::wire::fields;
use serde::{Deserialize, Serialize};

/// Attributes of the container's process, inherited by all that it starts; an exec gets the same.
/// Each is in the JSON when it is not the default, and is enforced or an error.
///
/// ```
/// use execdriver_core::{Command, ProcessAttributes, Scheduler};
/// let attributes = ProcessAttributes {
///     scheduler: Some(Scheduler { nice: 10, ..Scheduler::default() }),
///     cpus: "0-1".into(),
///     ..ProcessAttributes::default()
/// };
/// let command = Command::linux("job-1", "/srv/rootfs", "/bin/true")
///     .with_linux(|linux| linux.attributes = attributes);
/// assert!(command.validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessAttributes {
    /// `None`: policy `other` at nice value 0.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "fields::optional_object"
    )]
    pub scheduler: Option<Scheduler>,
    /// `None`: that of the host program.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "fields::optional_object"
    )]
    pub io_priority: Option<IoPriority>,
    /// The processors to run on, as `0-3,7`; empty: all that the cgroup has. Unlike a cpuset it is
    /// the process's own: it may take others later.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cpus: String,
    /// `None`: that of the host program.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "fields::optional_object"
    )]
    pub memory_policy: Option<MemoryPolicy>,
    /// Never shares a processor's hardware threads with processes outside of the container:
    /// PR_SCHED_CORE(2const).
    #[serde(skip_serializing_if = "fields::is_default")]
    pub core_scheduling: bool,
    /// `None`: that of the host program.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "fields::optional_word"
    )]
    pub personality: Option<Personality>,
    /// How user id 0 and capabilities belong together: the flags of capabilities(7).
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "fields::words"
    )]
    pub securebits: Vec<Securebit>,
}

/// How the process gets its share of the processors: sched_setattr(2).
///
/// ```
/// use execdriver_core::{Scheduler, SchedulerPolicy};
/// let realtime = Scheduler {
///     policy: SchedulerPolicy::Fifo,
///     priority: 10,
///     ..Scheduler::default()
/// };
/// assert_eq!(realtime.nice, 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scheduler {
    /// By which rule.
    #[serde(
        skip_serializing_if = "fields::is_default",
        deserialize_with = "fields::word"
    )]
    pub policy: SchedulerPolicy,
    /// -20 (most) to 19 (least); for `other`, `batch` and `idle`.
    #[serde(skip_serializing_if = "fields::is_default")]
    pub nice: i32,
    /// 1 to 99; for `fifo` and `rr`, which need it.
    #[serde(skip_serializing_if = "fields::is_default")]
    pub priority: u32,
    /// Nanoseconds of work in each period; for `deadline`, which needs it.
    #[serde(skip_serializing_if = "fields::is_default")]
    pub runtime_ns: u64,
    /// Nanoseconds from a period's start to the end of its work; for `deadline`, which needs it.
    #[serde(skip_serializing_if = "fields::is_default")]
    pub deadline_ns: u64,
    /// Nanoseconds of a period, 0: as long as the deadline; for `deadline`.
    #[serde(skip_serializing_if = "fields::is_default")]
    pub period_ns: u64,
    /// Its children start with policy `other` at nice value 0.
    #[serde(skip_serializing_if = "fields::is_default")]
    pub reset_on_fork: bool,
}

/// The rule by which the kernel picks who runs: sched(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchedulerPolicy {
    /// A fair share by the nice value.
    #[default]
    Other,
    /// As `other`, woken up less eagerly.
    Batch,
    /// Only what nobody else wants.
    Idle,
    /// Before all fair ones, until it gives way.
    Fifo,
    /// As `fifo`, in turns among equals.
    Rr,
    /// A reserved time in each period. It cannot start processes.
    Deadline,
}

/// When disks are busy, who is first: ioprio_set(2).
///
/// ```
/// use execdriver_core::{IoClass, IoPriority};
/// assert_eq!(IoPriority { class: IoClass::Idle, level: 0 }.level, 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IoPriority {
    /// Which class.
    #[serde(deserialize_with = "fields::word")]
    pub class: IoClass,
    /// 0 (first) to 7 within the class; 0 for `idle`.
    #[serde(skip_serializing_if = "fields::is_default")]
    pub level: u8,
}

/// A class of I/O priorities, by the words of ionice(1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IoClass {
    /// Before all others; needs CAP_SYS_NICE or CAP_SYS_ADMIN.
    Realtime,
    /// The usual one.
    #[default]
    BestEffort,
    /// Only when nobody else waits.
    Idle,
}

/// From which nodes memory is taken: set_mempolicy(2).
///
/// ```
/// use execdriver_core::{MemoryMode, MemoryPolicy};
/// let policy = MemoryPolicy {
///     mode: MemoryMode::Interleave,
///     nodes: "0-1".into(),
///     ..MemoryPolicy::default()
/// };
/// assert!(!policy.static_nodes);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryPolicy {
    /// How a node is chosen.
    #[serde(deserialize_with = "fields::word")]
    pub mode: MemoryMode,
    /// The nodes, as `0-1,4`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nodes: String,
    /// `nodes` are physical ones, even when the cpuset changes.
    #[serde(skip_serializing_if = "fields::is_default")]
    pub static_nodes: bool,
    /// `nodes` count within the cpuset.
    #[serde(skip_serializing_if = "fields::is_default")]
    pub relative_nodes: bool,
    /// Pages may still be moved to where they are used; with `bind` (Linux 5.12).
    #[serde(skip_serializing_if = "fields::is_default")]
    pub numa_balancing: bool,
}

/// How the kernel chooses a node for memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryMode {
    /// The node of the processor, whatever was inherited.
    #[default]
    Default,
    /// From `nodes` alone.
    Bind,
    /// From `nodes` in turn.
    Interleave,
    /// From `nodes` in turn by their weights (Linux 6.9).
    WeightedInterleave,
    /// From the node named, others when it is full.
    Preferred,
    /// From `nodes`, others when they are full (Linux 5.15).
    PreferredMany,
    /// The node of the processor.
    Local,
}

/// Which system `uname` shows: personality(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Personality {
    /// This one.
    Linux,
    /// Its 32-bit sibling: `i686` on x86_64.
    Linux32,
}

/// One of the securebits of capabilities(7). `keep_caps` itself is not among them, since
/// execve(2) clears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Securebit {
    /// User id 0 gets no capabilities from executing a program.
    Noroot,
    /// `noroot` can no longer change.
    NorootLocked,
    /// Capabilities stay when user ids change to and from 0.
    NoSetuidFixup,
    /// `no_setuid_fixup` can no longer change.
    NoSetuidFixupLocked,
    /// Nobody can set `keep_caps`.
    KeepCapsLocked,
    /// No capability can be made ambient.
    NoCapAmbientRaise,
    /// `no_cap_ambient_raise` can no longer change.
    NoCapAmbientRaiseLocked,
}

impl Securebit {
    /// Its bit for `PR_SET_SECUREBITS`.
    pub const fn bit(self) -> u32 {
        match self {
            Self::Noroot => 1,
            Self::NorootLocked => 1 << 1,
            Self::NoSetuidFixup => 1 << 2,
            Self::NoSetuidFixupLocked => 1 << 3,
            Self::KeepCapsLocked => 1 << 5,
            Self::NoCapAmbientRaise => 1 << 6,
            Self::NoCapAmbientRaiseLocked => 1 << 7,
        }
    }
}

/// How far the clocks of a container's own time namespace are ahead: time_namespaces(7).
///
/// ```
/// use execdriver_core::{TimeOffset, TimeOffsets};
/// let day_ahead = TimeOffsets {
///     boottime: TimeOffset { secs: 86_400, nanosecs: 0 },
///     ..TimeOffsets::default()
/// };
/// assert_eq!(day_ahead.monotonic.secs, 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeOffsets {
    /// Of `CLOCK_MONOTONIC`.
    #[serde(
        skip_serializing_if = "fields::is_default",
        deserialize_with = "fields::object"
    )]
    pub monotonic: TimeOffset,
    /// Of `CLOCK_BOOTTIME`, and so of /proc/uptime.
    #[serde(
        skip_serializing_if = "fields::is_default",
        deserialize_with = "fields::object"
    )]
    pub boottime: TimeOffset,
}

/// A difference between clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeOffset {
    /// Whole seconds; negative: behind.
    #[serde(skip_serializing_if = "fields::is_default")]
    pub secs: i64,
    /// Nanoseconds on top, below one second.
    #[serde(skip_serializing_if = "fields::is_default")]
    pub nanosecs: u32,
}
