//! Bad input, each refused with its field before the service is asked for anything and before anything is written down.

use super::*;
use crate::driver::WindowsDriver;
use crate::settings::Settings;
use execdriver_core::{
    Driver, ExecRequest, Hooks, Mount, Network, NetworkInterface, Pipes, PortBinding, Resources,
    RunOptions, WindowSize, WindowsResources,
};
use std::cell::Cell;

fn driver(bench: &Bench) -> WindowsDriver {
    let backend = HcsBackend::new(Arc::new(bench.memory.clone()), bench.settings.clone());
    WindowsDriver::over(Arc::new(backend), &bench.path("state"), Settings::default()).unwrap()
}

/// What a refusal is about: a field, or what is not supported.
fn about(error: Error) -> String {
    match error {
        Error::InvalidCommand { field, .. } => field,
        Error::WrongPlatform { .. } => "platform".to_owned(),
        Error::Unsupported { operation, .. } => operation,
        other => panic!("{other:?}"),
    }
}

fn with_ports(command: &mut Command, ports: &[(&str, &str, &[&str])]) {
    let bindings = |ip: &str, ports: &[&str]| {
        let binding = |port: &&str| PortBinding {
            host_ip: ip.to_owned(),
            host_port: (*port).to_owned(),
        };
        ports.iter().map(binding).collect()
    };
    let ports = ports
        .iter()
        .map(|(port, ip, host)| ((*port).to_owned(), bindings(ip, host)));
    command.network = Some(Network {
        interface: Some(NetworkInterface {
            bridge: "nat".to_owned(),
            port_bindings: ports.collect(),
            ..NetworkInterface::default()
        }),
        ..Network::default()
    });
}

fn with_console(command: &mut Command, rows: u16, columns: u16) {
    command.process.tty = true;
    command.process.console_size = Some(WindowSize { rows, columns });
}

fn with_limits(command: &mut Command, windows: WindowsResources, memory: i64) {
    command.resources = Some(Resources {
        memory,
        windows: Some(windows),
        ..Resources::default()
    });
}

type Change<'a> = Box<dyn Fn(&mut Command) + 'a>;

/// Every kind of bad input that the issue and the contract name, and what it is told by.
fn bad(bench: &Bench) -> Vec<(&'static str, Change<'_>)> {
    let port = |port: &'static str,
                ip: &'static str,
                host: &'static [&'static str]|
     -> Change<'_> { Box::new(move |c| with_ports(c, &[(port, ip, host)])) };
    let console =
        |rows, columns| -> Change<'_> { Box::new(move |c| with_console(c, rows, columns)) };
    let gone = bench.path("gone");
    let (layer, scratch, source) = (gone.clone(), gone.clone(), gone);
    let size = "process_config.console_size";
    let ports = "network.interface.port_bindings[\"80/tcp\"]";
    vec![
        (
            "layer_paths[1]",
            Box::new(move |c| c.as_windows_mut().unwrap().layer_paths[1].clone_from(&layer)),
        ),
        (
            "layer_paths",
            Box::new(|c| c.as_windows_mut().unwrap().layer_paths.clear()),
        ),
        (
            "layer_folder",
            Box::new(move |c| {
                c.as_windows_mut()
                    .unwrap()
                    .layer_folder
                    .clone_from(&scratch)
            }),
        ),
        (
            "mounts[0].source",
            Box::new(move |c| c.mounts = vec![Mount::bind(&source, r"c:\data")]),
        ),
        ("rootfs", Box::new(|c| c.rootfs = "".into())),
        (ports, port("80/tcp", "", &["65536"])),
        (ports, port("80/tcp", "", &["-1"])),
        (ports, port("80/tcp", "", &["1", "2"])),
        (ports, port("80/tcp", "127.0.0.1", &["1"])),
        (
            "network.interface.port_bindings[\"65536/tcp\"]",
            port("65536/tcp", "", &["1"]),
        ),
        (
            "network.interface.port_bindings[\"80/sctp\"]",
            port("80/sctp", "", &["1"]),
        ),
        // Given twice: one port of the host's for two inside.
        (
            "network.interface.port_bindings[\"81/tcp\"]",
            Box::new(|c| with_ports(c, &[("80/tcp", "", &["1"]), ("81/tcp", "", &["1"])])),
        ),
        (
            "network.interface.mac",
            Box::new(|c| {
                with_ports(c, &[]);
                let network = c.network.as_mut().unwrap();
                network.interface.as_mut().unwrap().mac_address = "x".to_owned();
            }),
        ),
        (
            "process_config.entrypoint",
            Box::new(|c| c.process.entrypoint = String::new()),
        ),
        (
            "process_config.entrypoint",
            Box::new(|c| c.process.entrypoint = " ".to_owned()),
        ),
        (
            "process_config.environment[0]",
            Box::new(|c| c.process.env = vec!["NOEQ".to_owned()]),
        ),
        (size, console(0, 80)),
        (size, console(24, 0)),
        (size, console(32_768, 80)),
        (
            "platform",
            Box::new(|c| *c = Command::linux("web", "/", "sh")),
        ),
        (
            "hv_partition",
            Box::new(|c| {
                let windows = c.as_windows_mut().unwrap();
                (windows.isolation, windows.hv_partition) = (Isolation::Process, true);
            }),
        ),
        (
            "resources.memory",
            Box::new(|c| with_limits(c, WindowsResources::default(), 5 << 10)),
        ),
        (
            "resources.cpu_maximum",
            Box::new(|c| {
                let cpu_maximum = 10_001;
                with_limits(
                    c,
                    WindowsResources {
                        cpu_maximum,
                        ..WindowsResources::default()
                    },
                    0,
                );
            }),
        ),
        (
            "an affinity or a number of processes (windows.backend=job has them)",
            Box::new(|c| {
                let processes = 5;
                with_limits(
                    c,
                    WindowsResources {
                        processes,
                        ..WindowsResources::default()
                    },
                    0,
                );
            }),
        ),
    ]
}

#[test]
fn bad_input_is_refused_before_the_service_is_asked_for_anything() {
    let bench = Bench::new(Memory::new());
    let driver = driver(&bench);
    let hooked = Cell::new(false);
    for (wanted, change) in bad(&bench) {
        let mut command = bench.command("exit", &["0"]);
        change(&mut command);
        let hooks = Hooks::none().on_pre_start(|_| {
            hooked.set(true);
            Ok(())
        });
        let answer = driver.run(&command, &RunOptions::default(), Pipes::null(), &hooks);
        assert_eq!(about(answer.expect_err(wanted)), wanted);
        assert_eq!(bench.memory.trace(), [""; 0], "{wanted}");
        assert!(
            driver.list().unwrap().is_empty() && !hooked.get(),
            "{wanted}"
        );
    }
    let command = bench.command("exit", &["0"]);
    let none = Hooks::none();
    driver
        .run(&command, &RunOptions::default(), Pipes::null(), &none)
        .expect("it is good as it was");
}

#[test]
fn bad_input_of_an_exec_is_refused_before_a_hook_runs_and_a_process_is_made() {
    let bench = Bench::new(Memory::new());
    let driver = driver(&bench);
    let own = driver.clone();
    let memory = bench.memory.clone();
    let hooks = Hooks::none().on_start(move |_| {
        let mut console = ProcessConfig::new("cmd");
        console.tty = true;
        console.console_size = Some(WindowSize {
            rows: 0,
            columns: 1,
        });
        let before = memory.trace().len();
        for (wanted, process) in [
            ("process_config.entrypoint", ProcessConfig::new("")),
            ("process_config.entrypoint", ProcessConfig::new("a\"b")),
            ("process_config.console_size", console),
            (
                "process_config.arguments",
                ProcessConfig::new("x").args(["y".repeat(40_000)]),
            ),
        ] {
            let none = Hooks::none().on_pre_start(|_| panic!("nothing starts"));
            let answer = own.exec("web", &ExecRequest::new(process), Pipes::null(), &none);
            assert_eq!(about(answer.unwrap_err()), wanted);
        }
        assert_eq!(memory.trace().len(), before, "{:?}", memory.trace());
        Ok(own.terminate("web")?)
    });
    let command = bench.command("cmd", &[]);
    let status = driver.run(&command, &RunOptions::default(), Pipes::null(), &hooks);
    assert_eq!(status.unwrap().code, 137);
}
