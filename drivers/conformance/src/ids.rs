//! Ids: which are good, taken once, free again after the end.

use crate::bench::{id, run, while_running};
use crate::{Act, Subject};
use execdriver_core::{Error, ExecRequest, Hooks, Pipes, Resources, RunOptions, Signal, Target};

/// Ids that could lead anywhere are refused by every method.
pub fn id_bad(subject: &dyn Subject) {
    let driver = subject.driver();
    let long = "x".repeat(300);
    let (none, options) = (Hooks::none(), RunOptions::default());
    for id in [
        "",
        ".",
        "..",
        "a.b",
        "../x",
        "a/b",
        "a\0b",
        " ",
        long.as_str(),
    ] {
        let command = subject.command(id, &Act::Exit(0));
        let request = ExecRequest::new(subject.process(&Act::Exit(0)));
        let target = Target::from(id);
        let size = execdriver_core::WindowSize::default();
        let answers = [
            driver.run(&command, &options, Pipes::null(), &none).err(),
            driver.exec(id, &request, Pipes::null(), &none).err(),
            driver.kill(&target, Signal::KILL).err(),
            driver.resize(&target, size).err(),
            driver.pids(id).err(),
            driver.terminate(id).err(),
            driver.clean(id).err(),
        ];
        for (method, answer) in answers.iter().enumerate() {
            assert!(
                matches!(answer, Some(Error::InvalidCommand { .. })),
                "method {method} with id {id:?}: {answer:?}"
            );
        }
        for answer in [
            driver.pause(id).err(),
            driver.unpause(id).err(),
            driver.stats(id).err(),
        ] {
            assert!(answer.is_some());
        }
        assert!(driver.update(id, &Resources::default()).is_err());
    }
}

/// A second run of a live id is refused and leaves the first alone.
pub fn a_live_id_is_taken(subject: &dyn Subject) {
    let command = subject.command(&id("twice"), &Act::Sleep);
    while_running(subject, &command, |driver| {
        let (options, none) = (RunOptions::default(), Hooks::none());
        let second = driver.run(&command, &options, Pipes::null(), &none);
        assert!(
            matches!(second, Err(Error::AlreadyExists { .. })),
            "{second:?}"
        );
        driver.kill(&Target::from(&command), Signal::PROBE).unwrap();
        let cleaned = driver.clean(&command.id);
        assert!(matches!(cleaned, Err(Error::Running { .. })), "{cleaned:?}");
        driver.kill(&Target::from(&command), Signal::PROBE).unwrap();
    })
    .0
    .unwrap();
}

/// The same id runs again after its end.
pub fn restart(subject: &dyn Subject) {
    let command = subject.command(&id("restart"), &Act::Exit(4));
    for _ in 0..3 {
        let driver = subject.driver();
        let status = driver.run(
            &command,
            &RunOptions::default(),
            Pipes::null(),
            &Hooks::none(),
        );
        assert_eq!(status.unwrap().code, 4);
    }
}

/// A container is listed while it runs, with its process first, and not afterwards.
pub fn listed_while_it_runs(subject: &dyn Subject) {
    let command = subject.command(&id("listed"), &Act::Sleep);
    while_running(subject, &command, |driver| {
        let list = subject.driver().list().unwrap();
        let info = list
            .iter()
            .find(|c| c.id == command.id)
            .expect("it is listed");
        assert_eq!(info.pid, driver.pids(&command.id).unwrap().first().copied());
        assert_eq!(info.command[0], command.process.entrypoint);
    })
    .0
    .unwrap();
    let driver = subject.driver();
    assert!(driver.list().unwrap().iter().all(|c| c.id != command.id));
    assert!(driver.pids(&command.id).is_err());
}

/// Nothing to clean is no error.
pub fn cleaning_nothing_is_fine(subject: &dyn Subject) {
    subject.driver().clean("nobody-here").unwrap();
}

/// Many at once have each their own code, and leave nothing.
pub fn concurrent(subject: &dyn Subject) {
    std::thread::scope(|scope| {
        let one = |code: u8| run(subject, "many", &Act::Exit(code)).unwrap().code;
        let runs: Vec<_> = (0..30).map(|n| (n, scope.spawn(move || one(n)))).collect();
        for (code, run) in runs {
            assert_eq!(run.join().unwrap(), i32::from(code));
        }
    });
}
