//! Our programs beside libseccomp's: the same document, the same calls, the same verdicts.

use super::*;
use super::{arbitrary, libseccomp};
use crate::support::{Need, skip_unless};
use execdriver_core::spec::docker_profile;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Of a machine that executes all three.
const MACHINES: [Machine; 3] = [Machine::X86_64, Machine::I386, Machine::X32];
const ARCHITECTURES: &str = r#"["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]"#;

fn no_judge() -> bool {
    skip_unless(&[Need::Library(libseccomp::NAME)])
}

/// Values around every value of the document, for every argument at once.
fn interesting(document: &LinuxSeccomp) -> Vec<[u64; 6]> {
    let mut values = vec![0, 1, u64::MAX, 1 << 32, u64::from(u32::MAX)];
    let calls = document.syscalls().iter().flatten();
    let args = calls.flat_map(|call| call.args().iter().flatten());
    for arg in args {
        for value in [arg.value(), arg.value_two().unwrap_or_default()] {
            let low = value & u64::from(u32::MAX);
            values.extend([value, value.wrapping_add(1), value.wrapping_sub(1), low]);
            values.extend([low | 1 << 32, value ^ 1 << 40, !value]);
        }
    }
    values.sort_unstable();
    values.dedup();
    let same = values.iter().map(|value| [*value; 6]);
    // Different ones beside one another, too.
    let turned = (0..values.len()).flat_map(|start| {
        let at = |n: usize| values[(start + n) % values.len()];
        [
            [at(0), at(1), at(2), at(3), at(4), at(5)],
            [at(0), at(3), at(6), at(9), at(12), at(15)],
            [at(0), at(0), at(7), at(7), at(2), at(2)],
        ]
    });
    same.chain(turned).collect()
}

/// The numbers of the calls that both know on this machine, and some that nobody has given out: up to the highest that
/// the document names, because above it we answer that there is no such call, and the library the default.
fn numbers(document: &LinuxSeccomp, machine: Machine) -> Vec<u32> {
    let table = Table::read();
    let calls = document.syscalls().iter().flatten();
    let named: Vec<u32> = calls
        .flat_map(|call| call.names())
        .filter_map(|name| table.number(name, machine))
        .collect();
    // x32 has calls of its own from 512 on, with a highest of their own.
    let base = machine.base();
    let of_its_own = |number: u32| machine == Machine::X32 && number >= base + 512;
    let answers = document.default_action() == Action::ScmpActErrno;
    let exists = |number: u32| {
        let like = |known: &&u32| of_its_own(**known) == of_its_own(number);
        !answers || named.iter().filter(like).max() >= Some(&number)
    };
    // A name that the library does not know has no rule there.
    let unknown: Vec<u32> = (table.names())
        .filter(|name| libseccomp::number(name, machine).is_none())
        .filter_map(|name| table.number(name, machine))
        .collect();
    let mut numbers: Vec<u32> = (0..560).chain([1000, 0xffff]).map(|n| n | base).collect();
    numbers.retain(|number| exists(*number) && !unknown.contains(number));
    numbers
}

struct Difference {
    machine: Machine,
    number: u32,
    args: [u64; 6],
    ours: u32,
    theirs: u32,
}

/// Where the two programs differ, call by call.
fn differences(document: &LinuxSeccomp, ours: &[u8], theirs: &[u8]) -> Vec<Difference> {
    let mut found = Vec::new();
    let plain = [[0; 6], [5; 6], [u64::MAX; 6]];
    let mut args = interesting(document);
    // What socketcall and ipc do.
    args.extend((0..26).map(|first| [first; 6]));
    let table = Table::read();
    for machine in MACHINES {
        let calls = document.syscalls().iter().flatten();
        let looked_at: Vec<u32> = calls
            .filter(|call| call.args().is_some())
            .flat_map(|call| call.names())
            .chain(&["socketcall".to_owned(), "ipc".to_owned()])
            .filter_map(|name| table.number(name, machine))
            .collect();
        for number in numbers(document, machine) {
            let args = match looked_at.contains(&number) {
                true => args.as_slice(),
                false => &plain,
            };
            for args in args {
                let call = Call::new(machine, number, args);
                let (ours, theirs) = (call.run(ours).verdict, call.run(theirs).verdict);
                if ours != theirs {
                    found.push(Difference {
                        machine,
                        number,
                        args: *args,
                        ours,
                        theirs,
                    });
                }
            }
        }
    }
    found
}

#[track_caller]
fn agree(document: &LinuxSeccomp) {
    let ours = Filter::compile(&document.clone().into(), Machine::X86_64).unwrap();
    let theirs = libseccomp::program(document, &MACHINES).unwrap();
    let found = differences(document, &ours.program, &theirs);
    assert!(
        found.is_empty(),
        "{} differences:\n{}\n{document:?}",
        found.len(),
        shown(&found)
    );
}

/// The first of them.
fn shown(found: &[Difference]) -> String {
    let table = Table::read();
    let lines = found.iter().take(20).map(|found| {
        let (machine, number) = (found.machine, found.number);
        let mut names = table.names();
        let name = names.find(|name| table.number(name, machine) == Some(number));
        format!(
            "{machine:?} {name:?} ({number}) {:x?}: ours {:#x}, libseccomp's {:#x}\n",
            found.args, found.ours, found.theirs
        )
    });
    lines.collect()
}

fn document(default: &str, rules: &str) -> LinuxSeccomp {
    let text = format!(
        r#"{{"defaultAction": "SCMP_ACT_{default}", "architectures": {ARCHITECTURES}, "syscalls": [{rules}]}}"#
    );
    policy(&text, Machine::X86_64).filter
}

#[test]
fn the_default_profile_is_what_libseccomp_makes_of_it() {
    if no_judge() {
        return;
    }
    agree(&docker_profile(Arch::ScmpArchX86_64).filter);
}

#[test]
fn libseccomp_knows_calls_by_the_same_numbers() {
    if no_judge() {
        return;
    }
    let table = Table::read();
    let mut compared = 0;
    for machine in Machine::ALL {
        for name in table.names() {
            let (ours, theirs) = (
                table.number(name, machine),
                libseccomp::number(name, machine),
            );
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                assert_eq!(ours, theirs, "{machine:?} {name}");
                compared += 1;
            }
        }
    }
    assert!(compared > 1500, "{compared}");
}

#[test]
fn libseccomp_compares_with_each_operator_as_we_do() {
    if no_judge() {
        return;
    }
    for operator in ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"] {
        for (value, two) in [
            (0, 0),
            (5, 5),
            (0xffff_ffff, 0xff),
            (1u64 << 32, 1u64 << 32),
            (0x1234_5678_9abc_def0, 0x1234_0000_0000_def0),
            (u64::MAX, 7),
        ] {
            for (default, action) in [("ALLOW", "ERRNO"), ("ERRNO", "ALLOW")] {
                let rules = format!(
                    r#"{{"names": ["dup2", "ioctl"], "action": "SCMP_ACT_{action}",
                        "args": [{{"index": 1, "value": {value}, "valueTwo": {two}, "op": "SCMP_CMP_{operator}"}}]}},
                       {{"name": "statx", "action": "SCMP_ACT_LOG"}}"#
                );
                agree(&document(default, &rules));
            }
        }
    }
}

#[test]
fn libseccomp_joins_several_rules_of_one_call_as_we_do() {
    if no_judge() {
        return;
    }
    let arg = |index: u32, operator: &str, value: u64| {
        format!(r#"{{"index": {index}, "value": {value}, "op": "SCMP_CMP_{operator}"}}"#)
    };
    let rule = |action: &str, args: &[String]| {
        let args = args.join(",");
        format!(r#"{{"name": "ioctl", "action": "SCMP_ACT_{action}", "args": [{args}]}}"#)
    };
    for rules in [
        // One action: any rule is enough.
        vec![
            rule("ERRNO", &[arg(0, "EQ", 1), arg(1, "EQ", 2)]),
            rule("ERRNO", &[arg(0, "GT", 9)]),
        ],
        vec![
            rule("ERRNO", &[arg(0, "EQ", 1), arg(0, "EQ", 2)]),
            rule("ERRNO", &[arg(2, "LE", 7 << 32)]),
        ],
        // Different actions that exclude one another.
        vec![
            rule("ERRNO", &[arg(0, "EQ", 1)]),
            rule("TRAP", &[arg(0, "EQ", 2)]),
            rule("LOG", &[arg(0, "EQ", 3 << 32)]),
        ],
        vec![
            rule("ERRNO", &[arg(1, "EQ", 1), arg(2, "LT", 4)]),
            rule("TRAP", &[arg(1, "EQ", 1), arg(2, "GE", 4)]),
        ],
        // One without conditions wins wherever it stands, and the first of them.
        vec![rule("ERRNO", &[arg(0, "EQ", 1)]), rule("TRAP", &[])],
        vec![rule("TRAP", &[]), rule("ERRNO", &[arg(0, "EQ", 1)])],
        vec![rule("TRAP", &[]), rule("ERRNO", &[])],
        vec![
            rule("LOG", &[arg(0, "EQ", 1)]),
            rule("TRAP", &[]),
            rule("ERRNO", &[]),
        ],
        // What the default says anyway says nothing.
        vec![rule("ALLOW", &[]), rule("ERRNO", &[arg(0, "NE", 1)])],
        vec![
            rule("ALLOW", &[arg(0, "EQ", 1)]),
            rule("ERRNO", &[arg(1, "NE", 1)]),
        ],
    ] {
        agree(&document("ALLOW", &rules.join(",")));
    }
}

#[test]
fn libseccomp_opens_the_calls_behind_socketcall_and_ipc_as_we_do() {
    if no_judge() {
        return;
    }
    let plain = r#"{"names": ["socket", "sendmsg", "accept4", "shmat", "msgget", "semtimedop", "read"],
        "action": "SCMP_ACT_ALLOW"}, {"name": "statx", "action": "SCMP_ACT_LOG"}"#;
    agree(&document("ERRNO", plain));
    agree(&document("KILL", plain));
    let through = r#"{"names": ["socketcall", "ipc"], "action": "SCMP_ACT_ALLOW"}, {"name": "socket", "action": "SCMP_ACT_TRAP"}"#;
    agree(&document("ERRNO", through));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn libseccomp_makes_the_same_of_any_conditions(rules in arbitrary::one_rule_each()) {
        if no_judge() {
            return Ok(());
        }
        agree(&document("ALLOW", &rules));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::with_cases(256)
    })]

    /// libseccomp 2.5 joins the rules of one call to a tree, and forgets or mixes some of them where their values differ in the
    /// high half: of `< 1 << 32` and `< 0` the first lets 1 pass, and beside `== 0x7154_ee93_0000_0001` and `== 0` on an argument
    /// a rule for `== 1` there holds whatever it asks of the others. And where rules with different actions hold, the order in
    /// which it looks at them is its own. So it judges rules that ask for equality with short values, with one action; the
    /// document itself judges all others. One in some ten thousand of these still finds a fault of its (`== 1` held for
    /// `0x1_0000_0001` of an x32 `dup2`), so these are the same ones each time; the document judges new ones.
    #[test]
    fn libseccomp_makes_the_same_of_any_rules_for_equality(rules in arbitrary::rules(&["ERRNO"], &["EQ"], u32::MAX.into())) {
        if no_judge() {
            return Ok(());
        }
        agree(&document("ALLOW", &rules));
    }
}

/// What the library makes of the default profile, for the benchmark; it depends on the library's version, so it is only
/// written.
#[test]
fn the_benchmark_gets_the_librarys_program_of_the_default_profile() {
    if no_judge() {
        return;
    }
    let document = docker_profile(Arch::ScmpArchX86_64).filter;
    let program = libseccomp::program(&document, &MACHINES).unwrap();
    println!("{} instructions", program.len() / 8);
    assert!(program.len() > 100 * 8);
    if std::env::var_os("EXECDRIVER_WRITE_GOLDEN").is_some_and(|value| value == "1") {
        let page = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../fixtures/seccomp/docker-x86_64.libseccomp.bpf"
        );
        std::fs::write(page, program).unwrap();
    }
}
