//! Runs classic BPF as the kernel does, for what filters use of it.

use super::super::Machine;
use super::super::assemble::{AND, GO, IF_EQUAL, IF_GREATER, IF_GREATER_OR_EQUAL, LOAD, RETURN};

/// `BPF_JMP | BPF_JSET | BPF_K`, which libseccomp may use.
const IF_SET: u16 = 0x45;
/// `BPF_ALU | BPF_...`: none other is known here.
const OR: u16 = 0x44;

/// `struct seccomp_data`, little-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call([u8; 64]);

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) verdict: u32,
    /// Instructions that were executed.
    pub(super) steps: usize,
    /// Whether an argument was looked at: the kernel then has to run the program for each call.
    pub(super) looked_at_arguments: bool,
}

impl Call {
    pub(super) fn new(machine: Machine, number: u32, args: &[u64]) -> Self {
        let mut data = [0; 64];
        data[..4].copy_from_slice(&number.to_le_bytes());
        data[4..8].copy_from_slice(&machine.audit().to_le_bytes());
        for (place, arg) in data[16..].chunks_exact_mut(8).zip(args) {
            place.copy_from_slice(&arg.to_le_bytes());
        }
        Self(data)
    }

    /// Runs `program`; one that runs out of its end is a failure.
    pub(super) fn run(&self, program: &[u8]) -> Ended {
        let (mut at, mut accumulator, mut steps, mut looked_at_arguments) = (0, 0u32, 0, false);
        loop {
            let insn = &program[8 * at..8 * at + 8];
            let code = u16::from_le_bytes([insn[0], insn[1]]);
            let (yes, no) = (usize::from(insn[2]), usize::from(insn[3]));
            let k = u32::from_le_bytes([insn[4], insn[5], insn[6], insn[7]]);
            at += 1;
            steps += 1;
            let jump = |holds: bool| if holds { yes } else { no };
            match code {
                LOAD => {
                    let place = k as usize;
                    looked_at_arguments |= place >= 16;
                    let word: [u8; 4] = self.0[place..place + 4].try_into().unwrap();
                    accumulator = u32::from_le_bytes(word);
                }
                AND => accumulator &= k,
                OR => accumulator |= k,
                GO => at += k as usize,
                IF_EQUAL => at += jump(accumulator == k),
                IF_GREATER => at += jump(accumulator > k),
                IF_GREATER_OR_EQUAL => at += jump(accumulator >= k),
                IF_SET => at += jump(accumulator & k != 0),
                RETURN => {
                    return Ended {
                        verdict: k,
                        steps,
                        looked_at_arguments,
                    };
                }
                other => panic!("instruction {other:#x} at {}", at - 1),
            }
        }
    }
}
