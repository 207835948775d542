//! Defects of the original that must not come back, by their numbers in the list of them: errors and hooks.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod contract;
mod support;

use contract::{Bench, chain, process, refused};
use execdriver::{
    Command, Error, ExecRequest, HookContext, Hooks, Mount, Network, Pipes, Signal, Target,
};
use std::cell::{Cell, RefCell};

/// A text that was searched for words made 127 of everything that does not exist.
#[test]
fn defect_25_only_the_program_itself_makes_126_and_127() {
    let bench = Bench::new();
    let code = |command: &Command| refused(bench.try_run(command)).0.exit_code();
    let with = |change: fn(&mut Command)| {
        let mut command = bench.command(&["true"]);
        change(&mut command);
        code(&command)
    };
    assert_eq!(with(|c| c.process.entrypoint = "/no/such".into()), 127);
    assert_eq!(with(|c| c.process.entrypoint = "/etc".into()), 126);
    assert_eq!(
        with(|c| c.mounts.push(Mount::bind("/no/such", "/mnt"))),
        125
    );
    assert_eq!(with(|c| c.rootfs = "/no/such".into()), 125);
    assert_eq!(with(|c| c.working_dir = "/no/such".into()), 125);
    assert_eq!(with(|c| c.working_dir = "/etc/passwd".into()), 125);
    assert_eq!(with(|c| c.process.user = "permission denied".into()), 125);

    let command = bench.command(&["pause"]);
    let (_, ()) = bench.while_running(&command, |_| {
        let code = |words: &[&str]| {
            let (error, text) = refused(bench.try_exec(&command.id, words));
            (error.exit_code(), text)
        };
        let (missing, text) = code(&["/no/such"]);
        assert_eq!(missing, 127, "{text}");
        let (directory, text) = code(&["/etc"]);
        assert_eq!(directory, 126, "{text}");
        let request = ExecRequest::new(process(&["true"])).cwd("/no/such");
        let (error, text) = refused(bench.try_exec_with(&command.id, &request, Pipes::null()));
        assert_eq!(error.exit_code(), 125, "{text}");
    });
}

/// Hooks that were declared and never called, called and not listened to, or left out in silence.
#[test]
fn defect_26_every_hook_is_called_and_listened_to() {
    let bench = Bench::new();
    let first = bench.command(&["pause"]);
    let (_, ()) = bench.while_running(&first, |_| {
        for network in [
            None,
            Some(Network::default()),
            Some(Network::host()),
            Some(Network::of_container(&first.id)),
        ] {
            let mut command = bench.command(&["true"]);
            command.network = network;
            let seen = RefCell::new(Vec::new());
            let note = |context: &HookContext<'_>| {
                seen.borrow_mut().push(context.stage.to_string());
                Ok(())
            };
            let hooks = Hooks::none()
                .on_pre_start(note)
                .on_start(note)
                .on_post_stop(note)
                .on_post_stop(|_| Err("from PostStop".into()));
            let status = bench.run_with(&command, Pipes::null(), &hooks).status;
            drop(hooks);
            assert_eq!(seen.into_inner(), ["pre-start", "start", "post-stop"]);
            assert_eq!((status.code, status.post_stop_errors.len()), (0, 1));
            assert!(chain(&*status.post_stop_errors[0]).contains("from PostStop"));
        }
    });
}

#[test]
fn defect_26_an_error_of_a_hook_ends_the_container() {
    let bench = Bench::new();
    for stage in ["PreStart", "Start"] {
        let (stopped, pid) = (Cell::new(0), Cell::new(0));
        let fail = |at: &'static str| {
            let pid = &pid;
            move |context: &HookContext<'_>| {
                pid.set(context.pid);
                match at == stage {
                    true => Err("from the hook".into()),
                    false => Ok(()),
                }
            }
        };
        let hooks = Hooks::none()
            .on_pre_start(fail("PreStart"))
            .on_pre_start(fail("second PreStart"))
            .on_start(fail("Start"))
            .on_post_stop(|_| {
                stopped.set(stopped.get() + 1);
                Ok(())
            });
        let command = bench.command(&["pause"]);
        let (error, text) = refused(bench.try_run_with(&command, Pipes::null(), &hooks));
        assert!(
            matches!(&error, Error::Hook { index: 0, .. }),
            "{stage}: {text}"
        );
        assert!(text.contains("from the hook"), "{text}");
        assert_eq!(stopped.get(), 1, "{stage}: PostStop runs once");
        assert!(pid.get() != 0 && !std::path::Path::new(&format!("/proc/{}", pid.get())).exists());
        let gone = bench.driver.kill(&Target::from(&command), Signal::KILL);
        assert!(matches!(gone, Err(Error::NotFound { .. })));
    }
}
