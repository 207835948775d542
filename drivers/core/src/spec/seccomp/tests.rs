//! Profiles in both forms, what they depend on, and what is refused.

use super::*;
use oci_spec::runtime::{Capability, LinuxSeccompAction, LinuxSeccompOperator};

fn target() -> SeccompTarget {
    SeccompTarget {
        arch: Arch::ScmpArchX86_64,
        kernel: (6, 1),
        capabilities: Capabilities::from([Capability::SysAdmin, Capability::Chown]),
    }
}

fn read(text: &str) -> LinuxSeccomp {
    seccomp_profile(text, &target()).unwrap().unwrap()
}

#[track_caller]
fn refused(text: &str) -> String {
    seccomp_profile(text, &target()).unwrap_err().to_string()
}

fn names(filter: &LinuxSeccomp) -> Vec<&str> {
    let calls = filter.syscalls().iter().flatten();
    calls
        .flat_map(|call| call.names())
        .map(String::as_str)
        .collect()
}

#[test]
fn the_form_of_docker_1_10_has_one_name_a_rule() {
    let filter = read(
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
            "syscalls": [
              {"name": "read", "action": "SCMP_ACT_ALLOW", "args": []},
              {"name": "clone", "action": "SCMP_ACT_ALLOW", "args":
                [{"index": 0, "value": 2080505856, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
              {"name": "chmod", "action": "SCMP_ACT_KILL", "args": null}]}"#,
    );
    assert_eq!(names(&filter), ["read", "clone", "chmod"]);
    assert_eq!(filter.default_action(), LinuxSeccompAction::ScmpActErrno);
    let arches = [Arch::ScmpArchX86_64, Arch::ScmpArchX86];
    assert_eq!(filter.architectures().as_deref(), Some(&arches[..]));
    let calls = filter.syscalls().as_ref().unwrap();
    assert_eq!(*calls[0].args(), None);
    let args = calls[1].args().as_ref().unwrap();
    assert_eq!(args[0].op(), LinuxSeccompOperator::ScmpCmpMaskedEq);
    assert_eq!(
        (args[0].value(), args[0].value_two()),
        (0x7c02_0000, Some(0))
    );
}

#[test]
fn todays_form_depends_on_machine_kernel_and_capabilities() {
    let filter = read(
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "flags": ["SECCOMP_FILTER_FLAG_LOG"],
            "archMap": [
              {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
              {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
              {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null}],
            "syscalls": [
              {"names": ["a", "b"], "action": "SCMP_ACT_ALLOW", "comment": "for people"},
              {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
              {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390x"]}},
              {"names": ["both"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_CHOWN", "CAP_SYS_TIME"]}},
              {"names": ["old"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
              {"names": ["new"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.2"}},
              {"names": ["x86"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32"]}},
              {"names": ["arm"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}},
              {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "includes": {}, "excludes": {}}]}"#,
    );
    assert_eq!(names(&filter), ["a", "b", "mount", "old", "x86", "clone3"]);
    assert_eq!(filter.default_errno_ret(), Some(38));
    let arches = [Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32];
    assert_eq!(filter.architectures().as_deref(), Some(&arches[..]));
    let clone3 = filter.syscalls().as_ref().unwrap().last().unwrap();
    assert_eq!(clone3.errno_ret(), Some(38));
}

#[test]
fn a_profile_without_default_and_rules_disables_the_filter() {
    for text in [
        "{}",
        r#"{"syscalls": []}"#,
        r#"{"defaultAction": "", "syscalls": null}"#,
    ] {
        assert_eq!(seccomp_profile(text, &target()).unwrap(), None, "{text}");
    }
}

#[test]
fn what_is_wrong_is_named_in_the_words_of_the_original() {
    let rule =
        |rule: &str| format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{rule}]}}"#);
    for (text, words) in [
        ("".to_owned(), "decoding seccomp profile failed: "),
        ("[]".to_owned(), "decoding seccomp profile failed: "),
        ("{} {}".to_owned(), "decoding seccomp profile failed: "),
        (r#"{"defaultactions": ""}"#.to_owned(), "unknown field `defaultactions`"),
        (r#"{"defaultAction": "ALLOW"}"#.to_owned(), "string ALLOW is not a valid action for seccomp"),
        (r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["PDP11"]}"#.to_owned(),
         "string PDP11 is not a valid arch for seccomp"),
        (r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["FAST"]}"#.to_owned(),
         "string FAST is not a valid flag for seccomp"),
        (r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86"}]}"#.to_owned(),
         "both 'architectures' and 'archMap'"),
        (r#"{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/x"}"#.to_owned(), "'listenerPath'"),
        (r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 70000}"#.to_owned(), "defaultErrnoRet is 70000"),
        (r#"{"syscalls": [{"name": "a", "action": "SCMP_ACT_ALLOW"}]}"#.to_owned(), "without 'defaultAction'"),
        (rule(r#"{"name": "a", "action": "DENY"}"#), "string DENY is not a valid action for seccomp"),
        (rule(r#"{"name": "a"}"#), "without 'action'"),
        (rule(r#"{"action": "SCMP_ACT_LOG"}"#), "without 'names'"),
        (rule(r#"{"name": "a", "names": ["b"], "action": "SCMP_ACT_LOG"}"#), "both 'name' and 'names'"),
        (rule(r#"{"name": "a", "action": "SCMP_ACT_ERRNO", "errnoRet": 4096}"#), "errnoRet is 4096"),
        (rule(r#"{"name": "a", "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 1, "op": "<"}]}"#),
         "string < is not a valid operator for seccomp"),
        (rule(r#"{"name": "a", "action": "SCMP_ACT_LOG", "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]}"#),
         "index is 6"),
        (rule(r#"{"name": "a", "action": "SCMP_ACT_LOG", "args": [{"index": 0, "val": 1, "op": "SCMP_CMP_EQ"}]}"#),
         "unknown field `val`"),
        // In rules for others, too: a profile is right or wrong wherever it is read.
        (rule(r#"{"name": "a", "action": "SCMP_ACT_LOG", "includes": {"arches": ["s390x"], "caps": ["SYS_ADMIN"]}}"#),
         "string SYS_ADMIN is not a valid capability for seccomp"),
        (rule(r#"{"name": "a", "action": "SCMP_ACT_LOG", "includes": {"arches": ["amd64", "pdp11"]}}"#),
         "string pdp11 is not a valid arch for seccomp"),
        (rule(r#"{"name": "a", "action": "SCMP_ACT_LOG", "excludes": {"minKernel": "new"}}"#),
         "string new is not a valid kernel version for seccomp"),
    ] {
        let error = refused(&text);
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn the_templates_deny_what_the_contract_denies() {
    let policy = docker_profile(Arch::ScmpArchX86_64);
    let calls = policy.filter.syscalls().as_ref().unwrap();
    let allowed = calls[0].names();
    for name in [
        "mount",
        "umount2",
        "unshare",
        "setns",
        "ptrace",
        "keyctl",
        "bpf",
        "perf_event_open",
        "kexec_load",
        "init_module",
        "settimeofday",
        "reboot",
        "swapon",
        "clone",
        "clone3",
        "io_uring_setup",
        "userfaultfd",
    ] {
        assert!(!allowed.iter().any(|allowed| allowed == name), "{name}");
    }
    for name in [
        "statx",
        "rseq",
        "faccessat2",
        "openat2",
        "close_range",
        "futex_waitv",
        "landlock_add_rule",
    ] {
        assert!(allowed.iter().any(|allowed| allowed == name), "{name}");
    }
    assert_eq!(strict_profile(Arch::ScmpArchX86_64).filter, policy.filter);
}
