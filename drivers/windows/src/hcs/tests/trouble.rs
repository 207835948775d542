//! A service that fails, never answers, loses notices or goes away.

use super::super::process::UNKNOWN_EXIT;
use super::*;
use std::time::Instant;

const NOT_FOUND: Code = Code::of(0xC037_010E);

fn timed_out(error: &Error) -> &str {
    match error {
        Error::Timeout { operation } => operation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_operation_whose_end_is_never_told_is_a_timeout_that_names_it() {
    for call in [
        "HcsCreateComputeSystem",
        "HcsStartComputeSystem",
        "HcsTerminateComputeSystem",
    ] {
        let memory = Memory::new().trouble(call, Trouble::Loses);
        let bench = Bench::hasty(memory.clone());
        let begun = Instant::now();
        let lived = bench.create(&bench.command("cmd", &[])).and_then(|system| {
            system.start()?;
            system.terminate(1)
        });
        let error = lived.unwrap_err();
        assert!(timed_out(&error).starts_with(call), "{call}: {error}");
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{call}: {:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn what_a_late_answer_gives_is_taken_away_again() {
    let memory = Memory::new().trouble("HcsCreateComputeSystem", Trouble::Hangs);
    let bench = Bench::hasty(memory.clone());
    assert!(bench.create(&bench.command("cmd", &[])).is_err());
    memory.let_go();
    let begun = Instant::now();
    while !memory.systems().is_empty()
        || !memory.trace().iter().any(|l| l.starts_with("HcsTerminate"))
    {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{:?}",
            memory.trace()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_failure_tells_the_call_the_container_the_code_and_the_events() {
    let answer = r#"{"Error":-1,"ErrorMessage":"bad","ErrorEvents":[{"Message":"no layer"}]}"#;
    let code = Code::of(0xC037_010D);
    let memory = Memory::new().trouble("HcsCreateComputeSystem", Trouble::Fails(code, answer));
    let bench = Bench::new(memory);
    let error = bench.create(&bench.command("cmd", &[])).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        source,
        "HcsCreateComputeSystem of container \"web\": the compute service could not read the document (0xC037010D): \
         bad; no layer"
    );
}

#[test]
fn a_function_that_the_library_lacks_is_unsupported_by_name() {
    let missing = Trouble::Fails(super::super::service::NO_FUNCTION, "");
    let bench = Bench::new(Memory::new().trouble("HcsSignalProcess", missing));
    let system = bench.started();
    let created = process(&system, &program("cmd", "")).unwrap();
    let error = created
        .process
        .signal(execdriver_core::Signal::TERM)
        .unwrap_err();
    assert!(
        matches!(&error, Error::Unsupported { operation, .. } if operation.contains("HcsSignalProcess"))
    );
}

/// Windows before 10 1809: the end of a container is asked for as Docker asked for it; an exec's is not, as that would be the
/// end of its container.
#[test]
fn where_no_console_event_can_be_sent_term_shuts_the_container_down() {
    use execdriver_core::{Driver, ExecRequest, Hooks, Pipes, RunOptions, Signal, Target};
    let bench = Bench::new(Memory::new());
    let backend = HcsBackend::new(Arc::new(bench.memory.clone()), bench.settings.clone());
    let (root, settings) = (bench.path("state"), crate::settings::Settings::default());
    let driver = crate::WindowsDriver::over(Arc::new(backend), &root, settings).unwrap();
    let (own, memory) = (driver.clone(), bench.memory.clone());
    let hooks = Hooks::none().on_start(move |_| {
        let lacks = || {
            let missing = Trouble::Fails(super::super::service::NO_FUNCTION, "");
            let _ = memory.clone().trouble("HcsSignalProcess", missing);
        };
        let in_exec = Hooks::none().on_start(|context| {
            lacks();
            let exec = context.exec_id.unwrap_or_default().to_owned();
            let container = context.id.to_owned();
            let target = Target::Exec { container, exec };
            let refused = own.kill(&target, Signal::TERM);
            assert!(
                matches!(refused, Err(Error::Unsupported { .. })),
                "{refused:?}"
            );
            Ok(own.kill(&target, Signal::KILL)?)
        });
        let request = ExecRequest::new(ProcessConfig::new("cmd"));
        own.exec("web", &request, Pipes::null(), &in_exec)?;
        lacks();
        let refused = own.kill(&Target::from("web"), Signal::INT);
        assert!(
            matches!(refused, Err(Error::Unsupported { .. })),
            "{refused:?}"
        );
        lacks();
        Ok(own.kill(&Target::from("web"), Signal::TERM)?)
    });
    let command = bench.command("cmd", &[]);
    let ran = driver.run(&command, &RunOptions::default(), Pipes::null(), &hooks);
    ran.unwrap();
    let calls = calls(&bench.memory);
    let shut = calls
        .iter()
        .position(|call| call == "HcsShutdownComputeSystem");
    let signalled = calls.iter().rposition(|call| call == "HcsSignalProcess");
    assert!(shut > signalled && signalled.is_some(), "{calls:?}");
    assert!(
        !calls.contains(&"HcsTerminateComputeSystem".to_owned()),
        "{calls:?}"
    );
}

/// The contract's section 6: with `forcekill` every signal is a termination.
#[test]
fn forcekill_terminates_where_a_console_event_or_a_shutdown_would_ask() {
    use execdriver_core::{Driver, Hooks, Pipes, RunOptions, Signal, Target};
    let bench = Bench::new(Memory::new());
    let backend = HcsBackend::new(Arc::new(bench.memory.clone()), bench.settings.clone());
    let settings = crate::settings::Settings {
        force_kill: true,
        ..crate::settings::Settings::default()
    };
    let root = bench.path("state");
    let driver = crate::WindowsDriver::over(Arc::new(backend), &root, settings).unwrap();
    let own = driver.clone();
    let hooks = Hooks::none().on_start(|_| Ok(own.kill(&Target::from("web"), Signal::TERM)?));
    let command = bench.command("cmd", &[]);
    let ran = driver.run(&command, &RunOptions::default(), Pipes::null(), &hooks);
    assert_eq!(ran.unwrap().code, 137);
    let calls = calls(&bench.memory);
    assert!(
        calls.contains(&"HcsTerminateComputeSystem".to_owned()),
        "{calls:?}"
    );
    for asks in ["HcsSignalProcess", "HcsShutdownComputeSystem"] {
        assert!(!calls.contains(&asks.to_owned()), "{calls:?}");
    }
}

#[test]
fn a_process_that_cannot_be_heard_of_is_ended_by_who_made_it_and_by_nobody_else() {
    let bench = Bench::new(Memory::new());
    let system = bench.started();
    let made = process(&system, &program("cmd", "")).unwrap();
    let deaf = || Trouble::Fails(Code::win32(50), "");
    let _ = bench
        .memory
        .clone()
        .trouble("HcsRegisterProcessCallback", deaf());
    assert!(system.open_process(made.process.identity()).is_err());
    assert_eq!(system.processes().unwrap().len(), 1);
    let _ = bench
        .memory
        .clone()
        .trouble("HcsRegisterProcessCallback", deaf());
    assert!(process(&system, &program("cmd", "")).is_err());
    assert_eq!(system.processes().unwrap().len(), 1);
}

#[test]
fn an_operation_that_fails_later_fails_and_the_container_is_ended() {
    let memory = Memory::new().trouble("HcsStartComputeSystem", Trouble::Ends(Code::win32(5)));
    let bench = Bench::new(memory);
    let system = bench.create(&bench.command("cmd", &[])).unwrap();
    assert!(system.start().is_err());
    assert!(
        bench.memory.systems().is_empty(),
        "a system that could not start was left"
    );
}

#[test]
fn a_lost_notice_of_an_exit_is_made_up_for_by_asking() {
    // Of a process that was terminated.
    let memory = Memory::new().trouble("HcsTerminateProcess", Trouble::Loses);
    let bench = Bench::new(memory);
    let system = bench.started();
    let created = process(&system, &program("cmd", "")).unwrap();
    created.process.terminate(9).unwrap();
    assert_eq!(created.process.wait(None).unwrap(), Some(9));
    // Of one that ended by itself.
    let created = process(&system, &program("cmd", "")).unwrap();
    bench.memory.exit(created.process.identity().pid, 7, false);
    assert_eq!(created.process.wait(None).unwrap(), Some(7));
}

#[test]
fn a_look_in_passing_that_is_not_answered_is_no_end_of_a_container_that_runs() {
    let bench = Bench::hasty(Memory::new());
    let created = process(&bench.started(), &program("cmd", "")).unwrap();
    bench.memory.silence(&["HcsGetProcessProperties"]);
    std::thread::scope(|scope| {
        let wait = scope.spawn(|| created.process.wait(None));
        let begun = Instant::now();
        let looks = || {
            let trace = bench.memory.trace();
            let looks = trace.iter().filter(|l| l.starts_with("HcsGetProcessP"));
            looks.count()
        };
        while looks() < 2 && !wait.is_finished() {
            assert!(begun.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(5));
        }
        bench.memory.let_go();
        bench.memory.exit(created.process.identity().pid, 7, true);
        assert_eq!(wait.join().unwrap().unwrap(), Some(7));
    });
}

#[test]
fn a_lost_notice_of_the_end_of_a_container_is_made_up_for_by_asking() {
    let memory = Memory::new().trouble("HcsTerminateComputeSystem", Trouble::Loses);
    let gone = || Trouble::Fails(NOT_FOUND, "");
    let memory = memory.trouble("HcsGetComputeSystemProperties", gone());
    let bench = Bench::new(memory.trouble("HcsGetComputeSystemProperties", gone()));
    let system = bench.started();
    system.terminate(1).unwrap();
}

#[test]
fn a_container_killed_elsewhere_is_no_failed_start() {
    let bench = Bench::new(Memory::new());
    let system = bench.started();
    let created = process(&system, &program("cmd", "")).unwrap();
    bench.elsewhere().unwrap().terminate(1).unwrap();
    assert_eq!(created.process.wait(None).unwrap(), Some(137));
    // 0x8007006D: the pipe to the process has ended.
    let pipe = Trouble::Fails(Code::win32(109), "");
    let bench = Bench::new(Memory::new().trouble("HcsGetProcessProperties", pipe));
    let created = process(&bench.started(), &program("exit", "3")).unwrap();
    assert_eq!(created.process.wait(None).unwrap(), Some(UNKNOWN_EXIT));
}

#[test]
fn a_wait_that_fails_otherwise_is_an_error_and_so_is_a_service_that_went_away() {
    let denied = Trouble::Fails(Code::win32(5), "");
    let bench = Bench::new(Memory::new().trouble("HcsGetProcessProperties", denied));
    let created = process(&bench.started(), &program("exit", "3")).unwrap();
    assert!(created.process.wait(None).is_err());
    let bench = Bench::new(Memory::new());
    let created = process(&bench.started(), &program("cmd", "")).unwrap();
    bench.memory.disconnect();
    let error = created.process.wait(None).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        source.starts_with("lost communication with the compute service"),
        "{source}"
    );
}

#[test]
fn a_wait_ends_at_its_limit_and_a_signal_that_blocks_does_not_block_its_sender() {
    let bench = Bench::hasty(Memory::new().trouble("HcsSignalProcess", Trouble::Hangs));
    let created = process(&bench.started(), &program("cmd", "")).unwrap();
    assert_eq!(
        created
            .process
            .wait(Some(Duration::from_millis(5)))
            .unwrap(),
        None
    );
    created
        .process
        .signal(execdriver_core::Signal::TERM)
        .unwrap();
    bench.memory.let_go();
}

#[test]
fn a_program_that_cannot_be_started_is_told_by_its_code() {
    for (code, wanted) in [
        (2, 127),
        (3, 127),
        (5, 126),
        (193, 126),
        (267, 125),
        (10_022, 125),
    ] {
        let fails = Trouble::Fails(Code::win32(code), "");
        let bench = Bench::new(Memory::new().trouble("HcsCreateProcess", fails));
        let Err(error) = process(&bench.started(), &program("foo", "")) else {
            panic!("{code} is a failure");
        };
        assert_eq!(error.exit_code(), wanted, "{error}");
    }
}
