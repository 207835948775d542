//! Seccomp filters: from a policy in the OCI words to the classic BPF program that the kernel runs at each system call.
//!
//! ```text
//! policy -> table (names to numbers) -> rules (what each number gets) -> tree + conditions -> instructions
//! ```
//! The program is a binary tree over ranges of numbers that get the same, so that a call costs a few jumps however long
//! the profile is, and calls that are always allowed depend on nothing but architecture and number: the kernel (since
//! Linux 5.11) tries those once, when the filter is loaded, and never runs it for them.

mod assemble;
mod cache;
mod conditions;
mod multiplexed;
mod rules;
mod table;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use cache::{FilterError, Filters};
pub(crate) use table::Machine;

use crate::wire::GUARDED;
use assemble::{Assembly, IF_EQUAL, IF_GREATER_OR_EQUAL, LOAD, RETURN};
use execdriver_core::spec::SeccompPolicy;
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompFilterFlag as Flag, LinuxSyscall,
};
use rules::{KILL_PROCESS, Rules};
use table::{Table, X32_BIT};

/// A filter that can be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    /// `struct sock_filter` after another, as the kernel reads them.
    pub(crate) program: Vec<u8>,
    /// `SECCOMP_FILTER_FLAG_*`, without `NEW_LISTENER`.
    pub(crate) flags: u32,
    /// A call may wait for a listener's answer.
    pub(crate) notifies: bool,
    /// Names that the policy denies, and that no machine has a call for.
    pub(crate) unknown: Vec<String>,
    /// The program for an init that stays above the filtered one.
    pub(crate) guard: Vec<u8>,
    /// Calls of init, made after the filter is in force, that it denies whatever their arguments.
    denied: Vec<&'static str>,
    /// Those that it does not certainly let through at once.
    uncertain: Vec<&'static str>,
}

/// What init calls after the filter is in force.
const OWN_CALLS: [&str; 4] = ["execve", "capset", "sendmsg", "read"];

/// A policy that does not become a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CompileError {
    /// Longer than the kernel takes.
    #[error(
        "the filter has {instructions} instructions, and the kernel takes {}",
        assemble::MOST
    )]
    TooLong {
        /// How many it has.
        instructions: usize,
    },
    /// No such argument.
    #[error("got argument {index}, expected 0 to 5")]
    Argument {
        /// What was asked for.
        index: usize,
    },
    /// No such error number.
    #[error("got error number {given}, expected 0 to 4095")]
    Errno {
        /// What was asked for.
        given: u32,
    },
    /// A jump backwards: a defect of this compiler.
    #[error("the filter cannot be put together")]
    Internal,
}

impl Filter {
    /// Compiles `policy` for machines of kind `native`, whose own calls are always covered.
    ///
    /// # Errors
    /// What the policy has that a filter cannot, or too much of it.
    pub(crate) fn compile(policy: &SeccompPolicy, native: Machine) -> Result<Self, CompileError> {
        Self::of_parts(&policy.filter, &policy.guards, native)
    }

    /// The same of a policy in two parts: the filter of a document is long, and need not be copied.
    fn of_parts(
        filter: &LinuxSeccomp,
        guards: &[LinuxSyscall],
        native: Machine,
    ) -> Result<Self, CompileError> {
        let table = Table::read();
        let mut machines = vec![native];
        for arch in filter.architectures().iter().flatten() {
            if let Some(machine) = machine(*arch)
                && machine.runs_on(native)
                && !machines.contains(&machine)
            {
                machines.push(machine);
            }
        }
        let all: Vec<Rules> = machines
            .iter()
            .map(|machine| Rules::new(filter, guards, &table, *machine))
            .collect::<Result<_, _>>()?;
        let program = program(&all)?;
        let own = |wanted: fn(u32) -> bool, unsure: bool| {
            let of = |name: &&str| {
                let verdict = all.first().and_then(|rules| rules.certain(&table, name));
                verdict.map_or(unsure, wanted)
            };
            OWN_CALLS.into_iter().filter(of).collect()
        };
        let verdicts = program.iter().filter(|insn| insn.code == RETURN);
        Ok(Self {
            notifies: verdicts.clone().any(|insn| rules::notifies(insn.k)),
            flags: flags(filter),
            denied: own(rules::denies, false),
            uncertain: own(|verdict| !rules::lets_through(verdict), true),
            program: program.iter().flat_map(bytes).collect(),
            unknown: unknown(filter, &table),
            guard: guard(&table, native)?,
        })
    }

    /// How many instructions it has.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.program.len() / 8
    }

    /// Whether it denies a call that init makes under it, whatever its arguments.
    pub(crate) fn denies(&self, name: &str) -> bool {
        self.denied.contains(&name)
    }

    /// Whether a call of init goes through without anybody being asked.
    pub(crate) fn lets_through(&self, name: &str) -> bool {
        !self.uncertain.contains(&name)
    }
}

/// Nothing is lost by a rule that allows what there is not.
fn unknown(document: &LinuxSeccomp, table: &Table) -> Vec<String> {
    let lets_through = |action| matches!(action, Action::ScmpActAllow | Action::ScmpActLog);
    let rules = document.syscalls().iter().flatten();
    let mut unknown: Vec<String> = rules
        .filter(|_| lets_through(document.default_action()))
        .filter(|rule| !lets_through(rule.action()))
        .flat_map(|rule| rule.names())
        .filter(|name| !table.knows(name))
        .cloned()
        .collect();
    unknown.sort();
    unknown.dedup();
    unknown
}

/// Only what init calls while it forwards signals and reaps.
fn guard(table: &Table, native: Machine) -> Result<Vec<u8>, CompileError> {
    let mut allowed = LinuxSyscall::default();
    allowed.set_names(GUARDED.map(str::to_owned).to_vec());
    let mut document = LinuxSeccomp::default();
    document
        .set_default_action(Action::ScmpActKillProcess)
        .set_syscalls(Some(vec![allowed]));
    let rules = Rules::new(&document, &[], table, native)?;
    Ok(program(&[rules])?.iter().flat_map(bytes).collect())
}

fn machine(arch: Arch) -> Option<Machine> {
    Some(match arch {
        Arch::ScmpArchX86 => Machine::I386,
        Arch::ScmpArchX86_64 => Machine::X86_64,
        Arch::ScmpArchX32 => Machine::X32,
        Arch::ScmpArchArm => Machine::Arm,
        Arch::ScmpArchAarch64 => Machine::Aarch64,
        _ => return None,
    })
}

fn flags(document: &LinuxSeccomp) -> u32 {
    let flags = document.flags().iter().flatten();
    flags.fold(0, |all, flag| {
        all | match flag {
            Flag::SeccompFilterFlagTsync => 1,
            Flag::SeccompFilterFlagLog => 1 << 1,
            Flag::SeccompFilterFlagSpecAllow => 1 << 2,
            Flag::SeccompFilterFlagWaitKillableRecv => 1 << 5,
        }
    })
}

fn bytes(insn: &assemble::Insn) -> [u8; 8] {
    let [a, b] = insn.code.to_ne_bytes();
    let [e, f, g, h] = insn.k.to_ne_bytes();
    [a, b, insn.yes, insn.no, e, f, g, h]
}

/// Which machine, then which number. A call of a machine that the policy does not cover ends the process: its numbers
/// mean other calls.
fn program(all: &[Rules]) -> Result<Vec<assemble::Insn>, CompileError> {
    let mut code = Assembly::default();
    code.plain(LOAD, 4);
    let x32 = all.iter().find(|rules| rules.machine == Machine::X32);
    let mut sections = Vec::new();
    for rules in all.iter().filter(|rules| rules.machine != Machine::X32) {
        let (here, next) = (code.label(), code.label());
        code.branch(IF_EQUAL, rules.machine.audit(), here, next);
        code.place(next);
        sections.push((here, rules));
    }
    code.plain(RETURN, KILL_PROCESS);
    for (here, rules) in sections {
        code.place(here);
        code.plain(LOAD, 0);
        let own = code.label();
        if rules.machine == Machine::X86_64 {
            let other = code.label();
            code.branch(IF_GREATER_OR_EQUAL, X32_BIT, other, own);
            code.place(own);
            tree::emit(&mut code, rules)?;
            code.place(other);
            match x32 {
                Some(x32) => tree::emit(&mut code, x32)?,
                None => uncovered_x32(&mut code, rules.default),
            }
        } else {
            tree::emit(&mut code, rules)?;
        }
    }
    code.finish()
}

/// -1 is no x32 call: it is what a tracer puts in the place of a call that is not to be made.
fn uncovered_x32(code: &mut Assembly, default: u32) {
    let (skipped, x32) = (code.label(), code.label());
    code.branch(IF_EQUAL, u32::MAX, skipped, x32);
    code.place(skipped);
    code.plain(RETURN, default);
    code.place(x32);
    code.plain(RETURN, KILL_PROCESS);
}
