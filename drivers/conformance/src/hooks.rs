//! Hooks: when they run, what they are told, and what their errors do.

use crate::bench::{id, run};
use crate::{Act, Subject};
use execdriver_core::{
    Control, Enforcement, Error, ExitStatus, HookStage, Hooks, Pipes, Result, RunOptions, Signal,
    Target,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn run_with(subject: &dyn Subject, name: &str, act: &Act, hooks: &Hooks<'_>) -> Result<ExitStatus> {
    let command = subject.command(&id(name), act);
    subject
        .driver()
        .run(&command, &RunOptions::default(), Pipes::null(), hooks)
}

/// PreStart, Start and PostStop run once each, in this order, on the calling thread. A driver that has no process yet when
/// PreStart runs says so: `hooks`, `pid before the start`.
pub fn hooks_run_in_order(subject: &dyn Subject) {
    let seen = RefCell::new(Vec::new());
    let here = std::thread::current().id();
    let note = |stage: HookStage, pid: u32| {
        assert_eq!(std::thread::current().id(), here);
        seen.borrow_mut().push((stage, pid > 0));
        Ok(())
    };
    let hooks = Hooks::none()
        .on_pre_start(|context| note(context.stage, context.pid))
        .on_start(|context| note(context.stage, context.pid))
        .on_post_stop(|context| note(context.stage, context.pid));
    run_with(subject, "order", &Act::Exit(0), &hooks).unwrap();
    drop(hooks);
    let lacks = |control: &Control| {
        let is_it = control.group == "hooks" && control.name == "pid before the start";
        is_it && control.enforcement != Enforcement::Enforced
    };
    let controls = subject.driver().capabilities().controls;
    let expected = [
        (HookStage::PreStart, !controls.iter().any(lacks)),
        (HookStage::Start, true),
        (HookStage::PostStop, false),
    ];
    assert_eq!(seen.into_inner(), expected);
}

/// An error of PreStart aborts the start; later hooks of it are not called, PostStop is.
pub fn pre_start_error_aborts(subject: &dyn Subject) {
    let (later, stopped) = (Cell::new(0), Cell::new(0));
    let hooks = Hooks::none()
        .on_pre_start(|_| Err("no network".into()))
        .on_pre_start(|_| {
            later.set(later.get() + 1);
            Ok(())
        })
        .on_start(|_| {
            later.set(later.get() + 1);
            Ok(())
        })
        .on_post_stop(|_| {
            stopped.set(stopped.get() + 1);
            Ok(())
        });
    let error = run_with(subject, "pre", &Act::Exit(0), &hooks).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Hook {
                stage: HookStage::PreStart,
                index: 0,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!((later.get(), stopped.get()), (0, 1));
}

/// An error of Start kills the program and is returned.
pub fn start_error_kills(subject: &dyn Subject) {
    let stopped = Cell::new(0);
    let hooks = Hooks::none()
        .on_start(|_| Err("not wanted".into()))
        .on_post_stop(|_| {
            stopped.set(stopped.get() + 1);
            Ok(())
        });
    let error = run_with(subject, "start", &Act::Sleep, &hooks).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Hook {
                stage: HookStage::Start,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(stopped.get(), 1);
}

/// Errors of PostStop stand beside the exit status, and every PostStop hook runs.
pub fn post_stop_errors_do_not_hide_the_status(subject: &dyn Subject) {
    let second = Cell::new(false);
    let hooks = Hooks::none()
        .on_post_stop(|_| Err("late".into()))
        .on_post_stop(|_| {
            second.set(true);
            Ok(())
        });
    let status = run_with(subject, "post", &Act::Exit(7), &hooks).unwrap();
    assert_eq!((status.code, status.post_stop_errors.len()), (7, 1));
    assert!(second.get());
}

/// PostStop runs also when the program could not be started.
pub fn post_stop_runs_after_a_failed_start(subject: &dyn Subject) {
    let stopped = Cell::new(0);
    let hooks = Hooks::none().on_pre_start(|_| Ok(())).on_post_stop(|_| {
        stopped.set(stopped.get() + 1);
        Ok(())
    });
    assert!(run_with(subject, "failed", &Act::Missing, &hooks).is_err());
    assert_eq!(stopped.get(), 1);
}

/// A hook is told the id and the process that it is about.
pub fn hooks_are_told_the_process(subject: &dyn Subject) {
    let command = subject.command(&id("told"), &Act::Exit(0));
    let hooks = Hooks::none().on_start(|context| {
        assert_eq!(context.id, command.id);
        assert_eq!(context.process.entrypoint, command.process.entrypoint);
        assert!(context.exec_id.is_none());
        Ok(())
    });
    let driver = subject.driver();
    driver
        .run(&command, &RunOptions::default(), Pipes::null(), &hooks)
        .unwrap();
}

/// A Start hook may kill its own container.
pub fn a_hook_may_kill_its_own_container(subject: &dyn Subject) {
    let driver = subject.driver();
    let hooks =
        Hooks::none().on_start(|context| Ok(driver.kill(&Target::from(context.id), Signal::KILL)?));
    let status = run_with(subject, "own", &Act::Sleep, &hooks).unwrap();
    assert_eq!(status.code, 137);
}

/// A kill while the container starts aborts the start.
pub fn a_kill_aborts_a_start(subject: &dyn Subject) {
    let driver = subject.driver();
    let hooks = Hooks::none()
        .on_pre_start(|context| Ok(driver.kill(&Target::from(context.id), Signal::KILL)?))
        .on_start(|_| panic!("it must not start"));
    let error = run_with(subject, "abort", &Act::Sleep, &hooks).unwrap_err();
    assert!(matches!(error, Error::Aborted { .. }), "{error:?}");
}

/// A panicking hook unwinds on, and leaves nothing behind.
pub fn a_panicking_hook_leaves_nothing(subject: &dyn Subject) {
    let command = subject.command(&id("panic"), &Act::Sleep);
    let driver = subject.driver();
    for stage in [HookStage::PreStart, HookStage::Start] {
        let hooks = match stage {
            HookStage::PreStart => Hooks::none().on_pre_start(|_| panic!("on purpose")),
            _ => Hooks::none().on_start(|_| panic!("on purpose")),
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            driver.run(&command, &RunOptions::default(), Pipes::null(), &hooks)
        }));
        assert!(outcome.is_err(), "the panic goes on");
        let left = driver.list().unwrap();
        assert!(left.iter().all(|c| c.id != command.id), "{left:?}");
    }
    run(subject, "after-panic", &Act::Exit(0)).unwrap();
}
