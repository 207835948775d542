//! More processes in a running container.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
#[path = "contract/host.rs"]
mod host;
mod support;

use contract::{Bench, Outcome, SOON, process, refused};
use execdriver::{
    Command, Error, ExecRequest, ExitReason, Hooks, Pipes, ProcessConfig, Result, RunOptions,
    Signal, Stdio, Target,
};
use host::{alive, assert_gone, cgroups_of};
use std::time::{Duration, Instant};
use std::{fs, thread};
use support::{Need, Rootfs, eventually, skip_unless};

fn exec(bench: &Bench, id: &str, process: ProcessConfig) -> Result<Outcome> {
    bench.try_exec_with(id, &ExecRequest::new(process), Pipes::null())
}

/// The cgroups of a process as the host sees them.
fn cgroups(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default()
}

#[test]
fn exec_basic() {
    let bench = Bench::new();
    bench.rootfs.write("tmp/file", "of the container");
    let command = bench.command(&["pause"]);
    bench.while_running(&command, |init| {
        let id = &command.id;
        assert_eq!(
            bench.exec(id, &["read", "/tmp/file"]).out,
            "of the container"
        );
        assert_eq!(bench.exec(id, &["exit", "23"]).status.code, 23);
        let killed = bench.exec(id, &["signal", "9"]).status;
        assert_eq!((killed.code, killed.signal), (137, Some(Signal::KILL)));
        let kinds = ["ns", "ipc", "mnt", "net", "pid", "user", "uts"];
        let namespaces = bench.exec(id, &kinds).out;
        for line in namespaces.lines() {
            let kind = line.split(':').next().unwrap();
            let link = fs::read_link(format!("/proc/{}/ns/{kind}", init.pid)).unwrap();
            assert_eq!(link.to_string_lossy(), line);
        }
        let five = || {
            // Alive for a while: the kernel moves the dead to the root cgroup.
            let process = process(&["seq", "sleep", "0.3", ",", "exit", "5"]);
            let hooks = Hooks::none().on_start(|context| {
                assert_eq!(cgroups(context.pid), cgroups(init.pid));
                Ok(())
            });
            let request = ExecRequest::new(process);
            let status = bench.driver.exec(id, &request, Pipes::null(), &hooks);
            status.unwrap().code
        };
        thread::scope(|scope| {
            let all: Vec<_> = (0..5).map(|_| scope.spawn(five)).collect();
            assert!(all.into_iter().all(|exec| exec.join().unwrap() == 5));
        });
        assert_eq!(bench.driver.pids(id).unwrap(), [init.pid]);
    });
}

#[test]
fn exec_env() {
    let bench = Bench::new();
    let command = bench.command(&["pause"]).env("A", "1").env("PATH", "/bin");
    bench.while_running(&command, |_| {
        let said = bench.exec(&command.id, &["env"]).out;
        let mut entries: Vec<_> = said.lines().collect();
        entries.retain(|entry| !entry.starts_with("HOSTNAME="));
        assert_eq!(entries, ["A=1", "PATH=/bin", "HOME=/root"]);
        // By name: the container's PATH.
        let by_name = exec(&bench, &command.id, ProcessConfig::new("true")).unwrap();
        assert_eq!(by_name.status.code, 0);
    });
}

#[test]
fn defect_01_an_exec_gets_its_own_environment() {
    let bench = Bench::new();
    let command = bench.command(&["pause"]).env("A", "1").env("PATH", "/bin");
    bench.while_running(&command, |_| {
        let own = process(&["env"]).env("B", "x=y").env("HOME", "/tmp");
        let said = exec(&bench, &command.id, own).unwrap().out;
        assert_eq!(said, "B=x=y\nHOME=/tmp\n");
    });
}

#[test]
fn exec_user() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let as_user = |user: &str| ProcessConfig {
        user: user.to_owned(),
        ..process(&["id"])
    };
    let mut command = bench.command(&["pause"]);
    command.process.user = "nobody".to_owned();
    bench.while_running(&command, |_| {
        let id = &command.id;
        let said = |user: &str| exec(&bench, id, as_user(user)).unwrap().out;
        assert!(said("").starts_with("uid=65534 65534 65534 gid=65534"));
        assert!(said("1").starts_with("uid=1 1 1 gid=1 1 1 "));
        assert!(said("root:audio").starts_with("uid=0 0 0 gid=29 29 29 "));
        for bad in ["no-such-user", "root:no-such-group", "-1", "2147483648"] {
            let (error, text) = refused(exec(&bench, id, as_user(bad)));
            assert_eq!(error.exit_code(), 125, "{bad}: {text}");
        }
    });
}

#[test]
fn exec_privileged() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let command = bench
        .command(&["pause"])
        .with_linux(|linux| linux.cap_drop = vec!["ALL".to_owned()]);
    bench.while_running(&command, |_| {
        let id = &command.id;
        let privileged = ProcessConfig {
            privileged: true,
            ..process(&["mknod", "/tmp/null", "c", "1", "3"])
        };
        assert_eq!(exec(&bench, id, privileged).unwrap().out, "ok\n");
        let plain = bench.exec(id, &["mknod", "/tmp/again", "c", "1", "3"]);
        assert_eq!(plain.out, "EPERM\n");
    });
}

#[test]
fn exec_not_found() {
    let bench = Bench::new();
    bench.rootfs.write("tmp/text", "no program");
    let command = bench.command(&["pause"]).env("PATH", "/bin");
    bench.while_running(&command, |init| {
        let id = &command.id;
        for missing in ["no-such-program", "/bin/no-such-program"] {
            let (error, _) = refused(exec(&bench, id, ProcessConfig::new(missing)));
            assert_eq!(error.exit_code(), 127, "{missing}: {error:?}");
        }
        for unfit in ["/tmp", "/tmp/text"] {
            let (error, _) = refused(exec(&bench, id, ProcessConfig::new(unfit)));
            assert_eq!(error.exit_code(), 126, "{unfit}: {error:?}");
        }
        let elsewhere = ExecRequest::new(process(&["true"])).cwd("/no/such/place");
        let (error, text) = refused(bench.try_exec_with(id, &elsewhere, Pipes::null()));
        assert_eq!(error.exit_code(), 125, "{text}");
        assert_eq!(bench.driver.pids(id).unwrap(), [init.pid]);
    });
}

#[test]
fn exec_bg() {
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    bench.while_running(&command, |_| {
        let begun = Instant::now();
        let outcome = bench.exec(&command.id, &["spawn-bg", "0.7", "4"]);
        assert_eq!((outcome.status.code, &*outcome.out), (4, "late\n"));
        assert!(begun.elapsed() >= Duration::from_millis(700));

        // Bounded: the descendant stays, its output is given up.
        let request = ExecRequest::new(process(&["spawn-bg", "60"]))
            .options(RunOptions::default().output_grace(Duration::from_millis(100)));
        let outcome = bench
            .try_exec_with(&command.id, &request, Pipes::null())
            .unwrap();
        assert!(outcome.status.output_truncated, "{outcome:?}");
    });
}

#[test]
fn exec_stdin() {
    if skip_unless(&[Need::Busybox]) {
        return;
    }
    let bench = Bench::on(Rootfs::new().with_busybox());
    let command = bench.command(&["pause"]);
    bench.while_running(&command, |init| {
        let script: &[u8] = b"echo hello\nread line\nnot read\necho end; exit 3\n";
        let pipes = Pipes::null().stdin(Stdio::reader(script));
        let request = ExecRequest::new(ProcessConfig::new("/bin/sh"));
        let outcome = bench.try_exec_with(&command.id, &request, pipes).unwrap();
        assert_eq!(outcome.out, "hello\nend\n", "{outcome:?}");
        assert_eq!(outcome.status.code, 3);
        // Its end alone ends the shell too.
        let pipes = Pipes::null().stdin(Stdio::reader(&b"echo hello\n"[..]));
        let outcome = bench.try_exec_with(&command.id, &request, pipes).unwrap();
        assert_eq!((outcome.status.code, &*outcome.out), (0, "hello\n"));
        assert_eq!(bench.driver.pids(&command.id).unwrap(), [init.pid]);
    });
}

#[test]
fn exec_stop() {
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let target = Target::from(&command);
    bench.while_running(&command, |_| {
        let begun = Instant::now();
        let hooks = Hooks::none().on_start(|_| Ok(bench.driver.kill(&target, Signal::KILL)?));
        let request = ExecRequest::new(process(&["sleep", "600"]));
        let status = bench
            .driver
            .exec(&command.id, &request, Pipes::null(), &hooks)
            .unwrap();
        assert_eq!(status.code, 137, "{status:?}");
        assert!(begun.elapsed() < Duration::from_secs(300));
    });
}

#[test]
fn kill() {
    let bench = Bench::new();
    let command = bench.command(&["pause"]);
    let target = Target::from(&command);
    let send = |signal| bench.driver.kill(&target, signal);
    let (status, ()) = bench.while_running(&command, |init| {
        send(Signal::PROBE).unwrap();
        send(Signal::new(libc::SIGWINCH).unwrap()).unwrap();
        // PID 1 has no default actions: pid_namespaces(7).
        send(Signal::TERM).unwrap();
        thread::sleep(Duration::from_millis(100));
        assert!(alive(init.pid));
        send(Signal::KILL).unwrap();
        assert_gone(init.pid);
    });
    assert_eq!(
        (status.code, status.reason),
        (137, ExitReason::KilledByCaller)
    );
    for id in [command.id.as_str(), "nobody"] {
        let (error, text) = refused(bench.driver.kill(&Target::from(id), Signal::KILL));
        assert!(
            matches!(error, Error::NotFound { .. } | Error::NotRunning { .. }),
            "{text}"
        );
    }
    assert!(Signal::new(999).is_err());
    assert!(Signal::new(-9).is_err());
}

#[test]
fn pid_host_children() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let on_host = |words: &[&str]| {
        let command: Command = bench.command(words);
        command.with_linux(|linux| linux.pid = Some(execdriver::Pid::host()))
    };
    let begun = Instant::now();
    let command = on_host(&["orphan", "60", "6"]);
    let outcome = bench.run(&command);
    assert_eq!(outcome.status.code, 6);
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_gone(outcome.out.trim().parse().unwrap());
    assert!(cgroups_of(&command.id).is_empty());

    let command = on_host(&["seq", "orphan", "60", ",", "pause"]);
    let begun = Instant::now();
    let (outcome, ()) = bench.during(&command, Pipes::null(), |_| {
        eventually("both run", || {
            bench.driver.pids(&command.id).unwrap().len() == 2
        });
        let target = Target::from(&command);
        bench.driver.kill(&target, Signal::KILL).unwrap();
    });
    assert_eq!(outcome.status.code, 137);
    assert!(begun.elapsed() < SOON);
    assert_gone(outcome.out.trim().parse().unwrap());
}
