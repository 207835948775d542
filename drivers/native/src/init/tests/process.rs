//! PID 1, joining a running container, signals, limits and kernel parameters.

use std::os::fd::BorrowedFd;

use super::*;
use crate::sys::pidfd;
use crate::wire::NO_SLOT;

fn with_pid1(rootfs: &Rootfs, script: &str) -> (Ended, i32) {
    let mut plan = Plan::standard(&rootfs.path(), namespaces());
    let (mut status, status_writer) = os_pipe::pipe().unwrap();
    let (reader, writer) = os_pipe::pipe().unwrap();
    let (slot, out) = (plan.fd(status_writer), plan.fd(writer));
    plan.op(Op::Stdio {
        stdin: out,
        stdout: out,
        stderr: out,
    });
    plan.identity(c"", Strings::EMPTY);
    plan.op(Op::Cwd { path: c"/" });
    plan.op(Op::Reset {
        flags: 0,
        umask: 0o022,
    });
    plan.op(Op::Pid1 { status: slot });
    plan.op(Op::Setsid {
        controlling_terminal: false,
    });
    plan.exec(&["/bin/sh", "-c", script], &PATH);
    let ended = plan.launch(Some(reader));
    let mut raw = [0; 4];
    status.read_exact(&mut raw).unwrap();
    (ended, i32::from_le_bytes(raw))
}

#[test]
fn pid_1_passes_the_status_on_and_reaps_orphans() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let script = "(busybox sleep 0.05 & ) ; for i in $(busybox seq 100); do busybox sleep 0.05; \
        zombies=$(busybox ps -o stat,comm | busybox grep -c ^Z); [ $i -gt 3 ] && [ $zombies = 0 ] && break; done; \
        echo $zombies; echo $$; exit 7";
    let (ended, raw) = with_pid1(&rootfs, script);
    assert_eq!(
        (&*ended.output, ended.code, raw),
        ("0\n2\n", 7, 7 << 8),
        "{ended:?}"
    );
    let (ended, raw) = with_pid1(&rootfs, "kill -TERM $$");
    assert_eq!((ended.code, raw), (128 + 15, 15), "{ended:?}");
}

#[test]
fn pid_1_is_bare_and_forwards_signals() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let script = "trap 'echo got; exit 3' TERM; busybox ls /proc/1/fd 2>/dev/null | busybox wc -l; \
        kill -TERM 1; busybox sleep 2; echo late";
    let (ended, _) = with_pid1(&rootfs, script);
    assert!(
        ended.output.ends_with("got\n") && ended.code == 3,
        "{ended:?}"
    );
}

/// A container that prints a line and waits for its standard input to end; the callback gets its pidfd.
fn with_running(rootfs: &Rootfs, test: impl FnOnce(BorrowedFd<'_>)) -> String {
    with_running_script(rootfs, "echo here > /tmp/file; read x", test)
}

/// The same with a script of its own after that line; returns what it printed.
fn with_running_script(rootfs: &Rootfs, script: &str, test: impl FnOnce(BorrowedFd<'_>)) -> String {
    let mut plan = Plan::standard(&rootfs.path(), namespaces());
    let (stdin, stdin_writer) = os_pipe::pipe().unwrap();
    let (mut reader, writer) = os_pipe::pipe().unwrap();
    let (stdin, out) = (plan.fd(stdin), plan.fd(writer));
    plan.op(Op::Stdio {
        stdin,
        stdout: out,
        stderr: out,
    });
    plan.identity(c"", Strings::EMPTY);
    plan.op(Op::Reset {
        flags: 0,
        umask: 0o022,
    });
    plan.exec(&["/bin/sh", "-c", &format!("echo ready; {script}")], &PATH);
    let mut output = String::new();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let running = scope.spawn(move || {
            let namespaces = plan.namespaces;
            let (ours, theirs) = UnixStream::pair().unwrap();
            let Plan { writer, fds, .. } = plan;
            let message = writer
                .finish(u16::try_from(fds.len()).unwrap(), SOURCES + 100)
                .unwrap();
            send(&ours, &message, &fds);
            drop(fds);
            let program = memfd();
            let spawned = spawn(&Spawn {
                share_descriptors: true,
                program: program.as_fd(),
                socket: theirs.as_fd(),
                namespaces,
                cgroup: None,
            })
            .unwrap();
            drop(theirs);
            while let Some((report, _)) = next(&ours) {
                assert_ne!(report.kind, Kind::Failed, "{report:?}");
                if report.kind == Kind::Ns {
                    map_ids(&spawned, namespaces);
                    (&ours).write_all(&[GO]).unwrap();
                }
            }
            sender.send(spawned.pid).unwrap();
            code(&spawned.pidfd)
        });
        let pid = receiver.recv().unwrap();
        let pidfd = pidfd::open(pid).unwrap();
        let mut line = [0; 6];
        reader.read_exact(&mut line).unwrap();
        test(pidfd.as_fd());
        drop(stdin_writer);
        reader.read_to_string(&mut output).unwrap();
        running.join().unwrap();
    });
    output
}

fn join(pidfd: BorrowedFd<'_>, build: impl FnOnce(&mut Plan)) -> Ended {
    let mut plan = Plan::new(0);
    let slot = plan.fd(pidfd.try_clone_to_owned().unwrap());
    let (reader, writer) = os_pipe::pipe().unwrap();
    let out = plan.fd(writer);
    plan.op(Op::ReportNs {});
    plan.op(Op::Undumpable {});
    let namespaces = namespaces();
    if namespaces & NEW_USER != 0 {
        plan.op(Op::Join {
            slot,
            flags: u32::try_from(NEW_USER).unwrap(),
        });
    }
    plan.op(Op::Join {
        slot,
        flags: u32::try_from(namespaces & !NEW_USER).unwrap(),
    });
    plan.op(Op::Fork {});
    plan.op(Op::Setsid {
        controlling_terminal: false,
    });
    plan.op(Op::Stdio {
        stdin: out,
        stdout: out,
        stderr: out,
    });
    build(&mut plan);
    plan.launch(Some(reader))
}

#[test]
fn an_exec_joins_the_container_and_returns_its_own_status() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    with_running(&rootfs, |pidfd| {
        let ended = join(pidfd, |plan| {
            plan.op(Op::Identity {
                flags: IDENTITY_BY_NAME
                    | IDENTITY_SET_HOME
                    | if is_root() { 0 } else { IDENTITY_KEEP_GROUPS },
                user: c"root",
                groups: Strings::EMPTY,
                uid: 0,
                gid: 0,
                gids: Numbers::EMPTY,
                chown: 0,
            });
            plan.op(Op::Cwd { path: c"/tmp" });
            plan.op(Op::Reset {
                flags: 0,
                umask: 0o022,
            });
            let script = "pwd; busybox cat file; echo $HOME; busybox ls -1 /proc/self/fd; \
                busybox test $$ -gt 1 && exit 23";
            plan.exec(&["sh", "-c", script], &PATH);
        });
        assert_eq!(
            (&*ended.output, ended.code),
            ("/tmp\nhere\n/root\n0\n1\n2\n3\n", 23),
            "{ended:?}"
        );
        let forked = ended
            .reports
            .iter()
            .find(|report| report.kind == Kind::Forked)
            .unwrap();
        assert!(forked.value > 1);
    });
}

#[test]
fn an_exec_gets_a_terminal_of_the_container() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    with_running(&rootfs, |pidfd| {
        let ended = join(pidfd, |plan| {
            plan.op(Op::Terminal {
                rows: 5,
                cols: 6,
                uid: 0,
                gid: crate::wire::NO_ID,
                console: false,
            });
            let terminal = crate::wire::TERMINAL_SLOT;
            plan.op(Op::Stdio {
                stdin: terminal,
                stdout: terminal,
                stderr: terminal,
            });
            plan.op(Op::Reset {
                flags: 0,
                umask: 0o022,
            });
            plan.exec(&["/bin/sh", "-c", "busybox tty; busybox stty size"], &PATH);
        });
        assert_eq!(ended.output, "/dev/pts/0\r\n5 6\r\n", "{ended:?}");
    });
}

#[test]
fn a_failed_exec_is_reported_by_the_second_process() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    with_running(&rootfs, |pidfd| {
        let ended = join(pidfd, |plan| plan.exec(&["no-such"], &PATH));
        assert_eq!(ended.failed().detail, Detail::NotInPath);
    });
}

#[test]
fn a_sysctl_of_the_container_is_set_and_no_other_file_is() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let set = |path: &CStr| {
        let mut plan = Plan::new(namespaces());
        plan.begin();
        plan.op(Op::Sysctl { path, value: b"17" });
        plan.cut_off();
        plan.root(&rootfs.path(), 0);
        plan.mount(c"proc", c"/proc", &[], 0);
        plan.op(Op::Pivot {});
        let script = "busybox cat /proc/sys/net/ipv4/ip_default_ttl";
        plan.finish(c"0:0", &["/bin/sh", "-c", script], &PATH)
    };
    assert_eq!(set(c"net/ipv4/ip_default_ttl").ok(), "17\n");
    assert_eq!(
        set(c"../1/oom_score_adj").failed().op,
        2 + u32::from(namespaces() & NEW_USER != 0)
    );
}

#[test]
fn the_loopback_is_up_and_the_names_are_set() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let mut plan = Plan::standard(&rootfs.path(), namespaces());
    plan.op(Op::LoopbackUp {});
    plan.op(Op::Hostname { name: b"box" });
    plan.op(Op::Domainname { name: b"example" });
    plan.op(Op::SessionKeyring {});
    let script = "busybox hostname; busybox cat /proc/sys/kernel/domainname; busybox ping -c 1 127.0.0.1 > /dev/null && echo up; \
        busybox ifconfig lo | busybox grep -c UP";
    let ended = plan.finish(c"0:0", &["/bin/sh", "-c", script], &PATH);
    assert!(
        ended.output.starts_with("box\nexample\n") && ended.output.ends_with("1\n"),
        "{ended:?}"
    );
}

#[test]
fn a_dead_host_is_noticed() {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let dead = pidfd::open(i32::try_from(child.id()).unwrap()).unwrap();
    child.wait().unwrap();
    let mut plan = Plan::new(0);
    let slot = plan.fd(dead);
    plan.op(Op::DieWithHost {
        signal: 9,
        slot: NO_SLOT,
    });
    plan.op(Op::DieWithHost { signal: 9, slot });
    let failed = plan.launch(None).failed();
    assert_eq!((failed.op, failed.detail), (1, Detail::HostGone));
}

#[test]
fn a_container_never_sees_into_an_exec_that_is_not_yet_its_payload() {
    // The exec takes the container's groups, which an ordinary user's namespace denies.
    if skip_unless(&[Need::Root]) {
        return;
    }
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    // Until it is the payload, an exec's program is a memory file and one of its descriptors is a socket.
    let script = "while ! busybox test -e /stop; do \
        busybox ls -l /proc/[0-9]*/exe /proc/[0-9]*/fd/[3-9]; done 2>/dev/null | \
        busybox grep -E 'memfd|socket|pidfd'";
    let output = with_running_script(&rootfs, script, |pidfd| {
        for _ in 0..10 {
            let ended = join(pidfd, |plan| {
                // From here on it has the ids and capabilities of the container, and only its being undumpable
                // protects it. Many small steps give the container the time to look.
                plan.identity(c"", Strings::EMPTY);
                for _ in 0..5_000 {
                    plan.op(Op::Cwd { path: c"/" });
                }
                plan.op(Op::Reset {
                    flags: 0,
                    umask: 0o022,
                });
                plan.exec(&["/bin/busybox", "true"], &PATH);
            });
            assert_eq!(ended.code, 0, "{ended:?}");
        }
        rootfs.write("stop", "");
    });
    assert_eq!(output, "");
}
