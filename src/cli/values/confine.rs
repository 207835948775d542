//! Landlock rules, clocks and attributes of processes: `ro=/usr`, `boottime=3600`, `fifo:10`.

use super::duration;
use execdriver::{
    IoClass, IoPriority, Landlock, MemoryMode, MemoryPolicy, Personality, Scheduler,
    SchedulerPolicy, Securebit, TimeOffset,
};
use std::time::Duration;

/// One `--landlock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LandlockArg {
    /// A path, and whether it may be written, and executed.
    Path {
        path: String,
        write: bool,
        execute: bool,
    },
    /// A port to listen on; `None`: none at all.
    Bind(Option<u16>),
    /// A port to connect to; `None`: none at all.
    Connect(Option<u16>),
    /// No signals to the outside.
    Signals,
    /// No abstract sockets of the outside.
    AbstractSockets,
    /// Without what the kernel is too old for.
    BestEffort,
}

impl LandlockArg {
    /// Adds the rule.
    pub(crate) fn add_to(&self, rules: &mut Landlock) {
        let port = |list: &mut Option<Vec<u16>>, port: Option<u16>| {
            list.get_or_insert_default().extend(port);
        };
        match self {
            Self::Path {
                path,
                write,
                execute,
            } => match (write, execute) {
                (false, true) => rules.read.push(path.clone()),
                (true, true) => rules.write.push(path.clone()),
                (false, false) => rules.read_noexec.push(path.clone()),
                (true, false) => rules.write_noexec.push(path.clone()),
            },
            Self::Bind(bind) => port(&mut rules.bind_tcp, *bind),
            Self::Connect(connect) => port(&mut rules.connect_tcp, *connect),
            Self::Signals => rules.scope_signals = true,
            Self::AbstractSockets => rules.scope_abstract_sockets = true,
            Self::BestEffort => rules.best_effort = true,
        }
    }
}

/// Parses `ro=PATH`, `rw=PATH`, either with `,noexec`, `bind=PORT`, `connect=PORT`, `scope=WHAT`
/// and `best-effort`.
pub(crate) fn landlock(text: &str) -> Result<LandlockArg, String> {
    let wrong = || {
        format!(
            "{text:?} is not ro=PATH, rw=PATH (or ro,noexec= and rw,noexec=), bind=PORT, \
             connect=PORT (or none), scope=signals, scope=abstract or best-effort"
        )
    };
    if text == "best-effort" {
        return Ok(LandlockArg::BestEffort);
    }
    let (key, value) = text.split_once('=').ok_or_else(wrong)?;
    let port = || match value {
        "none" => Ok(None),
        number => number.parse().map(Some).map_err(|_| wrong()),
    };
    let path = |write, execute| match value.starts_with('/') {
        true => Ok(LandlockArg::Path {
            path: value.to_owned(),
            write,
            execute,
        }),
        false => Err(format!(
            "{text:?}: {value:?} is no absolute path of the container"
        )),
    };
    match (key, value) {
        ("ro", _) => path(false, true),
        ("rw", _) => path(true, true),
        ("ro,noexec", _) => path(false, false),
        ("rw,noexec", _) => path(true, false),
        ("bind", _) => Ok(LandlockArg::Bind(port()?)),
        ("connect", _) => Ok(LandlockArg::Connect(port()?)),
        ("scope", "signals") => Ok(LandlockArg::Signals),
        ("scope", "abstract") => Ok(LandlockArg::AbstractSockets),
        _ => Err(wrong()),
    }
}

/// A clock of the time namespace with its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockArg {
    /// `CLOCK_BOOTTIME`, else `CLOCK_MONOTONIC`.
    pub(crate) boottime: bool,
    /// How far it is ahead.
    pub(crate) offset: TimeOffset,
}

/// Parses `monotonic=SECONDS` and `boottime=SECONDS`; SECONDS may be negative.
pub(crate) fn clock(text: &str) -> Result<ClockArg, String> {
    let wrong = || format!("{text:?} is not monotonic=SECONDS or boottime=SECONDS");
    let (name, secs) = text.split_once('=').ok_or_else(wrong)?;
    let boottime = match name {
        "monotonic" => false,
        "boottime" => true,
        _ => return Err(wrong()),
    };
    let secs = secs.parse().map_err(|_| wrong())?;
    let offset = TimeOffset { secs, nanosecs: 0 };
    Ok(ClockArg { boottime, offset })
}

/// Parses `POLICY`, `fifo:PRIORITY`, `rr:PRIORITY`, `deadline:RUNTIME:DEADLINE[:PERIOD]`.
pub(crate) fn scheduler(text: &str) -> Result<Scheduler, String> {
    let wrong = || {
        format!(
            "{text:?} is not other, batch, idle, fifo:PRIORITY, rr:PRIORITY or \
             deadline:RUNTIME:DEADLINE[:PERIOD], as deadline:5ms:20ms"
        )
    };
    let mut words = text.split(':');
    let policy = match words.next().unwrap_or_default() {
        "other" => SchedulerPolicy::Other,
        "batch" => SchedulerPolicy::Batch,
        "idle" => SchedulerPolicy::Idle,
        "fifo" => SchedulerPolicy::Fifo,
        "rr" => SchedulerPolicy::Rr,
        "deadline" => SchedulerPolicy::Deadline,
        _ => return Err(wrong()),
    };
    let mut scheduler = Scheduler {
        policy,
        ..Scheduler::default()
    };
    match policy {
        SchedulerPolicy::Fifo | SchedulerPolicy::Rr => {
            let priority = words.next().ok_or_else(wrong)?;
            scheduler.priority = priority.parse().map_err(|_| wrong())?;
        }
        SchedulerPolicy::Deadline => {
            let time = |word: Option<&str>| nanoseconds(word.ok_or_else(wrong)?);
            scheduler.runtime_ns = time(words.next())?;
            scheduler.deadline_ns = time(words.next())?;
            scheduler.period_ns = match words.next() {
                Some(period) => nanoseconds(period)?,
                None => 0,
            };
        }
        SchedulerPolicy::Other | SchedulerPolicy::Batch | SchedulerPolicy::Idle => {}
    }
    match words.next() {
        None => Ok(scheduler),
        Some(_) => Err(wrong()),
    }
}

fn nanoseconds(text: &str) -> Result<u64, String> {
    let time: Duration = duration(text)?;
    u64::try_from(time.as_nanos()).map_err(|_| format!("{text:?} is too long"))
}

/// Parses `CLASS[:LEVEL]`.
pub(crate) fn io_priority(text: &str) -> Result<IoPriority, String> {
    let wrong = || format!("{text:?} is not idle, best-effort[:0-7] or realtime[:0-7]");
    let (class, level) = match text.split_once(':') {
        Some((class, level)) => (class, level.parse().map_err(|_| wrong())?),
        // ionice(1)'s own default.
        None => (text, if text == "idle" { 0 } else { 4 }),
    };
    let class = match class {
        "idle" => IoClass::Idle,
        "best-effort" => IoClass::BestEffort,
        "realtime" => IoClass::Realtime,
        _ => return Err(wrong()),
    };
    Ok(IoPriority { class, level })
}

/// Parses `MODE[:NODES]`.
pub(crate) fn memory_policy(text: &str) -> Result<MemoryPolicy, String> {
    let (mode, nodes) = text.split_once(':').unwrap_or((text, ""));
    let mode = match mode {
        "default" => MemoryMode::Default,
        "bind" => MemoryMode::Bind,
        "interleave" => MemoryMode::Interleave,
        "weighted-interleave" => MemoryMode::WeightedInterleave,
        "preferred" => MemoryMode::Preferred,
        "preferred-many" => MemoryMode::PreferredMany,
        "local" => MemoryMode::Local,
        _ => {
            return Err(format!(
                "{text:?} is not MODE[:NODES], MODE one of bind interleave weighted-interleave \
                 preferred preferred-many local default"
            ));
        }
    };
    Ok(MemoryPolicy {
        mode,
        nodes: nodes.to_owned(),
        ..MemoryPolicy::default()
    })
}

/// Parses `linux` and `linux32`.
pub(crate) fn personality(text: &str) -> Result<Personality, String> {
    match text {
        "linux" => Ok(Personality::Linux),
        "linux32" => Ok(Personality::Linux32),
        _ => Err(format!("{text:?} is not linux or linux32")),
    }
}

/// Parses one of setpriv(1)'s words.
pub(crate) fn securebit(text: &str) -> Result<Securebit, String> {
    Ok(match text {
        "noroot" => Securebit::Noroot,
        "noroot_locked" => Securebit::NorootLocked,
        "no_setuid_fixup" => Securebit::NoSetuidFixup,
        "no_setuid_fixup_locked" => Securebit::NoSetuidFixupLocked,
        "keep_caps_locked" => Securebit::KeepCapsLocked,
        "no_cap_ambient_raise" => Securebit::NoCapAmbientRaise,
        "no_cap_ambient_raise_locked" => Securebit::NoCapAmbientRaiseLocked,
        _ => {
            return Err(format!(
                "{text:?} is not noroot, no_setuid_fixup or no_cap_ambient_raise, each also with \
                 _locked, or keep_caps_locked"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(texts: &[&str]) -> Landlock {
        let mut rules = Landlock::default();
        for text in texts {
            landlock(text).unwrap().add_to(&mut rules);
        }
        rules
    }

    #[test]
    fn landlock_rules_add_up() {
        let all = rules(&[
            "ro=/usr",
            "rw=/tmp",
            "ro,noexec=/etc",
            "rw,noexec=/data",
            "bind=80",
        ]);
        assert_eq!(
            (all.read, all.write),
            (vec!["/usr".into()], vec!["/tmp".into()])
        );
        let noexec = (all.read_noexec, all.write_noexec);
        assert_eq!(noexec, (vec!["/etc".into()], vec!["/data".into()]));
        assert_eq!((all.bind_tcp, all.connect_tcp), (Some(vec![80]), None));
        let all = rules(&["connect=none", "scope=signals", "best-effort"]);
        assert_eq!(all.connect_tcp, Some(Vec::new()));
        assert!(all.scope_signals && all.best_effort && !all.scope_abstract_sockets);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "/usr",
            "ro=usr",
            "rx=/usr",
            "noexec=/usr",
            "bind=65536",
            "scope=all",
        ] {
            assert!(landlock(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn schedulers_have_what_their_policy_takes() {
        assert_eq!(scheduler("rr:9").unwrap().priority, 9);
        let deadline = scheduler("deadline:5ms:20ms").unwrap();
        assert_eq!(
            (deadline.runtime_ns, deadline.deadline_ns),
            (5_000_000, 20_000_000)
        );
        for text in [
            "",
            "fifo",
            "fifo:x",
            "batch:1",
            "deadline:5ms",
            "rr:1:2",
            "iso",
        ] {
            assert!(scheduler(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_other_values_are_parsed_or_refused() {
        assert_eq!(clock("boottime=-5").unwrap().offset.secs, -5);
        assert!(clock("realtime=1").is_err() && clock("boottime").is_err());
        assert_eq!(io_priority("best-effort").unwrap().level, 4);
        assert_eq!(io_priority("idle").unwrap().level, 0);
        assert!(io_priority("best-effort:x").is_err() && io_priority("none").is_err());
        assert_eq!(memory_policy("bind:0-1").unwrap().nodes, "0-1");
        assert!(memory_policy("strict:0").is_err());
        assert!(personality("bsd").is_err() && securebit("keep_caps").is_err());
    }
}
