//! Attributes of the process that its children inherit: scheduling, memory, personality, and the
//! securebits.

use super::steps::Steps;
use super::{Host, PlanError};
use crate::wire::Op;
use execdriver_core::spec::{ProcessControls, number_ranges};
use oci_spec::runtime::{
    IOPriorityClass, LinuxIOPriority, LinuxMemoryPolicy, LinuxPersonality, LinuxPersonalityDomain,
    LinuxSchedulerFlag, LinuxSchedulerPolicy, MemoryPolicyFlagType, MemoryPolicyModeType, Process,
    Scheduler,
};

/// Plans what takes privileges that go with the user, as late as they are there.
pub(super) fn plan(
    process: &Process,
    controls: &ProcessControls,
    steps: &mut Steps,
) -> Result<(), PlanError> {
    if let Some(personality) = &controls.personality {
        self::personality(personality, steps)?;
    }
    if let Some(policy) = &controls.memory_policy {
        memory(policy, steps)?;
    }
    if !controls.cpus.is_empty() {
        let mask = mask("attributes.cpus", &controls.cpus)?;
        let words = format!("run on processors {} (attributes.cpus)", controls.cpus);
        steps.push(&Op::Affinity { mask: &mask }, words);
    }
    if let Some(priority) = process.io_priority() {
        io_priority(priority, steps)?;
    }
    if let Some(scheduler) = process.scheduler() {
        self::scheduler(scheduler, steps)?;
    }
    Ok(())
}

/// Core scheduling with a new cookie, or with that of the process `from`.
pub(super) fn core_scheduling(
    controls: &ProcessControls,
    host: &Host,
    from: i32,
    steps: &mut Steps,
) -> Result<(), PlanError> {
    if !controls.core_scheduling {
        return Ok(());
    }
    if let Err(reason) = &host.core_scheduling {
        let what = format!("attributes.core_scheduling: {reason}");
        return Err(PlanError::unsupported(what));
    }
    let words = "share hardware threads within the container alone (attributes.core_scheduling)";
    steps.push(&Op::CoreScheduling { from }, words);
    Ok(())
}

/// The securebits, between the user and the capabilities.
pub(super) fn securebits(
    process: &Process,
    controls: &ProcessControls,
    steps: &mut Steps,
) -> Result<(), PlanError> {
    use execdriver_core::Securebit;
    if controls.securebits.is_empty() {
        return Ok(());
    }
    let ambient = process
        .capabilities()
        .as_ref()
        .and_then(|sets| sets.ambient().as_ref())
        .is_some_and(|set| !set.is_empty());
    if ambient && controls.securebits.contains(&Securebit::NoCapAmbientRaise) {
        let reason = "got no_cap_ambient_raise, but the process is to have ambient capabilities";
        return Err(PlanError::invalid("attributes.securebits", reason));
    }
    let bits = controls
        .securebits
        .iter()
        .fold(0, |bits, bit| bits | bit.bit());
    steps.push(
        &Op::Securebits { bits },
        "set the securebits (attributes.securebits)",
    );
    Ok(())
}

fn scheduler(wanted: &Scheduler, steps: &mut Steps) -> Result<(), PlanError> {
    let number = |field: &str, value: Option<i32>| {
        u32::try_from(value.unwrap_or(0)).map_err(|_| {
            let reason = format!("got {}, expected 0 or more", value.unwrap_or(0));
            PlanError::invalid(format!("process.scheduler.{field}"), reason)
        })
    };
    let policy = match *wanted.policy() {
        LinuxSchedulerPolicy::SchedOther => libc::SCHED_OTHER,
        LinuxSchedulerPolicy::SchedFifo => libc::SCHED_FIFO,
        LinuxSchedulerPolicy::SchedRr => libc::SCHED_RR,
        LinuxSchedulerPolicy::SchedBatch => libc::SCHED_BATCH,
        LinuxSchedulerPolicy::SchedIdle => libc::SCHED_IDLE,
        LinuxSchedulerPolicy::SchedDeadline => libc::SCHED_DEADLINE,
        LinuxSchedulerPolicy::SchedIso => {
            let reason = "got SCHED_ISO, which Linux reserves and does not have";
            return Err(PlanError::invalid("process.scheduler.policy", reason));
        }
    };
    let mut flags = 0;
    for flag in wanted.flags().iter().flatten() {
        flags |= match flag {
            LinuxSchedulerFlag::SchedResetOnFork => libc::SCHED_FLAG_RESET_ON_FORK,
            LinuxSchedulerFlag::SchedFlagReclaim => libc::SCHED_FLAG_RECLAIM,
            LinuxSchedulerFlag::SchedFlagDLOverrun => libc::SCHED_FLAG_DL_OVERRUN,
            LinuxSchedulerFlag::SchedFlagKeepPolicy => libc::SCHED_FLAG_KEEP_POLICY,
            LinuxSchedulerFlag::SchedFlagKeepParams => libc::SCHED_FLAG_KEEP_PARAMS,
            LinuxSchedulerFlag::SchedFlagUtilClampMin
            | LinuxSchedulerFlag::SchedFlagUtilClampMax => {
                let reason = "got a clamp of the utilisation, for which the document has no values";
                return Err(PlanError::invalid("process.scheduler.flags", reason));
            }
        };
    }
    let mut words = format!("schedule it by {}", wanted.policy());
    if let Some(nice) = wanted.nice() {
        words.push_str(&format!(", nice {nice}"));
    }
    if let Some(priority) = wanted.priority() {
        words.push_str(&format!(", priority {priority}"));
    }
    words.push_str(" (attributes.scheduler)");
    steps.push(
        &Op::Scheduler {
            policy: policy.unsigned_abs(),
            flags: u64::from(flags.unsigned_abs()),
            nice: wanted.nice().unwrap_or(0),
            priority: number("priority", *wanted.priority())?,
            runtime: wanted.runtime().unwrap_or(0),
            deadline: wanted.deadline().unwrap_or(0),
            period: wanted.period().unwrap_or(0),
        },
        words,
    );
    Ok(())
}

fn io_priority(wanted: &LinuxIOPriority, steps: &mut Steps) -> Result<(), PlanError> {
    const CLASS_SHIFT: u32 = 13;
    let class = match wanted.class() {
        IOPriorityClass::IoprioClassRt => 1,
        IOPriorityClass::IoprioClassBe => 2,
        IOPriorityClass::IoprioClassIdle => 3,
    };
    let level = wanted.priority();
    let value = u32::try_from(level).ok().filter(|level| *level < 8);
    let Some(value) = value else {
        let reason = format!("got {level}, expected 0 to 7");
        return Err(PlanError::invalid("process.ioPriority.priority", reason));
    };
    steps.push(
        &Op::IoPriority {
            value: class << CLASS_SHIFT | value,
        },
        format!(
            "give it the I/O priority {} {level} (attributes.io_priority)",
            wanted.class()
        ),
    );
    Ok(())
}

fn memory(wanted: &LinuxMemoryPolicy, steps: &mut Steps) -> Result<(), PlanError> {
    let mut mode = match wanted.mode() {
        MemoryPolicyModeType::MpolDefault => 0,
        MemoryPolicyModeType::MpolPreferred => 1,
        MemoryPolicyModeType::MpolBind => 2,
        MemoryPolicyModeType::MpolInterleave => 3,
        MemoryPolicyModeType::MpolLocal => 4,
        MemoryPolicyModeType::MpolPreferredMany => 5,
        MemoryPolicyModeType::MpolWeightedInterleave => 6,
    };
    for flag in wanted.flags().iter().flatten() {
        mode |= match flag {
            MemoryPolicyFlagType::MpolFStaticNodes => 1 << 15,
            MemoryPolicyFlagType::MpolFRelativeNodes => 1 << 14,
            MemoryPolicyFlagType::MpolFNumaBalancing => 1 << 13,
        };
    }
    let list = wanted.nodes().as_deref().unwrap_or_default();
    let nodes = mask("attributes.memory_policy.nodes", list)?;
    let words = format!(
        "take memory by {} {list} (attributes.memory_policy)",
        wanted.mode()
    );
    steps.push(
        &Op::MemoryPolicy {
            mode,
            nodes: &nodes,
        },
        words,
    );
    Ok(())
}

fn personality(wanted: &LinuxPersonality, steps: &mut Steps) -> Result<(), PlanError> {
    if wanted
        .flags()
        .as_ref()
        .is_some_and(|flags| !flags.is_empty())
    {
        // The specification has none yet.
        let reason = "got flags, expected none";
        return Err(PlanError::invalid("linux.personality.flags", reason));
    }
    let persona = match wanted.domain() {
        LinuxPersonalityDomain::PerLinux => 0,
        LinuxPersonalityDomain::PerLinux32 => 8,
    };
    steps.push(
        &Op::Personality { persona },
        format!(
            "show it the system {} (attributes.personality)",
            wanted.domain()
        ),
    );
    Ok(())
}

/// Bit n of byte m for the number 8m + n, in whole words of the kernel; empty for none.
fn mask(field: &str, list: &str) -> Result<Vec<u8>, PlanError> {
    let ranges = number_ranges(list).ok_or_else(|| {
        let reason = format!("got {list:?}, expected a list like 0-2,4");
        PlanError::invalid(field, reason)
    })?;
    let words = ranges
        .iter()
        .map(|(_, last)| last / 64 + 1)
        .max()
        .unwrap_or(0);
    let mut words = vec![0u64; usize::try_from(words).unwrap_or_default()];
    for number in ranges.into_iter().flat_map(|(first, last)| first..=last) {
        let word = usize::try_from(number / 64).unwrap_or_default();
        if let Some(word) = words.get_mut(word) {
            *word |= 1 << (number % 64);
        }
    }
    Ok(words.into_iter().flat_map(u64::to_ne_bytes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_as_long_as_its_highest_processor_needs() {
        assert_eq!(mask("x", "").unwrap(), Vec::<u8>::new());
        assert_eq!(mask("x", "0-2,9").unwrap(), [7, 2, 0, 0, 0, 0, 0, 0]);
        let large = mask("x", "1500").unwrap();
        assert_eq!((large.len(), large[1500 / 8]), (24 * 8, 1 << (1500 % 8)));
        assert_eq!(mask("x", "65535").unwrap().len(), 8192);
        assert!(mask("x", "65536").is_err());
    }
}
