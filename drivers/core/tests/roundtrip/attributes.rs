//! Made-up Landlock rules, time offsets and attributes of processes.

use super::{text, texts};
use execdriver_core::{
    IoClass, IoPriority, Landlock, MemoryMode, MemoryPolicy, Personality, ProcessAttributes,
    Scheduler, SchedulerPolicy, Securebit, TimeOffset, TimeOffsets,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) fn landlock() -> impl Strategy<Value = Landlock> {
    let ports = || option::of(vec(any::<u16>(), 0..3));
    let paths = (texts(), texts(), texts(), texts());
    (paths, ports(), ports(), any::<[bool; 3]>()).prop_map(
        |(paths, bind_tcp, connect_tcp, flags)| Landlock {
            read: paths.0,
            write: paths.1,
            read_noexec: paths.2,
            write_noexec: paths.3,
            bind_tcp,
            connect_tcp,
            scope_signals: flags[0],
            scope_abstract_sockets: flags[1],
            best_effort: flags[2],
        },
    )
}

/// What the kernel keeps for each process, and the clocks.
pub(crate) fn process() -> impl Strategy<Value = (ProcessAttributes, Option<TimeOffsets>)> {
    (attributes(), option::of(time_offsets()))
}

fn time_offsets() -> impl Strategy<Value = TimeOffsets> {
    let offset = || any::<(i64, u32)>().prop_map(|(secs, nanosecs)| TimeOffset { secs, nanosecs });
    (offset(), offset()).prop_map(|(monotonic, boottime)| TimeOffsets {
        monotonic,
        boottime,
    })
}

fn attributes() -> impl Strategy<Value = ProcessAttributes> {
    use Securebit::{KeepCapsLocked, NoCapAmbientRaise, NoSetuidFixupLocked, Noroot};
    let class = select(vec![IoClass::Realtime, IoClass::BestEffort, IoClass::Idle]);
    let io = (class, any::<u8>()).prop_map(|(class, level)| IoPriority { class, level });
    let personality = select(vec![Personality::Linux, Personality::Linux32]);
    let bits = select(vec![
        Noroot,
        NoSetuidFixupLocked,
        KeepCapsLocked,
        NoCapAmbientRaise,
    ]);
    (
        option::of(scheduler()),
        option::of(io),
        text(),
        option::of(memory_policy()),
        any::<bool>(),
        option::of(personality),
        vec(bits, 0..3),
    )
        .prop_map(
            |(
                scheduler,
                io_priority,
                cpus,
                memory_policy,
                core_scheduling,
                personality,
                securebits,
            )| ProcessAttributes {
                scheduler,
                io_priority,
                cpus,
                memory_policy,
                core_scheduling,
                personality,
                securebits,
            },
        )
}

fn scheduler() -> impl Strategy<Value = Scheduler> {
    use SchedulerPolicy::{Batch, Deadline, Fifo, Idle, Other, Rr};
    let policy = select(vec![Other, Batch, Idle, Fifo, Rr, Deadline]);
    let times = any::<[u64; 3]>();
    (policy, any::<(i32, u32, bool)>(), times).prop_map(|(policy, rest, times)| Scheduler {
        policy,
        nice: rest.0,
        priority: rest.1,
        reset_on_fork: rest.2,
        runtime_ns: times[0],
        deadline_ns: times[1],
        period_ns: times[2],
    })
}

fn memory_policy() -> impl Strategy<Value = MemoryPolicy> {
    use MemoryMode::{Bind, Default, Interleave, PreferredMany, WeightedInterleave};
    let mode = select(vec![
        Default,
        Bind,
        Interleave,
        WeightedInterleave,
        PreferredMany,
    ]);
    (mode, text(), any::<[bool; 3]>()).prop_map(|(mode, nodes, flags)| MemoryPolicy {
        mode,
        nodes,
        static_nodes: flags[0],
        relative_nodes: flags[1],
        numa_balancing: flags[2],
    })
}
