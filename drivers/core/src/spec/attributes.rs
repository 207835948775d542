//! Attributes of processes in OCI's words, and those that OCI has none for.

use super::Spec;
use crate::{
    Landlock, MemoryMode, MemoryPolicy, Personality, Scheduler, SchedulerPolicy, Securebit,
    TimeOffset, TimeOffsets,
};
use oci_spec::runtime::{
    LinuxMemoryPolicy, LinuxPersonality, LinuxPersonalityDomain, LinuxSchedulerFlag,
    LinuxSchedulerPolicy, LinuxTimeOffset, MemoryPolicyFlagType, MemoryPolicyModeType,
    Scheduler as OciScheduler,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What a process has beside OCI's `process`: from the document's Linux part, and ours. An exec
/// gets its container's.
///
/// ```
/// use execdriver_core::{Command, Spec};
/// let command = Command::linux("web-1", "/srv/rootfs", "/bin/sh")
///     .with_linux(|linux| linux.attributes.cpus = "0".into());
/// let spec = Spec::from_command(&command, "native")?;
/// assert_eq!(spec.controls().cpus, "0");
/// # Ok::<(), execdriver_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(default)]
pub struct ProcessControls {
    /// The paths and ports that it may use.
    pub landlock: Option<Landlock>,
    /// The processors that it runs on, as `0-3`; empty: all.
    pub cpus: String,
    /// Whether hardware threads are shared within the container alone.
    pub core_scheduling: bool,
    /// How user id 0 and capabilities belong together.
    pub securebits: Vec<Securebit>,
    /// Which system it sees.
    pub personality: Option<LinuxPersonality>,
    /// From which nodes its memory is.
    pub memory_policy: Option<LinuxMemoryPolicy>,
}

impl Spec {
    /// The first process's controls.
    pub fn controls(&self) -> ProcessControls {
        let linux = self.oci.linux().as_ref();
        ProcessControls {
            landlock: self.landlock.clone(),
            cpus: self.cpus.clone(),
            core_scheduling: self.core_scheduling,
            securebits: self.securebits.clone(),
            personality: linux.and_then(|linux| linux.personality().clone()),
            memory_policy: linux.and_then(|linux| linux.memory_policy().clone()),
        }
    }

    /// Those of an exec: the same, on the processors of `execCPUAffinity` if it names any.
    pub(super) fn exec_controls(&self) -> ProcessControls {
        let process = self.oci.process().as_ref();
        let affinity = process.and_then(|process| process.exec_cpu_affinity().as_ref());
        let cpus = affinity.and_then(|affinity| affinity.cpu_affinity_final().clone());
        let mut controls = self.controls();
        if let Some(cpus) = cpus.filter(|cpus| !cpus.is_empty()) {
            controls.cpus = cpus;
        }
        controls
    }
}

pub(super) fn scheduler(wanted: &Scheduler) -> OciScheduler {
    let policy = match wanted.policy {
        SchedulerPolicy::Other => LinuxSchedulerPolicy::SchedOther,
        SchedulerPolicy::Batch => LinuxSchedulerPolicy::SchedBatch,
        SchedulerPolicy::Idle => LinuxSchedulerPolicy::SchedIdle,
        SchedulerPolicy::Fifo => LinuxSchedulerPolicy::SchedFifo,
        SchedulerPolicy::Rr => LinuxSchedulerPolicy::SchedRr,
        SchedulerPolicy::Deadline => LinuxSchedulerPolicy::SchedDeadline,
    };
    let flags = vec![LinuxSchedulerFlag::SchedResetOnFork];
    let some = |value: u64| Some(value).filter(|value| *value != 0);
    let mut scheduler = OciScheduler::default();
    scheduler
        .set_policy(policy)
        .set_nice(Some(wanted.nice).filter(|nice| *nice != 0))
        .set_priority(
            i32::try_from(wanted.priority)
                .ok()
                .filter(|priority| *priority != 0),
        )
        .set_flags(Some(flags).filter(|_| wanted.reset_on_fork))
        .set_runtime(some(wanted.runtime_ns))
        .set_deadline(some(wanted.deadline_ns))
        .set_period(some(wanted.period_ns));
    scheduler
}

pub(super) fn personality(wanted: Personality) -> LinuxPersonality {
    let mut personality = LinuxPersonality::default();
    personality.set_domain(match wanted {
        Personality::Linux => LinuxPersonalityDomain::PerLinux,
        Personality::Linux32 => LinuxPersonalityDomain::PerLinux32,
    });
    personality
}

pub(super) fn memory(wanted: &MemoryPolicy) -> LinuxMemoryPolicy {
    use MemoryPolicyFlagType as Flag;
    let flags: Vec<Flag> = [
        (wanted.static_nodes, Flag::MpolFStaticNodes),
        (wanted.relative_nodes, Flag::MpolFRelativeNodes),
        (wanted.numa_balancing, Flag::MpolFNumaBalancing),
    ]
    .into_iter()
    .filter_map(|(set, flag)| set.then_some(flag))
    .collect();
    let mut policy = LinuxMemoryPolicy::default();
    policy
        .set_mode(match wanted.mode {
            MemoryMode::Default => MemoryPolicyModeType::MpolDefault,
            MemoryMode::Bind => MemoryPolicyModeType::MpolBind,
            MemoryMode::Interleave => MemoryPolicyModeType::MpolInterleave,
            MemoryMode::WeightedInterleave => MemoryPolicyModeType::MpolWeightedInterleave,
            MemoryMode::Preferred => MemoryPolicyModeType::MpolPreferred,
            MemoryMode::PreferredMany => MemoryPolicyModeType::MpolPreferredMany,
            MemoryMode::Local => MemoryPolicyModeType::MpolLocal,
        })
        .set_nodes(super::process::unless_empty(&wanted.nodes))
        .set_flags(Some(flags).filter(|flags| !flags.is_empty()));
    policy
}

pub(super) fn time(wanted: &TimeOffsets) -> HashMap<String, LinuxTimeOffset> {
    let offset = |wanted: TimeOffset| {
        let mut offset = LinuxTimeOffset::default();
        offset
            .set_secs(Some(wanted.secs))
            .set_nanosecs(Some(wanted.nanosecs));
        offset
    };
    [
        ("monotonic", wanted.monotonic),
        ("boottime", wanted.boottime),
    ]
    .into_iter()
    .filter(|(_, wanted)| *wanted != TimeOffset::default())
    .map(|(clock, wanted)| (clock.to_owned(), offset(wanted)))
    .collect()
}
