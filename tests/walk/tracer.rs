//! The tracer: one host program, stopped at each call of its act.

use super::calls::{Call, Who, acts_anyway, can_fail};
use super::{ACT_ENDS, DIRECTORY, Round, Verdict};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// A round that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(40);
/// `PTRACE_SYSCALL_INFO_ENTRY` of linux/ptrace.h.
const ENTRY: u8 = 1;

/// A host program under the tracer; dropped, it is killed.
///
/// Everything of one session happens on the thread that began it: a tracer is a thread.
pub(crate) struct Session {
    host: Pid,
    /// Its thread that acts.
    actor: Pid,
    directory: tempfile::TempDir,
    tracees: BTreeMap<Pid, Tracee>,
    inside: bool,
    gone: bool,
}

#[derive(Clone, Copy, Debug)]
struct Tracee {
    who: Who,
    /// What the call that it is in answers, whatever the kernel says.
    answer: Option<Errno>,
}

fn inside_options() -> Options {
    Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL
}

impl Session {
    /// Starts the test named `test` as the host program, of this user or of `user`, and waits until its first act begins.
    #[allow(
        clippy::zombie_processes,
        reason = "the tracer waits for all, and reaps it"
    )]
    pub(crate) fn begin(test: &str, environment: &[(&str, &Path)], user: Option<u32>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new("/proc/self/exe");
        if let Some(user) = user {
            chown(directory.path(), Some(user), Some(user)).expect("our own directory");
            command.uid(user).gid(user);
        }
        // On one processor a stop costs a switch and not a wake-up of another one.
        if let Ok(own) = sched_getaffinity(Pid::from_raw(0)) {
            let first = (0..CpuSet::count()).find(|cpu| own.is_set(*cpu) == Ok(true));
            let mut one = CpuSet::new();
            let _ = one.set(first.unwrap_or(0));
            let _ = sched_setaffinity(Pid::from_raw(0), &one);
        }
        let child = command
            .args(["--exact", "--nocapture", "--test-threads=1", test])
            .env(DIRECTORY, directory.path())
            // It is killed: what it leaves goes with ours.
            .env("TMPDIR", directory.path())
            .env("EXECDRIVER_PAYLOAD", crate::support::payload())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("our own program runs");
        let host = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        let actor = actor(&directory.path().join("tid"));
        ptrace::seize(actor, Options::PTRACE_O_EXITKILL).expect("root or the same user may trace");
        let mut session = Self {
            host,
            actor,
            directory,
            tracees: BTreeMap::new(),
            inside: false,
            gone: false,
        };
        session.trace(&mut |_| Verdict::Pass);
        assert!(!session.gone, "the host program ended before its first act");
        session
    }

    /// Lets it act once.
    pub(crate) fn round(&mut self, choose: &mut dyn FnMut(&Call) -> Verdict) -> Round {
        let said = self.directory.path().join("said");
        let _ = std::fs::remove_file(&said);
        self.inside = true;
        self.tracees.insert(
            self.actor,
            Tracee {
                who: Who::Host,
                answer: None,
            },
        );
        ptrace::setoptions(self.actor, inside_options()).expect("it is stopped");
        ptrace::syscall(self.actor, None).expect("it is stopped");
        let calls = self.trace(choose);
        let said = match self.gone {
            true => None,
            false => std::fs::read_to_string(said).ok(),
        };
        Round { calls, said }
    }

    /// Goes on until the actor begins an act, or the host is gone. How many calls there were.
    fn trace(&mut self, choose: &mut dyn FnMut(&Call) -> Verdict) -> usize {
        let mut calls = 0;
        let _watchdog = Watchdog::over(self.host, self.actor);
        loop {
            let status = match waitpid(None, Some(everything())) {
                Ok(status) => status,
                Err(Errno::EINTR) => continue,
                Err(Errno::ECHILD) => {
                    self.gone = true;
                    return calls;
                }
                Err(errno) => panic!("waitpid: {errno}"),
            };
            match status {
                WaitStatus::PtraceSyscall(pid) => self.at_call(pid, &mut calls, choose),
                WaitStatus::PtraceEvent(pid, _, event) => self.at_event(pid, event),
                WaitStatus::Stopped(pid, Signal::SIGUSR1) if pid == self.actor && !self.inside => {
                    return calls;
                }
                WaitStatus::Stopped(pid, signal) => self.resume(pid, Some(signal)),
                WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..) => {
                    self.tracees.remove(&pid);
                    // What else is traced ends or is let go; then there is nobody left to wait for.
                    self.gone |= pid == self.host;
                }
                _ => {}
            }
        }
    }

    fn at_call(&mut self, pid: Pid, calls: &mut usize, choose: &mut dyn FnMut(&Call) -> Verdict) {
        let (Ok(info), Ok(mut regs)) = (ptrace::syscall_info(pid), ptrace::getregs(pid)) else {
            return; // killed meanwhile
        };
        let tracee = self.tracees.entry(pid).or_insert(Tracee {
            who: Who::Host,
            answer: None,
        });
        let who = tracee.who;
        if info.op != ENTRY {
            if let Some(errno) = tracee.answer.take() {
                regs.rax = i64::from(-(errno as i32)).cast_unsigned();
                let _ = ptrace::setregs(pid, regs);
            }
            return self.resume(pid, None);
        }
        let number = regs.orig_rax.cast_signed();
        let args = [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9];
        if pid == self.actor && number == libc::SYS_getpgid && args[0] == ACT_ENDS as u64 {
            self.inside = false;
            let _ = ptrace::setoptions(pid, Options::PTRACE_O_EXITKILL);
            return self.resume(pid, None);
        }
        if self.gone_or_outside() || !can_fail(number, &args, pid == self.actor) {
            return self.resume(pid, None);
        }
        let call = Call {
            index: *calls,
            who,
            number,
            args,
        };
        *calls += 1;
        match choose(&call) {
            Verdict::Pass => {}
            Verdict::Fail(errno) => {
                let answer = Some(errno);
                self.tracees.insert(pid, Tracee { who, answer });
                if !acts_anyway(number) {
                    // ptrace(2): a call with the number -1 is not made.
                    regs.orig_rax = u64::MAX;
                    let _ = ptrace::setregs(pid, regs);
                }
            }
            Verdict::KillHost => self.kill_host(),
        }
        self.resume(pid, None);
    }

    fn at_event(&mut self, pid: Pid, event: i32) {
        match event {
            libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK => {
                let child = ptrace::getevent(pid)
                    .ok()
                    .and_then(|pid| i32::try_from(pid).ok());
                let who = self
                    .tracees
                    .get(&pid)
                    .map_or(Who::Host, |tracee| tracee.who);
                if let Some(child) = child {
                    let tracee = Tracee { who, answer: None };
                    // It may have stopped before its parent did.
                    let known = self.tracees.entry(Pid::from_raw(child));
                    known.and_modify(|known| known.who = who).or_insert(tracee);
                }
            }
            libc::PTRACE_EVENT_EXEC => {
                let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
                if !program.to_string_lossy().contains("memfd:execdriver-init") {
                    return self.let_go(pid);
                }
                let tracee = Tracee {
                    who: Who::Init,
                    answer: None,
                };
                self.tracees.insert(pid, tracee);
            }
            libc::PTRACE_EVENT_STOP => {
                let tracee = Tracee {
                    who: Who::Host,
                    answer: None,
                };
                self.tracees.entry(pid).or_insert(tracee);
            }
            _ => {}
        }
        self.resume(pid, None);
    }

    fn gone_or_outside(&self) -> bool {
        self.gone || !self.inside
    }

    /// Lets a stopped tracee go on: to its next call, or for good when there is nothing more to see.
    fn resume(&mut self, pid: Pid, signal: Option<Signal>) {
        // Killed meanwhile is fine.
        let _ = if pid == self.actor && !self.inside {
            ptrace::cont(pid, signal)
        } else if self.gone_or_outside() {
            return self.let_go_with(pid, signal);
        } else {
            ptrace::syscall(pid, signal)
        };
    }

    fn let_go(&mut self, pid: Pid) {
        self.let_go_with(pid, None);
    }

    fn let_go_with(&mut self, pid: Pid, signal: Option<Signal>) {
        self.tracees.remove(&pid);
        let _ = ptrace::detach(pid, signal);
    }

    /// Kills the host program alone, and asks all others to stop, so that they can be let go.
    fn kill_host(&mut self) {
        self.inside = false;
        self.gone = true;
        let _ = kill(self.host, Signal::SIGKILL);
        for pid in self.tracees.keys() {
            let _ = ptrace::interrupt(*pid);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.gone {
            self.kill_host();
            // Stopped at the beginning of an act, and killed: nothing but its end is left to see.
            self.trace(&mut |_| Verdict::Pass);
        }
    }
}

/// Kills a host program whose round hangs: the caller sees that it died.
struct Watchdog(#[allow(dead_code, reason = "its drop is the word")] mpsc::Sender<()>);

impl Watchdog {
    fn over(host: Pid, actor: Pid) -> Self {
        let (sender, over) = mpsc::channel();
        std::thread::spawn(move || {
            if over.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                let stack = std::fs::read_to_string(format!("/proc/{actor}/stack"));
                eprintln!("the round hangs: {}", stack.unwrap_or_default());
                let _ = kill(host, Signal::SIGKILL);
            }
        });
        Self(sender)
    }
}

fn everything() -> WaitPidFlag {
    WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD
}

/// The thread that acts, once it has said so.
fn actor(path: &PathBuf) -> Pid {
    let mut tid = None;
    crate::support::within(Duration::from_secs(20), || {
        tid = std::fs::read_to_string(path)
            .ok()
            .and_then(|text| text.parse().ok());
        tid.is_some()
    });
    Pid::from_raw(tid.expect("the host program says who acts"))
}
