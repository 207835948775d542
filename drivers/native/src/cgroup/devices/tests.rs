//! The rules, the files of version 1 and the programs of version 2 answer the same.

use super::program::compile;
use super::rule::{Access, DeviceClass, DeviceRule, allowed};
use super::v1;
use crate::cgroup::CgroupError;
use crate::sys::bpf::Insn;
use proptest::prelude::*;

/// What is asked of the kernel: a node and a use of it.
#[derive(Debug, Clone, Copy)]
struct Use {
    kind: DeviceClass,
    major: u32,
    minor: u32,
    access: Access,
}

/// The uses that the kernel asks about: mknod(2), and open(2) for reading, writing or both.
const USES: [Access; 4] = [
    Access::MAKE,
    Access::READ,
    Access::WRITE,
    Access::READ.union(Access::WRITE),
];

impl Use {
    /// Every combination of these numbers.
    fn all(numbers: &[u32]) -> Vec<Self> {
        let mut all = Vec::new();
        for kind in [DeviceClass::Block, DeviceClass::Char] {
            for major in numbers {
                for minor in numbers {
                    let (major, minor) = (*major, *minor);
                    all.extend(USES.map(|access| Self {
                        kind,
                        major,
                        minor,
                        access,
                    }));
                }
            }
        }
        all
    }
}

fn rule(text: &str) -> DeviceRule {
    let words: Vec<&str> = text.split(' ').collect();
    let [verb, kind, numbers, access] = words.as_slice() else {
        panic!("{text}")
    };
    let (major, minor) = numbers.split_once(':').unwrap();
    let number = |text: &str| (text != "*").then(|| text.parse().unwrap());
    DeviceRule::new(*verb == "allow", kind, number(major), number(minor), access).unwrap()
}

fn rules(text: &[&str]) -> Vec<DeviceRule> {
    text.iter().map(|text| rule(text)).collect()
}

/// What a list of rules means.
fn meaning(rules: &[DeviceRule], asked: Use) -> bool {
    allowed(rules, asked.kind, Some(asked.major), Some(asked.minor)).contains(asked.access)
}

/// The few instructions that a program is made of, as the kernel would run them.
fn run(program: &[Insn], asked: Use) -> bool {
    let kind: u64 = if asked.kind == DeviceClass::Block {
        1
    } else {
        2
    };
    let context = [
        u64::try_from(asked.access.bits()).unwrap() << 16 | kind,
        u64::from(asked.major),
        u64::from(asked.minor),
    ];
    let mut registers = [0u64; 11];
    let mut at = 0;
    while let Some(insn) = program.get(at) {
        at += 1;
        let (to, from) = (
            usize::from(insn.registers & 15),
            usize::from(insn.registers >> 4),
        );
        let immediate = i64::from(insn.immediate).cast_unsigned();
        let mut jump = |taken: bool| {
            if taken {
                at += usize::try_from(insn.offset).unwrap();
            }
        };
        match insn.code {
            0x61 => {
                assert_eq!(from, 1, "only the context is memory");
                registers[to] = context[usize::try_from(insn.offset).unwrap() / 4];
            }
            0x57 => registers[to] &= immediate,
            0x77 => registers[to] >>= immediate,
            0xb7 => registers[to] = immediate,
            0xbf => registers[to] = registers[from],
            0x15 => jump(registers[to] == immediate),
            0x55 => jump(registers[to] != immediate),
            0x56 => jump(registers[to] & 0xffff_ffff != immediate & 0xffff_ffff),
            0x95 => {
                assert!(registers[0] <= 1, "the kernel takes 0 and 1 for an answer");
                return registers[0] == 1;
            }
            code => panic!("instruction {code:#x}"),
        }
    }
    panic!("the program does not end");
}

fn version_2(rules: &[DeviceRule], asked: Use) -> bool {
    compile(rules).is_none_or(|program| run(&program, asked))
}

/// The device cgroup of `security/device_cgroup.c`.
struct Version1 {
    default: bool,
    exceptions: Vec<(String, Access)>,
}

impl Version1 {
    fn of(rules: &[DeviceRule]) -> Result<Self, CgroupError> {
        let mut cgroup = Self {
            default: true,
            exceptions: Vec::new(),
        };
        for line in v1::lines(rules)? {
            let text = line.to_string();
            if text == "a" {
                cgroup = Self {
                    default: line.allow,
                    exceptions: Vec::new(),
                };
                continue;
            }
            assert_ne!(
                line.allow, cgroup.default,
                "no exception is ever taken back"
            );
            let (devices, access) = text.rsplit_once(' ').unwrap();
            let access = rule(&format!("allow {devices} {access}")).access;
            cgroup.exceptions.push((devices.to_owned(), access));
        }
        Ok(cgroup)
    }

    fn answers(&self, asked: Use) -> bool {
        let matches = |devices: &str| {
            let rule = rule(&format!("allow {devices} rwm"));
            rule.covers(asked.kind, Some(asked.major), Some(asked.minor))
        };
        let mut about = self
            .exceptions
            .iter()
            .filter(|(devices, _)| matches(devices));
        match self.default {
            // One exception must have it all.
            false => about.any(|(_, access)| access.contains(asked.access)),
            // Any exception that has a part denies.
            true => !about.any(|(_, access)| access.intersection(asked.access) != Access::NONE),
        }
    }
}

/// The template's list, as core's spec has it.
fn template() -> Vec<DeviceRule> {
    let mut list = vec!["deny a *:* rwm", "allow c *:* m", "allow b *:* m"];
    list.extend(["allow c 5:1 rwm", "allow c 136:* rwm", "allow c 1:3 rwm"]);
    rules(&list)
}

#[test]
fn both_versions_answer_the_same_to_the_same_rules() {
    let numbers = [0, 1, 3, 5, 136, 0x8000_0001, 4_294_967_294];
    let lists: [&[&str]; 9] = [
        &[],
        &["deny a *:* rwm"],
        &["allow a *:* rwm"],
        &["deny a *:* rwm", "allow c 1:3 r", "allow c 1:* w"],
        &["allow b *:3 r", "allow b 1:* w", "allow a 5:5 m"],
        &["allow a *:* rwm", "deny c 1:3 w", "deny b *:* rwm"],
        &["allow c 1:3 rwm", "deny a *:* w", "allow a *:* m"],
        &["allow c 2147483649:4294967294 rw", "allow a 0:* r"],
        &[
            "deny c 1:* rwm",
            "allow c 1:3 rw",
            "deny c 1:3 w",
            "deny a 1:1 m",
        ],
    ];
    let mut lists: Vec<_> = lists.iter().map(|list| rules(list)).collect();
    lists.push(template());
    for list in lists {
        let version_1 = Version1::of(&list).unwrap();
        for asked in Use::all(&numbers) {
            let meant = meaning(&list, asked);
            assert_eq!(
                version_1.answers(asked),
                meant,
                "version 1: {asked:?} by {list:?}"
            );
            assert_eq!(
                version_2(&list, asked),
                meant,
                "version 2: {asked:?} by {list:?}"
            );
        }
    }
}

#[test]
fn version_1_reads_like_the_rules() {
    let text = |list: &[DeviceRule]| {
        let lines = v1::lines(list).unwrap();
        let file = |allow| if allow { '+' } else { '-' };
        let lines: Vec<_> = lines
            .iter()
            .map(|l| format!("{}{l}", file(l.allow)))
            .collect();
        lines.join(", ")
    };
    assert_eq!(
        text(&template()),
        "-a, +c *:* m, +b *:* m, +c 5:1 rwm, +c 136:* rwm, +c 1:3 rwm"
    );
    assert_eq!(
        text(&rules(&["allow a 5:1 rw", "allow b 8:0 r"])),
        "-a, +b 5:1 rw, +c 5:1 rw, +b 8:0 r"
    );
    assert_eq!(text(&rules(&["allow a *:* rwm"])), "+a");
    assert_eq!(
        text(&rules(&["allow a *:* rwm", "deny c 1:3 w"])),
        "+a, -c 1:3 w"
    );
    // No single rule gives reading and writing, but both are given.
    assert_eq!(
        text(&rules(&["allow c 1:3 r", "allow c 1:* w"])),
        "-a, +c 1:3 rw, +c 1:* w"
    );
}

#[test]
fn a_list_between_a_default_and_its_exceptions_is_an_error_of_version_1() {
    let list = rules(&["allow c 1:* rwm", "deny c 1:3 rwm"]);
    let error = v1::lines(&list).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
    let null = Use {
        kind: DeviceClass::Char,
        major: 1,
        minor: 3,
        access: Access::READ,
    };
    assert!(!version_2(&list, null));
    assert!(version_2(&list, Use { minor: 5, ..null }));
}

#[test]
fn what_allows_everything_needs_no_program() {
    assert!(compile(&rules(&["allow a *:* rwm"])).is_none());
    assert!(
        compile(&rules(&[
            "deny c 1:3 r",
            "allow a *:* rwm",
            "allow c 1:3 r"
        ]))
        .is_none()
    );
    assert_eq!(compile(&[]).unwrap().len(), 6);
    assert!(compile(&rules(&["allow a *:* rwm", "deny c 1:3 r"])).is_some());
}

fn any_rule() -> impl Strategy<Value = DeviceRule> {
    let number = || prop_oneof![Just(None), (0i64..4).prop_map(Some)];
    let kind = prop_oneof![Just("a"), Just("b"), Just("c")];
    let access = prop_oneof![
        Just("r"),
        Just("w"),
        Just("m"),
        Just("rw"),
        Just("rm"),
        Just("wm"),
        Just("rwm")
    ];
    (any::<bool>(), kind, number(), number(), access).prop_map(
        |(allow, kind, major, minor, access)| {
            DeviceRule::new(allow, kind, major, minor, access).unwrap()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn programs_mean_what_the_rules_mean(list in prop::collection::vec(any_rule(), 0..12)) {
        for asked in Use::all(&[0, 1, 2, 3, 9]) {
            prop_assert_eq!(version_2(&list, asked), meaning(&list, asked), "{:?}", asked);
        }
    }

    #[test]
    fn version_1_means_what_the_rules_mean_or_refuses_them(
        list in prop::collection::vec(any_rule(), 0..5)
    ) {
        match Version1::of(&list) {
            Ok(version_1) => for asked in Use::all(&[0, 1, 2, 3, 9]) {
                prop_assert_eq!(version_1.answers(asked), meaning(&list, asked), "{:?}", asked);
            },
            // Lists that only add, as every command's and every template's, are never refused.
            Err(_) => {
                let base = list.iter().rposition(DeviceRule::is_total).map_or(0, |at| at + 1);
                prop_assert!(list[base..].iter().any(|rule| !rule.allow));
            }
        }
    }
}
