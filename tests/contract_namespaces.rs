//! Cases 28 to 31 of the contract: host names, and namespaces that are shared.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod contract;
mod support;

use contract::{Bench, refused};
use execdriver::{Command, Error, Ipc, Network, Pid, Uts};
use support::unique_id;

#[test]
fn hostname() {
    let bench = Bench::new();
    let command = bench.command(&["hostname"]).env("HOSTNAME", "foo.bar.baz");
    assert_eq!(bench.output(&command), "foo.bar.baz\n");
}

#[test]
fn uts_host() {
    let bench = Bench::new();
    let command = bench
        .command(&["seq", "ns", "uts", ",", "hostname"])
        .env("HOSTNAME", "foo.bar.baz")
        .with_linux(|linux| linux.uts = Some(Uts::host()));
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(bench.output(&command), format!("{}\n{name}", own("uts")));
}

/// The link of this process's own namespace.
fn own(kind: &str) -> String {
    let link = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
    link.to_string_lossy().into_owned()
}

#[track_caller]
fn shares_with_host(bench: &Bench, kind: &str, change: impl FnOnce(&mut Command)) {
    let mut command = bench.command(&["ns", kind]);
    let default = bench.output(&command);
    assert_ne!(default.trim(), own(kind), "a namespace of its own");
    change(&mut command);
    assert_eq!(bench.output(&command).trim(), own(kind));
}

#[test]
fn ipc_host() {
    shares_with_host(&Bench::new(), "ipc", |command| {
        command.as_linux_mut().unwrap().ipc = Some(Ipc::host());
    });
}

#[test]
fn pid_host() {
    let bench = Bench::new();
    shares_with_host(&bench, "pid", |command| {
        command.as_linux_mut().unwrap().pid = Some(Pid::host());
    });
    // And its /proc is about the host's processes.
    let command = bench
        .command(&["seq", "procs", ",", "cat", "/proc/self/cmdline"])
        .with_linux(|linux| linux.pid = Some(Pid::host()));
    let shown = bench.output(&command);
    let own = format!("\n{} ", std::process::id());
    assert!(shown.contains(&own), "{shown}");
}

#[test]
fn net_host() {
    let bench = Bench::new();
    shares_with_host(&bench, "net", |command| {
        command.network = Some(Network::host());
    });
}

/// Each container has its own, or the host's if that is asked for, whatever the host has mounted.
#[test]
fn message_queues_are_those_of_the_ipc_namespace() {
    let bench = Bench::new();
    let name = unique_id("queue");
    let queue = format!("/dev/mqueue/{name}");
    let on_host = |words: &[&str]| {
        let command = bench.command(words);
        bench.output(&command.with_linux(|linux| linux.ipc = Some(Ipc::host())))
    };
    assert_eq!(bench.says(&["touch", &queue]), "ok\n");
    assert_eq!(bench.says(&["ls", "/dev/mqueue"]), "");
    if !support::is_root() {
        return;
    }
    assert_eq!(on_host(&["touch", &queue]), "ok\n");
    let seen = [
        on_host(&["ls", "/dev/mqueue"]),
        bench.says(&["ls", "/dev/mqueue"]),
    ];
    assert_eq!(on_host(&["rm", &queue]), "ok\n");
    assert!(seen[0].contains(&name), "{seen:?}");
    assert_eq!(seen[1], "");
}

/// The host's wins when both are asked for.
#[test]
fn ipc_of_host_and_container_is_the_hosts() {
    let bench = Bench::new();
    let ipc = Ipc {
        host: true,
        ..Ipc::of_container("no-such-container")
    };
    let command = bench
        .command(&["ns", "ipc"])
        .with_linux(|linux| linux.ipc = Some(ipc));
    assert_eq!(bench.output(&command).trim(), own("ipc"));
}

#[test]
fn ipc_container() {
    let bench = Bench::new();
    let words = [
        "seq",
        "shm",
        "put",
        "77",
        "shared",
        ",",
        "touch",
        "/dev/mqueue/q",
        ",",
        "ns",
        "ipc",
        ",",
        "symlink",
        "x",
        "/tmp/ready",
        ",",
        "pause",
    ];
    let first = bench.command(&words);
    let join = |words: &[&str]| {
        let joined = Ipc::of_container(&first.id);
        let command = bench.command(words);
        command.with_linux(|linux| linux.ipc = Some(joined))
    };
    let (outcome, second) = bench.during(&first, execdriver::Pipes::null(), |_| {
        support::eventually("the first is ready", || {
            bench.rootfs.inside("tmp/ready").is_symlink()
        });
        let words = [
            "seq",
            "shm",
            "get",
            "77",
            ",",
            "ls",
            "/dev/mqueue",
            ",",
            "ns",
            "ipc",
        ];
        bench.run(&join(&words))
    });
    let link = outcome.out.lines().find(|line| line.starts_with("ipc:"));
    let expected = format!("shared\nq\n{}\n", link.unwrap());
    assert_eq!((second.status.code, second.out), (0, expected));
    refuses(&bench, &join(&["true"]), "ipc", &first.id);
    let unknown = unique_id("unknown");
    let command = bench
        .command(&["true"])
        .with_linux(|linux| linux.ipc = Some(Ipc::of_container(&unknown)));
    refuses(&bench, &command, "ipc", &unknown);
}

/// Neither an unknown container nor one that has ended can be joined.
#[track_caller]
fn refuses(bench: &Bench, command: &Command, part: &str, id: &str) {
    let (error, text) = refused(bench.try_run(command));
    assert!(
        matches!(&error, Error::InvalidCommand { field, .. } if field == &format!("{part}.container_id")),
        "{text}"
    );
    let expected = format!("{id:?} is not a valid running container to join");
    assert!(text.contains(&expected), "{text}");
    assert!(bench.driver.list().unwrap().is_empty(), "nothing is left");
}

#[test]
fn net_container() {
    let bench = Bench::new();
    let first = bench.command(&["seq", "ns", "net", ",", "pause"]);
    let join = |words: &[&str], id: &str| {
        let mut command = bench.command(words);
        command.network = Some(Network::of_container(id));
        command
    };
    let (outcome, second) = bench.during(&first, execdriver::Pipes::null(), |_| {
        bench.run(&join(&["seq", "ns", "net", ",", "ifs"], &first.id))
    });
    assert_eq!(second.out, format!("{}lo\n", outcome.out));
    refuses(&bench, &join(&["true"], &first.id), "network", &first.id);
    let unknown = unique_id("unknown");
    refuses(&bench, &join(&["true"], &unknown), "network", &unknown);
}

#[test]
fn pid_container() {
    let bench = Bench::new();
    let first = bench.command(&["pause"]);
    let ((), second) = {
        let (_, second) = bench.while_running(&first, |_| {
            let joined = Pid::of_container(&first.id);
            let command = bench
                .command(&["procs"])
                .with_linux(|linux| linux.pid = Some(joined));
            bench.run(&command)
        });
        ((), second)
    };
    // The first's own program is PID 1 there, and ours a later one without a parent inside.
    let lines: Vec<&str> = second.out.lines().collect();
    assert_eq!(lines.first(), Some(&"1 0 pause"), "{second:?}");
    assert!(
        lines.iter().any(|line| line.ends_with(" 0 procs")),
        "{second:?}"
    );
}

#[test]
fn net_at_path() {
    let bench = Bench::new();
    let first = bench.command(&["seq", "ns", "net", ",", "pause"]);
    let (outcome, second) = bench.during(&first, execdriver::Pipes::null(), |started| {
        let mut command = bench.command(&["ns", "net"]);
        let path = format!("/proc/{}/ns/net", started.pid);
        command.network = Some(Network::at_path(path));
        (support::is_root(), bench.try_run(&command))
    });
    match second {
        (true, second) => assert_eq!(second.unwrap().out, outcome.out),
        // It belongs to another user namespace than the new one.
        (false, second) => _ = refused(second),
    }
    let mut command = bench.command(&["true"]);
    command.network = Some(Network::at_path("/etc/passwd"));
    let (error, text) = refused(bench.try_run(&command));
    assert!(matches!(error, Error::InvalidCommand { .. }), "{text}");
}
