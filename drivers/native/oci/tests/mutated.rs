//! Documents that are wrong in a place nobody thought of: one line and 1, or a container; and nothing left of either.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod bundle;
#[path = "../../../../tests/support/mod.rs"]
mod support;

use bundle::Bundle;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use support::{Need, rounds, skip_unless};

/// Numbers that look like chance and are the same in every run (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// A document with most of what there is in it.
fn full(config: &mut Value) {
    let hook = json!([{"path": "/bin/true", "args": ["true"], "env": ["A=b"], "timeout": 5}]);
    config["hooks"] = json!({"prestart": hook, "createRuntime": hook, "poststop": hook});
    config["annotations"] = json!({"a": "b"});
    let process = &mut config["process"];
    process["user"] = json!({"uid": 0, "gid": 0, "umask": 18});
    process["oomScoreAdj"] = json!(500);
    process["ioPriority"] = json!({"class": "IOPRIO_CLASS_BE", "priority": 4});
    process["scheduler"] = json!({"policy": "SCHED_OTHER", "nice": 5});
    let linux = &mut config["linux"];
    linux["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["chmod"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
         "args": [{"index": 1, "value": 3, "op": "SCMP_CMP_EQ"}]},
    ]});
    linux["personality"] = json!({"domain": "LINUX"});
    linux["rootfsPropagation"] = json!("private");
    linux["sysctl"] = json!({"kernel.msgmax": "8192"});
    let namespaces = linux["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({"type": "time"}));
    linux["timeOffsets"] = json!({"monotonic": {"secs": 10}});
    linux["memoryPolicy"] = json!({"mode": "MPOL_LOCAL"});
    linux["devices"] = json!([{"path": "/dev/x", "type": "c", "major": 1, "minor": 3}]);
    if support::is_root() {
        linux["resources"]["memory"] = json!({"limit": 100_000_000, "swap": -1});
        linux["resources"]["cpu"] = json!({"shares": 1024, "quota": 50000, "period": 100_000});
        linux["resources"]["pids"] = json!({"limit": 100});
    }
}

/// Every place below, by JSON pointers.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(all) => all
            .iter()
            .map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        Value::Array(all) => (0..all.len()).map(|n| n.to_string()).zip(all).collect(),
        _ => return,
    };
    for (key, value) in inner {
        let path = format!("{path}/{key}");
        places(value, &path, found);
        found.push(path);
    }
}

/// The same document, wrong in one place; and what is wrong.
fn mutated(config: &Value, chance: &mut Chance) -> (Value, String) {
    let values = [
        json!(null),
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1.5),
        json!(true),
        json!(""),
        json!("/"),
        json!("../../x"),
        json!("a\u{0}b"),
        json!("\n"),
        json!("é".repeat(3000)),
        json!("idmap"),
        json!([]),
        json!({}),
        json!([null]),
        json!([{}]),
        json!({"": ""}),
    ];
    let mut all = Vec::new();
    places(config, "", &mut all);
    let place = &all[chance.below(all.len())];
    let mut config = config.clone();
    let kind = chance.below(values.len() + 1);
    let (parent, key) = place.rsplit_once('/').unwrap();
    let parent = config.pointer_mut(parent).unwrap();
    match (values.get(kind), parent) {
        (None, Value::Object(all)) => {
            all.remove(&key.replace("~1", "/").replace("~0", "~"));
            (config, format!("{place} is left out"))
        }
        (None, _) => (config, "nothing".to_owned()),
        (Some(value), _) => {
            *config.pointer_mut(place).unwrap() = value.clone();
            (config, format!("{place} is {value}"))
        }
    }
}

/// Processes whose root or program is below a directory.
fn processes_below(directory: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let of = |link: &str, process: &Path| fs::read_link(process.join(link)).unwrap_or_default();
    all.map(|entry| entry.path())
        .filter(|process| {
            ["root", "exe"]
                .iter()
                .any(|link| of(link, process).starts_with(directory))
        })
        .collect()
}

#[test]
fn a_document_that_is_wrong_anywhere_gets_one_line_and_leaves_nothing() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let bundle = Bundle::of(&["/bin/true"]);
    bundle.edit(full);
    let path = bundle.dir().join("config.json");
    let whole: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    bundle.create();
    bundle.done(&["delete", "--force", &bundle.id]);
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    for _ in 0..rounds(200) {
        let (config, what) = mutated(&whole, &mut chance);
        fs::write(&path, config.to_string()).unwrap();
        let said = bundle.say(&["create", &bundle.id]);
        match said.code() {
            0 => assert_eq!(
                bundle.say(&["delete", "--force", &bundle.id]).code(),
                0,
                "{what}"
            ),
            1 => {
                assert_eq!(said.stderr.lines().count(), 1, "{what}: {said:?}");
                assert!(!bundle.state_dir().exists(), "{what}: {said:?}");
            }
            _ => panic!("{what}: {said:?}"),
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(
            !mounts.contains(bundle.dir().to_str().unwrap()),
            "{what}: {mounts}"
        );
    }
    assert_eq!(processes_below(bundle.dir()), Vec::<PathBuf>::new());
}
