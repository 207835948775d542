//! Limits of a container as both back-ends set them, from the contract's `Resources`.

use crate::NAME;
use execdriver_core::{Error, Platform, Resources, Result, WindowsCommand};
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
    /// Share of the processors: a weight against others', a part, or a number of them.
    pub(crate) cpu: Change<Cpu>,
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
        if resources.memory_reservation > 0 {
            return lacks("a memory reservation");
        }
        if resources.blkio_weight != 0 {
            return lacks("a weight of block I/O");
        }
        Ok(Self {
            memory: match resources.memory {
                0 => Change::Keep,
                bytes => u64::try_from(bytes).map_or(Change::Remove, Change::Set),
            },
            cpu: match u16::try_from(resources.cpu_shares) {
                Ok(0) | Err(_) => Change::Keep,
                Ok(weight) => Change::Set(Cpu::Weight(weight)),
            },
        })
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
        Self {
            memory: pick(self.memory, later.memory),
            cpu: pick(self.cpu, later.cpu),
        }
    }
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
