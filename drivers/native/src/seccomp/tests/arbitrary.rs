//! Any document becomes a program that the kernel takes and that does what the document says, or an error.

use super::super::assemble::{AND, GO, IF_EQUAL, IF_GREATER, IF_GREATER_OR_EQUAL, LOAD};
use super::*;
use oci_spec::runtime::{LinuxSeccompArg, LinuxSeccompOperator as Operator};
use proptest::prelude::*;
use proptest::sample::select;

const OPERATORS: [&str; 7] = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];
const ACTIONS: [&str; 9] = [
    "ERRNO",
    "TRAP",
    "LOG",
    "ALLOW",
    "KILL",
    "KILL_PROCESS",
    "KILL_THREAD",
    "TRACE",
    "NOTIFY",
];
/// None that i386 has another way to.
const NAMES: [&str; 6] = ["ioctl", "dup2", "clone", "personality", "mmap", "statx"];

/// Small ones, which meet, and any.
fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..4u64,
        Just(u64::MAX),
        Just(1 << 32 | 2),
        (0..64u32).prop_map(|n| 1 << n),
        any::<u64>(),
    ]
}

fn arg(index: u32, operators: &'static [&'static str], bits: u64) -> impl Strategy<Value = String> {
    (select(operators), value(), value()).prop_map(move |(operator, value, two)| {
        let (value, two) = (value & bits, two & bits);
        format!(r#"{{"index": {index}, "value": {value}, "valueTwo": {two}, "op": "SCMP_CMP_{operator}"}}"#)
    })
}

fn rule(name: &str, action: &str, args: &[String]) -> String {
    let args = args.join(",");
    format!(r#"{{"name": "{name}", "action": "SCMP_ACT_{action}", "args": [{args}]}}"#)
}

/// Rules as JSON, several for one call, with several conditions on one argument, of values within these bits.
pub(super) fn rules(
    actions: &'static [&'static str],
    operators: &'static [&'static str],
    bits: u64,
) -> impl Strategy<Value = String> {
    let args = (0..4u32).prop_flat_map(move |index| arg(index, operators, bits));
    let rule = (
        select(&NAMES[..]),
        select(actions),
        prop::collection::vec(args, 0..4),
    )
        .prop_map(|(name, action, args)| rule(name, action, &args));
    prop::collection::vec(rule, 1..8).prop_map(|rules| rules.join(","))
}

/// At most one rule for each call, and one condition on each argument.
pub(super) fn one_rule_each() -> impl Strategy<Value = String> {
    let args = [0, 1, 2, 5].map(|index| prop::option::of(arg(index, &OPERATORS, u64::MAX)));
    let one = (select(&ACTIONS[..]), args);
    prop::collection::vec(one, NAMES.len()).prop_map(|all| {
        let rules = NAMES.iter().zip(all).map(|(name, (action, args))| {
            let args: Vec<String> = args.into_iter().flatten().collect();
            rule(name, action, &args)
        });
        rules.collect::<Vec<_>>().join(",")
    })
}

/// What the document says of a call, read without a compiler: the first rule without conditions, else the first whose
/// conditions hold; what the default says anyway is no rule.
fn meant(document: &LinuxSeccomp, name: &str, machine: Machine, args: &[u64]) -> u32 {
    let cut = |value: u64| match machine.has_short_arguments() {
        true => value & u64::from(u32::MAX),
        false => value,
    };
    let holds = |arg: &&LinuxSeccompArg| {
        let given = cut(args[arg.index()]);
        let (value, two) = (cut(arg.value()), cut(arg.value_two().unwrap_or_default()));
        match arg.op() {
            Operator::ScmpCmpNe => given != value,
            Operator::ScmpCmpLt => given < value,
            Operator::ScmpCmpLe => given <= value,
            Operator::ScmpCmpEq => given == value,
            Operator::ScmpCmpGe => given >= value,
            Operator::ScmpCmpGt => given > value,
            Operator::ScmpCmpMaskedEq => given & value == two & value,
        }
    };
    let default = document.default_action();
    let rules: Vec<(Vec<&LinuxSeccompArg>, Action)> = (document.syscalls().iter().flatten())
        .filter(|call| call.names()[0] == name && number(call.action()) != number(default))
        .map(|call| (call.args().iter().flatten().collect(), call.action()))
        .collect();
    let always = rules.iter().find(|(args, _)| args.is_empty());
    let found = always.or_else(|| {
        rules.iter().find(|(args, _)| {
            let twice = |one: &&LinuxSeccompArg| {
                args.iter().filter(|arg| arg.index() == one.index()).count() > 1
            };
            match args.iter().any(twice) {
                true => args.iter().any(holds),
                false => args.iter().all(holds),
            }
        })
    });
    number(found.map_or(default, |(_, action)| *action))
}

fn number(action: Action) -> u32 {
    match action {
        Action::ScmpActKill | Action::ScmpActKillThread => 0,
        Action::ScmpActKillProcess => KILL,
        Action::ScmpActTrap => 0x0003_0000,
        Action::ScmpActErrno => EPERM,
        Action::ScmpActNotify => 0x7fc0_0000,
        Action::ScmpActTrace => 0x7ff0_0001,
        Action::ScmpActLog => 0x7ffc_0000,
        Action::ScmpActAllow => ALLOW,
    }
}

/// What the kernel asks of a program: known instructions, aligned loads within `struct seccomp_data`, jumps that stay in
/// it (they only go forwards), a return at the end, and not too many.
fn verify(program: &[u8]) -> Result<(), String> {
    let all: Vec<&[u8]> = program.chunks(8).collect();
    if all.is_empty() || all.len() > 4096 || !program.len().is_multiple_of(8) {
        return Err(format!("{} bytes", program.len()));
    }
    for (at, insn) in all.iter().enumerate() {
        let code = u16::from_le_bytes([insn[0], insn[1]]);
        let k = u32::from_le_bytes([insn[4], insn[5], insn[6], insn[7]]);
        let reach = match code {
            LOAD if k % 4 == 0 && k <= 60 => 0,
            AND => 0,
            RETURN => continue,
            GO => usize::try_from(k).unwrap(),
            IF_EQUAL | IF_GREATER | IF_GREATER_OR_EQUAL => usize::from(insn[2].max(insn[3])),
            _ => return Err(format!("instruction {code:#x} {k:#x} at {at}")),
        };
        if at + 1 + reach >= all.len() {
            return Err(format!("leads out of the program at {at}"));
        }
    }
    Ok(())
}

/// Any text for any key, and the right ones often enough to come far.
fn json() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        select(
            &[
                "SCMP_ACT_ALLOW",
                "SCMP_ACT_ERRNO",
                "SCMP_CMP_EQ",
                "SCMP_ARCH_X86",
                "CAP_CHOWN",
                "4.8",
                "read",
                ""
            ][..]
        )
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        (0..10u64).prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        word.prop_map(serde_json::Value::from),
    ];
    let keys = select(
        &[
            "defaultAction",
            "defaultErrnoRet",
            "architectures",
            "archMap",
            "architecture",
            "subArchitectures",
            "flags",
            "syscalls",
            "name",
            "names",
            "action",
            "errnoRet",
            "args",
            "index",
            "value",
            "valueTwo",
            "op",
            "includes",
            "excludes",
            "caps",
            "arches",
            "minKernel",
            "comment",
            "listenerPath",
            "other",
        ][..],
    );
    leaf.prop_recursive(5, 60, 6, move |inner| {
        let object =
            prop::collection::hash_map(keys.clone().prop_map(str::to_owned), inner.clone(), 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()));
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(serde_json::Value::from),
            object
        ]
    })
    .prop_map(|value| value.to_string())
}

fn read(text: &str) -> Option<LinuxSeccomp> {
    let target = SeccompTarget {
        arch: Arch::ScmpArchX86_64,
        kernel: (6, 1),
        capabilities: Capabilities::new(),
    };
    seccomp_profile(text, &target).ok().flatten()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn any_rules_become_a_program_that_does_what_they_say(
        rules in rules(&ACTIONS, &OPERATORS, u64::MAX),
        default in select(&["ALLOW", "KILL", "TRAP"][..]),
        given in prop::collection::vec(prop::array::uniform6(value()), 20),
    ) {
        let text = format!(
            r#"{{"defaultAction": "SCMP_ACT_{default}", "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"], "syscalls": [{rules}]}}"#
        );
        let document = policy(&text, Machine::X86_64).filter;
        let filter = Filter::compile(&document.clone().into(), Machine::X86_64).unwrap();
        prop_assert_eq!(verify(&filter.program), Ok(()));
        // The values of the rules themselves, too: what is just so and what is just not.
        let around = (document.syscalls().iter().flatten())
            .flat_map(|call| call.args().iter().flatten())
            .flat_map(|arg| {
                let value = arg.value();
                [value, value.wrapping_add(1), value.wrapping_sub(1), value ^ 1 << 32, arg.value_two().unwrap_or(value)]
            })
            .map(|value| [value; 6]);
        let given: Vec<[u64; 6]> = given.into_iter().chain(around).collect();
        let table = Table::read();
        for machine in [Machine::X86_64, Machine::I386, Machine::X32] {
            for name in NAMES {
                let number = table.number(name, machine).unwrap();
                for args in &given {
                    let got = Call::new(machine, number, args).run(&filter.program).verdict;
                    let wanted = meant(&document, name, machine, args);
                    prop_assert_eq!(got, wanted, "{:?} {} {:x?} {}", machine, name, args, text);
                }
            }
        }
    }

    /// Documents of OCI bundles come without the checks of the reader of profiles.
    #[test]
    fn any_names_and_numbers_become_a_program_or_an_error(
        rules in prop::collection::vec(
            (select(&["read", "socket", "shmat", "clone", "set_tls", "getpid", "no_such"][..]), 0..9usize, any::<Option<u32>>(),
                prop::collection::vec((0..9usize, value(), value()), 0..4)),
            0..20,
        ),
        default in 0..9usize,
        errno in any::<Option<u32>>(),
    ) {
        let action = |n: usize| format!("SCMP_ACT_{}", ACTIONS[n]).parse::<Action>().unwrap();
        let calls = rules.into_iter().map(|(name, verdict, errno, args)| {
            let args = args.into_iter().map(|(index, value, two)| {
                oci_spec::runtime::LinuxSeccompArgBuilder::default()
                    .index(index).value(value).value_two(two).op(Operator::ScmpCmpLe).build().unwrap()
            });
            let mut call = LinuxSyscall::default();
            call.set_names(vec![name.to_owned()])
                .set_action(action(verdict))
                .set_errno_ret(errno)
                .set_args(Some(args.collect()));
            call
        });
        let mut document = LinuxSeccomp::default();
        document
            .set_default_action(action(default))
            .set_default_errno_ret(errno.map(|errno| errno % 5000))
            .set_architectures(Some(vec![Arch::ScmpArchX86, Arch::ScmpArchArm, Arch::ScmpArchS390x]))
            .set_syscalls(Some(calls.collect()));
        for native in [Machine::X86_64, Machine::Aarch64] {
            if let Ok(filter) = Filter::compile(&document.clone().into(), native) {
                prop_assert_eq!(verify(&filter.program), Ok(()));
                prop_assert_eq!(verify(&filter.guard), Ok(()));
            }
        }
    }

    #[test]
    fn any_json_is_a_profile_or_an_error(text in prop_oneof![
        json(),
        any::<String>(),
        (json(), json()).prop_map(|(rule, args)| format!(
            r#"{{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{{"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": {args}}}, {rule}]}}"#
        )),
    ]) {
        if let Some(document) = read(&text)
            && let Ok(filter) = Filter::compile(&document.into(), Machine::X86_64)
        {
            prop_assert_eq!(verify(&filter.program), Ok(()));
        }
    }
}
