//! The filter of system calls: the default, profiles of the caller's, execs, what is refused, and a listener.
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
use execdriver::{Command, Error, ExecRequest, Profile};
use support::{Need, skip_unless};

/// A command with capabilities that the kernel would let through, so that what refuses is the filter.
fn with(bench: &Bench, profile: &str, words: &[&str]) -> Command {
    bench.command(words).with_linux(|linux| {
        linux.cap_add = vec!["SYS_ADMIN".into()];
        linux.seccomp_profile = profile.into();
    })
}

/// A profile that allows everything but this.
fn denying(rules: &str) -> String {
    format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{rules}]}}"#)
}

const NO_CHMOD: &str =
    r#"{"names": ["chmod", "fchmod", "fchmodat", "fchmodat2"], "action": "SCMP_ACT_ERRNO"}"#;

/// Mount, a new mount namespace, a process in a new user namespace.
const PRIVILEGED: [&[&str]; 3] = [
    &["mount", "none", "/tmp", "tmpfs"],
    &["unshare", "mnt"],
    &["unshare", "user"],
];

/// Case 77.
#[test]
fn seccomp() {
    let bench = Bench::new();
    for words in PRIVILEGED {
        assert_eq!(
            bench.run(&with(&bench, "", words)).out,
            "EPERM\n",
            "{words:?}"
        );
        let unconfined = bench.run(&with(&bench, "unconfined", words));
        assert_eq!(unconfined.out, "ok\n", "{words:?}");
        // A profile that says nothing is none.
        assert_eq!(
            bench.run(&with(&bench, "{}", words)).out,
            "ok\n",
            "{words:?}"
        );
    }
    // clone(2) itself: into a user namespace it is refused, without one it is not.
    let clone = |flags: &str| {
        let clone = SYSCALL_CLONE.to_string();
        bench
            .run(&with(&bench, "", &["syscall", &clone, flags]))
            .out
    };
    assert_eq!(clone("0x10000011"), "EPERM\n");
    assert_eq!(clone("0x11"), "ok\n");
    let words = ["chmod", "700", "/tmp"];
    assert_eq!(bench.run(&with(&bench, "", &words)).out, "ok\n");
    assert_eq!(
        bench.run(&with(&bench, &denying(NO_CHMOD), &words)).out,
        "EPERM\n"
    );
}

#[cfg(target_arch = "x86_64")]
const SYSCALL_CLONE: u32 = 56;
#[cfg(not(target_arch = "x86_64"))]
const SYSCALL_CLONE: u32 = 220;

#[test]
fn an_exec_has_the_filter_of_its_container_a_privileged_one_too() {
    let bench = Bench::new();
    for (profile, words, expected) in [
        ("", PRIVILEGED[0], "EPERM\n"),
        ("unconfined", PRIVILEGED[0], "ok\n"),
        (&denying(NO_CHMOD), &["chmod", "700", "/tmp"][..], "EPERM\n"),
    ] {
        let command = with(&bench, profile, &["pause"]);
        bench.while_running(&command, |_| {
            assert_eq!(bench.exec(&command.id, words).out, expected, "{words:?}");
            let mut request = ExecRequest::new(process(words));
            request.process.privileged = true;
            // From another process too: the record says which filter.
            let other = bench.other_driver();
            let capture = execdriver::Capture::new(1 << 10);
            let pipes = execdriver::Pipes::null().stdout(&capture);
            let hooks = execdriver::Hooks::none();
            other.exec(&command.id, &request, pipes, &hooks).unwrap();
            assert_eq!(capture.text(), expected, "privileged {words:?}");
        });
    }
}

#[test]
fn a_privileged_container_has_no_default_filter_but_that_of_its_caller() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let run = |profile: &str, words: &[&str]| {
        let mut command = bench.command(words);
        command.process.privileged = true;
        let command = command.with_linux(|linux| linux.seccomp_profile = profile.into());
        bench.run(&command).out
    };
    assert_eq!(run("", &["unshare", "mnt"]), "ok\n");
    assert_eq!(
        run(&denying(NO_CHMOD), &["chmod", "700", "/tmp"]),
        "EPERM\n"
    );
}

#[test]
fn a_wrong_profile_is_refused_in_the_contracts_words_before_anything_runs() {
    let bench = Bench::new();
    for (profile, words) in [
        ("[]", "decoding seccomp profile failed"),
        ("{", "decoding seccomp profile failed"),
        (
            r#"{"defaultAction": "MAYBE"}"#,
            "string MAYBE is not a valid action for seccomp",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["VAX"]}"#,
            "string VAX is not a valid arch for seccomp",
        ),
        (
            &denying(
                r#"{"name": "read", "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 0, "op": "!"}]}"#,
            ),
            "string ! is not a valid operator for seccomp",
        ),
        (
            &denying(r#"{"name": "execve", "action": "SCMP_ACT_KILL"}"#),
            "it denies execve, without which no program is started",
        ),
        (
            &denying(r#"{"name": "mkdir", "action": "SCMP_ACT_NOTIFY"}"#),
            "nobody takes it (Hooks::on_seccomp_listener)",
        ),
    ] {
        let (error, text) = refused(bench.try_run(&with(&bench, profile, &["exit", "0"])));
        let field =
            matches!(&error, Error::InvalidCommand { field, .. } if field == "seccomp_profile");
        assert!(field && text.contains(words), "{profile}: {text}");
    }
}

/// A filter that ends the process in execve after all (here it depends on an argument) is a failed start, not a program
/// that a signal ended; an init that stays changes nothing about that.
#[test]
fn a_filter_that_ends_the_program_before_it_is_executed_is_a_failed_start() {
    let bench = Bench::new();
    let rule = r#"{"name": "execve", "action": "SCMP_ACT_KILL_PROCESS",
        "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_NE"}]}"#;
    for init in [false, true] {
        for no_new_privileges in [false, true] {
            let command = with(&bench, &denying(rule), &["exit", "0"]).with_linux(|linux| {
                linux.init = init;
                linux.no_new_privileges = no_new_privileges;
            });
            let (error, text) = refused(bench.try_run(&command));
            assert!(matches!(error, Error::Setup { .. }), "{error:?}");
            assert!(
                text.contains("seccomp filter") && text.contains("signal 31"),
                "{text}"
            );
        }
    }
}

/// Little more than execve is called under the filter: not by init, and nothing by an init that stays.
#[test]
fn a_narrow_profile_lets_a_program_start_and_its_init_live() {
    let bench = Bench::new();
    let allowed = r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["execve", "capset", "write", "exit",
        "exit_group", "brk", "mmap", "munmap", "mprotect", "arch_prctl", "set_tid_address", "rt_sigaction",
        "rt_sigprocmask", "sigaltstack", "poll", "ppoll", "readlink", "readlinkat"], "action": "SCMP_ACT_ALLOW"}]}"#;
    for init in [false, true] {
        let command = with(&bench, allowed, &["exit", "3"]).with_linux(|linux| linux.init = init);
        let outcome = bench.run(&command);
        assert_eq!(outcome.status.code, 3, "init: {init}: {outcome:?}");
        // What is not there is still told apart from what cannot be executed.
        let command =
            with(&bench, allowed, &["/bin/nothing"]).with_linux(|linux| linux.init = init);
        let (error, text) = refused(bench.try_run(&command));
        assert!(
            matches!(error, Error::ProgramNotFound { .. } | Error::Setup { .. }),
            "{text}"
        );
    }
}

#[test]
fn a_call_that_no_kernel_has_yet_is_answered_as_unknown() {
    let bench = Bench::new();
    let run = |words: &[&str]| bench.run(&bench.command(words)).out;
    assert_eq!(run(&["syscall", "470"]), "ENOSYS\n");
    assert_eq!(run(&["syscall", "5000"]), "ENOSYS\n");
    // clone3 is new and its flags cannot be looked at: the C library falls back to clone.
    assert_eq!(run(&["syscall", "435", "0", "0"]), "ENOSYS\n");
    let io_uring_setup = "425";
    assert_eq!(run(&["syscall", io_uring_setup]), "EPERM\n");
}

/// A program of 32 bits reaches the same calls under other numbers.
#[test]
#[cfg(target_arch = "x86_64")]
fn the_calls_of_i386_are_filtered_too() {
    let bench = Bench::new();
    // umount2 is 52, getpid 20, mkdir 39 there.
    assert_eq!(
        bench.run(&with(&bench, "", &["syscall32", "52"])).out,
        "EPERM\n"
    );
    assert_eq!(
        bench.run(&with(&bench, "", &["syscall32", "20"])).out,
        "ok\n"
    );
    let outcome = bench.run(&with(
        &bench,
        r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#,
        &["syscall32", "20"],
    ));
    assert_eq!(outcome.status.code, 128 + 31, "{outcome:?}");
}

/// The `strict` profile keeps a program from typing into a terminal (CVE-2017-5226, CVE-2023-28100), whatever stands in
/// the upper half of the request (CVE-2019-10063).
#[test]
fn the_strict_profile_denies_tiocsti_and_tioclinux() {
    let bench = Bench::new();
    let ioctl = if cfg!(target_arch = "x86_64") {
        "16"
    } else {
        "29"
    };
    for request in ["0x5412", "0x541c", "0x100005412"] {
        let command = bench.command(&["syscall", ioctl, "0", request, "0"]);
        let command = command.with_linux(|linux| linux.profile = Profile::Strict);
        assert_eq!(bench.run(&command).out, "EPERM\n", "{request}");
    }
}

#[test]
fn the_default_filter_is_no_longer_reported_as_missing() {
    let bench = Bench::new();
    let outcome = bench.run(&bench.command(&["exit", "0"]));
    let missing = outcome
        .status
        .unenforced
        .iter()
        .find(|text| text.contains("seccomp"));
    assert_eq!(missing, None);
    // A name that no machine has: the original ignored it in silence.
    let typo = denying(r#"{"names": ["mkdirr"], "action": "SCMP_ACT_ERRNO"}"#);
    let outcome = bench.run(&with(&bench, &typo, &["exit", "0"]));
    assert!(
        outcome
            .status
            .unenforced
            .iter()
            .any(|text| text.contains("mkdirr")),
        "{outcome:?}"
    );
}

#[test]
fn an_error_of_the_chain_names_its_cause_once() {
    let bench = Bench::new();
    let error = bench
        .try_run(&with(&bench, "{]", &["exit", "0"]))
        .unwrap_err();
    assert_eq!(
        chain(&error)
            .matches("decoding seccomp profile failed")
            .count(),
        1
    );
}
