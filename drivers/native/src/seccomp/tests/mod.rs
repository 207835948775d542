//! Filters run call by call in an interpreter of ours: the templates, each operator, long programs, and libseccomp's
//! answers beside ours.

mod arbitrary;
mod interpreter;
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
mod libseccomp;
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
mod oracle;
mod templates;

use super::*;
use execdriver_core::spec::{SeccompTarget, seccomp_profile};
use interpreter::Call;
use oci_spec::runtime::Capabilities;

pub(super) const ALLOW: u32 = 0x7fff_0000;
pub(super) const ERRNO: u32 = 0x0005_0000;
pub(super) const EPERM: u32 = ERRNO | 1;
pub(super) const ENOSYS: u32 = ERRNO | 38;
pub(super) const KILL: u32 = 0x8000_0000;

/// A profile's filter on a machine of kind `native`.
pub(super) fn filter(text: &str, native: Machine) -> Filter {
    Filter::compile(&policy(text, native), native).unwrap()
}

pub(super) fn policy(text: &str, native: Machine) -> SeccompPolicy {
    let target = SeccompTarget {
        arch: arch(native),
        kernel: (6, 1),
        capabilities: Capabilities::new(),
    };
    seccomp_profile(text, &target).unwrap().unwrap().into()
}

pub(super) fn arch(machine: Machine) -> Arch {
    match machine {
        Machine::X86_64 => Arch::ScmpArchX86_64,
        Machine::I386 => Arch::ScmpArchX86,
        Machine::X32 => Arch::ScmpArchX32,
        Machine::Aarch64 => Arch::ScmpArchAarch64,
        Machine::Arm => Arch::ScmpArchArm,
    }
}

/// What a call by name gets.
#[track_caller]
pub(super) fn verdict(filter: &Filter, machine: Machine, name: &str, args: &[u64]) -> u32 {
    let number = Table::read()
        .number(name, machine)
        .expect("a call of this machine");
    Call::new(machine, number, args)
        .run(&filter.program)
        .verdict
}

#[test]
fn each_operator_compares_sixty_four_bits_as_numbers_without_signs() {
    let values = [
        0,
        1,
        5,
        6,
        0xffff_ffff,
        1 << 32,
        (1 << 32) | 5,
        6 << 32,
        u64::MAX,
    ];
    for (operator, holds) in [
        ("NE", (|a, b| a != b) as fn(u64, u64) -> bool),
        ("LT", |a, b| a < b),
        ("LE", |a, b| a <= b),
        ("EQ", |a, b| a == b),
        ("GE", |a, b| a >= b),
        ("GT", |a, b| a > b),
    ] {
        for wanted in values {
            let text = format!(
                r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{{"name": "dup2", "action": "SCMP_ACT_ERRNO",
                    "args": [{{"index": 1, "value": {wanted}, "op": "SCMP_CMP_{operator}"}}]}}]}}"#
            );
            let filter = filter(&text, Machine::X86_64);
            for given in values {
                let got = verdict(&filter, Machine::X86_64, "dup2", &[wanted, given]);
                let expected = if holds(given, wanted) { EPERM } else { ALLOW };
                assert_eq!(got, expected, "{given:#x} {operator} {wanted:#x}");
            }
        }
    }
}

#[test]
fn masked_bits_are_compared_in_both_halves() {
    for (mask, value) in [
        (0xff00, 0x1200),
        (0xff << 40, 0x12 << 40),
        (u64::MAX, 7),
        (0, 0),
        (0xf, 0xff),
    ] {
        let text = format!(
            r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{{"name": "dup2", "action": "SCMP_ACT_ERRNO", "errnoRet": 22,
                "args": [{{"index": 5, "value": {mask}, "valueTwo": {value}, "op": "SCMP_CMP_MASKED_EQ"}}]}}]}}"#
        );
        let filter = filter(&text, Machine::X86_64);
        for given in [
            0,
            7,
            0xff,
            0x1234,
            0x12 << 40,
            (0x12 << 40) | 0x1200,
            u64::MAX,
        ] {
            let got = verdict(&filter, Machine::X86_64, "dup2", &[0, 0, 0, 0, 0, given]);
            let expected = if given & mask == value & mask {
                ERRNO | 22
            } else {
                ALLOW
            };
            assert_eq!(got, expected, "{given:#x} & {mask:#x} == {value:#x}");
        }
    }
}

#[test]
fn all_conditions_of_a_rule_hold_and_one_rule_is_enough() {
    let text = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"name": "dup2", "action": "SCMP_ACT_TRAP", "args": [
            {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]},
        {"name": "dup2", "action": "SCMP_ACT_TRAP", "args": [{"index": 0, "value": 9, "op": "SCMP_CMP_GT"}]},
        {"name": "dup3", "action": "SCMP_ACT_LOG", "args": [
            {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]}]}"#;
    let filter = filter(text, Machine::Aarch64);
    assert!(verdict_of(&filter, "dup3", &[1]) == 0x7ffc_0000);
    assert!(verdict_of(&filter, "dup3", &[2]) == 0x7ffc_0000);
    assert!(verdict_of(&filter, "dup3", &[3]) == ALLOW);
    let filter = self::filter(text, Machine::X86_64);
    for (args, expected) in [
        ([1, 2], 0x0003_0000),
        ([1, 3], ALLOW),
        ([2, 2], ALLOW),
        ([10, 0], 0x0003_0000),
    ] {
        assert_eq!(
            verdict(&filter, Machine::X86_64, "dup2", &args),
            expected,
            "{args:?}"
        );
    }
}

fn verdict_of(filter: &Filter, name: &str, args: &[u64]) -> u32 {
    verdict(filter, Machine::Aarch64, name, args)
}

#[test]
fn a_call_of_a_machine_that_the_profile_does_not_cover_ends_the_process() {
    let text = r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": []}"#;
    let filter = filter(text, Machine::X86_64);
    assert_eq!(verdict(&filter, Machine::X86_64, "read", &[]), ALLOW);
    assert_eq!(verdict(&filter, Machine::I386, "read", &[]), KILL);
    assert_eq!(verdict(&filter, Machine::X32, "read", &[]), KILL);
    assert_eq!(verdict(&filter, Machine::Arm, "read", &[]), KILL);
}

#[test]
fn jumps_further_than_an_instruction_can_say_are_right() {
    // Every call has conditions of its own, so that the tree and what it leads to are far apart.
    let table = Table::read();
    let names: Vec<_> = (table.names())
        .filter(|name| table.number(name, Machine::X86_64).is_some())
        .collect();
    let rules: Vec<String> = (names.iter().enumerate())
        .map(|(n, name)| {
            format!(
                r#"{{"name": "{name}", "action": "SCMP_ACT_ERRNO", "errnoRet": {n},
                    "args": [{{"index": 0, "value": {n}, "op": "SCMP_CMP_EQ"}}]}}"#
            )
        })
        .collect();
    let rules = rules.join(",");
    let text = format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{rules}]}}"#);
    let filter = filter(&text, Machine::X86_64);
    assert!(filter.len() > 2000, "{}", filter.len());
    for (n, name) in (0..).zip(&names) {
        assert_eq!(
            verdict(&filter, Machine::X86_64, name, &[u64::from(n)]),
            ERRNO | n
        );
        assert_eq!(
            verdict(&filter, Machine::X86_64, name, &[u64::from(n) + 1]),
            ALLOW
        );
    }
}

#[test]
fn a_program_that_the_kernel_would_not_take_is_refused_with_its_length() {
    let rules: Vec<String> = (0..3000)
        .map(|n| {
            format!(
                r#"{{"name": "dup", "action": "SCMP_ACT_ERRNO",
                    "args": [{{"index": 0, "value": {n}, "op": "SCMP_CMP_EQ"}}]}}"#
            )
        })
        .collect();
    let rules = rules.join(",");
    let text = format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{rules}]}}"#);
    let policy = policy(&text, Machine::X86_64);
    let error = Filter::compile(&policy, Machine::X86_64).unwrap_err();
    assert!(
        matches!(error, CompileError::TooLong { instructions } if instructions > 4096),
        "{error}"
    );
    assert!(error.to_string().contains("4096"));
}

#[test]
fn what_is_newer_than_the_profile_does_not_exist() {
    let text = r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read", "userfaultfd"], "action": "SCMP_ACT_ALLOW"}]}"#;
    let filter = filter(text, Machine::X86_64);
    assert_eq!(verdict(&filter, Machine::X86_64, "mount", &[]), EPERM);
    assert_eq!(verdict(&filter, Machine::X86_64, "userfaultfd", &[]), ALLOW);
    assert_eq!(verdict(&filter, Machine::X86_64, "statx", &[]), ENOSYS);
    // Who asks for the end of the process gets that.
    let text = r#"{"defaultAction": "SCMP_ACT_KILL", "syscalls": [{"name": "read", "action": "SCMP_ACT_ALLOW"}]}"#;
    let filter = self::filter(text, Machine::X86_64);
    assert_eq!(verdict(&filter, Machine::X86_64, "statx", &[]), 0);
}

#[test]
fn what_init_still_has_to_call_is_known() {
    let text = r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["capset", "read"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["sendmsg"], "action": "SCMP_ACT_NOTIFY"},
        {"names": ["no_such_call"], "action": "SCMP_ACT_ALLOW"}]}"#;
    let filter = filter(text, Machine::NATIVE);
    assert!(filter.denies("execve") && !filter.denies("capset") && !filter.denies("sendmsg"));
    assert!(filter.lets_through("read") && !filter.lets_through("sendmsg"));
    assert!(filter.notifies);
    // Nothing is lost by that.
    assert!(filter.unknown.is_empty());
    let text = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["no_such_call", "mount", "bdflush"], "action": "SCMP_ACT_KILL"}]}"#;
    assert_eq!(
        self::filter(text, Machine::NATIVE).unknown,
        ["no_such_call"]
    );
}

#[test]
fn flags_have_the_kernels_numbers() {
    let text = r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC",
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}"#;
    assert_eq!(filter(text, Machine::X86_64).flags, 1 | 2 | 4 | 32);
}
