//! Defects of the original that must not come back, by their numbers in the list of them: processes, streams, hooks.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod contract;
mod support;

use contract::{Bench, SOON, process, refused};
use execdriver::{
    Capture, Command, Error, ExecRequest, Hooks, IdMap, Ipc, Mount, Network, Pid, Pipes,
    RemappedRoot, RunOptions, Stdio, Uts, WindowSize,
};
use std::cell::Cell;
use std::io::Read;
use std::sync::mpsc;
use support::{Baseline, Need, alone, among, rounds, skip_unless};

/// The hook was shown the container's process and could not resize the exec's terminal.
#[test]
fn defect_04_the_start_hook_of_an_exec_is_about_the_exec() {
    let _among = among();
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let (_, ()) = bench.while_running(&command, |started| {
        let mut process = process(&["seq", "waitfile", "/go", ",", "winsize"]);
        process.tty = true;
        let request = ExecRequest::new(process.clone()).exec_id("shell");
        let seen = Cell::new(0);
        let hooks = Hooks::none().on_start(|context| {
            assert_eq!(context.process, &process);
            assert_eq!(context.exec_id, Some("shell"));
            assert_eq!(context.id, command.id);
            let size = WindowSize {
                rows: 33,
                columns: 77,
            };
            context.terminal.as_ref().unwrap().resize(size)?;
            seen.set(context.pid);
            bench.rootfs.write("go", "");
            Ok(())
        });
        let out = Capture::new(1 << 10);
        let pipes = Pipes::null().stdout(&out);
        bench
            .driver
            .exec(&command.id, &request, pipes, &hooks)
            .unwrap();
        assert_eq!(out.text(), "33 77\r\n");
        assert!(seen.get() != 0 && seen.get() != started.pid);
    });
}

/// The copiers were not awaited, and the tail of the output was lost. Terminals: `tty_no_loss`.
#[test]
fn defect_07_the_output_of_a_user_namespace_is_complete() {
    let _among = among();
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    bench.rootfs.give_to(100_000, 100_000);
    for _ in 0..rounds(20) {
        let words = [
            "seq", "big", "1000000", ",", "bigerr", "1000000", ",", "exit", "3",
        ];
        let command = remapped(bench.command(&words));
        let outcome = bench.run(&command);
        let sizes = (outcome.out.len(), outcome.err.len());
        assert_eq!((outcome.status.code, sizes), (3, (1_000_000, 1_000_000)));
    }
    let mut command = remapped(bench.command(&["big", "1600000"]));
    command.process.tty = true;
    assert_eq!(bench.output(&command).len(), 1_700_000);
}

fn remapped(command: Command) -> Command {
    let map = IdMap {
        container_id: 0,
        host_id: 100_000,
        size: 65_536,
    };
    command.with_linux(|linux| {
        linux.remapped_root = Some(RemappedRoot {
            uid: 100_000,
            gid: 100_000,
        });
        linux.uid_mappings = vec![map];
        linux.gid_mappings = vec![map];
    })
}

/// Ends of pipes and terminals stayed open in the host.
#[test]
fn defect_08_nothing_stays_open_in_the_host() {
    let _alone = alone();
    let bench = Bench::new();
    let every_kind = || {
        for tty in [false, true] {
            for pipes in [Pipes::null(), Pipes::null().stdin(Stdio::reader(&b"x"[..]))] {
                let mut command = bench.command(&["cat"]);
                command.process.tty = tty;
                let pipes = match tty {
                    // A terminal without input has no end of it.
                    true => pipes.stdin(Stdio::reader(std::io::empty())),
                    false => pipes,
                };
                bench.run_with(&command, pipes, &Hooks::none());
            }
            for words in [["/no/such"], ["/etc"]] {
                let mut command = bench.command(&words);
                command.process.tty = tty;
                refused(bench.try_run(&command));
                command.working_dir = "/no/such".into();
                refused(bench.try_run(&command));
                command.rootfs = "/no/such".into();
                refused(bench.try_run(&command));
            }
        }
    };
    every_kind();
    let ours = format!("contract-{}-", std::process::id());
    let baseline = Baseline::take(&bench.rootfs, &[&ours]);
    (0..rounds(10)).for_each(|_| every_kind());
    baseline.assert_back();
}

/// The host had the read end of the program's input open, so its copier never saw that the program was gone.
#[test]
fn defect_08_the_copier_of_input_ends_with_the_program() {
    let _among = among();
    /// Endless input that says when it is dropped.
    struct Endless(#[allow(dead_code, reason = "its drop is the message")] mpsc::Sender<()>);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.fill(b'x');
            Ok(buffer.len())
        }
    }
    let bench = Bench::new();
    let (send, dropped) = mpsc::channel();
    let pipes = Pipes::null().stdin(Stdio::reader(Endless(send)));
    bench.run_with(&bench.command(&["true"]), pipes, &Hooks::none());
    let end = dropped.recv_timeout(SOON);
    assert_eq!(end, Err(mpsc::RecvTimeoutError::Disconnected));
}

/// A first process that died before it executed anything looked like a program that had run.
#[test]
fn defect_10_a_death_before_the_program_is_no_start() {
    let _among = among();
    let bench = Bench::new();
    let started = Cell::new(false);
    let hooks = Hooks::none()
        .on_pre_start(|context| {
            let pid = nix::unistd::Pid::from_raw(context.pid.try_into()?);
            Ok(nix::sys::signal::kill(
                pid,
                nix::sys::signal::Signal::SIGKILL,
            )?)
        })
        .on_start(|_| {
            started.set(true);
            Ok(())
        });
    let command = bench.command(&["true"]);
    let (error, text) = refused(bench.try_run_with(&command, Pipes::null(), &hooks));
    assert!(matches!(error, Error::Setup { .. }), "{text}");
    assert!(text.contains("was killed by signal 9"), "{text}");
    assert!(!started.get(), "the Start hook was called");
    assert!(bench.driver.list().unwrap().is_empty(), "nothing is left");
}

/// Our own words, and a stack dump, went to the container's standard error.
#[test]
fn defect_11_the_container_never_speaks_our_errors() {
    let _among = among();
    let bench = Bench::new();
    let mut commands = vec![
        bench.command(&["/no/such"]),
        bench.command(&["/etc"]),
        bench.command(&["true"]),
        bench.command(&["true"]),
        bench.command(&["true"]),
    ];
    commands[2].mounts.push(Mount::bind("/no/such", "/mnt"));
    commands[3].working_dir = "/no/such".into();
    commands[4].process.user = "nobody-of-that-name".into();
    for mut command in commands {
        for tty in [false, true] {
            command.process.tty = tty;
            let said = Capture::new(1 << 20);
            let pipes = Pipes::null().stdout(&said).stderr(&said);
            let options = RunOptions::default();
            let run = bench.driver.run(&command, &options, pipes, &Hooks::none());
            refused(run);
            assert_eq!(said.text(), "");
        }
    }
}

#[test]
fn defect_16_the_name_of_the_host_is_never_seen() {
    let _among = among();
    let bench = Bench::new();
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for env in [vec![], vec!["HOSTNAME=".to_owned()]] {
        let mut command = bench.command(&["hostname"]);
        command.process.env = env;
        let shown = bench.output(&command);
        assert_ne!(shown, own);
        assert_eq!(shown.trim(), command.id);
    }
    // A container's own name does not follow a variable when it has been given one.
    let command = bench.command(&["hostname"]).env("HOSTNAME", "variable");
    let command = command.with_linux(|linux| linux.hostname = "field".into());
    assert_eq!(bench.output(&command), "field\n");
    // This one was a panic of the whole daemon.
    let mut command = bench.command(&["hostname"]);
    command.process.env = vec!["HOSTNAME".into()];
    let (error, text) = refused(bench.try_run(&command));
    assert!(matches!(error, Error::InvalidCommand { .. }), "{text}");
}

#[test]
fn defect_17_absent_parts_are_defaults() {
    let _among = among();
    let bench = Bench::new();
    let mut command = bench.command(&["ns", "ipc", "pid", "uts", "net"]);
    command.network = None;
    command.resources = None;
    command = command.with_linux(|linux| {
        (linux.ipc, linux.pid, linux.uts, linux.remapped_root) = (None, None, None, None);
    });
    let absent = bench.output(&command);
    // From JSON with null for each, and with an empty object for each.
    let json = serde_json::to_value(&command).unwrap();
    for part in ["ipc", "pid", "uts", "network", "resources"] {
        assert!(json[part].is_null(), "{part}: {json}");
    }
    let read: Command = serde_json::from_value(json).unwrap();
    assert_eq!(read, command);
    command.network = Some(Network::default());
    command.resources = Some(execdriver::Resources::default());
    command = command.with_linux(|linux| {
        linux.ipc = Some(Ipc::default());
        linux.pid = Some(Pid::default());
        linux.uts = Some(Uts::default());
    });
    let given = bench.output(&command);
    for (kind, shown) in ["ipc", "pid", "uts", "net"].iter().zip(absent.lines()) {
        let host = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_ne!(shown, host.to_string_lossy());
        assert!(!given.contains(&*host.to_string_lossy()));
    }
}

#[test]
fn defect_18_groups_may_be_given_twice_and_keep_their_order() {
    let _among = among();
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let groups = ["staff", "audio", "audio", "29", "tty"];
    let command = bench.command(&["id"]);
    let command = command.with_linux(|linux| {
        linux.group_add = groups.iter().map(ToString::to_string).collect();
    });
    let shown = bench.output(&command);
    assert!(shown.ends_with("groups=0,5,10,29,50\n"), "{shown}");
    (0..5).for_each(|_| assert_eq!(bench.output(&command), shown));
}

/// The name was that of a terminal of the host; the group was the user's number; the end of input never came.
#[test]
fn defect_21_the_terminal_of_an_exec_is_the_containers() {
    let _among = among();
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let (_, ()) = bench.while_running(&command, |_| {
        let mut process = process(&["seq", "tty", ",", "stat", "/dev/pts/0", ",", "cat"]);
        process.tty = true;
        let request = ExecRequest::new(process);
        let pipes = Pipes::null().stdin(Stdio::reader(&b""[..]));
        let outcome = bench.try_exec_with(&command.id, &request, pipes).unwrap();
        let lines: Vec<&str> = outcome.out.split("\r\n").collect();
        assert_eq!(lines[..3], ["0 /dev/pts/0", "1 /dev/pts/0", "2 /dev/pts/0"]);
        // As root the group is tty (5), which an ordinary user's namespace does not have.
        let group = if support::is_root() { "5" } else { "0" };
        assert!(
            lines[3].starts_with("c 06") && lines[3].ends_with(&format!(" 136 0 0 {group} 0")),
            "{}",
            lines[3]
        );
        assert_eq!(outcome.status.code, 0);
    });
}
