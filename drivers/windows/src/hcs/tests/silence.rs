//! A service that never answers, function by function: each call ends in a `Timeout` that names it, within its bound, and
//! the container can still be ended.

use super::*;
use crate::backend::Process;
use crate::driver::WindowsDriver;
use crate::settings::Settings;
use execdriver_core::{
    Driver, ExecRequest, Hooks, Network, NetworkInterface, Pipes, Resources, RunOptions, Signal,
    Target, WindowSize,
};
use std::time::Instant;

/// Every function of the service's, in its table's order.
const FUNCTIONS: [&str; 23] = [
    "HcsCreateComputeSystem",
    "HcsOpenComputeSystem",
    "HcsCloseComputeSystem",
    "HcsStartComputeSystem",
    "HcsShutdownComputeSystem",
    "HcsTerminateComputeSystem",
    "HcsGetComputeSystemProperties",
    "HcsRegisterComputeSystemCallback",
    "HcsUnregisterComputeSystemCallback",
    "HcsCreateProcess",
    "HcsOpenProcess",
    "HcsCloseProcess",
    "HcsTerminateProcess",
    "HcsGetProcessProperties",
    "HcsRegisterProcessCallback",
    "HcsUnregisterProcessCallback",
    "HcsPauseComputeSystem",
    "HcsResumeComputeSystem",
    "HcsModifyComputeSystem",
    "HcsSignalProcess",
    "HcsModifyProcess",
    "NameToGuid",
    "HNSCall",
];

#[cfg(windows)]
#[test]
fn the_functions_that_are_tried_are_those_of_the_table() {
    assert_eq!(crate::sys::hcs::functions(), FUNCTIONS);
}

/// A virtual machine that runs, in a container of which one process has ended and one runs.
struct Running {
    bench: Bench,
    system: Arc<dyn ComputeSystem>,
    ended: Arc<dyn Process>,
    runs: Arc<dyn Process>,
}

impl Running {
    fn new() -> Self {
        let settings = HcsSettings {
            isolation: Isolation::HyperV,
            bound: BOUND,
            ..HcsSettings::default()
        };
        let bench = Bench::with(Memory::new(), settings);
        let system = bench.started();
        let ended = process(&system, &program("exit", "3")).unwrap().process;
        let runs = process(&system, &program("cmd", "")).unwrap().process;
        Self {
            bench,
            system,
            ended,
            runs,
        }
    }

    fn another(&self, name: &str, networked: bool) -> Result<()> {
        let mut command = self.bench.command("cmd", &[]);
        command.id = name.to_owned();
        command.network = networked.then(|| Network {
            interface: Some(NetworkInterface {
                bridge: "nat".to_owned(),
                ..NetworkInterface::default()
            }),
            ..Network::default()
        });
        self.bench.create(&command)?.start()
    }

    /// Does what needs this function; `None` for those of which nobody waits for an answer.
    fn call(&self, function: &str) -> Option<Result<()>> {
        let limits = Limits {
            cpu: Change::Set(Cpu::Weight(1)),
            ..Limits::default()
        };
        let size = WindowSize {
            rows: 1,
            columns: 1,
        };
        let name = SystemName::new(Path::new("/run"), &ContainerId::parse("web").unwrap());
        let identity = self.runs.identity();
        Some(match function {
            "NameToGuid"
            | "HcsCreateComputeSystem"
            | "HcsRegisterComputeSystemCallback"
            | "HcsStartComputeSystem" => self.another("other", false),
            "HNSCall" => self.another("other", true),
            "HcsOpenComputeSystem" => self.bench.backend.open(&name).map(drop),
            "HcsGetComputeSystemProperties" => self.system.processes().map(drop),
            "HcsModifyComputeSystem" => self.system.modify(&Limits::default(), &limits),
            "HcsPauseComputeSystem" => self.system.pause().map(drop),
            "HcsResumeComputeSystem" => self.system.resume(&[]),
            "HcsShutdownComputeSystem" => self.system.shutdown(BOUND).map(drop),
            "HcsTerminateComputeSystem" => self.system.terminate(1),
            "HcsCreateProcess" | "HcsRegisterProcessCallback" => {
                process(&self.system, &program("cmd", "")).map(drop)
            }
            "HcsOpenProcess" => self.system.open_process(identity).map(drop),
            "HcsTerminateProcess" => self.runs.terminate(1),
            "HcsSignalProcess" => self.runs.signal(Signal::TERM),
            "HcsModifyProcess" => self.runs.resize(size),
            "HcsGetProcessProperties" => self.ended.wait(None).map(drop),
            _ => return None,
        })
    }
}

/// Returns within a time that no bound comes near, but a service that never answers exceeds.
fn soon<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = act();
    assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
    done
}

/// Defect 30 of the original: it waited for ever.
#[test]
fn windows_every_function_that_never_answers_is_a_timeout_that_names_it_and_the_container_ends() {
    // All at once, as each takes its bound.
    std::thread::scope(|scope| {
        for function in FUNCTIONS {
            scope.spawn(move || silent(function));
        }
    });
}

fn silent(function: &'static str) {
    let running = Running::new();
    let memory = running.bench.memory.clone();
    match function {
        // It may block until the program has ended; that nothing else answers tells that it never will.
        "HcsSignalProcess" => memory.silence(&[function, "HcsGetComputeSystemProperties"]),
        _ => memory.silence(&[function]),
    }
    if let Some(answer) = soon(function, || running.call(function)) {
        match answer {
            Err(Error::Timeout { operation }) => {
                assert!(operation.starts_with(function), "{function}: {operation}");
            }
            other => panic!("{function}: {other:?}"),
        }
    }
    if function != "HcsTerminateComputeSystem" {
        let end = || match function {
            // As another program does, which cannot hear of it.
            "HcsRegisterComputeSystemCallback" => running.bench.elsewhere().unwrap().terminate(1),
            _ => running.system.terminate(1),
        };
        soon(function, end).expect(function);
        let left = memory.systems();
        assert!(
            left.iter().all(|name| name.contains("other")),
            "{function}: {left:?}"
        );
    }
    // Handles are given back without anybody waiting for ever.
    let Running {
        bench,
        system,
        ended,
        runs,
    } = running;
    soon(function, || drop((system, ended, runs)));
    memory.let_go();
    let begun = Instant::now();
    while memory.open() > 0 {
        let trace = memory.trace();
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{function}: {trace:?}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(memory.systems().is_empty(), "{function}");
    drop(bench);
}

#[test]
fn a_driver_over_a_service_that_answers_nothing_any_more_says_so_of_every_verb() {
    let bench = Bench::hasty(Memory::new());
    let backend = HcsBackend::new(Arc::new(bench.memory.clone()), bench.settings.clone());
    let driver = WindowsDriver::over(Arc::new(backend), &bench.path("state"), Settings::default());
    let driver = driver.unwrap();
    let (own, memory) = (driver.clone(), bench.memory.clone());
    let hooks = Hooks::none().on_start(move |_| {
        memory.silence(&FUNCTIONS);
        let exec = ExecRequest::new(ProcessConfig::new("cmd"));
        let limits = Resources {
            cpu_shares: 5,
            ..Resources::default()
        };
        let web = || Target::from("web");
        let size = WindowSize {
            rows: 1,
            columns: 1,
        };
        let verbs: [(&str, &(dyn Fn() -> Result<()> + Sync)); 12] = [
            ("kill 9", &|| own.kill(&web(), Signal::KILL)),
            ("kill 15", &|| own.kill(&web(), Signal::TERM)),
            ("exec", &|| {
                own.exec("web", &exec, Pipes::null(), &Hooks::none())
                    .map(drop)
            }),
            ("resize", &|| own.resize(&web(), size)),
            ("pause", &|| own.pause("web")),
            ("pids", &|| own.pids("web").map(drop)),
            ("stats", &|| own.stats("web").map(drop)),
            ("update", &|| own.update("web", &limits)),
            ("terminate", &|| own.terminate("web")),
            ("clean", &|| own.clean("web")),
            ("list", &|| own.list().map(drop)),
            ("unpause", &|| own.unpause("web")),
        ];
        // All at once: those that change a state wait for each other, the others for nobody.
        std::thread::scope(|scope| {
            for (verb, act) in verbs {
                scope.spawn(move || match soon(verb, act) {
                    Err(Error::Timeout { operation }) => {
                        assert!(operation.starts_with("Hcs"), "{verb}: {operation}");
                    }
                    other => panic!("{verb}: {other:?}"),
                });
            }
        });
        memory.let_go();
        Ok(own.terminate("web")?)
    });
    let command = bench.command("cmd", &[]);
    let status = driver.run(&command, &RunOptions::default(), Pipes::null(), &hooks);
    assert_eq!(status.unwrap().code, 137);
    assert!(driver.list().unwrap().is_empty());
}

#[test]
fn terminate_works_while_another_thread_waits_for_a_verb_that_is_never_answered() {
    let bench = Bench::new(Memory::new());
    let backend = HcsBackend::new(Arc::new(bench.memory.clone()), bench.settings.clone());
    let driver = WindowsDriver::over(Arc::new(backend), &bench.path("state"), Settings::default());
    let driver = driver.unwrap();
    let (own, memory) = (driver.clone(), bench.memory.clone());
    let hooks = Hooks::none().on_start(move |_| {
        memory.silence(&["HcsModifyComputeSystem"]);
        let limits = Resources {
            cpu_shares: 5,
            ..Resources::default()
        };
        std::thread::scope(|scope| {
            let update = scope.spawn(|| own.update("web", &limits));
            while !memory.trace().iter().any(|l| l.starts_with("HcsModifyC")) {
                std::thread::sleep(Duration::from_millis(1));
            }
            // It has the lock, and minutes to wait.
            soon("terminate", || own.terminate("web")).unwrap();
            assert!(memory.systems().is_empty());
            memory.let_go();
            assert!(update.join().is_ok_and(|answer| answer.is_err()));
        });
        Ok(())
    });
    let command = bench.command("cmd", &[]);
    let status = driver.run(&command, &RunOptions::default(), Pipes::null(), &hooks);
    assert_eq!(status.unwrap().code, 137);
}
