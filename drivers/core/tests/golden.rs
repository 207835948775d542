//! The golden documents of the original's JSON are read and written back byte for byte.

use execdriver_core::{
    Command, Device, DeviceKind, IdMap, Isolation, Mount, Platform, Propagation, ResourceStats,
    Rlimit,
};

macro_rules! golden {
    ($name:literal) => {
        include_str!(concat!("../../../fixtures/golden/", $name, ".json"))
    };
}

const LINUX: &str = golden!("command-linux");
const LINUX_ZERO: &str = golden!("command-linux-zero");
const WINDOWS: &str = golden!("command-windows");
const WINDOWS_ZERO: &str = golden!("command-windows-zero");

#[test]
fn command_json() {
    for document in [LINUX, LINUX_ZERO, WINDOWS, WINDOWS_ZERO] {
        let command = Command::from_json(document).unwrap();
        assert_eq!(command.to_json().unwrap(), document);
        // Through serde's own traits the same, but for the escapes of &, < and >.
        let value = serde_json::to_string(&command).unwrap();
        assert_eq!(serde_json::from_str::<Command>(&value).unwrap(), command);
    }
}

#[test]
fn the_zero_document_is_the_default_command() {
    let zero = Command::default();
    assert_eq!(zero.to_json().unwrap(), LINUX_ZERO);
    assert_eq!(Command::from_json("{}").unwrap(), zero);
    let windows = Command::windows("", "", "");
    assert_eq!(windows.to_json().unwrap(), WINDOWS_ZERO);
}

#[test]
fn every_part_of_the_linux_document_arrives() {
    let command = Command::from_json(LINUX).unwrap();
    assert_eq!(command.id, "4fa6e0f0c678");
    let data = Mount {
        propagation: Propagation::RPrivate,
        ..Mount::bind("/data", "/mnt")
    };
    assert_eq!(command.mounts[0], data);
    assert!(command.mounts[1].is_tmpfs());
    assert_eq!(command.process.arguments, ["-c", "echo hi && exit 3"]);
    let resources = command.resources.as_ref().unwrap();
    assert_eq!(resources.memory, 33_554_432);
    let limits = resources.linux.as_ref().unwrap();
    assert_eq!(limits.memory_swappiness, -1);
    assert_eq!(limits.blkio_weight_device[0].weight, 300);
    assert_eq!(
        limits.rlimits[1],
        Rlimit {
            hard: 10,
            ..Rlimit::default()
        }
    );
    let linux = command.as_linux().unwrap();
    assert_eq!(
        linux.allowed_devices[0],
        Device::rule(DeviceKind::Char, -1, -1, "m")
    );
    assert_eq!(
        linux.autocreated_devices[0],
        Device::node("/dev/null", 1, 3)
    );
    let map = IdMap {
        container_id: 0,
        host_id: 100_000,
        size: 65_536,
    };
    assert_eq!(linux.uid_mappings, [map]);
    assert_eq!(linux.remapped_root.unwrap().uid, 100_000);
}

#[test]
fn every_part_of_the_windows_document_arrives() {
    let command = Command::from_json(WINDOWS).unwrap();
    let Platform::Windows(windows) = &command.platform else {
        panic!("not a windows command");
    };
    assert_eq!(windows.isolation, Isolation::Process);
    assert!(windows.first_start);
    let network = command.network.unwrap();
    let ports = network.interface.unwrap().port_bindings;
    assert_eq!(ports["80/tcp"][0].host_port, "8080");
    assert_eq!(command.resources.unwrap().linux, None);
}

#[test]
fn stats_json() {
    for document in [golden!("stats"), golden!("stats-zero")] {
        let stats = ResourceStats::from_json(document).unwrap();
        assert_eq!(stats.to_json().unwrap(), document);
        let value = serde_json::to_string(&stats).unwrap();
        assert_eq!(
            serde_json::from_str::<ResourceStats>(&value).unwrap(),
            stats
        );
    }
}
