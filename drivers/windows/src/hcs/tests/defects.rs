//! The defects of the original's Windows driver, one by one. Of those that the contract lists (30), the order of ports stands
//! in `network`, stats and pids in `properties`, pause in `tests::pause`, update in `tests`, waits without end in `tests::silence`.

use super::*;
use execdriver_core::{Driver, ExecRequest, Hooks, Pipes, RunOptions};

/// Refused, with the field, before the service was asked for anything.
fn refused(bench: &Bench, command: &Command) -> String {
    let before = bench.memory.trace().len();
    let error = match bench.create(command) {
        Err(Error::InvalidCommand { field, .. }) => field,
        Err(other) => other.to_string(),
        Ok(_) => panic!("it was created"),
    };
    assert_eq!(
        bench.memory.trace().len(),
        before,
        "{:?}",
        bench.memory.trace()
    );
    error
}

#[test]
fn windows_folders_that_do_not_exist_are_refused_before_anything_is_created() {
    let bench = Bench::new(Memory::new());
    let change = |change: &dyn Fn(&mut Command)| {
        let mut command = bench.command("cmd", &[]);
        change(&mut command);
        refused(&bench, &command)
    };
    let gone = bench.path("gone");
    let layer = |c: &mut Command| c.as_windows_mut().unwrap().layer_paths[1].clone_from(&gone);
    assert_eq!(change(&layer), "layer_paths[1]");
    let none = |c: &mut Command| c.as_windows_mut().unwrap().layer_paths.clear();
    assert_eq!(change(&none), "layer_paths");
    let scratch = |c: &mut Command| c.as_windows_mut().unwrap().layer_folder.clone_from(&gone);
    assert_eq!(change(&scratch), "layer_folder");
    let mount = |c: &mut Command| {
        c.mounts = vec![execdriver_core::Mount::bind(&gone, r"c:\data")];
    };
    assert_eq!(change(&mount), "mounts[0].source");
    assert_eq!(change(&|c| c.rootfs = "".into()), "rootfs");
    assert_eq!(
        change(&|c| c.process.entrypoint = "".into()),
        "process_config.entrypoint"
    );
    assert_eq!(
        change(&|c| c.process.entrypoint = "a\"b".into()),
        "process_config.entrypoint"
    );
    let console = |c: &mut Command| {
        c.process.tty = true;
        c.process.console_size = Some(execdriver_core::WindowSize {
            rows: 0,
            columns: 80,
        });
    };
    assert_eq!(change(&console), "process_config.console_size");
    let linux = Command::linux("web", "/", "sh");
    assert_eq!(
        refused(&bench, &linux),
        "driver \"windows\" cannot run a linux command"
    );
}

/// The original's option and its command's field could only turn Hyper-V on.
#[test]
fn windows_isolation_process_undoes_hyperv() {
    let isolation = Isolation::HyperV;
    let settings = HcsSettings {
        isolation,
        ..HcsSettings::default()
    };
    let bench = Bench::with(Memory::new(), settings);
    let mut command = bench.command("cmd", &[]);
    command.as_windows_mut().unwrap().isolation = Isolation::Process;
    drop(bench.create(&command).unwrap());
    let made = |bench: &Bench| {
        let trace = bench.memory.trace();
        trace
            .into_iter()
            .rfind(|l| l.starts_with("HcsCreateComputeSystem"))
            .unwrap()
    };
    assert!(made(&bench).contains("SchemaVersion"), "{}", made(&bench));
    command.as_windows_mut().unwrap().isolation = Isolation::Default;
    drop(bench.create(&command).unwrap());
    assert!(
        made(&bench).contains("\"HvPartition\":true"),
        "{}",
        made(&bench)
    );
    let both = command.as_windows_mut().unwrap();
    (both.isolation, both.hv_partition) = (Isolation::Process, true);
    assert_eq!(refused(&bench, &command), "hv_partition");
}

/// The original kept a system whose start had failed.
#[test]
fn windows_failed_start_leaves_no_compute_system() {
    let fails = Trouble::Fails(Code::win32(5), "");
    let bench = Bench::new(Memory::new().trouble("HcsStartComputeSystem", fails));
    let system = bench.create(&bench.command("cmd", &[])).unwrap();
    assert!(system.start().is_err());
    assert!(bench.memory.systems().is_empty());
    drop(system);
    assert_eq!(bench.memory.open(), 0);
}

/// The original's `err` was shadowed: a kill that failed was reported as done.
#[test]
fn windows_kill_reports_its_failure() {
    let fails = || Trouble::Fails(Code::win32(1), "");
    let memory = Memory::new()
        .trouble("HcsTerminateProcess", fails())
        .trouble("HcsTerminateComputeSystem", fails());
    let bench = Bench::new(memory);
    let system = bench.started();
    let created = process(&system, &program("cmd", "")).unwrap();
    assert!(created.process.terminate(9).is_err());
    assert!(system.terminate(9).is_err());
    system.terminate(9).unwrap();
}

#[test]
fn windows_exec_limit_is_told_in_the_originals_words() {
    let fails = Trouble::Fails(Code::of(0x8007_2726), "");
    let bench = Bench::new(Memory::new().trouble("HcsCreateProcess", fails));
    let Err(error) = process(&bench.started(), &program("cmd", "")) else {
        panic!("the limit is reached");
    };
    let wanted = "limit of docker execs per Hyper-V container has been exceeded";
    assert!(error.to_string().contains(wanted), "{error}");
}

/// The original split at every `=` and dropped what had more than one; and it quoted arguments, but no program.
#[test]
fn windows_env_values_keep_their_equals_signs_and_a_program_with_a_space_is_quoted() {
    let bench = Bench::new(Memory::new());
    let mut config = program(r"C:\Program Files\x.exe", "a b");
    config.env = vec!["A=x=y".to_owned(), "B==".to_owned()];
    drop(process(&bench.started(), &config).unwrap());
    let trace = bench.memory.trace();
    let made = trace.iter().find(|l| l.starts_with("HcsCreateProcess"));
    let made = made.unwrap();
    for wanted in [
        r#""CommandLine":"\"C:\\Program Files\\x.exe\" \"a b\"""#,
        r#""Environment":{"A":"x=y","B":"="}"#,
    ] {
        assert!(made.contains(wanted), "{made}");
    }
}

fn driver(bench: &Bench) -> crate::WindowsDriver {
    let backend = HcsBackend::new(Arc::new(bench.memory.clone()), bench.settings.clone());
    let settings = crate::settings::Settings::default();
    crate::WindowsDriver::over(Arc::new(backend), &bench.path("state"), settings).unwrap()
}

/// The original's list of active containers only grew: an exec into one that had ended was let through.
#[test]
fn windows_finished_containers_leave_the_list_and_take_no_exec() {
    let bench = Bench::new(Memory::new());
    let driver = driver(&bench);
    let (options, none) = (RunOptions::default(), Hooks::none());
    let command = bench.command("exit", &["3"]);
    let status = driver.run(&command, &options, Pipes::null(), &none);
    assert_eq!(status.unwrap().code, 3);
    assert!(driver.list().unwrap().is_empty());
    let before = bench.memory.trace().len();
    let request = ExecRequest::new(ProcessConfig::new("cmd"));
    let late = driver.exec("web", &request, Pipes::null(), &none);
    assert!(matches!(late, Err(Error::NotFound { .. })), "{late:?}");
    assert_eq!(bench.memory.trace().len(), before);
}

/// The original's copier of input, and the service's pipe with it, stayed for as long as the caller's end gave something.
/// A read of the caller's own cannot be interrupted everywhere; with its next return the copier ends.
#[test]
fn windows_stdin_copier_ends_with_the_container_although_its_input_stays_open() {
    use std::io::Write;
    let bench = Bench::new(Memory::new());
    let driver = driver(&bench);
    let (input, mut open) = os_pipe::pipe().unwrap();
    let pipes = Pipes::null().stdin(input);
    let command = bench.command("exit", &["0"]);
    let status = driver.run(&command, &RunOptions::default(), pipes, &Hooks::none());
    assert_eq!(status.unwrap().code, 0);
    assert_eq!(bench.memory.open(), 0);
    // Nobody reads any more, now or after the one read that was waiting.
    let begun = std::time::Instant::now();
    while open.write_all(b"x").is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
}
