//! Attributes of processes, time namespaces and Landlock rules.

use super::absolute;
use super::resources::in_range;
use crate::spec::number_ranges;
use crate::{
    Error, IoClass, Landlock, MemoryMode, MemoryPolicy, ProcessAttributes, Result, Scheduler,
    SchedulerPolicy, TimeOffsets,
};

/// The kernel's `KTIME_SEC_MAX` / 2, beyond which no clock may be set.
const SECONDS_MAX: i64 = 4_611_686_018;
/// The kernel's least runtime of the deadline policy (`DL_SCALE`).
const RUNTIME_MIN: u64 = 1 << 10;

pub(super) fn attributes(attributes: &ProcessAttributes, init: bool) -> Result<()> {
    if let Some(scheduler) = &attributes.scheduler {
        self::scheduler(scheduler, init)?;
    }
    if let Some(priority) = attributes.io_priority {
        let most = if priority.class == IoClass::Idle {
            0
        } else {
            7
        };
        let level = i64::from(priority.level);
        in_range("attributes.io_priority.level", level, 0, most)?;
    }
    ranges("attributes.cpus", &attributes.cpus)?;
    if let Some(policy) = &attributes.memory_policy {
        memory(policy)?;
    }
    Ok(())
}

fn scheduler(wanted: &Scheduler, init: bool) -> Result<()> {
    use SchedulerPolicy::{Deadline, Fifo, Rr};
    let field = |key: &str| format!("attributes.scheduler.{key}");
    let realtime = matches!(wanted.policy, Fifo | Rr);
    let fair = !realtime && wanted.policy != Deadline;
    let (least, most) = if fair { (-20, 19) } else { (0, 0) };
    in_range(&field("nice"), wanted.nice.into(), least, most)?;
    let (least, most) = if realtime { (1, 99) } else { (0, 0) };
    in_range(&field("priority"), wanted.priority.into(), least, most)?;
    if wanted.policy == Deadline {
        deadline(wanted, field)?;
    } else {
        for (key, value) in [
            ("runtime_ns", wanted.runtime_ns),
            ("deadline_ns", wanted.deadline_ns),
            ("period_ns", wanted.period_ns),
        ] {
            if value != 0 {
                let reason = format!("got {value}, expected none but with the policy deadline");
                return Err(Error::invalid(field(key), reason));
            }
        }
    }
    if init && wanted.policy == Deadline {
        let reason = "a process with the policy deadline cannot start others, as init does";
        return Err(Error::invalid(field("policy"), reason));
    }
    if init && wanted.reset_on_fork {
        let reason = "init starts the program, which would be reset already";
        return Err(Error::invalid(field("reset_on_fork"), reason));
    }
    Ok(())
}

/// Runtime <= deadline <= period: sched_setattr(2).
fn deadline(wanted: &Scheduler, field: impl Fn(&str) -> String) -> Result<()> {
    let Scheduler {
        runtime_ns,
        deadline_ns,
        period_ns,
        ..
    } = *wanted;
    let period = if period_ns == 0 {
        deadline_ns
    } else {
        period_ns
    };
    let between = |key: &str, got: u64, least: u64, most: u64| {
        if (least..=most).contains(&got) {
            return Ok(());
        }
        let reason = format!("got {got}, expected {least} to {most}");
        Err(Error::invalid(field(key), reason))
    };
    let most = i64::MAX.unsigned_abs();
    between("period_ns", period, RUNTIME_MIN, most)?;
    between("deadline_ns", deadline_ns, RUNTIME_MIN, period)?;
    between("runtime_ns", runtime_ns, RUNTIME_MIN, deadline_ns)
}

fn memory(policy: &MemoryPolicy) -> Result<()> {
    let field = |key: &str| format!("attributes.memory_policy.{key}");
    ranges(&field("nodes"), &policy.nodes)?;
    let (none, needed) = match policy.mode {
        MemoryMode::Default | MemoryMode::Local => (true, false),
        MemoryMode::Preferred => (false, false),
        MemoryMode::Bind
        | MemoryMode::Interleave
        | MemoryMode::WeightedInterleave
        | MemoryMode::PreferredMany => (false, true),
    };
    if needed && policy.nodes.is_empty() {
        let reason = "it is empty, expected the nodes that the mode chooses from";
        return Err(Error::invalid(field("nodes"), reason));
    }
    if none && !policy.nodes.is_empty() {
        let reason = format!("got {:?}, expected none with this mode", policy.nodes);
        return Err(Error::invalid(field("nodes"), reason));
    }
    if policy.static_nodes && policy.relative_nodes {
        let reason = "nodes cannot be both static and relative";
        return Err(Error::invalid(field("relative_nodes"), reason));
    }
    for (key, set) in [
        ("static_nodes", policy.static_nodes),
        ("relative_nodes", policy.relative_nodes),
    ] {
        if set && policy.nodes.is_empty() {
            return Err(Error::invalid(field(key), "there are no nodes"));
        }
    }
    if policy.numa_balancing && policy.mode != MemoryMode::Bind {
        let reason = "expected it with the mode bind alone";
        return Err(Error::invalid(field("numa_balancing"), reason));
    }
    Ok(())
}

fn ranges(field: &str, list: &str) -> Result<()> {
    if number_ranges(list).is_some() {
        return Ok(());
    }
    let reason = format!("got {list:?}, expected a list like 0-2,4");
    Err(Error::invalid(field, reason))
}

/// What the clocks themselves say against a negative offset, only the host knows.
pub(super) fn time(offsets: &TimeOffsets) -> Result<()> {
    for (clock, offset) in [
        ("monotonic", offsets.monotonic),
        ("boottime", offsets.boottime),
    ] {
        let field = |key: &str| format!("time_offsets.{clock}.{key}");
        in_range(&field("secs"), offset.secs, -SECONDS_MAX, SECONDS_MAX)?;
        let nanoseconds = i64::from(offset.nanosecs);
        in_range(&field("nanosecs"), nanoseconds, 0, 999_999_999)?;
    }
    Ok(())
}

pub(super) fn landlock(rules: &Landlock) -> Result<()> {
    for (field, path) in rules.paths() {
        absolute(&field, path)?;
    }
    let restricts = rules.has_paths()
        || rules.bind_tcp.is_some()
        || rules.connect_tcp.is_some()
        || rules.scope_signals
        || rules.scope_abstract_sockets;
    if restricts {
        return Ok(());
    }
    // Rules that restrict nothing are taken for rules that do.
    let reason = "it has no rule, expected paths, ports or a scope";
    Err(Error::invalid("landlock", reason))
}
