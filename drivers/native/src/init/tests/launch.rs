//! A launcher without conveniences: it starts init, answers its reports and reaps it.

use super::*;
use crate::sys::spawn::Spawned;
use crate::sys::{scm, wait};
use crate::wire::{REPORT_LEN, Report};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::IoSlice;
use std::os::fd::AsRawFd;

/// What came of it.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) reports: Vec<Report>,
    pub(super) executed: bool,
    pub(super) output: String,
    /// Exit code, or 128 and the signal.
    pub(super) code: i32,
    pub(super) master: Option<File>,
}

impl Ended {
    #[track_caller]
    pub(super) fn failed(&self) -> Report {
        *self
            .reports
            .iter()
            .find(|report| report.kind == Kind::Failed)
            .unwrap_or_else(|| panic!("{self:?}"))
    }

    #[track_caller]
    pub(super) fn ok(self) -> String {
        assert!(self.executed && self.code == 0, "{self:?}");
        self.output
    }
}

impl Plan {
    pub(super) fn launch(self, output: Option<os_pipe::PipeReader>) -> Ended {
        self.launch_with(output, |_, _| ())
    }

    /// Starts it, answers its reports, reads its output to the end, reaps it. `at` sees each report.
    pub(super) fn launch_with(
        self,
        output: Option<os_pipe::PipeReader>,
        mut at: impl FnMut(&Report, Option<&OwnedFd>),
    ) -> Ended {
        let Plan {
            writer,
            fds,
            namespaces,
            ..
        } = self;
        let (ours, theirs) = UnixStream::pair().unwrap();
        let count = u16::try_from(fds.len()).unwrap();
        send(&ours, &writer.finish(count, SOURCES + 100).unwrap(), &fds);
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
        let mut ended = Ended {
            reports: Vec::new(),
            executed: false,
            output: String::new(),
            code: -1,
            master: None,
        };
        let mut payload = None;
        while let Some((report, fd)) = next(&ours) {
            at(&report, fd.as_ref());
            match report.kind {
                Kind::Ns => {
                    map_ids(&spawned, namespaces);
                    (&ours).write_all(&[GO]).unwrap();
                }
                Kind::Forked => {
                    payload = fd;
                    (&ours).write_all(&[GO]).unwrap();
                }
                Kind::Listener | Kind::Mounted => (&ours).write_all(&[GO]).unwrap(),
                Kind::Terminal => ended.master = fd.map(File::from),
                Kind::Held | Kind::Offered => unreachable!("no plan of these tests does"),
                Kind::Failed | Kind::Executing => ended.executed = report.kind == Kind::Executing,
            }
            ended.reports.push(report);
        }
        if let Some(mut output) = output {
            let mut bytes = Vec::new();
            output.read_to_end(&mut bytes).unwrap();
            ended.output = String::from_utf8_lossy(&bytes).into_owned();
        }
        if let Some(master) = &mut ended.master {
            // EIO at the end.
            let mut bytes = Vec::new();
            let _ = master.read_to_end(&mut bytes);
            ended.output = String::from_utf8_lossy(&bytes).into_owned();
        }
        ended.code = code(&spawned.pidfd);
        if let Some(payload) = payload {
            ended.code = code(&payload);
        }
        ended
    }
}

pub(super) fn code(pidfd: &OwnedFd) -> i32 {
    let reaped = wait::reap(pidfd).unwrap();
    if reaped.code == libc::CLD_EXITED {
        reaped.status
    } else {
        128 + reaped.status
    }
}

pub(super) fn memfd() -> OwnedFd {
    let file =
        nix::sys::memfd::memfd_create(c"init", nix::sys::memfd::MFdFlags::MFD_CLOEXEC).unwrap();
    let mut file = File::from(file);
    file.write_all(crate::init::PROGRAM).unwrap();
    let name = format!("/proc/self/fd/{}", file.as_raw_fd());
    // Read-only, else the exec says ETXTBSY; and above 3, where the socket goes.
    let mut low = Vec::new();
    loop {
        let program = File::open(&name).unwrap();
        if program.as_raw_fd() > 3 {
            return program.into();
        }
        low.push(program);
    }
}

pub(super) fn send(socket: &UnixStream, message: &[u8], fds: &[OwnedFd]) {
    let borrowed: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    let mut batches = borrowed.chunks(crate::wire::FDS_PER_BATCH);
    let first = batches.next().unwrap_or_default();
    let (head, body) = message.split_at(crate::wire::HEADER_LEN);
    scm::send(socket.as_fd(), &[IoSlice::new(head)], first).unwrap();
    for batch in batches {
        scm::send(socket.as_fd(), &[IoSlice::new(&[0])], batch).unwrap();
    }
    let mut socket = socket;
    socket.write_all(body).unwrap();
}

pub(super) fn next(socket: &UnixStream) -> Option<(Report, Option<OwnedFd>)> {
    let mut record = [0; REPORT_LEN];
    let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::NONE).unwrap();
    let (got, fd) = scm::receive(socket.as_fd(), &mut record).unwrap();
    if got == 0 {
        return None;
    }
    assert_eq!(got, REPORT_LEN, "a report came in pieces");
    Some((Report::decode(&record).unwrap(), fd))
}

pub(super) fn map_ids(spawned: &Spawned, namespaces: u64) {
    if namespaces & NEW_USER == 0 {
        return;
    }
    let write =
        |file: &str, text: &str| fs::write(format!("/proc/{}/{file}", spawned.pid), text).unwrap();
    if is_root() {
        write("uid_map", "0 100000 65536");
        write("gid_map", "0 100000 65536");
    } else {
        let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
        write("setgroups", "deny");
        write("uid_map", &format!("0 {uid} 1"));
        write("gid_map", &format!("0 {gid} 1"));
    }
}
