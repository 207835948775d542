//! Kernels and filters that lack a call, played by seccomp filters of one thread.
#![allow(unsafe_code)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "BPF packs small constants into small fields"
)]

use libc::{SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, sock_filter};

use crate::launch::{End, LaunchError, launch};

use crate::support::{Need, skip_unless};

use super::support::{MARK, shell};

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const GIVE: u32 = libc::BPF_RET | libc::BPF_K;
/// Offsets in `struct seccomp_data`: the call's number, and the low half of its third argument.
const NUMBER: u32 = 0;
const THIRD: u32 = 32;

/// The bytes of a program that kills whoever makes `call`, as a plan has them.
pub(super) fn killing(call: libc::c_long) -> Vec<u8> {
    let one = |op: sock_filter| {
        let [a, b] = op.code.to_le_bytes();
        let [c, d, e, f] = op.k.to_le_bytes();
        [a, b, op.jt, op.jf, c, d, e, f]
    };
    let program = deny(call, SECCOMP_RET_KILL_PROCESS);
    program.into_iter().flat_map(one).collect()
}

fn op(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

/// Runs in a thread under a filter; what it starts inherits the filter.
fn under(mut program: Vec<sock_filter>, body: impl FnOnce() + Send) {
    let install = move || {
        let program = libc::sock_fprog {
            len: program.len() as u16,
            filter: program.as_mut_ptr(),
        };
        // SAFETY: takes numbers only.
        let unprivileged = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        // SAFETY: the program lives on and the kernel copies it.
        let filtered =
            unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) };
        assert_eq!((unprivileged, filtered), (0, 0));
        body();
    };
    std::thread::scope(|scope| scope.spawn(install).join().unwrap());
}

/// Answers `call` with `action`.
fn deny(call: libc::c_long, action: u32) -> Vec<sock_filter> {
    vec![
        op(LOAD, 0, 0, NUMBER),
        op(EQUAL, 0, 1, call as u32),
        op(GIVE, 0, 0, action),
        op(GIVE, 0, 0, SECCOMP_RET_ALLOW),
    ]
}

fn starts() {
    let started = launch(shell("exit 6").launch()).unwrap();
    assert_eq!(started.process.reap().unwrap().end, End::Exited(6));
}

/// Runs where clone3 is not known.
pub(super) fn without_clone3(body: impl FnOnce() + Send) {
    under(
        deny(libc::SYS_clone3, SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        body,
    );
}

#[test]
fn without_clone3_the_older_clone_starts_the_payload() {
    for errno in [libc::ENOSYS, libc::EPERM] {
        under(
            deny(libc::SYS_clone3, SECCOMP_RET_ERRNO | errno as u32),
            starts,
        );
    }
}

#[test]
fn a_filter_that_denies_user_namespaces_is_known_before_a_start() {
    use crate::sys::probe::denies_user_namespaces;
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    if status.contains("Seccomp:\t0") {
        assert!(!denies_user_namespaces());
    }
    let denied = deny(libc::SYS_clone, SECCOMP_RET_ERRNO | libc::EPERM as u32);
    under(denied, || assert!(denies_user_namespaces()));
}

#[test]
fn without_the_mark_of_close_range_the_descriptors_are_closed_at_once() {
    // Linux 5.10 knows the other flag only, and answers EINVAL to this one.
    let program = vec![
        op(LOAD, 0, 0, NUMBER),
        op(EQUAL, 0, 3, libc::SYS_close_range as u32),
        op(LOAD, 0, 0, THIRD),
        op(EQUAL, 0, 1, libc::CLOSE_RANGE_CLOEXEC),
        op(GIVE, 0, 0, SECCOMP_RET_ERRNO | libc::EINVAL as u32),
        op(GIVE, 0, 0, SECCOMP_RET_ALLOW),
    ];
    under(program, starts);
}

#[test]
fn a_kernel_that_forbids_executable_memory_files_is_an_error_that_names_the_setting() {
    const NAME: &str = "launch::tests::filter::a_kernel_that_forbids_executable_memory_files_is_an_error_that_names_the_setting";
    const SETTING: &str = "/proc/sys/vm/memfd_noexec";
    let inside = std::env::var_os(MARK).is_some();
    if !inside && (skip_unless(&[Need::Root, Need::Kernel(6, 3), Need::Program("unshare")])) {
        return;
    }
    if inside {
        let LaunchError::Program(error) = launch(shell("true").launch()).unwrap_err() else {
            panic!()
        };
        assert!(error.to_string().contains("vm.memfd_noexec"), "{error}");
        return;
    }
    // The setting belongs to a pid namespace (since Linux 6.6) and can only be tightened.
    let script = format!("echo 2 >{SETTING} && exec \"$0\" --exact {NAME}");
    let test = std::env::current_exe().unwrap();
    let output = std::process::Command::new("unshare")
        .args([
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child",
            "sh",
            "-c",
            &script,
        ])
        .arg(test)
        .env(MARK, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_filter_that_kills_execve_is_a_failed_start() {
    // The clone's child uses execveat, init uses execve.
    under(deny(libc::SYS_execve, SECCOMP_RET_KILL_PROCESS), || {
        let error = launch(shell("true").launch()).unwrap_err();
        let LaunchError::EndedEarly { exit: Some(exit) } = error else {
            panic!("{error:?}")
        };
        assert!(
            matches!(
                exit.end,
                End::Signalled {
                    signal: libc::SIGSYS,
                    ..
                }
            ),
            "{exit:?}"
        );
    });
}
