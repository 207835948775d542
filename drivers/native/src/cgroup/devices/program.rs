//! The rules as a program of cgroup version 2: instructions for `BPF_PROG_TYPE_CGROUP_DEVICE`.
//!
//! The kernel runs it for each use of a node with `struct bpf_cgroup_dev_ctx` in register 1: the
//! accesses that are asked for (high half) and the kind of node (low half), the major, the minor
//! number (`linux/bpf.h`). It answers 1 or 0. The last rule is asked first: a denial of anything that
//! is still asked for ends it, an allowance takes its accesses off the list, and an empty list is a yes.

use super::rule::{DeviceClass, DeviceRule};
use crate::sys::bpf::Insn;

/// Register 0 is the answer, 1 the context.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
/// The kind of node.
const KIND: u8 = 2;
/// The accesses that no rule has decided yet.
const ASKED: u8 = 3;
const SCRATCH: u8 = 4;

const MAJOR_OFFSET: i16 = 4;
const MINOR_OFFSET: i16 = 8;

/// `BPF_DEVCG_DEV_BLOCK` and `BPF_DEVCG_DEV_CHAR`.
const BLOCK: i32 = 1;
const CHAR: i32 = 2;

/// Operation codes of `linux/bpf_common.h` and `linux/bpf.h`, in their words.
const LDX_W_MEM: u8 = 0x61;
const ALU64_AND_K: u8 = 0x57;
const ALU64_RSH_K: u8 = 0x77;
const ALU64_MOV_K: u8 = 0xb7;
const ALU64_MOV_X: u8 = 0xbf;
const JMP_JEQ_K: u8 = 0x15;
const JMP_JNE_K: u8 = 0x55;
/// Compares 32 bits, so that a large number is not taken for a negative one (Linux 5.1).
const JMP32_JNE_K: u8 = 0x56;
const JMP_EXIT: u8 = 0x95;

/// The program of these rules; `None` when they allow everything and need none.
pub(super) fn compile(rules: &[DeviceRule]) -> Option<Vec<Insn>> {
    // What came before a rule about everything is of no interest.
    let total = rules.iter().rposition(DeviceRule::is_total);
    let base = total
        .and_then(|at| rules.get(at))
        .is_some_and(|rule| rule.allow);
    let rest = total.map_or(rules, |at| rules.get(at + 1..).unwrap_or_default());
    if base && rest.iter().all(|rule| rule.allow) {
        return None;
    }
    Some(assemble(base, rest))
}

fn assemble(base: bool, rules: &[DeviceRule]) -> Vec<Insn> {
    let mut program = Vec::with_capacity(6 + 10 * rules.len());
    program.extend([
        load(KIND, 0),
        copy(ASKED, KIND),
        constant(ALU64_RSH_K, ASKED, 16),
        constant(ALU64_AND_K, KIND, 0xffff),
    ]);
    for rule in rules.iter().rev() {
        append(&mut program, rule);
    }
    answer(&mut program, base);
    program
}

fn append(part: &mut Vec<Insn>, rule: &DeviceRule) {
    let start = part.len();
    match rule.kind {
        DeviceClass::All => {}
        DeviceClass::Block => part.push(constant(JMP_JNE_K, KIND, BLOCK)),
        DeviceClass::Char => part.push(constant(JMP_JNE_K, KIND, CHAR)),
    }
    // Loaded anew by each rule: a register that keeps what earlier comparisons told makes the
    // verifier walk every way through the list on its own.
    for (number, offset) in [(rule.major, MAJOR_OFFSET), (rule.minor, MINOR_OFFSET)] {
        if let Some(number) = number {
            part.push(load(SCRATCH, offset));
            part.push(constant(JMP32_JNE_K, SCRATCH, number.cast_signed()));
        }
    }
    match rule.allow {
        true => {
            part.push(constant(ALU64_AND_K, ASKED, !rule.access.bits()));
            part.push(constant(JMP_JNE_K, ASKED, 0));
        }
        false => {
            part.push(copy(SCRATCH, ASKED));
            part.push(constant(ALU64_AND_K, SCRATCH, rule.access.bits()));
            part.push(constant(JMP_JEQ_K, SCRATCH, 0));
        }
    }
    answer(part, rule.allow);
    jump_to_end(part.get_mut(start..).unwrap_or_default());
}

/// Every jump of a rule's part leads to the next rule: a part has a dozen instructions at most.
fn jump_to_end(part: &mut [Insn]) {
    let length = part.len();
    for (index, insn) in part.iter_mut().enumerate() {
        if matches!(insn.code, JMP_JEQ_K | JMP_JNE_K | JMP32_JNE_K) {
            insn.offset = i16::try_from(length - index - 1).unwrap_or(i16::MAX);
        }
    }
}

fn answer(program: &mut Vec<Insn>, allow: bool) {
    program.push(constant(ALU64_MOV_K, ANSWER, i32::from(allow)));
    program.push(constant(JMP_EXIT, 0, 0));
}

fn constant(code: u8, register: u8, immediate: i32) -> Insn {
    Insn {
        code,
        registers: register,
        offset: 0,
        immediate,
    }
}

fn copy(to: u8, from: u8) -> Insn {
    Insn {
        code: ALU64_MOV_X,
        registers: from << 4 | to,
        offset: 0,
        immediate: 0,
    }
}

fn load(to: u8, offset: i16) -> Insn {
    Insn {
        code: LDX_W_MEM,
        registers: CONTEXT << 4 | to,
        offset,
        immediate: 0,
    }
}
