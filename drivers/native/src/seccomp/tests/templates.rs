//! The filters that come with the template, call by call.

use super::*;
use execdriver_core::spec::{docker_profile, strict_profile};

fn docker(native: Machine) -> Filter {
    Filter::compile(&docker_profile(arch(native)), native).unwrap()
}

#[test]
fn every_call_of_the_table_is_decided_by_name() {
    let policy = docker_profile(Arch::ScmpArchX86_64);
    let table = Table::read();
    let calls = policy.filter.syscalls().as_ref().unwrap();
    let named: Vec<&str> = calls
        .iter()
        .flat_map(|call| call.names())
        .map(String::as_str)
        .collect();
    let undecided: Vec<&str> = table.names().filter(|name| !named.contains(name)).collect();
    assert!(
        undecided.is_empty(),
        "allow or deny these in core's spec/seccomp/allowed.rs: {undecided:?}"
    );
    let unknown: Vec<&&str> = named.iter().filter(|name| !table.knows(name)).collect();
    assert!(unknown.is_empty(), "no machine has these: {unknown:?}");
    for (index, name) in named.iter().enumerate() {
        let twice = named[..index].contains(name) && *name != "personality";
        assert!(!twice, "{name} is decided twice");
    }
}

#[test]
fn the_default_filter_is_that_of_the_contract_on_every_machine() {
    for (native, machine) in [
        (Machine::X86_64, Machine::X86_64),
        (Machine::X86_64, Machine::I386),
        (Machine::X86_64, Machine::X32),
        (Machine::Aarch64, Machine::Aarch64),
        (Machine::Aarch64, Machine::Arm),
    ] {
        let filter = docker(native);
        let of = |name: &str, args: &[u64]| verdict(&filter, machine, name, args);
        for denied in [
            "mount",
            "umount2",
            "unshare",
            "setns",
            "ptrace",
            "keyctl",
            "bpf",
            "io_uring_setup",
            "open_by_handle_at",
        ] {
            assert_eq!(of(denied, &[]), EPERM, "{machine:?} {denied}");
        }
        for allowed in [
            "read",
            "statx",
            "rseq",
            "openat2",
            "close_range",
            "futex_waitv",
            "execve",
        ] {
            assert_eq!(of(allowed, &[]), ALLOW, "{machine:?} {allowed}");
        }
        assert_eq!(of("clone3", &[]), ENOSYS);
        assert_eq!(of("clone", &[0x0100_0011]), ALLOW);
        for namespace in [
            0x0002_0000,
            0x0200_0000,
            0x0400_0000,
            0x0800_0000,
            0x1000_0000,
            0x2000_0000,
            0x4000_0000,
        ] {
            assert_eq!(of("clone", &[namespace | 17]), EPERM, "{namespace:#x}");
        }
        assert_eq!(of("personality", &[0xffff_ffff]), ALLOW);
        assert_eq!(of("personality", &[0x0040_0000]), EPERM);
        let newer = |number: u32| {
            Call::new(machine, number | machine.base(), &[])
                .run(&filter.program)
                .verdict
        };
        assert_eq!(newer(470), ENOSYS, "{machine:?}");
        assert_eq!(newer(511), ENOSYS, "{machine:?}");
        assert_eq!(newer(0xe_ffff), ENOSYS, "{machine:?}");
    }
}

#[test]
fn the_strict_filter_keeps_terminals_from_being_typed_into() {
    for native in [Machine::X86_64, Machine::Aarch64] {
        let strict = Filter::compile(&strict_profile(arch(native)), native).unwrap();
        let ioctl = |filter: &Filter, request| verdict(filter, native, "ioctl", &[0, request]);
        for request in [0x5412, 0x541c, 0x5412 | 1 << 32, 0x541c | 0xff << 40] {
            assert_eq!(ioctl(&strict, request), EPERM, "{request:#x}");
            // The contract's default lets it pass: the container has a session and a terminal of its own.
            assert_eq!(ioctl(&docker(native), request), ALLOW);
        }
        assert_eq!(ioctl(&strict, 0x5413), ALLOW);
        assert_eq!(verdict(&strict, native, "mount", &[]), EPERM);
    }
}

/// A call that is always allowed is decided by few instructions, and by nothing else than machine and number, so that the
/// kernel remembers it.
#[test]
fn the_default_filter_is_short_and_a_common_call_takes_few_steps() {
    for native in [Machine::X86_64, Machine::Aarch64] {
        let filter = docker(native);
        println!("{native:?}: {} instructions", filter.len());
        assert!(filter.len() < 600, "{}", filter.len());
        for name in [
            "getpid",
            "read",
            "write",
            "futex",
            "openat",
            "clock_gettime",
            "newfstatat",
        ] {
            let number = Table::read().number(name, native).unwrap();
            let ended = Call::new(native, number, &[]).run(&filter.program);
            println!("{native:?} {name}: {} steps", ended.steps);
            assert!(
                ended.steps <= 16 && !ended.looked_at_arguments,
                "{name}: {ended:?}"
            );
            assert_eq!(ended.verdict, ALLOW);
        }
    }
}

/// The benchmark's floor loads the very program that containers get, and its peers get the document it is made of.
#[test]
fn the_programs_that_the_benchmark_loads_are_those_of_the_default_profile() {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/seccomp");
    for (native, name) in [(Machine::X86_64, "x86_64"), (Machine::Aarch64, "aarch64")] {
        let document = docker_profile(arch(native)).filter;
        let document = serde_json::to_vec(&document).unwrap();
        for (kind, made) in [("bpf", docker(native).program), ("json", document)] {
            let path = fixtures.join(format!("docker-{name}.{kind}"));
            if std::env::var_os("EXECDRIVER_WRITE_GOLDEN").is_some_and(|value| value == "1") {
                std::fs::create_dir_all(&fixtures).unwrap();
                std::fs::write(&path, &made).unwrap();
            }
            let known = std::fs::read(&path).unwrap();
            assert!(
                known == made,
                "{} is of another profile: EXECDRIVER_WRITE_GOLDEN=1 writes it",
                path.display()
            );
        }
    }
}
