//! The back-end over a compute service in memory: its ways, and what it does when the service misbehaves.

mod bad_input;
mod defects;
mod pause;
mod silence;
mod traces;
mod trouble;

use super::memory::{Memory, Trouble};
use super::{Code, HcsBackend, HcsSettings};
use crate::backend::{Backend, ChildStream, ComputeSystem, Created, ProcessRequest};
use crate::limits::{Change, Cpu, Limits};
use crate::names::SystemName;
use execdriver_core::{Command, ContainerId, Error, Isolation, ProcessConfig, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A back-end over a service in memory, and folders for its containers.
struct Bench {
    memory: Memory,
    backend: HcsBackend,
    settings: HcsSettings,
    folders: TempDir,
}

/// What a call may take that is never answered: short, as tests wait for it; longer than one takes on a busy machine.
const BOUND: Duration = Duration::from_secs(2);

impl Bench {
    fn new(memory: Memory) -> Self {
        Self::with(memory, HcsSettings::default())
    }

    /// One whose calls soon take too long.
    fn hasty(memory: Memory) -> Self {
        let bound = BOUND;
        Self::with(
            memory,
            HcsSettings {
                bound,
                ..HcsSettings::default()
            },
        )
    }

    fn with(memory: Memory, settings: HcsSettings) -> Self {
        let folders = tempfile::tempdir().unwrap();
        for folder in ["scratch", "base/UtilityVM", "top", "data"] {
            std::fs::create_dir_all(folders.path().join(folder)).unwrap();
        }
        Self {
            backend: HcsBackend::new(Arc::new(memory.clone()), settings.clone()),
            settings,
            memory,
            folders,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folders.path().join(name)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let rootfs = r"\\?\Volume{1234}";
        let mut command = Command::windows("web", rootfs, program).args(arguments.iter().copied());
        if let Some(windows) = command.as_windows_mut() {
            windows.layer_folder = self.path("scratch");
            windows.layer_paths = vec![self.path("base"), self.path("top")];
        }
        command
    }

    fn create(&self, command: &Command) -> Result<Arc<dyn ComputeSystem>> {
        let name = SystemName::new(Path::new("/run"), &ContainerId::parse(&command.id)?);
        self.backend.create(&name, command, &Limits::default())
    }

    /// The container as another program sees it.
    fn elsewhere(&self) -> Option<Arc<dyn ComputeSystem>> {
        let name = SystemName::new(Path::new("/run"), &ContainerId::parse("web").unwrap());
        self.backend.open(&name).unwrap()
    }

    fn started(&self) -> Arc<dyn ComputeSystem> {
        let system = self.create(&self.command("cmd", &[])).unwrap();
        system.start().unwrap();
        system
    }
}

fn process(system: &Arc<dyn ComputeSystem>, config: &ProcessConfig) -> Result<Created> {
    system.create_process(&ProcessRequest {
        limits: None,
        process: config,
        args_escaped: false,
        environment: &config.env,
        working_dir: "",
        stdin: ChildStream::Null,
        stdout: ChildStream::Pipe,
        stderr: ChildStream::Pipe,
    })
}

fn program(name: &str, argument: &str) -> ProcessConfig {
    ProcessConfig::new(name).args([argument])
}

/// The functions of a trace, without the registrations.
fn calls(memory: &Memory) -> Vec<String> {
    let trace = memory.trace();
    let names = trace.iter().filter_map(|line| line.split(' ').next());
    let kept = names.filter(|name| !name.contains("Register"));
    kept.map(str::to_owned).collect()
}

#[test]
fn a_container_runs_a_process_and_leaves_nothing_open() {
    let bench = Bench::new(Memory::new());
    let system = bench.started();
    let created = process(&system, &program("exit", "42")).unwrap();
    assert_eq!(created.process.wait(None).unwrap(), Some(42));
    let (mut output, mut text) = (created.streams.stdout.unwrap(), String::new());
    output.read_to_string(&mut text).unwrap();
    assert_eq!(text, "from inside\n");
    assert!(created.terminal.is_none());
    system.terminate(1).unwrap();
    drop((created.process, output, created.streams.stdin));
    drop(system);
    assert_eq!(bench.memory.open(), 0, "{:#?}", bench.memory.trace());
    assert_eq!(
        calls(&bench.memory),
        [
            "NameToGuid",
            "NameToGuid",
            "HcsCreateComputeSystem",
            "HcsStartComputeSystem",
            "HcsCreateProcess",
            "HcsGetProcessProperties",
            "HcsGetComputeSystemProperties",
            "HcsTerminateComputeSystem",
        ]
    );
}

#[test]
fn a_container_that_is_dropped_ends_and_one_that_another_opened_is_the_same() {
    let bench = Bench::new(Memory::new());
    let system = bench.started();
    let created = process(&system, &program("cmd", "")).unwrap();
    let other = bench.elsewhere().unwrap();
    let identity = created.process.identity();
    assert_eq!(other.processes().unwrap(), [identity.pid]);
    let theirs = other.open_process(identity).unwrap().unwrap();
    theirs.terminate(1).unwrap();
    assert_eq!(created.process.wait(None).unwrap(), Some(1));
    // The host of the other went away; so does this one.
    drop((theirs, other));
    assert_eq!(bench.memory.systems().len(), 1);
    drop((created, system));
    assert!(bench.memory.systems().is_empty());
    assert!(bench.elsewhere().is_none());
    assert_eq!(bench.memory.open(), 0);
}

#[test]
fn an_id_in_use_is_told_and_its_owner_is_left_alone() {
    let bench = Bench::new(Memory::new());
    let system = bench.started();
    let again = bench.create(&bench.command("cmd", &[]));
    assert!(matches!(again, Err(Error::AlreadyExists { id }) if id == "web"));
    assert_eq!(system.processes().unwrap(), [0; 0]);
    assert_eq!(bench.memory.systems().len(), 1);
}

#[test]
fn windows_update_changes_limits_or_puts_them_back() {
    let memory = Memory::new();
    let bench = Bench::new(memory.clone());
    let system = bench.started();
    let limits = |memory, weight| Limits {
        memory: Change::Set(memory),
        cpu: Change::Set(Cpu::Weight(weight)),
        ..Limits::default()
    };
    let before = limits(300 << 20, 500);
    system.modify(&Limits::default(), &before).unwrap();
    let _ = memory
        .clone()
        .trouble("HcsModifyComputeSystem", Trouble::Ends(Code::OK))
        .trouble(
            "HcsModifyComputeSystem",
            Trouble::Fails(Code::win32(50), ""),
        );
    assert!(system.modify(&before, &limits(500 << 20, 700)).is_err());
    let modified: Vec<String> = memory
        .trace()
        .into_iter()
        .filter_map(|line| Some(line.strip_prefix("HcsModifyComputeSystem ")?.to_owned()))
        .collect();
    let cpu = |weight| {
        format!(
            r#"{{"ResourcePath":"Container/Processor","RequestType":"Update","Settings":{{"Weight":{weight}}}}}"#
        )
    };
    let size = |mib| {
        format!(
            r#"{{"ResourcePath":"Container/Memory/SizeInMB","RequestType":"Update","Settings":{mib}}}"#
        )
    };
    assert_eq!(
        modified,
        [cpu(500), size(300), cpu(700), size(500), cpu(500)]
    );
    let too_small = bench.backend.check_limits(&Limits {
        memory: Change::Set(1000),
        ..Limits::default()
    });
    assert!(
        matches!(too_small, Err(Error::InvalidCommand { field, .. }) if field == "resources.memory")
    );
}

#[test]
fn a_terminal_is_resized_until_the_process_ends() {
    let bench = Bench::new(Memory::new());
    let system = bench.started();
    let mut config = program("cmd", "");
    config.tty = true;
    let created = process(&system, &config).unwrap();
    let terminal = created.terminal.unwrap();
    let size = |rows, columns| execdriver_core::WindowSize { rows, columns };
    terminal.resize(size(33, 77)).unwrap();
    let last = bench.memory.trace().pop().unwrap();
    assert_eq!(
        last,
        r#"HcsModifyProcess {"Operation":"ConsoleSize","ConsoleSize":{"Height":33,"Width":77}}"#
    );
    for bad in [size(0, 1), size(1, 0), size(32_768, 1)] {
        let refused = terminal.resize(bad);
        assert!(
            matches!(refused, Err(Error::InvalidCommand { .. })),
            "{refused:?}"
        );
    }
    bench.memory.exit(created.process.identity().pid, 0, true);
    let refused = terminal.resize(size(1, 1));
    assert!(
        matches!(refused, Err(Error::NotRunning { .. })),
        "{refused:?}"
    );
}
