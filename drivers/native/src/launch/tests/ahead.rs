//! Go is said before init asks: it works meanwhile, and still nothing runs before the parent has done its part.

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use super::filter::without_clone3;
use super::support::{Plan, printing};
use crate::launch::{CallerError, End, LaunchError, Process, launch};
use crate::wire::Op;

#[test]
fn nothing_runs_before_the_parent_has_done_its_part() {
    let place = tempfile::tempdir().unwrap();
    let mark = place.path().join("mark");
    let script = format!("test -e {} && echo done", mark.display());
    let (mut plan, output) = printing(&[Op::AwaitGo {}], &script);
    let mut placing = |process: &Arc<Process>| -> Result<(), CallerError> {
        // Init has all the time that it needs to go wrong.
        std::thread::sleep(Duration::from_millis(50));
        assert!(!process.was_reaped());
        File::create(&mark)?;
        Ok(())
    };
    let mut request = plan.launch();
    request.go_ahead = true;
    request.place = Some(&mut placing);
    let started = launch(request).unwrap();
    assert_eq!(output.text(plan), "done\n");
    assert_eq!(started.process.reap().unwrap().end, End::Exited(0));
}

#[test]
fn a_parent_that_fails_meanwhile_ends_the_process() {
    let place = tempfile::tempdir().unwrap();
    let mark = place.path().join("mark");
    let (mut plan, output) = printing(&[Op::AwaitGo {}], &format!("touch {}", mark.display()));
    let mut seen = None;
    let mut placing = |process: &Arc<Process>| -> Result<(), CallerError> {
        seen = Some(Arc::clone(process));
        Err("no".into())
    };
    let mut request = plan.launch();
    request.go_ahead = true;
    request.place = Some(&mut placing);
    let error = launch(request).unwrap_err();
    assert!(matches!(error, LaunchError::Place(_)), "{error:?}");
    assert!(seen.unwrap().was_reaped());
    assert_eq!(output.text(plan), "");
    assert!(!mark.exists());
}

#[test]
fn init_ends_at_its_wait_when_nobody_says_go() {
    // Without the parent's part there is no go: the socket is closed instead.
    let mut plan = Plan::of(&[Op::AwaitGo {}, Op::AwaitGo {}]);
    plan.fds.push(File::open("/dev/null").unwrap().into());
    plan.exec(&["/bin/true"]);
    let mut request = plan.launch();
    request.go_ahead = true;
    request.limits.deadline = Some(std::time::Instant::now() + Duration::from_secs(2));
    let error = launch(request).unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
}

#[test]
fn a_process_that_would_have_to_be_moved_into_its_cgroup_is_refused() {
    // Not even a cgroup: it is not looked at.
    let dir = File::open("/").unwrap();
    without_clone3(|| {
        let (mut plan, output) = printing(&[Op::AwaitGo {}], "true");
        let mut request = plan.launch();
        request.go_ahead = true;
        request.cgroup = Some(dir.as_fd());
        let error = launch(request).unwrap_err();
        assert!(matches!(error, LaunchError::DidNotWait), "{error:?}");
        drop(output);
    });
}
