//! Every system call of a start is made to fail in turn: a typed error, nothing left, and the next run works.
//!
//! One in a few calls is, in an ordinary run of the tests, another one for each errno; with EXECDRIVER_SOAK=1 all are.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "contract/ahead.rs"]
mod ahead;
mod contract;
mod support;
mod walk;

use contract::{Bench, chain, process};
use execdriver::{
    Driver, Error, ExecRequest, ExitStatus, Hooks, IdMap, Mount, MountIdMap, Options, Pipes,
    Registry, Result, RunOptions, Signal, Stdio, Target, UserNamespace,
};
use nix::errno::Errno;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use support::{Baseline, Need, USER, alone, rerun, skip_unless, unique_id};
use walk::{Call, Session, Verdict, Who};

/// The test that is the host program in another process.
const HOST: &str = "the_host_program";
/// What the host program does in each round.
const ACT: &str = "EXECDRIVER_TEST_ACT";
/// Where the container of the execs is, which is another process's: this one is killed in the end.
const STATE: &str = "EXECDRIVER_TEST_STATE";
const ID: &str = "EXECDRIVER_TEST_ID";

/// Does nothing unless it was started by a walk.
#[test]
fn the_host_program() {
    let Some(directory) = walk::directory() else {
        return;
    };
    // A panic is part of the report.
    let bench = Bench::new();
    match &*std::env::var(ACT).unwrap() {
        "run" => act_in_rounds(&directory, &bench, &|| run(&bench)),
        "ahead" => {
            let bench = bench.with_option("native.sandbox_pool=2");
            act_in_rounds(&directory, &bench, &|| run(&bench));
        }
        "range" => act_in_rounds(&directory, &bench, &|| run_in_range(&bench)),
        "mapped" => {
            // Its owner is root, as that of the volume.
            let volume = bench.rootfs.outside();
            act_in_rounds(&directory, &bench, &|| run_mapped(&bench, &volume));
        }
        "terminal" => act_in_rounds(&directory, &bench, &|| run_on_terminal(&bench)),
        act @ ("exec" | "exec again") => {
            let root = std::env::var_os(STATE).unwrap();
            let registry = Registry::with_builtin();
            let opened = registry.open("native", Path::new(&root), Options::none());
            let (driver, id) = (opened.unwrap(), std::env::var(ID).unwrap());
            let times = if act == "exec" { 1 } else { 3 };
            act_in_rounds(&directory, &bench, &|| exec(&*driver, &id, times));
        }
        other => panic!("{other}"),
    }
}

/// Input from a thread, captured output, no init.
fn run(bench: &Bench) -> Result<ExitStatus> {
    let mut command = bench.command(&["cat"]);
    command.id = unique_id("walk");
    let out = execdriver::Capture::new(100);
    let pipes = Pipes::null()
        .stdin(Stdio::reader(&b"text"[..]))
        .stdout(&out);
    bench
        .driver
        .run(&command, &RunOptions::default(), pipes, &Hooks::none())
}

/// A terminal, init as PID 1, hooks, and a kill from one of them.
fn run_on_terminal(bench: &Bench) -> Result<ExitStatus> {
    let mut command = bench
        .command(&["pause"])
        .with_linux(|linux| linux.init = true);
    command.id = unique_id("walk");
    command.process.tty = true;
    let hooks = Hooks::none()
        .on_pre_start(|_| Ok(()))
        .on_start(|context| Ok(bench.driver.kill(&Target::from(context.id), Signal::KILL)?));
    let options = RunOptions::default();
    bench.driver.run(&command, &options, Pipes::null(), &hooks)
}

/// Ids that newuidmap and newgidmap write.
fn run_in_range(bench: &Bench) -> Result<ExitStatus> {
    let mut command = bench
        .command(&["true"])
        .with_linux(|linux| linux.user_namespace = UserNamespace::Auto);
    command.id = unique_id("walk");
    let options = RunOptions::default();
    bench
        .driver
        .run(&command, &options, Pipes::null(), &Hooks::none())
}

/// Ids that the host program writes; a rootfs and a volume whose owners are mapped, the volume's by a map of its own.
fn run_mapped(bench: &Bench, volume: &Path) -> Result<ExitStatus> {
    let range = |container_id, host_id, size| IdMap {
        container_id,
        host_id,
        size,
    };
    let mut command = bench.command(&["true"]).with_linux(|linux| {
        linux.uid_mappings = vec![range(0, 100_000, 65_536)];
        linux.gid_mappings = vec![range(0, 100_000, 65_536)];
        linux.idmap_rootfs = true;
    });
    command.id = unique_id("walk");
    let map = MountIdMap {
        uid: vec![range(0, 105_000, 10)],
        gid: vec![range(0, 106_000, 10)],
    };
    command.mounts = vec![Mount {
        idmap: Some(map),
        ..Mount::bind(volume, "/data")
    }];
    let options = RunOptions::default();
    bench
        .driver
        .run(&command, &options, Pipes::null(), &Hooks::none())
}

/// The second of several leaves the cgroups open, and the third finds them so. Nothing is to be left open in the end.
fn exec(driver: &dyn Driver, id: &str, times: usize) -> Result<ExitStatus> {
    let once = |_| {
        let request = ExecRequest::new(process(&["cat"]));
        let out = execdriver::Capture::new(100);
        let pipes = Pipes::null()
            .stdin(Stdio::reader(&b"text"[..]))
            .stdout(&out);
        driver.exec(id, &request, pipes, &Hooks::none())
    };
    let executed = (0..times).map(once).reduce(Result::and);
    // A container that runs is not cleaned, but what is kept of it is closed.
    let refused = driver.clean(id);
    assert!(refused.is_err(), "{refused:?}");
    executed.unwrap()
}

/// The first line of a report is how it went, the others are what was left.
fn act_in_rounds(directory: &Path, bench: &Bench, act: &dyn Fn() -> Result<ExitStatus>) -> ! {
    act().unwrap();
    // Of a pool always as much is there, and never the same: it is full again before the next round.
    let pooled = !ahead::own().is_empty() || std::env::var(ACT).is_ok_and(|act| act == "ahead");
    let is_full = || !pooled || ahead::is_full(2);
    support::eventually("the pool is full", is_full);
    let baseline = Baseline::take(&bench.rootfs, &[&format!("-{}-", std::process::id())]);
    let left_behind = || {
        let mut left = baseline.left();
        left.retain(|line| !(pooled && is_as_many(line)));
        if !is_full() {
            left.push("the pool is not full".to_owned());
        }
        left
    };
    walk::act_in_rounds(
        directory,
        || match catch_unwind(AssertUnwindSafe(act)) {
            Err(_) => "panic".to_owned(),
            Ok(Err(error)) => format!("{} {}", kind(&error), chain(&error)),
            Ok(Ok(status)) => match &status.cleanup_error {
                None => format!(
                    "ok {:?} {} {:?}",
                    status.reason, status.code, status.stream_errors
                ),
                Some(error) => format!("Cleanup {}", chain(error)),
            },
        },
        |said| {
            let mut left = Vec::new();
            if said.starts_with("Cleanup") {
                // What could not be removed is ours to clean, and then is.
                for info in bench.driver.list().unwrap() {
                    if info.id.starts_with("walk")
                        && let Err(error) = bench.driver.clean(&info.id)
                    {
                        left.push(format!("not cleaned: {}", chain(&error)));
                    }
                }
            }
            if let Err(error) = act() {
                left.push(format!("the next one fails: {}", chain(&error)));
            }
            let is_back = || left_behind().is_empty();
            if !support::within(std::time::Duration::from_secs(3), is_back) {
                left.extend(left_behind());
            }
            format!("{said}\n{}", left.join("\n")).trim_end().to_owned()
        },
    )
}

/// Whether a line of a baseline's says that others are there, and no more of them.
fn is_as_many(line: &str) -> bool {
    let counts = line.split_once(": ").and_then(|(_, rest)| {
        let (before, rest) = rest.split_once(" before, ")?;
        Some((before, rest.split_once(" now")?.0))
    });
    counts.is_some_and(|(before, now)| before == now)
}

fn kind(error: &Error) -> String {
    let text = format!("{error:?}");
    text.split([' ', '(', '{'])
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// What init must not go on without: a container that runs although one of these failed is not confined.
const CONFINING: [&str; 20] = [
    "capset",
    "chroot",
    "close_range",
    "fsconfig",
    "fsmount",
    "fsopen",
    "mknodat",
    "mount",
    "mount_setattr",
    "move_mount",
    "open_tree",
    "pivot_root",
    "prctl",
    "prlimit64",
    "seccomp",
    "setgroups",
    "setresgid",
    "setresuid",
    "umount2",
    "unshare",
];

/// Fails calls of `act` in turn, of a host program of this user or of `user`, and says what went wrong.
fn walk(act: &str, of: &[(&str, &Path)], user: Option<u32>) {
    let _alone = alone();
    let mapped = act == "mapped";
    let act: Vec<_> = [(ACT, Path::new(act))]
        .into_iter()
        .chain(of.iter().copied())
        .collect();
    let soak = std::env::var_os("EXECDRIVER_SOAK").is_some_and(|value| value == "1");
    let errnos = [Errno::EPERM, Errno::ENOMEM, Errno::EIO];
    let mut session = Session::begin(HOST, &act, user);
    let all = session.round(&mut |_| Verdict::Pass).calls;
    assert!(all > 100, "only {all} calls were seen");
    // The turns of an ordinary run share the calls out among the errnos.
    let stride = if soak { 1 } else { all / 30 };
    let mut wrong = Vec::new();
    for (turn, errno) in errnos.into_iter().enumerate() {
        for index in (turn * stride / errnos.len()..all).step_by(stride) {
            let mut failed: Option<Call> = None;
            let round = session.round(&mut |call| {
                if call.index == index {
                    failed = Some(*call);
                    return Verdict::Fail(errno);
                }
                Verdict::Pass
            });
            let Some(call) = failed else { break };
            let said = round.said.unwrap_or_else(|| "died".to_owned());
            let line = format!("{call} {errno}: {said}");
            println!("{line}");
            let bad = said == "died" || said.contains('\n');
            let name = call.number == libc::SYS_prctl
                && call.args[0] == u64::from(libc::PR_SET_NAME.cast_unsigned());
            // A call that is not made has the number -1, which init's own filter, once it is in force, kills it for.
            // The process that only lends its user namespace to id maps closes what it has, too, if it is not killed before.
            let lent = mapped
                && call.number == libc::SYS_close_range
                && call.args[..2] == [4, u64::from(u32::MAX)];
            let unconfined = !name
                && !lent
                && !said.starts_with("ok Signalled 159")
                && call.who == Who::Init
                && CONFINING.contains(&call.name())
                && said.starts_with("ok");
            if bad || unconfined || said.starts_with("panic") {
                wrong.push(line);
            }
            if bad {
                // The next one is to be blamed for its own leaks alone.
                drop(session);
                session = Session::begin(HOST, &act, user);
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn each_call_of_a_run_that_fails_is_an_error_that_leaves_nothing() {
    walk("run", &[], None);
}

#[test]
fn each_call_of_a_run_of_what_was_made_ahead_that_fails_is_an_error_that_leaves_nothing() {
    if skip_unless(&[Need::Root]) || !ahead::may_wait() {
        return;
    }
    walk("ahead", &[], None);
}

#[test]
fn each_call_of_a_run_on_a_terminal_that_fails_is_an_error_that_leaves_nothing() {
    walk("terminal", &[], None);
}

#[test]
fn each_call_of_a_run_with_a_range_of_ids_that_fails_is_an_error_that_leaves_nothing() {
    const NAME: &str =
        "each_call_of_a_run_with_a_range_of_ids_that_fails_is_an_error_that_leaves_nothing";
    let ranges = "echo 'kim:300000:65536' > $DIR/ids; touch /etc/subuid /etc/subgid
        mount --bind $DIR/ids /etc/subuid; mount --bind $DIR/ids /etc/subgid";
    // The tracer stays root: the two programs of another's tracee would not be set-user-ID.
    if skip_unless(&[Need::Program("newuidmap")]) || rerun(NAME, ranges, "env") {
        return;
    }
    walk("range", &[], Some(USER));
}

#[test]
fn each_call_of_a_run_with_mapped_owners_that_fails_is_an_error_that_leaves_nothing() {
    if skip_unless(&[Need::Root, Need::Kernel(5, 12), Need::MappedOwners]) {
        return;
    }
    walk("mapped", &[], None);
}

#[test]
fn each_call_of_an_exec_that_fails_is_an_error_that_leaves_nothing() {
    let bench = Bench::new();
    let sleeper = bench.command(&["pause"]);
    let (state, id) = (bench.rootfs.state(), Path::new(&sleeper.id));
    // A record of an exec that could not be removed goes with the container.
    bench.while_running(&sleeper, |_| {
        for act in ["exec", "exec again"] {
            walk(act, &[(STATE, &state), (ID, id)], None);
        }
    });
}
