//! Plans for tests, and tests that need a process or a user of their own.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::launch::{End, Launch, Limits};
use crate::plan::encode::{PackedStrings, Writer};
use crate::wire::Op;

/// Set in a process that was made for one test.
pub(super) const MARK: &str = "EXECDRIVER_OWN_PROCESS";

/// A plan in the making, and what its launch borrows.
#[derive(Default)]
pub(super) struct Plan {
    writer: Writer,
    pub(super) message: Vec<u8>,
    pub(super) fds: Vec<OwnedFd>,
    pub(super) env: Vec<String>,
}

impl Plan {
    /// Starts with these operations.
    pub(super) fn of(ops: &[Op]) -> Plan {
        let mut plan = Plan::default();
        for op in ops {
            plan.writer.push(op);
        }
        plan
    }

    /// One more operation.
    pub(super) fn push(&mut self, op: &Op) {
        self.writer.push(op);
    }

    /// Passes a descriptor; its slot.
    pub(super) fn pass(&mut self, fd: impl Into<OwnedFd>) -> u16 {
        self.fds.push(fd.into());
        u16::try_from(self.fds.len() - 1).unwrap()
    }

    /// Executes a program, which is the last operation.
    pub(super) fn exec(&mut self, argv: &[&str]) {
        let argv: PackedStrings = argv
            .iter()
            .map(|text| CString::new(*text).unwrap())
            .collect();
        let env: PackedStrings = self
            .env
            .iter()
            .map(|text| CString::new(text.as_str()).unwrap())
            .collect();
        let mut writer = std::mem::take(&mut self.writer);
        writer.push(&Op::Exec {
            argv: argv.view(),
            envp: env.view(),
        });
        let fds = u16::try_from(self.fds.len()).unwrap();
        self.message = writer.finish(fds, fds).unwrap();
    }

    /// A launch without namespaces or limits.
    pub(super) fn launch(&mut self) -> Launch<'_> {
        let borrowed: Vec<BorrowedFd> = self.fds.iter().map(AsFd::as_fd).collect();
        Launch {
            early: None,
            namespaces: 0,
            cgroup: None,
            message: &self.message,
            fds: Box::leak(borrowed.into_boxed_slice()),
            describe: &|index| format!("step {index}"),
            go_ahead: false,
            id_maps: None,
            place: None,
            oom_score_adj: None,
            pre_start: None,
            mounted: None,
            listener: None,
            hold: false,
            init_stays: false,
            entered: None,
            known: None,
            release_killed: None,
            limits: Limits::default(),
        }
    }
}

/// `sh -c` without descriptors.
pub(super) fn shell(script: &str) -> Plan {
    let mut plan = Plan::of(&[Op::ReportNs {}]);
    plan.exec(&["/bin/sh", "-c", script]);
    plan
}

/// `sh -c` after `ops`, and what it writes to standard output and standard error.
pub(super) fn printing(ops: &[Op], script: &str) -> (Plan, Output) {
    printing_with(ops, script, Vec::new())
}

/// [`printing`] with descriptors in the first slots.
pub(super) fn printing_with(ops: &[Op], script: &str, fds: Vec<OwnedFd>) -> (Plan, Output) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut plan = Plan::of(ops);
    plan.fds = fds;
    let stdin = plan.pass(File::open("/dev/null").unwrap());
    let stdout = plan.pass(writer);
    plan.writer.push(&Op::Stdio {
        stdin,
        stdout,
        stderr: stdout,
    });
    plan.exec(&["/bin/sh", "-c", script]);
    (plan, Output(reader))
}

/// The read end of a payload's output.
pub(super) struct Output(std::io::PipeReader);

impl Output {
    /// Everything, once the plan (and with it our copy of the write end) is gone.
    pub(super) fn text(mut self, plan: Plan) -> String {
        drop(plan);
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        text
    }
}

pub(super) fn signalled(signal: i32) -> End {
    End::Signalled {
        signal,
        core: false,
    }
}

/// A program that never does anything: not even read its message.
pub(super) fn deaf() -> Vec<u8> {
    let code: &[u8] = match std::env::consts::ARCH {
        // mov eax, 34 (pause); syscall; jmp back
        "x86_64" => &[0xb8, 0x22, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7],
        // b .
        _ => &[0, 0, 0, 0x14],
    };
    let machine: u16 = if cfg!(target_arch = "x86_64") {
        62
    } else {
        183
    };
    let base: u64 = 0x40_0000;
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend(2u16.to_le_bytes());
    elf.extend(machine.to_le_bytes());
    elf.extend(1u32.to_le_bytes());
    for address in [base + 120, 64, 0] {
        elf.extend(address.to_le_bytes());
    }
    elf.extend(0u32.to_le_bytes());
    for size in [64u16, 56, 1, 0, 0, 0] {
        elf.extend(size.to_le_bytes());
    }
    elf.extend(1u32.to_le_bytes());
    elf.extend(5u32.to_le_bytes());
    let length = 120 + code.len() as u64;
    for field in [0, base, base, length, length, 0x1000] {
        elf.extend(field.to_le_bytes());
    }
    elf.extend(code);
    elf
}

/// Runs the rest of a test in a process of its own, as `uid` if given: true there, false in the test itself.
pub(super) fn in_own_process(test: &str, uid: Option<u32>) -> bool {
    if std::env::var_os(MARK).is_some_and(|name| name == test) {
        return true;
    }
    // Its own link, so that another user need not be able to reach the file.
    let mut command = Command::new("/proc/self/exe");
    command
        .args(["--exact", "--nocapture", "--test-threads=1", test])
        .env(MARK, test)
        .current_dir("/");
    if let Some(uid) = uid {
        command.uid(uid).gid(uid);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("1 passed"), "no test of this name: {test}");
    false
}
