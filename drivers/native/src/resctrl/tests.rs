//! The classes on a tree of files that looks like resctrl.

use super::*;
use serde_json::json;

struct Tree {
    directory: tempfile::TempDir,
}

impl Tree {
    fn new() -> Self {
        let tree = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        for directory in ["info/L3_MON", "mon_groups", "gold/mon_groups"] {
            fs::create_dir_all(tree.path(directory)).unwrap();
        }
        tree.write("gold/schemata", "    MB:0=100;1=50\n    L3:0=00ff;1=f\n");
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn decide(&self, asked: serde_json::Value) -> Result<Class> {
        let asked: LinuxIntelRdt = serde_json::from_value(asked).unwrap();
        self.resctrl().decide("c1", &asked)
    }

    fn resctrl(&self) -> Resctrl {
        Resctrl {
            root: self.directory.path().to_owned(),
        }
    }
}

#[test]
fn config_linux_intel_rdt_without_a_class_makes_one_that_goes_with_the_container() {
    let tree = Tree::new();
    let asked = json!({"l3CacheSchema": "L3:0=f\nMB:0=10", "memBwSchema": "MB:0=20",
        "schemata": ["L2:0=3"]});
    let class = tree.decide(asked).unwrap();
    let record = class.record().clone();
    class.enter(&tree.resctrl(), 42).unwrap().keep();
    assert_eq!(tree.read("c1/schemata"), "L3:0=f\nMB:0=20\nL2:0=3\n");
    assert_eq!(tree.read("c1/tasks"), "42\n");
    // The kernel takes its own files along.
    fs::remove_file(tree.path("c1/schemata")).unwrap();
    fs::remove_file(tree.path("c1/tasks")).unwrap();
    record.remove().unwrap();
    assert!(!tree.path("c1").exists());
    record.remove().unwrap();
}

#[test]
fn config_linux_intel_rdt_of_a_class_that_is_there_has_to_be_what_it_gives() {
    let tree = Tree::new();
    let class = tree.decide(json!({"closID": "gold", "l3CacheSchema": "L3:0=FF;1=00f"}));
    let class = class.unwrap();
    class.enter(&tree.resctrl(), 7).unwrap().keep();
    assert_eq!(tree.read("gold/tasks"), "7\n");
    assert!(tree.read("gold/schemata").starts_with("    MB"));
    class.record().remove().unwrap();
    assert!(tree.path("gold").exists());
    for (asked, field) in [
        (
            json!({"closID": "gold", "l3CacheSchema": "L3:0=f"}),
            "l3CacheSchema",
        ),
        (
            json!({"closID": "gold", "schemata": ["L2:0=f"]}),
            "schemata[0]",
        ),
        (json!({"closID": "iron"}), "closID"),
        (json!({"closID": "../x"}), "closID"),
        (json!({"closID": "info"}), "closID"),
        (json!({"memBwSchema": "MB"}), "memBwSchema"),
        (json!({"schemata": ["L3:0=f\nMB:0=1"]}), "schemata[0]"),
    ] {
        let error = tree.decide(asked).unwrap_err().to_string();
        assert!(
            error.contains(&format!("linux.intelRdt.{field}")),
            "{error}"
        );
    }
    assert!(!tree.path("iron").exists());
    tree.decide(json!({"closID": "iron", "memBwSchema": "MB:0=50"}))
        .unwrap();
}

#[test]
fn a_class_of_the_containers_own_is_changed_and_put_back_and_that_of_others_is_not() {
    let tree = Tree::new();
    let asked = |asked: serde_json::Value| serde_json::from_value::<LinuxIntelRdt>(asked).unwrap();
    let own = tree.decide(json!({"l3CacheSchema": "L3:0=f"})).unwrap();
    own.enter(&tree.resctrl(), 42).unwrap().keep();
    let change = |asked| own.record().change(&tree.resctrl(), &asked);
    let both = json!({"l3CacheSchema": "L3:0=3", "memBwSchema": "MB:0=20"});
    let changed = change(asked(both)).unwrap();
    assert_eq!(tree.read("c1/schemata"), "L3:0=3\nMB:0=20\n");
    changed.undo();
    let error = change(asked(json!({"memBwSchema": "MB"}))).unwrap_err();
    assert!(error.to_string().contains("memBwSchema"), "{error}");
    assert_eq!(tree.read("c1/schemata"), "L3:0=f\n");
    let named = tree.decide(json!({"closID": "gold"})).unwrap();
    let before = tree.read("gold/schemata");
    let change = asked(json!({"l3CacheSchema": "L3:0=3"}));
    let error = named.record().change(&tree.resctrl(), &change).unwrap_err();
    assert!(error.to_string().contains("others' too"), "{error}");
    assert_eq!(tree.read("gold/schemata"), before);
}

#[test]
fn config_linux_intel_rdt_monitoring_has_a_group_of_its_own_in_the_class() {
    let tree = Tree::new();
    for (class, place) in [("/", "mon_groups/c1"), ("gold", "gold/mon_groups/c1")] {
        let decided = tree.decide(json!({"closID": class, "enableMonitoring": true}));
        let decided = decided.unwrap();
        let entered = decided.enter(&tree.resctrl(), 9).unwrap();
        assert_eq!(tree.read(&format!("{place}/tasks")), "9\n");
        fs::remove_file(tree.path(place).join("tasks")).unwrap();
        // What is not kept goes.
        drop(entered);
        assert!(!tree.path(place).exists());
        decided.record().remove().unwrap();
    }
    fs::remove_dir(tree.path("info/L3_MON")).unwrap();
    let error = tree.decide(json!({"enableMonitoring": true})).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("linux.intelRdt.enableMonitoring")
    );
}
