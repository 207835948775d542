//! Conditions on arguments as code: 64-bit comparisons on a machine of 32 bits.

use super::assemble::{AND, Assembly, IF_EQUAL, IF_GREATER, IF_GREATER_OR_EQUAL, LOAD, Label};
use super::table::Machine;
use oci_spec::runtime::LinuxSeccompOperator as Operator;

/// A condition on one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Condition {
    /// 0 to 5.
    pub(super) index: u32,
    pub(super) compare: Compare,
    /// What it is compared with.
    pub(super) value: u64,
}

/// How an argument is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Compare {
    NotEqual,
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
    /// The bits of this mask are equal to the value.
    Masked(u64),
}

impl Condition {
    /// From the document's words. With `MASKED_EQ` the first value is the mask.
    pub(super) fn new(index: u32, operator: Operator, value: u64, second: u64) -> Self {
        let (compare, value) = match operator {
            Operator::ScmpCmpNe => (Compare::NotEqual, value),
            Operator::ScmpCmpLt => (Compare::Less, value),
            Operator::ScmpCmpLe => (Compare::LessOrEqual, value),
            Operator::ScmpCmpEq => (Compare::Equal, value),
            Operator::ScmpCmpGe => (Compare::GreaterOrEqual, value),
            Operator::ScmpCmpGt => (Compare::Greater, value),
            Operator::ScmpCmpMaskedEq => (Compare::Masked(value), second & value),
        };
        Self {
            index,
            compare,
            value,
        }
    }

    /// What is left of it where arguments have 32 bits.
    pub(super) fn shortened(mut self) -> Self {
        const LOW: u64 = u32::MAX as u64;
        self.value &= LOW;
        if let Compare::Masked(mask) = &mut self.compare {
            *mask &= LOW;
        }
        self
    }

    /// Goes on to `yes` or to `no`. The accumulator is not kept.
    pub(super) fn emit(&self, code: &mut Assembly, machine: Machine, yes: Label, no: Label) {
        let (high, low) = halves(self.value);
        let short = machine.has_short_arguments();
        match self.compare {
            Compare::Equal => self.equal(code, short, yes, no),
            Compare::NotEqual => self.equal(code, short, no, yes),
            Compare::Masked(mask) => self.masked(code, mask, yes, no),
            Compare::Greater => self.ordered(code, short, (IF_GREATER, low, high), yes, no),
            Compare::GreaterOrEqual => {
                self.ordered(code, short, (IF_GREATER_OR_EQUAL, low, high), yes, no);
            }
            Compare::LessOrEqual => self.ordered(code, short, (IF_GREATER, low, high), no, yes),
            Compare::Less => {
                self.ordered(code, short, (IF_GREATER_OR_EQUAL, low, high), no, yes);
            }
        }
    }

    /// `args[index]` of `struct seccomp_data`, little-endian.
    fn low(&self) -> u32 {
        16 + 8 * self.index
    }

    fn equal(&self, code: &mut Assembly, short: bool, yes: Label, no: Label) {
        if !short {
            let next = code.label();
            code.plain(LOAD, self.low() + 4);
            code.branch(IF_EQUAL, halves(self.value).0, next, no);
            code.place(next);
        }
        code.plain(LOAD, self.low());
        code.branch(IF_EQUAL, halves(self.value).1, yes, no);
    }

    fn masked(&self, code: &mut Assembly, mask: u64, yes: Label, no: Label) {
        let (masks, values) = (halves(mask), halves(self.value));
        let high = (self.low() + 4, masks.0, values.0);
        let low = (self.low(), masks.1, values.1);
        let halves: Vec<_> = [high, low]
            .into_iter()
            .filter(|(_, mask, _)| *mask != 0)
            .collect();
        for (rest, (place, mask, value)) in (1..=halves.len()).rev().zip(&halves) {
            let next = if rest == 1 { yes } else { code.label() };
            code.plain(LOAD, *place);
            if *mask != u32::MAX {
                code.plain(AND, *mask);
            }
            code.branch(IF_EQUAL, *value, next, no);
            if next != yes {
                code.place(next);
            }
        }
        if halves.is_empty() {
            // No bit is compared: always equal.
            code.branch(IF_GREATER_OR_EQUAL, 0, yes, yes);
        }
    }

    fn ordered(
        &self,
        code: &mut Assembly,
        short: bool,
        (compare, low, high): (u16, u32, u32),
        yes: Label,
        no: Label,
    ) {
        if !short {
            let (not_greater, equal) = (code.label(), code.label());
            code.plain(LOAD, self.low() + 4);
            code.branch(IF_GREATER, high, yes, not_greater);
            code.place(not_greater);
            code.branch(IF_EQUAL, high, equal, no);
            code.place(equal);
        }
        code.plain(LOAD, self.low());
        code.branch(compare, low, yes, no);
    }
}

/// The upper and the lower 32 bits.
fn halves(value: u64) -> (u32, u32) {
    #[allow(clippy::cast_possible_truncation, reason = "each is a half")]
    {
        ((value >> 32) as u32, value as u32)
    }
}
