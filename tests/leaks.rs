//! Two hundred runs, most of which fail in one way or another, leave nothing behind.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
mod support;

use contract::{Bench, chain, process, refused};
use execdriver::{
    Command, Error, ExecRequest, ExitReason, Hooks, Mount, Options, Pipes, Registry, RunOptions,
    Signal, Stdio, Target,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use support::{Baseline, alone, is_root};

/// How many runs in all.
const RUNS: usize = 200;

/// One way in which a run goes, and the check that it went so.
type Case = fn(&Bench, &str);

/// The good and the bad ones alike.
const CASES: [(&str, Case); 22] = [
    ("a program that ends well", ends_well),
    ("a program that a signal ends", dies_by_itself),
    ("a rootfs that is not there", missing_rootfs),
    ("a rootfs that is a symbolic link", linked_rootfs),
    ("a rootfs without a single directory", file_as_rootfs),
    ("a program that is not there", missing_program),
    ("a directory as program", directory_as_program),
    ("an unknown user", unknown_user),
    ("a working directory that is a file", file_as_cwd),
    ("a volume whose source is not there", missing_volume),
    ("a tmpfs with an option that no tmpfs has", bad_tmpfs),
    ("an option that the driver does not have", bad_option),
    ("a control that cannot be had", unsupported_control),
    ("a PreStart hook that fails", failing_pre_start),
    ("a Start hook that fails", failing_start),
    ("a PostStop hook that fails", failing_post_stop),
    ("a PreStart hook that panics", panicking_pre_start),
    ("a Start hook that panics", panicking_start),
    ("a program that runs out of time", timed_out),
    ("a program that is killed", killed),
    ("a program on a terminal", on_a_terminal),
    ("an exec that cannot be executed", failing_exec),
];

/// One of its process, one of its state's directory, and the ends of its two outputs.
const FEW: usize = 4;

#[test]
fn a_container_that_runs_on_keeps_few_descriptors_of_its_host() {
    let _alone = alone();
    let bench = Bench::new();
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    // What the first container of a process opens for all of them.
    ends_well(&bench, "first");
    let (before, id) = (open(), "rests");
    let command = command(&bench, id, &["pause"]);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| bench.run(&command).status);
        let target = Target::from(id);
        let runs = || bench.driver.kill(&target, Signal::new(0).unwrap()).is_ok();
        let (ran, rests) = (comes(runs), comes(|| open() <= before + FEW));
        // What was let go of is there again when it ends. An ordinary user may have no cgroup to pause.
        let paused = is_root().then(|| bench.driver.pause(id));
        // Judged after it: a failure that left the program running would wait for it for ever.
        bench.driver.terminate(id).unwrap();
        let status = run.join().unwrap();
        assert!(ran && rests, "{ran} {rests}");
        assert!(matches!(paused, None | Some(Ok(()))), "{paused:?}");
        assert_eq!(status.reason, ExitReason::KilledByCaller);
        assert!(status.cpu_user.is_some() && status.cleanup_error.is_none());
    });
    assert!(comes(|| open() <= before), "not everything is closed");
    assert!(bench.driver.list().unwrap().is_empty());
}

/// Whether it comes true within a minute.
fn comes(done: impl Fn() -> bool) -> bool {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !done() {
        if std::time::Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

#[test]
fn two_hundred_runs_that_succeed_and_fail_leave_nothing_behind() {
    let _alone = alone();
    let bench = Bench::new();
    std::fs::write(bench.rootfs.outside().join("file"), "").unwrap();
    // Panicking hooks are expected; the harness need not show a hundred of them.
    std::panic::set_hook(Box::new(|info| {
        if !info.to_string().contains("a hook's own") {
            eprintln!("{info}");
        }
    }));
    let ids: Vec<String> = (0..RUNS).map(|_| support::unique_id("leak")).collect();
    // What a process makes once is no leak.
    bench.says(&["true"]);
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let baseline = Baseline::take(&bench.rootfs, &all);
    for (id, (what, case)) in ids.iter().zip(CASES.iter().cycle()) {
        let went = catch_unwind(AssertUnwindSafe(|| case(&bench, id)));
        assert!(went.is_ok(), "{what} went another way");
        // What another process would be told of it: nothing.
        let left = bench.driver.list().unwrap();
        assert!(left.is_empty(), "after {what}: {left:?}");
    }
    baseline.assert_back();
    for id in &ids {
        bench.driver.clean(id).unwrap();
    }
}

/// Whether this is the test of leaks itself that can see one of each kind.
#[test]
fn a_descriptor_a_thread_a_child_and_a_state_directory_are_seen() {
    let _alone = alone();
    let bench = Bench::new();
    bench.says(&["true"]);
    let baseline = Baseline::take(&bench.rootfs, &["leak-seen"]);
    let descriptor = std::fs::File::open("/dev/null").unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || stopped.recv().is_err());
    let mut child = std::process::Command::new("/bin/sleep")
        .arg("100")
        .spawn()
        .unwrap();
    let state = bench.rootfs.state().join("execdriver/native/leak-seen");
    std::fs::create_dir_all(&state).unwrap();
    let left = baseline.left().join("\n");
    for kind in ["descriptors", "threads", "children", "state directories"] {
        assert!(left.contains(kind), "{kind}: {left}");
    }
    drop((descriptor, stop));
    assert!(thread.join().unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_dir(state).unwrap();
    baseline.assert_back();
}

fn command(bench: &Bench, id: &str, words: &[&str]) -> Command {
    Command {
        id: id.to_owned(),
        ..bench.command(words)
    }
}

#[track_caller]
fn refuses(bench: &Bench, command: &Command, wanted: &str) -> Error {
    let (error, text) = refused(bench.try_run(command));
    assert!(text.contains(wanted), "{text}");
    error
}

fn ends_well(bench: &Bench, id: &str) {
    // All kinds of streams, so that their descriptors and threads come and go.
    let pipes = Pipes::null().stdin(Stdio::reader(&b"text"[..]));
    let outcome = bench.run_with(&command(bench, id, &["cat"]), pipes, &Hooks::none());
    assert_eq!((outcome.status.code, &*outcome.out), (0, "text"));
}

fn dies_by_itself(bench: &Bench, id: &str) {
    // Not as PID 1, which no signal of its own ends.
    let command = command(bench, id, &["signal", "11"]).with_linux(|linux| linux.init = true);
    let status = bench.run(&command).status;
    assert_eq!(status.signal.map(Signal::number), Some(11));
}

fn missing_rootfs(bench: &Bench, id: &str) {
    let command = Command::linux(id, bench.rootfs.all().join("none"), "/bin/true");
    refuses(bench, &command, "none");
}

fn linked_rootfs(bench: &Bench, id: &str) {
    let link = bench.rootfs.all().join("link");
    // There from an earlier round, perhaps.
    let _ = std::os::unix::fs::symlink(bench.rootfs.path(), &link);
    refuses(bench, &Command::linux(id, link, "/bin/true"), "link");
}

fn file_as_rootfs(bench: &Bench, id: &str) {
    let file = bench.rootfs.outside().join("file");
    refuses(bench, &Command::linux(id, file, "/bin/true"), "file");
}

fn missing_program(bench: &Bench, id: &str) {
    let error = refuses(bench, &command(bench, id, &["/bin/none"]), "/bin/none");
    assert_eq!(error.exit_code(), 127);
}

fn directory_as_program(bench: &Bench, id: &str) {
    let error = refuses(bench, &command(bench, id, &["/etc"]), "/etc");
    assert_eq!(error.exit_code(), 126);
}

fn unknown_user(bench: &Bench, id: &str) {
    let mut command = command(bench, id, &["true"]);
    command.process.user = "stranger".to_owned();
    refuses(bench, &command, "stranger");
}

fn file_as_cwd(bench: &Bench, id: &str) {
    let mut command = command(bench, id, &["true"]);
    command.working_dir = "/etc/passwd".to_owned();
    refuses(bench, &command, "/etc/passwd");
}

fn missing_volume(bench: &Bench, id: &str) {
    let mut command = command(bench, id, &["true"]);
    let source = bench.rootfs.outside().join("none");
    command.mounts.push(Mount::bind(source, "/srv/volume"));
    refuses(bench, &command, "none");
}

fn bad_tmpfs(bench: &Bench, id: &str) {
    let mut command = command(bench, id, &["true"]);
    command.mounts.push(Mount::tmpfs("/srv", "foobar"));
    refuses(bench, &command, "foobar");
}

fn bad_option(bench: &Bench, _: &str) {
    let registry = Registry::with_builtin();
    let options = Options::parse(["native.none=1"]).unwrap();
    let opened = registry.open("native", &bench.rootfs.state(), options);
    let error = opened.err().unwrap();
    assert!(matches!(error, Error::UnknownOption { .. }), "{error:?}");
}

fn unsupported_control(bench: &Bench, id: &str) {
    let command = command(bench, id, &["true"])
        .with_linux(|linux| linux.apparmor_profile = "some-profile".to_owned());
    let (error, text) = refused(bench.try_run(&command));
    // A kernel that has AppArmor knows no such profile.
    let refused = matches!(
        error,
        Error::Unsupported { .. } | Error::InvalidCommand { .. }
    );
    assert!(refused, "{text}");
}

fn failing_pre_start(bench: &Bench, id: &str) {
    let hooks = Hooks::none().on_pre_start(|_| Err("no".into()));
    hook_fails(bench, id, &hooks);
}

fn failing_start(bench: &Bench, id: &str) {
    hook_fails(bench, id, &Hooks::none().on_start(|_| Err("no".into())));
}

fn hook_fails(bench: &Bench, id: &str, hooks: &Hooks<'_>) {
    let command = command(bench, id, &["pause"]);
    let (error, text) = refused(bench.try_run_with(&command, Pipes::null(), hooks));
    assert!(matches!(error, Error::Hook { .. }), "{text}");
}

fn failing_post_stop(bench: &Bench, id: &str) {
    let hooks = Hooks::none().on_post_stop(|_| Err("no".into()));
    let outcome = bench.run_with(&command(bench, id, &["true"]), Pipes::null(), &hooks);
    assert_eq!(outcome.status.code, 0);
    assert_eq!(outcome.status.post_stop_errors.len(), 1);
}

fn panicking_pre_start(bench: &Bench, id: &str) {
    let hooks = Hooks::none().on_pre_start(|_| panic!("a hook's own"));
    hook_panics(bench, id, &hooks);
}

fn panicking_start(bench: &Bench, id: &str) {
    hook_panics(
        bench,
        id,
        &Hooks::none().on_start(|_| panic!("a hook's own")),
    );
}

fn hook_panics(bench: &Bench, id: &str, hooks: &Hooks<'_>) {
    let command = command(bench, id, &["pause"]);
    let run = || bench.try_run_with(&command, Pipes::null(), hooks);
    let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"a hook's own"));
}

fn timed_out(bench: &Bench, id: &str) {
    let options = RunOptions::default().timeout(Duration::from_millis(200));
    let command = command(bench, id, &["pause"]);
    let run = bench
        .driver
        .run(&command, &options, Pipes::null(), &Hooks::none());
    match run {
        Ok(status) => assert_eq!(status.reason, ExitReason::TimedOut),
        // A machine so busy that the start itself took longer.
        Err(Error::Timeout { .. }) => {}
        Err(error) => panic!("{}", chain(&error)),
    }
}

fn killed(bench: &Bench, id: &str) {
    let hooks = Hooks::none()
        .on_start(|context| Ok(bench.driver.kill(&Target::from(context.id), Signal::KILL)?));
    let status = bench
        .run_with(&command(bench, id, &["pause"]), Pipes::null(), &hooks)
        .status;
    assert_eq!(status.reason, ExitReason::KilledByCaller);
}

fn on_a_terminal(bench: &Bench, id: &str) {
    let mut command = command(bench, id, &["tty"]);
    command.process.tty = true;
    let outcome = bench.run(&command);
    assert_eq!(outcome.status.code, 0, "{outcome:?}");
    assert!(outcome.out.contains("/dev/"), "{outcome:?}");
}

fn failing_exec(bench: &Bench, id: &str) {
    let hooks = Hooks::none().on_start(|context| {
        let request = ExecRequest::new(process(&["/bin/none"]));
        let run = bench
            .driver
            .exec(context.id, &request, Pipes::null(), &Hooks::none());
        let code = run.unwrap_err().exit_code();
        let kill = bench.driver.kill(&Target::from(context.id), Signal::KILL);
        assert_eq!(code, 127);
        Ok(kill?)
    });
    let outcome = bench.run_with(&command(bench, id, &["pause"]), Pipes::null(), &hooks);
    assert_eq!(outcome.status.reason, ExitReason::KilledByCaller);
}
