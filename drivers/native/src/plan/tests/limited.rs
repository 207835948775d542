//! Limits in a plan: in force, reported or refused.

use super::*;
use execdriver_core::{Profile, Resources};

#[test]
fn a_limit_without_its_controller_is_an_error_and_unlimited_asks_for_none() {
    let with = |resources: Resources, host: &Host| {
        let mut command = command();
        command.resources = Some(resources);
        build(&spec(&command), host)
    };
    let weight = Resources {
        blkio_weight: 300,
        ..Resources::default()
    };
    let text = with(weight, &root_host()).unwrap_err().to_string();
    assert!(text.contains(
        "resources.blkio_weight: the container's cgroup has no blkio or io controller: it is not mounted",
    ));
    let memory = |memory| Resources {
        memory,
        ..Resources::default()
    };
    let text = with(memory(1 << 25), &user_host()).unwrap_err().to_string();
    assert!(
        text.contains("no memory controller: not delegated"),
        "{text}"
    );
    assert!(with(memory(0), &user_host()).is_ok());
    assert!(with(memory(-1), &user_host()).is_ok());
    let plan = with(memory(1 << 25), &root_host()).unwrap();
    let files = plan.cgroup.limits.iter().map(|limit| &limit.files[0]);
    let expected = ("memory.limit_in_bytes".to_owned(), "33554432".to_owned());
    assert_eq!(files.collect::<Vec<_>>(), [&expected]);
}

#[test]
fn the_strict_profiles_bound_on_processes_is_in_force_or_reported() {
    let mut command = command();
    command.as_linux_mut().unwrap().profile = Profile::Strict;
    let plan = build(&spec(&command), &root_host()).unwrap();
    let bound = ("pids.max".to_owned(), "1024".to_owned());
    assert_eq!(plan.cgroup.limits[0].files, [bound]);
    let plan = build(&spec(&command), &user_host()).unwrap();
    let reported = |sentence: &String| sentence.starts_with("the bound on processes: ");
    assert!(
        plan.unenforced.iter().any(reported),
        "{:?}",
        plan.unenforced
    );
}
