//! Pause: virtual machines by the service, other containers process by process.

use super::*;
use crate::backend::ProcessIdentity;

/// A container that runs, and so many processes in it.
fn with_processes(
    bench: &Bench,
    count: usize,
) -> (
    Arc<dyn ComputeSystem>,
    Vec<Arc<dyn crate::backend::Process>>,
) {
    let system = bench.started();
    let made = (0..count).map(|_| process(&system, &program("cmd", "")).unwrap().process);
    let made = made.collect();
    (system, made)
}

fn hyperv(memory: Memory) -> Bench {
    let isolation = Isolation::HyperV;
    let settings = HcsSettings {
        isolation,
        ..HcsSettings::default()
    };
    Bench::with(memory, settings)
}

/// The calls about pauses.
fn told(bench: &Bench) -> Vec<String> {
    let ours = ["NtS", "NtR", "HcsPause", "HcsResume"];
    let mut trace = bench.memory.trace();
    trace.retain(|line| ours.iter().any(|start| line.starts_with(start)));
    trace
}

fn unsupported(paused: Result<Vec<ProcessIdentity>>) -> String {
    match paused {
        Err(Error::Unsupported { operation, .. }) => operation,
        other => panic!("{other:?}"),
    }
}

/// Defect 30 of the original: it could pause nothing.
#[test]
fn windows_pause_suspends_every_process_of_a_container_and_lets_exactly_those_go_on() {
    let bench = Bench::new(Memory::new());
    let (system, _made) = with_processes(&bench, 2);
    let suspended = system.pause().unwrap();
    assert_eq!(bench.memory.suspended(), [1, 1]);
    // One that another program of the host's has suspended since, or before, is not this one's to let go on.
    let pids: Vec<u32> = suspended.iter().map(|one| one.pid).collect();
    assert_eq!(pids, [1000, 1001]);
    bench.elsewhere().unwrap().resume(&suspended[..1]).unwrap();
    assert_eq!(bench.memory.suspended(), [0, 1]);
    assert_eq!(
        told(&bench),
        [
            "NtSuspendProcess 1000",
            "NtSuspendProcess 1001",
            "NtResumeProcess 1000"
        ]
    );
}

#[test]
fn processes_that_appear_during_a_pause_are_suspended_too() {
    let bench = Bench::new(Memory::new().forks(3));
    let (system, _made) = with_processes(&bench, 1);
    assert_eq!(system.pause().unwrap().len(), 4);
    assert_eq!(bench.memory.suspended(), [1, 1, 1, 1]);
}

#[test]
fn a_pause_that_fails_on_the_way_leaves_nothing_suspended() {
    let bench = Bench::new(Memory::new());
    let (system, _made) = with_processes(&bench, 2);
    let _ = bench
        .memory
        .clone()
        .trouble("NtSuspendProcess", Trouble::Ends(Code::OK))
        .trouble("NtSuspendProcess", Trouble::Fails(Code::win32(5), ""));
    let error = system.pause().unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        source,
        "NtSuspendProcess of process 1001 of container \"web\": access denied (0x80070005)"
    );
    assert_eq!(bench.memory.suspended(), [0, 0]);
}

#[test]
fn a_process_that_is_none_of_the_hosts_is_not_suspended_and_the_others_go_on() {
    let bench = Bench::new(Memory::new().strangers(1001));
    let (system, _made) = with_processes(&bench, 2);
    let what = unsupported(system.pause());
    assert!(
        what.contains("process 1001 is none of this host's"),
        "{what}"
    );
    assert_eq!(bench.memory.suspended(), [0, 0]);
    // All of them: then the service is asked, which refuses what is no virtual machine.
    let bench = Bench::new(Memory::new().strangers(1000));
    let (system, _made) = with_processes(&bench, 2);
    unsupported(system.pause());
    assert_eq!(bench.memory.suspended(), [0, 0]);
    assert_eq!(
        told(&bench).last().unwrap().split(' ').next(),
        Some("HcsPauseComputeSystem")
    );
}

#[test]
fn a_virtual_machine_is_paused_by_the_service_although_its_pids_may_be_the_hosts_too() {
    let bench = hyperv(Memory::new());
    let (system, _made) = with_processes(&bench, 1);
    for _ in 0..2 {
        assert_eq!(system.pause().unwrap(), []);
    }
    for _ in 0..2 {
        system.resume(&[]).unwrap();
    }
    assert_eq!(bench.memory.suspended(), [0]);
    // A state in which it can be neither is no pause.
    let bench = hyperv(Memory::new());
    let system = bench.create(&bench.command("cmd", &[])).unwrap();
    assert!(matches!(system.pause(), Err(Error::Driver { .. })));
}

#[test]
fn a_process_is_told_from_a_later_one_of_the_same_pid() {
    let bench = Bench::new(Memory::new());
    let (system, made) = with_processes(&bench, 1);
    let identity = made[0].identity();
    assert_ne!(identity.created, 0);
    assert!(system.open_process(identity).unwrap().is_some());
    let earlier = ProcessIdentity {
        created: identity.created - 1,
        ..identity
    };
    assert!(system.open_process(earlier).unwrap().is_none());
    // A service that does not tell is no reason to take a process for gone.
    let untold = Trouble::Fails(Code::win32(50), "");
    let _ = bench
        .memory
        .clone()
        .trouble("HcsGetComputeSystemProperties", untold);
    assert!(system.open_process(identity).unwrap().is_some());
}
