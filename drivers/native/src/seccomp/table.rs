//! The numbers of system calls by name, on each architecture that a supported machine executes.

use std::cell::Cell;

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

/// The table, read from its text: names in the order of their bytes, each with its numbers.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<(&'static str, [u32; COLUMNS])>,
    /// Behind the row that was found last: documents have their names in the same order.
    next: Cell<usize>,
}

const COLUMNS: usize = 5;
/// No call has this number.
const NONE: u32 = u32::MAX;

impl Table {
    /// Reads it.
    pub(super) fn read() -> Self {
        let lines = include_str!("syscalls.txt").lines();
        let lines = lines.filter(|line| !line.starts_with('#'));
        // There are some 470; a list that grows is copied again and again.
        let mut rows = Vec::with_capacity(512);
        rows.extend(lines.filter_map(row));
        Self {
            rows,
            next: Cell::new(0),
        }
    }

    /// Whether any of the machines has a call of this name.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.numbers(name).is_some()
    }

    /// Its number as the kernel shows it to a filter.
    pub(super) fn number(&self, name: &str, machine: Machine) -> Option<u32> {
        let number = *self.numbers(name)?.get(machine as usize)?;
        (number != NONE).then_some(number | machine.base())
    }

    fn numbers(&self, name: &str) -> Option<&[u32; COLUMNS]> {
        let next = self.next.get();
        let near = (next..next + 3).find(|at| self.rows.get(*at).is_some_and(|row| row.0 == name));
        let at = match near {
            Some(at) => at,
            None => (self.rows)
                .binary_search_by_key(&name, |(known, _)| known)
                .ok()?,
        };
        self.next.set(at + 1);
        self.rows.get(at).map(|(_, numbers)| numbers)
    }

    /// Every name.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.rows.iter().map(|(name, _)| *name)
    }
}

/// Byte by byte, as this is done at every start of the OCI runtime.
fn row(line: &'static str) -> Option<(&'static str, [u32; COLUMNS])> {
    let (name, rest) = line.split_once(' ')?;
    let mut numbers = [NONE; COLUMNS];
    let (mut column, mut within) = (0, false);
    for byte in rest.bytes() {
        match byte {
            b' ' => {
                column += usize::from(within);
                within = false;
                continue;
            }
            b'0'..=b'9' => {
                let number = numbers.get_mut(column)?;
                let before = if *number == NONE { 0 } else { *number };
                *number = before * 10 + u32::from(byte - b'0');
            }
            _ => {}
        }
        within = true;
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
        let mut rows = 0;
        for line in lines {
            let mut words = line.split_ascii_whitespace();
            let name = words.next().unwrap();
            let numbers: Vec<Option<u32>> = words
                .map(|word| (word != "-").then(|| word.parse().unwrap()))
                .collect();
            let read = Machine::ALL.map(|machine| table.number(name, machine));
            let read: Vec<_> = std::iter::zip(read, Machine::ALL)
                .map(|(number, machine)| number.map(|number| number - machine.base()))
                .collect();
            assert_eq!(read, numbers, "{name}");
            rows += 1;
        }
        assert_eq!(rows, table.rows.len());
        for machine in Machine::ALL {
            let mut numbers: Vec<_> = (table.names())
                // One call of arm has two names.
                .filter(|name| *name != "arm_sync_file_range")
                .filter_map(|name| table.number(name, machine))
                .collect();
            let all = numbers.len();
            assert!(all > 300, "{machine:?}: {all}");
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), all, "{machine:?}");
        }
    }

    #[test]
    fn the_table_is_in_the_order_in_which_it_is_searched() {
        let table = Table::read();
        assert!(table.rows.is_sorted_by(|one, other| one.0 < other.0));
        let (first, last) = (table.rows[0].0, table.rows[table.rows.len() - 1].0);
        for name in [last, first, last, "no_such_call", last, first, first] {
            assert_eq!(table.knows(name), name != "no_such_call", "{name}");
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
