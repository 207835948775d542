//! Limits of a container as both back-ends set them, from the contract's `Resources`.

use crate::NAME;
use execdriver_core::{Error, LinuxResources, Platform, Resources, Result, WindowsCommand};
use serde::{Deserialize, Serialize};

/// What to do with one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Change<T> {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Take it away.
    Remove,
    /// Set it.
    Set(T),
}

/// Limits to set. The default changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// Bytes.
    pub(crate) memory: Change<u64>,
    /// Share of the processors: a weight against others'.
    pub(crate) cpu: Change<Cpu>,
    /// The most processor time, 1 to 10000 ten-thousandths of all processors'. It excludes a weight.
    #[serde(default)]
    pub(crate) cpu_maximum: Change<u16>,
    /// The processors, a bit each.
    #[serde(default)]
    pub(crate) affinity: Change<u64>,
    /// Processes at once.
    #[serde(default)]
    pub(crate) processes: Change<u32>,
}

/// The three ways to share processors exclude each other in HCS and in jobs alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cpu {
    /// 1 to 10000.
    Weight(u16),
}

impl Limits {
    /// What `resources` ask for.
    ///
    /// # Errors
    /// `Unsupported` for a limit that Windows does not have.
    pub(crate) fn of(resources: &Resources) -> Result<Self> {
        resources.validate_for(&Platform::Windows(WindowsCommand::default()))?;
        let lacks = |what: &str| {
            Err(Error::unsupported(
                NAME,
                format!("{what}: Windows has none"),
            ))
        };
        if resources
            .linux
            .as_ref()
            .is_some_and(|linux| *linux != LinuxResources::default())
        {
            let reason = "it is for Linux alone, the limits are for Windows";
            return Err(Error::invalid("resources.linux", reason));
        }
        if resources.memory_reservation > 0 {
            return lacks("a memory reservation");
        }
        if resources.blkio_weight != 0 {
            return lacks("a weight of block I/O");
        }
        let windows = resources.windows.clone().unwrap_or_default();
        Ok(Self {
            memory: change(resources.memory),
            cpu_maximum: change(windows.cpu_maximum),
            affinity: match mask(&windows.cpu_affinity) {
                0 => Change::Keep,
                mask => Change::Set(mask),
            },
            processes: change(windows.processes),
            cpu: match u16::try_from(resources.cpu_shares) {
                Ok(0) | Err(_) => Change::Keep,
                Ok(weight) => Change::Set(Cpu::Weight(weight)),
            },
        })
    }

    /// Whether it is about what only jobs limit.
    pub(crate) fn wants_job(&self) -> bool {
        self.affinity != Change::Keep || self.processes != Change::Keep
    }

    /// Whether it changes anything.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What holds after `later` was set on top of this.
    pub(crate) fn then(self, later: Self) -> Self {
        fn pick<T>(old: Change<T>, new: Change<T>) -> Change<T> {
            match new {
                Change::Keep => old,
                new => new,
            }
        }
        let mut all = Self {
            memory: pick(self.memory, later.memory),
            cpu: pick(self.cpu, later.cpu),
            cpu_maximum: pick(self.cpu_maximum, later.cpu_maximum),
            affinity: pick(self.affinity, later.affinity),
            processes: pick(self.processes, later.processes),
        };
        // The two exclude each other: the later one holds.
        if matches!(later.cpu_maximum, Change::Set(_)) {
            all.cpu = Change::Keep;
        } else if matches!(later.cpu, Change::Set(_)) {
            all.cpu_maximum = Change::Keep;
        }
        all
    }
}

/// 0 keeps a limit, less takes it away.
fn change<T: TryFrom<i64>>(asked: i64) -> Change<T> {
    match asked {
        0 => Change::Keep,
        asked => T::try_from(asked).map_or(Change::Remove, Change::Set),
    }
}

/// The bits of a list like `0-2,4`, which was judged before.
fn mask(list: &str) -> u64 {
    let number = |text: &str| text.parse::<u32>().ok();
    let bits = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            return 0;
        };
        (first..=last.min(63)).fold(0, |mask, bit| mask | 1_u64 << bit)
    };
    list.split(',').map(bits).fold(0, |all, bits| all | bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_keeps_minus_one_removes_and_a_number_sets() {
        let of = |memory, cpu_shares| {
            Limits::of(&Resources {
                memory,
                cpu_shares,
                ..Resources::default()
            })
            .unwrap()
        };
        assert!(of(0, 0).is_empty());
        assert_eq!(of(-1, 0).memory, Change::Remove);
        assert_eq!(of(7, 0).memory, Change::Set(7));
        assert_eq!(of(0, 10_000).cpu, Change::Set(Cpu::Weight(10_000)));
        assert_eq!(of(7, 0).then(of(0, 1)).memory, Change::Set(7));
        assert_eq!(of(7, 0).then(of(-1, 0)).memory, Change::Remove);
    }

    #[test]
    fn lists_of_processors_are_bits_and_a_cap_and_a_weight_exclude_each_other() {
        assert_eq!(mask("0-2,4"), 0b1_0111);
        assert_eq!(mask("63"), 1 << 63);
        assert_eq!(mask(""), 0);
        let weight = Limits {
            cpu: Change::Set(Cpu::Weight(7)),
            ..Limits::default()
        };
        let cap = Limits {
            cpu_maximum: Change::Set(5_000),
            ..Limits::default()
        };
        assert_eq!(weight.then(cap), cap);
        assert_eq!(cap.then(weight), weight);
        let processes = Limits {
            processes: Change::Remove,
            ..Limits::default()
        };
        assert!(processes.wants_job() && !cap.wants_job() && !weight.wants_job());
    }

    #[test]
    fn what_windows_lacks_is_an_error_and_no_silence() {
        let limits = Resources {
            blkio_weight: 10,
            ..Resources::default()
        };
        assert!(matches!(
            Limits::of(&limits),
            Err(Error::Unsupported { .. })
        ));
        let limits = Resources {
            cpu_shares: 10_001,
            ..Resources::default()
        };
        assert!(matches!(
            Limits::of(&limits),
            Err(Error::InvalidCommand { .. })
        ));
        let limits = Resources {
            memory_reservation: 1,
            ..Resources::default()
        };
        assert!(matches!(
            Limits::of(&limits),
            Err(Error::Unsupported { .. })
        ));
    }
}
