//! Case 81: what the service is asked for, call by call, against golden traces in `fixtures/hcs`.
//!
//! `EXECDRIVER_WRITE_GOLDEN=1` writes them anew; then read the difference.

use super::*;
use crate::driver::WindowsDriver;
use crate::hcs::document::Schema;
use crate::settings::Settings;
use execdriver_core::{
    Driver, ExecRequest, ExitReason, ExitStatus, Hooks, Network, NetworkInterface, Pipes,
    PortBinding, RunOptions, Signal, Stdio, Target, WindowSize,
};
use std::path::PathBuf;

/// Runs `command` and compares the trace with the golden one of this name.
fn traced(
    name: &str,
    bench: &Bench,
    command: &Command,
    hook: impl Fn(&WindowsDriver) + 'static,
) -> Result<ExitStatus> {
    let service = Arc::new(bench.memory.clone());
    let backend = HcsBackend::new(service, bench.settings.clone());
    let root = bench.path("state");
    let driver = WindowsDriver::over(Arc::new(backend), &root, Settings::default()).unwrap();
    let own = driver.clone();
    let hooks = Hooks::none().on_start(move |_| {
        hook(&own);
        Ok(())
    });
    let pipes = Pipes::null().stdin(Stdio::reader(std::io::empty()));
    let pipes = pipes.stdout(Stdio::writer(std::io::sink()));
    let pipes = pipes.stderr(Stdio::writer(std::io::sink()));
    let status = driver.run(command, &RunOptions::default(), pipes, &hooks);
    drop(hooks);
    compare(name, &told(bench));
    status
}

/// The trace, without what differs from run to run: names of folders, and of systems. How often the service is asked
/// whether something has ended, and when input ends, is a matter of threads.
fn told(bench: &Bench) -> String {
    let mut trace = bench.memory.trace();
    trace.retain(|line| {
        let racing = [
            "HcsGetComputeSystemProperties",
            "HcsModifyProcess {\"Operation\":\"CloseHandle\"",
        ];
        !racing.iter().any(|call| line.starts_with(call))
    });
    let created = trace
        .iter()
        .find_map(|line| line.strip_prefix("HcsCreateComputeSystem "));
    let name = created
        .and_then(|rest| rest.split(' ').next())
        .unwrap_or("?")
        .to_owned();
    let line = |line: &String| anywhere(bench, line).replace(&name, "NAME") + "\n";
    trace.iter().map(line).collect()
}

/// A document without the place of the folders, whose parts are told apart by another sign on Windows.
fn anywhere(bench: &Bench, line: &str) -> String {
    let folders = bench.folders.path().to_string_lossy();
    let folders = folders.replace('\\', r"\\");
    let mut parts = line.split(&folders);
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (path, rest) = part.split_at(part.find('"').unwrap_or(0));
        told.push_str("FOLDERS");
        told.push_str(&path.replace(r"\\", "/"));
        told.push_str(rest);
    }
    told
}

fn compare(name: &str, found: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/hcs");
    let path = folder.join(format!("{name}.txt"));
    if std::env::var_os("EXECDRIVER_WRITE_GOLDEN").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, found).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        golden.replace("\r\n", "\n"),
        found,
        "{name}: see fixtures/hcs"
    );
}

fn bench(schema: Option<Schema>, memory: Memory) -> Bench {
    let settings = HcsSettings {
        schema,
        ..HcsSettings::default()
    };
    Bench::with(memory, settings)
}

fn networked(mut command: Command) -> Command {
    let port = |port: &str| PortBinding {
        host_port: port.to_owned(),
        ..PortBinding::default()
    };
    command.network = Some(Network {
        interface: Some(NetworkInterface {
            mac_address: "00:15:5d:00:00:01".to_owned(),
            bridge: "Virtual Switch".to_owned(),
            port_bindings: [
                ("80/tcp".to_owned(), vec![port("8080")]),
                ("53/udp".to_owned(), vec![port("53")]),
            ]
            .into(),
            ..NetworkInterface::default()
        }),
        ..Network::default()
    });
    command
}

/// Each in Docker's form and in today's.
const FORMS: [(&str, Option<Schema>); 2] = [("docker", Some(Schema::Docker)), ("today", None)];

#[test]
fn windows_golden_trace_of_a_run() {
    for (form, schema) in FORMS {
        let bench = bench(schema, Memory::new());
        let mut command = bench.command("exit", &["3"]).env("A", "x=y").env("B", "1");
        command.working_dir = r"C:\app".to_owned();
        let status = traced(&format!("run-{form}"), &bench, &command, |_| ()).unwrap();
        assert_eq!(status.code, 3);
    }
}

#[test]
fn windows_golden_trace_of_a_terminal() {
    for (form, schema) in FORMS {
        let bench = bench(schema, Memory::new());
        let mut command = bench.command("exit", &["0"]);
        command.process.tty = true;
        command.process.console_size = Some(WindowSize {
            rows: 33,
            columns: 77,
        });
        traced(&format!("tty-{form}"), &bench, &command, |_| ()).unwrap();
    }
}

#[test]
fn windows_golden_trace_of_a_virtual_machine_with_ports_and_mac() {
    for (form, schema) in FORMS {
        let bench = bench(schema, Memory::new());
        let mut command = networked(bench.command("exit", &["0"]));
        command.as_windows_mut().unwrap().isolation = Isolation::HyperV;
        traced(&format!("hyperv-{form}"), &bench, &command, |_| ()).unwrap();
    }
}

#[test]
fn windows_golden_trace_of_kills() {
    for (form, schema) in FORMS {
        for (number, signal) in [(9, Signal::KILL), (15, Signal::TERM)] {
            let bench = bench(schema, Memory::new());
            let command = bench.command("cmd", &[]);
            let status = traced(
                &format!("kill-{number}-{form}"),
                &bench,
                &command,
                move |driver| {
                    driver.kill(&Target::from("web"), signal).unwrap();
                },
            );
            let status = status.unwrap();
            assert_eq!(
                (status.signal, status.reason),
                (Some(signal), ExitReason::KilledByCaller)
            );
        }
    }
}

#[test]
fn windows_golden_trace_of_a_pause_and_an_update() {
    for (form, isolation) in [
        ("process", Isolation::Process),
        ("hyperv", Isolation::HyperV),
    ] {
        let bench = bench(None, Memory::new());
        let mut command = bench.command("cmd", &[]);
        command.as_windows_mut().unwrap().isolation = isolation;
        let status = traced(&format!("pause-{form}"), &bench, &command, |driver| {
            driver.pause("web").unwrap();
            driver.unpause("web").unwrap();
            let limits = execdriver_core::Resources {
                memory: 300 << 20,
                windows: Some(execdriver_core::WindowsResources {
                    cpu_maximum: 2_500,
                    ..execdriver_core::WindowsResources::default()
                }),
                ..execdriver_core::Resources::default()
            };
            driver.update("web", &limits).unwrap();
            driver.terminate("web").unwrap();
        });
        assert_eq!(status.unwrap().code, 137);
    }
}

#[test]
fn windows_golden_trace_of_failed_waits() {
    for (name, code) in [("wait-ended-pipe", 109), ("wait-failed", 5)] {
        let trouble = Trouble::Fails(Code::win32(code), "");
        let memory = Memory::new().trouble("HcsGetProcessProperties", trouble);
        let bench = bench(None, memory);
        let ended = traced(name, &bench, &bench.command("exit", &["0"]), |_| ());
        match (code, ended) {
            // The original's code for a container that was killed elsewhere: no error.
            (109, Ok(status)) => assert_eq!(status.code, 32_767),
            (5, Err(Error::Driver { .. })) => {}
            (_, other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn windows_golden_trace_of_the_exec_limit() {
    let passes = Trouble::Ends(Code::OK);
    let memory = Memory::new().trouble("HcsCreateProcess", passes).trouble(
        "HcsCreateProcess",
        Trouble::Fails(Code::of(0x8007_2726), ""),
    );
    let bench = bench(None, memory);
    let command = bench.command("cmd", &[]);
    let status = traced("exec-limit", &bench, &command, |driver| {
        let request = ExecRequest::new(ProcessConfig::new("cmd"));
        let error = driver
            .exec("web", &request, Pipes::null(), &Hooks::none())
            .unwrap_err();
        let wanted = "limit of docker execs per Hyper-V container has been exceeded";
        assert!(error.to_string().contains(wanted), "{error}");
        driver.terminate("web").unwrap();
    });
    assert_eq!(status.unwrap().code, 137);
}
