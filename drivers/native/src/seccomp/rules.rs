//! A policy as rules by number: what each system call of one machine gets.

use super::conditions::Condition;
use super::table::{Machine, Table};
use super::{CompileError, multiplexed};
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction as Action, LinuxSyscall};
use std::collections::BTreeMap;

/// `SECCOMP_RET_*` with its data.
pub(super) type Verdict = u32;

pub(super) const KILL_PROCESS: Verdict = 0x8000_0000;
pub(super) const ALLOW: Verdict = 0x7fff_0000;
const ERRNO: Verdict = 0x0005_0000;
const LOG: Verdict = 0x7ffc_0000;
const NOTIFY: Verdict = 0x7fc0_0000;
const TRACE: Verdict = 0x7ff0_0000;
const TRAP: Verdict = 0x0003_0000;
/// The part of a verdict that is no data.
const ACTION: Verdict = 0xffff_0000;
/// Of a call that this version of the policy does not know.
pub(super) const NO_SUCH_CALL: Verdict = ERRNO | libc::ENOSYS.unsigned_abs();

/// What one system call gets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Outcome {
    /// The first whose conditions all hold.
    pub(super) rules: Vec<(Vec<Condition>, Verdict)>,
    /// When none does.
    pub(super) otherwise: Verdict,
}

/// What the document says of one system call.
#[derive(Debug, Default)]
struct Entry {
    conditional: Vec<Conditional>,
    always: Option<Verdict>,
}

/// A verdict where all the conditions hold.
#[derive(Debug)]
struct Conditional {
    conditions: Vec<Condition>,
    verdict: Verdict,
    /// It comes before those that are none.
    guard: bool,
}

/// What the system calls of one machine get.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) machine: Machine,
    pub(super) default: Verdict,
    entries: BTreeMap<u32, Entry>,
    /// The highest number that the document says anything of, below and from 512 on.
    newest: [Option<u32>; 2],
}

impl Rules {
    /// Reads the document for `machine`.
    pub(super) fn new(
        document: &LinuxSeccomp,
        guards: &[LinuxSyscall],
        table: &Table,
        machine: Machine,
    ) -> Result<Self, CompileError> {
        let mut rules = Self {
            machine,
            default: default_verdict(document)?,
            entries: BTreeMap::new(),
            newest: [None; 2],
        };
        for call in document.syscalls().iter().flatten() {
            rules.add(call, table, false)?;
        }
        for guard in guards {
            rules.add(guard, table, true)?;
        }
        Ok(rules)
    }

    /// The verdict of a call of this name, if it does not depend on arguments; `None` as well when there is no such call.
    pub(super) fn certain(&self, table: &Table, name: &str) -> Option<Verdict> {
        let number = table.number(name, self.machine)?;
        let Some(entry) = self.entries.get(&number) else {
            return Some(self.default);
        };
        let outcome = entry.outcome(self.default);
        outcome.rules.is_empty().then_some(outcome.otherwise)
    }

    /// What each number gets, as the starts of ranges up to the next one, from the machine's first number on.
    pub(super) fn ranges(&self) -> Vec<(u32, Outcome)> {
        let mut ranges = Vec::new();
        let mut next = self.machine.base();
        for (&number, entry) in &self.entries {
            if number > next {
                self.unlisted(&mut ranges, next, number);
            }
            put(&mut ranges, number, entry.outcome(self.default));
            next = number + 1;
        }
        self.unlisted(&mut ranges, next, u32::MAX);
        ranges
    }

    /// The numbers `from..to`, of which the document says nothing: the default, but what is newer than the document
    /// does not exist. Programs fall back from ENOSYS, and give up on EPERM.
    fn unlisted(&self, ranges: &mut Vec<(u32, Outcome)>, from: u32, to: u32) {
        let base = self.machine.base();
        let mut at = from;
        let [low, high] = self.newest.map(|newest| newest.map(|number| number + 1));
        let answers = self.default & ACTION == ERRNO;
        // Where x32 has calls of its own, and arm has: numbers are given out below.
        let end_of_low = match self.machine {
            Machine::X32 => base + 512,
            Machine::Arm => 0x000f_0000,
            _ => u32::MAX,
        };
        let newer = [
            (low, end_of_low),
            (high.filter(|_| self.machine == Machine::X32), u32::MAX),
        ];
        for (start, end) in newer {
            let Some(start) = start.filter(|_| answers) else {
                continue;
            };
            let (start, end) = (start.max(at), end.min(to));
            if start < end {
                if at < start {
                    put(ranges, at, Outcome::always(self.default));
                }
                put(ranges, start, Outcome::always(NO_SUCH_CALL));
                at = end;
            }
        }
        if at < to {
            put(ranges, at, Outcome::always(self.default));
        }
    }

    fn add(&mut self, call: &LinuxSyscall, table: &Table, guard: bool) -> Result<(), CompileError> {
        let verdict = verdict(call.action(), call.errno_ret())?;
        let alternatives = self.alternatives(call)?;
        // A condition on an argument says nothing of a call whose arguments lie in memory.
        let plain = alternatives.iter().all(Vec::is_empty);
        let ways = self.machine == Machine::I386 && plain;
        for name in call.names() {
            if let Some(number) = table.number(name, self.machine) {
                self.note(number);
                for conditions in &alternatives {
                    self.rule(number, conditions.clone(), verdict, guard);
                }
            }
            if ways
                && let Some((through, condition)) = multiplexed::of(name)
                && let Some(number) = table.number(through, self.machine)
            {
                self.rule(number, vec![condition], verdict, guard);
            }
        }
        Ok(())
    }

    fn note(&mut self, number: u32) {
        let high = self.machine == Machine::X32 && number >= self.machine.base() + 512;
        // The calls of arm alone are numbered far above all others.
        if self.machine == Machine::Arm && number >= 0x000f_0000 {
            return;
        }
        if let Some(newest) = self.newest.get_mut(usize::from(high)) {
            *newest = Some(newest.map_or(number, |newest| newest.max(number)));
        }
    }

    fn rule(&mut self, number: u32, conditions: Vec<Condition>, verdict: Verdict, guard: bool) {
        let entry = self.entries.entry(number).or_default();
        if !guard && verdict == self.default {
            // As in libseccomp: it says nothing that the default does not.
        } else if !guard && conditions.is_empty() {
            entry.always.get_or_insert(verdict);
        } else {
            entry.conditional.push(Conditional {
                conditions,
                verdict,
                guard,
            });
        }
    }

    /// The conditions of a rule: all of a set must hold, and one set is enough. Two on the same argument are two sets, as
    /// in Docker.
    fn alternatives(&self, call: &LinuxSyscall) -> Result<Vec<Vec<Condition>>, CompileError> {
        let mut conditions = Vec::new();
        for arg in call.args().iter().flatten() {
            let index = u32::try_from(arg.index())
                .ok()
                .filter(|index| *index < 6)
                .ok_or(CompileError::Argument { index: arg.index() })?;
            let second = arg.value_two().unwrap_or_default();
            let condition = Condition::new(index, arg.op(), arg.value(), second);
            conditions.push(match self.machine.has_short_arguments() {
                true => condition.shortened(),
                false => condition,
            });
        }
        let mut indexes: Vec<u32> = conditions.iter().map(|c| c.index).collect();
        indexes.sort_unstable();
        let twice = indexes.windows(2).any(|pair| pair.first() == pair.last());
        Ok(match twice {
            true => conditions.into_iter().map(|c| vec![c]).collect(),
            false => vec![conditions],
        })
    }
}

impl Entry {
    /// A rule without conditions covers those with some, whatever their order: as in libseccomp.
    fn outcome(&self, default: Verdict) -> Outcome {
        let of = |guard| {
            let these = self.conditional.iter();
            let these = these.filter(move |rule| rule.guard == guard);
            these.map(|rule| (rule.conditions.clone(), rule.verdict))
        };
        let mut rules: Vec<_> = of(true).collect();
        if self.always.is_none() {
            rules.extend(of(false));
        }
        // Nothing behind a rule that always holds is reached.
        if let Some(certain) = rules
            .iter()
            .position(|(conditions, _)| conditions.is_empty())
        {
            let otherwise = rules.get(certain).map_or(default, |(_, verdict)| *verdict);
            rules.truncate(certain);
            return Outcome { rules, otherwise };
        }
        Outcome {
            rules,
            otherwise: self.always.unwrap_or(default),
        }
    }
}

impl Outcome {
    pub(super) fn always(verdict: Verdict) -> Self {
        Self {
            rules: Vec::new(),
            otherwise: verdict,
        }
    }
}

/// Appends a range, or makes the last one longer.
fn put(ranges: &mut Vec<(u32, Outcome)>, start: u32, outcome: Outcome) {
    if ranges.last().is_none_or(|(_, last)| *last != outcome) {
        ranges.push((start, outcome));
    }
}

/// What a call gets that no rule is about.
pub(super) fn default_verdict(document: &LinuxSeccomp) -> Result<Verdict, CompileError> {
    verdict(document.default_action(), document.default_errno_ret())
}

/// The kernel's number of an action: include/uapi/linux/seccomp.h.
fn verdict(action: Action, data: Option<u32>) -> Result<Verdict, CompileError> {
    // MAX_ERRNO: the kernel would cut it short.
    const MOST: u32 = 4095;
    let given = data.unwrap_or(libc::EPERM.unsigned_abs());
    if given > MOST {
        return Err(CompileError::Errno { given });
    }
    Ok(match action {
        Action::ScmpActKill | Action::ScmpActKillThread => 0,
        Action::ScmpActKillProcess => KILL_PROCESS,
        Action::ScmpActTrap => TRAP,
        Action::ScmpActErrno => ERRNO | given,
        Action::ScmpActNotify => NOTIFY,
        Action::ScmpActTrace => TRACE | given,
        Action::ScmpActLog => LOG,
        Action::ScmpActAllow => ALLOW,
    })
}

/// Whether a call that gets this is executed without anybody's help.
pub(super) fn lets_through(verdict: Verdict) -> bool {
    matches!(verdict & ACTION, ALLOW | LOG)
}

/// Whether a call that gets this is not executed, whoever is asked.
pub(super) fn denies(verdict: Verdict) -> bool {
    !matches!(verdict & ACTION, ALLOW | LOG | NOTIFY | TRACE)
}

/// Whether a listener is asked.
pub(super) fn notifies(verdict: Verdict) -> bool {
    verdict & ACTION == NOTIFY
}
