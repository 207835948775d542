//! A container that is hostile by now, and what the driver does in it: exec, and looks from outside.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
mod race;
mod support;

use contract::{Bench, process, refused, remapped};
use execdriver::{Command, Error, ExecRequest, Pipes, ProcessConfig, Resources, RunOptions};
use std::fs;
use support::{Need, skip_unless};

/// What a container that looks into every process finds while `execs` processes join it.
fn looks_into_execs(
    bench: &Bench,
    probe: &str,
    execs: usize,
    change: impl Fn(Command) -> Command,
) -> String {
    let stop = bench.rootfs.inside("tmp/stop");
    let _ = fs::remove_file(&stop);
    // The default filter would not even let it try.
    let command = bench.command(&[probe, "3600", "/tmp/stop"]);
    let command =
        change(command.with_linux(|linux| "unconfined".clone_into(&mut linux.seccomp_profile)));
    let (outcome, ()) = bench.during(&command, Pipes::null(), |_| {
        for _ in 0..execs {
            // Of the same path as the one that looks: it takes its like for no stranger.
            let exec = bench.try_exec(&command.id, &[probe, "0"]).unwrap();
            assert!(exec.status.success(), "{exec:?}");
        }
        fs::write(&stop, "").unwrap();
        // It ends by itself; whoever kills it now would not hear what it found.
        let ended = || bench.driver.pids(&command.id).is_err();
        assert!(support::within(contract::SOON, ended), "it never ends");
    });
    outcome.out
}

/// So many as make it likely that a look falls into one; the row's number with EXECDRIVER_SOAK=1, fewer on a slow machine.
fn execs() -> usize {
    if race::starts(1) > 1 {
        return 10_000;
    }
    (40 / support::patience() as usize).max(10)
}

/// The process that joins was open to the container before it had given up the host.
#[test]
fn cve_2016_9962_a_container_sees_into_no_process_that_joins_it() {
    for init in [false, true] {
        let bench = Bench::new();
        let change = |command: Command| command.with_linux(|linux| linux.init = init);
        let out = looks_into_execs(&bench, "ptrace-probe", execs(), change);
        assert!(out.ends_with(" hits 0\n"), "init {init}: {out}");
    }
}

/// The same with all that a container may have in a user namespace of its own: there it has CAP_SYS_PTRACE, too.
#[test]
fn cve_2016_9962_the_root_of_a_user_namespace_sees_into_no_process_that_joins_it() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let (bench, change) = remapped();
    let out = looks_into_execs(&bench, "ptrace-probe", execs(), |command| {
        change(command).with_linux(|linux| linux.cap_add = vec!["ALL".to_owned()])
    });
    assert!(out.ends_with(" hits 0\n"), "{out}");
}

/// With CAP_SYS_PTRACE in the host's own user namespace it sees into all that it can name: that then has nothing more than
/// the container.
#[test]
fn cve_2016_9962_a_container_that_may_trace_finds_no_right_or_descriptor_of_the_host() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    for (profile, no_new_privileges) in [("unconfined", false), ("", false), ("", true)] {
        let bench = Bench::new();
        let out = looks_into_execs(&bench, "rights-probe", execs(), |command| {
            command.with_linux(|linux| {
                linux.cap_add = vec!["SYS_PTRACE".to_owned()];
                profile.clone_into(&mut linux.seccomp_profile);
                linux.no_new_privileges = no_new_privileges;
            })
        });
        assert!(
            out.ends_with(" hits 0\n"),
            "{profile:?} {no_new_privileges}: {out}"
        );
    }
}

/// The same where not the container has it, but an exec that runs in it.
#[test]
fn cve_2016_9962_an_exec_that_may_trace_finds_no_right_or_descriptor_of_the_host() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    const RIGHTS: &str = "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP \
                          NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE SYS_PTRACE";
    let bench = Bench::new();
    let (stop, begun) = (
        bench.rootfs.inside("tmp/stop"),
        bench.rootfs.inside("tmp/begun"),
    );
    let command = bench.command(&["pause"]);
    bench.while_running(&command, |_| {
        std::thread::scope(|scope| {
            let tracer = scope.spawn(|| {
                let words = [
                    "seq",
                    "touch",
                    "/tmp/begun",
                    ",",
                    "rights-probe",
                    "3600",
                    "/tmp/stop",
                ];
                let rights = RIGHTS.split_whitespace().map(str::to_owned).collect();
                let request = ExecRequest::new(process(&words)).capabilities(rights);
                bench
                    .try_exec_with(&command.id, &request, Pipes::null())
                    .unwrap()
                    .out
            });
            support::eventually("it looks", || begun.exists());
            for _ in 0..execs() {
                bench.exec(&command.id, &["true"]);
            }
            fs::write(&stop, "").unwrap();
            let out = tracer.join().unwrap();
            assert!(out.ends_with(" hits 0\n"), "{out}");
        });
    });
}

/// Such an exec is set up in another order, which is to make no difference.
#[test]
fn an_exec_in_a_container_that_may_trace_is_like_any_other() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    for profile in ["", "unconfined"] {
        let command = bench.command(&["pause"]).with_linux(|linux| {
            linux.cap_add = vec!["SYS_PTRACE".to_owned()];
            profile.clone_into(&mut linux.seccomp_profile);
        });
        bench.while_running(&command, |_| {
            let exec = |change: &dyn Fn(&mut ProcessConfig), words: &[&str]| {
                let mut process = process(words);
                change(&mut process);
                let options = RunOptions::default().die_with_host(true);
                let resources = Resources {
                    memory: 64 << 20,
                    ..Resources::default()
                };
                let request = ExecRequest::new(process)
                    .options(options)
                    .resources(resources);
                let outcome = bench.try_exec_with(&command.id, &request, Pipes::null());
                let outcome = outcome.unwrap_or_else(|error| panic!("{}", contract::chain(&error)));
                assert!(outcome.status.success(), "{outcome:?}");
                outcome.out
            };
            let said = exec(
                &|process| "daemon:daemon".clone_into(&mut process.user),
                &["id"],
            );
            assert!(said.starts_with("uid=1 1 1 gid=1 1 1 "), "{said}");
            let said = exec(&|process| process.tty = true, &["tty"]);
            assert!(said.contains("/dev/pts/"), "{said}");
            assert_eq!(exec(&|_| {}, &["fds"]).lines().count(), 3);
            assert_eq!(
                exec(&|_| {}, &["status", "CapInh"]),
                "CapInh 0000000000000000\n"
            );
        });
    }
}

/// The root of a user namespace may mount what it likes over its own tree.
#[test]
fn what_a_container_mounts_over_its_own_tree_is_not_believed_by_an_exec() {
    if skip_unless(&[Need::UserNamespaces]) {
        return;
    }
    let (bench, change) = remapped();
    let over = |target| ["mount", "none", target, "tmpfs", "-", "", ","];
    let mut words = vec!["seq"];
    words.extend(over("/dev/pts"));
    words.extend(over("/proc"));
    words.extend(["touch", "/tmp/ready", ",", "pause"]);
    let command = change(bench.command(&words)).with_linux(|linux| {
        linux.cap_add = vec!["SYS_ADMIN".to_owned()];
        "unconfined".clone_into(&mut linux.seccomp_profile);
    });
    bench.while_running(&command, |_| {
        let ready = bench.rootfs.inside("tmp/ready");
        support::eventually("it has mounted", || ready.exists());
        // A terminal would be a file of the container's choice.
        let mut on_terminal = process(&["true"]);
        on_terminal.tty = true;
        let request = ExecRequest::new(on_terminal);
        let (error, text) = refused(bench.try_exec_with(&command.id, &request, Pipes::null()));
        assert!(matches!(error, Error::Setup { .. }), "{text}");
        assert_eq!(bench.exec(&command.id, &["ls", "/proc"]).out, "");
        // What is asked from outside does not go through what it has mounted.
        assert_eq!(bench.driver.pids(&command.id).unwrap().len(), 1);
        bench.driver.stats(&command.id).unwrap();
    });
}

/// A name service of the container's: a pipe that nobody writes to, a directory, a link to what never ends.
#[test]
fn an_exec_by_name_waits_for_no_file_of_the_containers() {
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    bench.while_running(&command, |_| {
        for (kind, target) in [
            ("pipe", ""),
            ("directory", ""),
            ("link", "/dev/zero"),
            ("link", "/dev/tty"),
        ] {
            for file in ["passwd", "group"] {
                let path = bench.rootfs.inside(&format!("etc/{file}"));
                let kept = fs::read(&path).unwrap();
                fs::remove_file(&path).unwrap();
                match kind {
                    "pipe" => nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap(),
                    "directory" => fs::create_dir(&path).unwrap(),
                    _ => std::os::unix::fs::symlink(target, &path).unwrap(),
                }
                let mut by_name = process(&["true"]);
                by_name.user = "daemon:daemon".to_owned();
                let options = RunOptions::default().timeout(contract::SOON);
                let request = ExecRequest::new(by_name).options(options);
                let (error, text) =
                    refused(bench.try_exec_with(&command.id, &request, Pipes::null()));
                assert!(
                    !matches!(error, Error::Timeout { .. }),
                    "{kind} {target}: {text}"
                );
                match kind {
                    "directory" => fs::remove_dir(&path).unwrap(),
                    _ => fs::remove_file(&path).unwrap(),
                }
                fs::write(&path, kept).unwrap();
            }
        }
    });
}
