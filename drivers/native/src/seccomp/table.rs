//! The numbers of system calls by name, on each architecture that a supported machine executes.

use std::collections::BTreeMap;

/// What the kernel calls the architecture of a system call, and its calling convention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Machine {
    X86_64,
    I386,
    X32,
    Aarch64,
    Arm,
}

/// Bit 30 of the number tells an x32 call from one of x86_64; their architecture is the same.
pub(super) const X32_BIT: u32 = 1 << 30;

impl Machine {
    /// In the order of the table's columns.
    #[cfg(test)]
    pub(super) const ALL: [Machine; 5] = [
        Machine::X86_64,
        Machine::I386,
        Machine::X32,
        Machine::Aarch64,
        Machine::Arm,
    ];

    /// The one that this program is built for.
    pub(crate) const NATIVE: Machine = if cfg!(target_arch = "aarch64") {
        Machine::Aarch64
    } else {
        Machine::X86_64
    };

    /// `AUDIT_ARCH_*`: include/uapi/linux/audit.h.
    pub(super) const fn audit(self) -> u32 {
        match self {
            Machine::X86_64 | Machine::X32 => 0xc000_003e,
            Machine::I386 => 0x4000_0003,
            Machine::Aarch64 => 0xc000_00b7,
            Machine::Arm => 0x4000_0028,
        }
    }

    /// Whether only the low half of an argument is compared. An x32 argument is one of 32 bits, too.
    pub(super) const fn has_short_arguments(self) -> bool {
        matches!(self, Machine::I386 | Machine::X32 | Machine::Arm)
    }

    /// What is added to the number in the table.
    pub(super) const fn base(self) -> u32 {
        match self {
            Machine::X32 => X32_BIT,
            _ => 0,
        }
    }

    /// Whether a machine of kind `native` executes this one's programs.
    pub(super) const fn runs_on(self, native: Machine) -> bool {
        match native {
            Machine::X86_64 => matches!(self, Machine::X86_64 | Machine::I386 | Machine::X32),
            Machine::Aarch64 => matches!(self, Machine::Aarch64 | Machine::Arm),
            Machine::I386 | Machine::X32 | Machine::Arm => self as u8 == native as u8,
        }
    }
}

/// The table, read from its text.
#[derive(Debug)]
pub(super) struct Table(BTreeMap<&'static str, [Option<u32>; 5]>);

impl Table {
    /// Reads it: a tenth of a millisecond, which the cache of filters spares most starts.
    pub(super) fn read() -> Self {
        let lines = include_str!("syscalls.txt").lines();
        let rows = lines.filter(|line| !line.starts_with('#')).filter_map(row);
        Self(rows.collect())
    }

    /// Whether any of the machines has a call of this name.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Its number as the kernel shows it to a filter.
    pub(super) fn number(&self, name: &str, machine: Machine) -> Option<u32> {
        let row = self.0.get(name)?;
        let number = *row.get(machine as usize)?;
        number.map(|number| number | machine.base())
    }

    /// Every name.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

fn row(line: &'static str) -> Option<(&'static str, [Option<u32>; 5])> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next()?;
    let mut numbers = [None; 5];
    for number in &mut numbers {
        *number = words.next()?.parse().ok();
    }
    Some((name, numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read_and_no_number_stands_twice() {
        let text = include_str!("syscalls.txt");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let table = Table::read();
        assert_eq!(lines.count(), table.0.len());
        for machine in Machine::ALL {
            let mut numbers: Vec<_> = (table.0.iter())
                // One call of arm has two names.
                .filter(|(name, _)| **name != "arm_sync_file_range")
                .filter_map(|(_, row)| row[machine as usize])
                .collect();
            let all = numbers.len();
            assert!(all > 300, "{machine:?}: {all}");
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), all, "{machine:?}");
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn numbers_agree_with_the_c_library() {
        let table = Table::read();
        for (name, number) in [
            ("read", libc::SYS_read),
            ("statx", libc::SYS_statx),
            ("clone3", libc::SYS_clone3),
            ("mount_setattr", libc::SYS_mount_setattr),
            ("seccomp", libc::SYS_seccomp),
        ] {
            let found = table.number(name, Machine::X86_64).map(i64::from);
            assert_eq!(found, Some(number), "{name}");
        }
        assert_eq!(table.number("execve", Machine::X32), Some(X32_BIT | 520));
        assert_eq!(table.number("set_tls", Machine::Arm), Some(0x000f_0005));
        assert_eq!(table.number("mkdir", Machine::Aarch64), None);
    }
}
