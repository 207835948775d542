//! init itself, on a real kernel: plans written by hand, a launcher without conveniences, and a look from inside.

mod exec;
mod hostile;
mod mounts;
mod process;
mod users;

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::{IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::plan::encode::{PackedParams, PackedStrings, Writer};
use crate::support::{Need, Rootfs, is_root, skip_unless};
use crate::sys::spawn::{Spawn, Spawned, spawn};
use crate::sys::{scm, wait};
use crate::wire::{
    BIND_CREATE, BIND_RECURSIVE, CAPS_AT_MOST_OWN, Detail, GO, IDENTITY_BY_NAME,
    IDENTITY_KEEP_GROUPS, IDENTITY_SET_HOME, Kind, MOUNT_REAL_DIR, Numbers, Op, REPORT_LEN, Report,
    Strings,
};

const NEW_USER: u64 = libc::CLONE_NEWUSER as u64;
const USUAL: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET) as u64;
const RDONLY: u32 = 1;
const NOSUID: u32 = 2;
const NODEV: u32 = 4;
const NOEXEC: u32 = 8;
const STRICTATIME: u32 = 0x20;
const MS_REC_PRIVATE: u64 = libc::MS_REC | libc::MS_PRIVATE;
/// The contract's 14 capabilities.
const DOCKER_CAPS: u64 = 0xa804_25fb;
/// First slot for `Source`.
const SOURCES: u16 = 1000;

/// A plan in the making, with what it needs.
struct Plan {
    writer: Writer,
    fds: Vec<OwnedFd>,
    namespaces: u64,
    sources: u16,
}

/// What came of it.
#[derive(Debug)]
struct Ended {
    reports: Vec<Report>,
    executed: bool,
    output: String,
    /// Exit code, or 128 and the signal.
    code: i32,
    master: Option<File>,
}

impl Ended {
    #[track_caller]
    fn failed(&self) -> Report {
        *self
            .reports
            .iter()
            .find(|report| report.kind == Kind::Failed)
            .unwrap_or_else(|| panic!("{self:?}"))
    }

    #[track_caller]
    fn ok(self) -> String {
        assert!(self.executed && self.code == 0, "{self:?}");
        self.output
    }
}

fn c(text: impl AsRef<Path>) -> CString {
    CString::new(text.as_ref().as_os_str().as_bytes()).unwrap()
}

impl Plan {
    fn new(namespaces: u64) -> Plan {
        Plan {
            writer: Writer::new(),
            fds: Vec::new(),
            namespaces,
            sources: SOURCES,
        }
    }

    fn userns(&self) -> bool {
        self.namespaces & NEW_USER != 0
    }

    fn op(&mut self, op: Op<'_>) -> u32 {
        self.writer.push(&op)
    }

    fn fd(&mut self, fd: impl Into<OwnedFd>) -> u16 {
        self.fds.push(fd.into());
        u16::try_from(self.fds.len() - 1).unwrap()
    }

    /// The first operations of every run.
    fn begin(&mut self) {
        self.op(Op::ReportNs {});
        if self.userns() {
            self.op(Op::TakeRoot {
                setgroups: is_root(),
            });
        }
        self.op(Op::Undumpable {});
    }

    fn source(&mut self, path: &Path) -> u16 {
        let meta = fs::metadata(path).unwrap();
        let slot = self.sources;
        self.sources += 1;
        self.op(Op::Source {
            slot,
            path: &c(path),
            dev: meta.dev(),
            ino: meta.ino(),
            recursive: true,
        });
        slot
    }

    fn cut_off(&mut self) {
        self.op(Op::Propagation {
            flags: MS_REC_PRIVATE,
        });
    }

    fn root(&mut self, path: &Path, flags: u32) -> u32 {
        let meta = fs::metadata(path).unwrap();
        self.op(Op::Root {
            path: &c(path),
            dev: meta.dev(),
            ino: meta.ino(),
            flags,
        })
    }

    fn mount(
        &mut self,
        fstype: &CStr,
        target: &CStr,
        params: &[(&CStr, &CStr)],
        attrs: u32,
    ) -> u32 {
        let mut packed = PackedParams::default();
        packed.string(c"source", fstype);
        params
            .iter()
            .for_each(|(key, value)| packed.string(key, value));
        let real = fstype == c"proc" || fstype == c"sysfs";
        let flags = if real { MOUNT_REAL_DIR } else { 0 };
        self.op(Op::MountFs {
            fstype,
            target,
            params: packed.view(),
            attrs,
            flags,
        })
    }

    fn bind(&mut self, slot: u16, target: &CStr, attr_set: u64) -> u32 {
        let flags = BIND_CREATE | BIND_RECURSIVE;
        self.op(Op::Bind {
            slot,
            target,
            attr_set,
            attr_clr: 0,
            propagation: 0,
            flags,
        })
    }

    /// The template's mounts and /dev; `null` is a source of the host's /dev/null for where nodes cannot be made.
    fn template(&mut self, devices: &[u16]) {
        self.mount(c"proc", c"/proc", &[], NOSUID | NODEV | NOEXEC);
        self.mount(
            c"tmpfs",
            c"/dev",
            &[(c"mode", c"755"), (c"size", c"64k")],
            NOSUID | STRICTATIME,
        );
        let mut pts = vec![(c"ptmxmode", c"0666"), (c"mode", c"0620")];
        if !self.userns() || is_root() {
            // Without a map for it, group 5 is an error.
            pts.push((c"gid", c"5"));
        }
        self.mount(c"devpts", c"/dev/pts", &pts, NOSUID | NOEXEC);
        self.mount(c"mqueue", c"/dev/mqueue", &[], NOSUID | NODEV | NOEXEC);
        self.mount(c"sysfs", c"/sys", &[], RDONLY | NOSUID | NODEV | NOEXEC);
        for (index, (path, major, minor)) in NODES.iter().enumerate() {
            match devices.get(index) {
                Some(slot) => self.bind(*slot, path, 0),
                None => self.op(Op::Device {
                    path,
                    kind: libc::S_IFCHR,
                    major: *major,
                    minor: *minor,
                    mode: 0o666,
                    uid: 0,
                    gid: 0,
                }),
            };
        }
        for (target, path) in LINKS {
            self.op(Op::Symlink { target, path });
        }
    }

    /// Slots for the nodes of [`NODES`] where they must be bound.
    fn device_sources(&mut self) -> Vec<u16> {
        if !self.userns() {
            return Vec::new();
        }
        NODES
            .iter()
            .map(|(path, _, _)| self.source(Path::new(path.to_str().unwrap())))
            .collect()
    }

    fn masks(&mut self) {
        self.op(Op::MaskInit {});
        for path in [
            c"/proc/kcore",
            c"/proc/latency_stats",
            c"/proc/acpi",
            c"/proc/scsi",
            c"/sys/firmware",
        ] {
            self.op(Op::Mask { path });
        }
        for path in [
            c"/proc/bus",
            c"/proc/fs",
            c"/proc/irq",
            c"/proc/sys",
            c"/proc/sysrq-trigger",
            c"/proc/asound",
        ] {
            self.op(Op::ReadonlyPath { path });
        }
    }

    /// A whole run in a rootfs up to and with `Pivot`.
    fn standard(rootfs: &Path, namespaces: u64) -> Plan {
        let mut plan = Plan::new(namespaces);
        plan.begin();
        let devices = plan.device_sources();
        plan.cut_off();
        plan.root(rootfs, 0);
        plan.template(&devices);
        plan.masks();
        plan.op(Op::Pivot {});
        plan
    }

    /// Streams, identity, capabilities and the rest up to the program.
    fn finish(self, user: &CStr, argv: &[&str], env: &[&str]) -> Ended {
        self.finish_in(user, c"/", argv, env)
    }

    fn finish_in(mut self, user: &CStr, cwd: &CStr, argv: &[&str], env: &[&str]) -> Ended {
        let (reader, writer) = os_pipe::pipe().unwrap();
        let stdin = self.fd(File::open("/dev/null").unwrap());
        let stdout = self.fd(writer);
        self.op(Op::Stdio {
            stdin,
            stdout,
            stderr: stdout,
        });
        self.identity(user, Strings::EMPTY);
        self.op(Op::Cwd { path: cwd });
        self.op(Op::Reset {
            flags: crate::wire::RESET_NICE | crate::wire::RESET_AFFINITY,
            umask: 0o022,
        });
        self.exec(argv, env);
        self.launch(Some(reader))
    }

    fn identity(&mut self, user: &CStr, groups: Strings<'_>) -> u32 {
        let keep = if self.userns() && !is_root() {
            IDENTITY_KEEP_GROUPS
        } else {
            0
        };
        let index = self.op(Op::Identity {
            flags: IDENTITY_BY_NAME | IDENTITY_SET_HOME | keep,
            user,
            groups,
            uid: 0,
            gid: 0,
            gids: Numbers::EMPTY,
            chown: 0b110,
        });
        self.op(Op::Caps {
            flags: CAPS_AT_MOST_OWN,
            bounding: DOCKER_CAPS,
            effective: DOCKER_CAPS,
            permitted: DOCKER_CAPS,
            inheritable: 0,
            ambient: 0,
        });
        index
    }

    fn exec(&mut self, argv: &[&str], env: &[&str]) {
        let pack = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| CString::new(*text).unwrap())
                .collect::<PackedStrings>()
        };
        let (argv, envp) = (pack(argv), pack(env));
        self.op(Op::Exec {
            argv: argv.view(),
            envp: envp.view(),
        });
    }

    fn launch(self, output: Option<os_pipe::PipeReader>) -> Ended {
        self.launch_with(output, |_, _| ())
    }

    /// Starts it, answers its reports, reads its output to the end, reaps it. `at` sees each report.
    fn launch_with(
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
                Kind::Terminal => ended.master = fd.map(File::from),
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

fn code(pidfd: &OwnedFd) -> i32 {
    let reaped = wait::reap(pidfd).unwrap();
    if reaped.code == libc::CLD_EXITED {
        reaped.status
    } else {
        128 + reaped.status
    }
}

const NODES: [(&CStr, u32, u32); 6] = [
    (c"/dev/null", 1, 3),
    (c"/dev/zero", 1, 5),
    (c"/dev/full", 1, 7),
    (c"/dev/random", 1, 8),
    (c"/dev/urandom", 1, 9),
    (c"/dev/tty", 5, 0),
];
const LINKS: [(&CStr, &CStr); 5] = [
    (c"/proc/self/fd", c"/dev/fd"),
    (c"/proc/self/fd/0", c"/dev/stdin"),
    (c"/proc/self/fd/1", c"/dev/stdout"),
    (c"/proc/self/fd/2", c"/dev/stderr"),
    (c"pts/ptmx", c"/dev/ptmx"),
];

fn memfd() -> OwnedFd {
    let file =
        nix::sys::memfd::memfd_create(c"init", nix::sys::memfd::MFdFlags::MFD_CLOEXEC).unwrap();
    let mut file = File::from(file);
    file.write_all(super::PROGRAM).unwrap();
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

fn send(socket: &UnixStream, message: &[u8], fds: &[OwnedFd]) {
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

fn next(socket: &UnixStream) -> Option<(Report, Option<OwnedFd>)> {
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

fn map_ids(spawned: &Spawned, namespaces: u64) {
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

/// The namespaces of a test: with a user namespace when the tests do not run as root.
fn namespaces() -> u64 {
    if is_root() { USUAL } else { USUAL | NEW_USER }
}

/// A rootfs with busybox; `None` when the machine lacks something.
#[track_caller]
fn rootfs(namespaces: u64) -> Option<Rootfs> {
    let user = namespaces & NEW_USER != 0;
    let needs = if user {
        &[Need::Busybox, Need::UserNamespaces][..]
    } else {
        &[Need::Busybox, Need::Root]
    };
    if skip_unless(needs) {
        return None;
    }
    let rootfs = Rootfs::new().with_busybox();
    if user && is_root() {
        rootfs.give_to(100_000, 100_000);
    }
    Some(rootfs)
}

/// The output of a shell script in a standard container of root.
#[track_caller]
fn inside(rootfs: &Rootfs, namespaces: u64, script: &str) -> String {
    Plan::standard(&rootfs.path(), namespaces)
        .finish(c"", &["/bin/sh", "-c", script], &PATH)
        .ok()
}

const PATH: [&str; 1] = ["PATH=/usr/sbin:/bin"];
