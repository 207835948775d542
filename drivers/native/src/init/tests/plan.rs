//! A plan written by hand, operation by operation.

use super::*;
use crate::plan::encode::PackedStrings;
use crate::wire::{BIND_RECURSIVE, CAPS_AT_MOST_OWN, MOUNT_REAL_DIR};

const STRICTATIME: u32 = 0x20;

/// A plan in the making, with what it needs.
pub(super) struct Plan {
    pub(super) writer: Writer,
    pub(super) fds: Vec<OwnedFd>,
    pub(super) namespaces: u64,
    pub(super) sources: u16,
}

impl Plan {
    pub(super) fn new(namespaces: u64) -> Plan {
        Plan {
            writer: Writer::new(),
            fds: Vec::new(),
            namespaces,
            sources: SOURCES,
        }
    }

    pub(super) fn userns(&self) -> bool {
        self.namespaces & NEW_USER != 0
    }

    pub(super) fn op(&mut self, op: Op<'_>) -> u32 {
        self.writer.push(&op)
    }

    pub(super) fn fd(&mut self, fd: impl Into<OwnedFd>) -> u16 {
        self.fds.push(fd.into());
        u16::try_from(self.fds.len() - 1).unwrap()
    }

    /// The first operations of every run.
    pub(super) fn begin(&mut self) {
        self.op(Op::ReportNs {});
        if self.userns() {
            self.op(Op::TakeRoot {
                setgroups: is_root(),
            });
        }
        self.op(Op::Undumpable {});
    }

    pub(super) fn source(&mut self, path: &Path) -> u16 {
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

    pub(super) fn cut_off(&mut self) {
        self.op(Op::Propagation {
            flags: MS_REC_PRIVATE,
        });
    }

    pub(super) fn root(&mut self, path: &Path, flags: u32) -> u32 {
        let meta = fs::metadata(path).unwrap();
        self.op(Op::Root {
            path: &c(path),
            dev: meta.dev(),
            ino: meta.ino(),
            flags,
        })
    }

    pub(super) fn mount(
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

    pub(super) fn bind(&mut self, slot: u16, target: &CStr, attr_set: u64) -> u32 {
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
    pub(super) fn template(&mut self, devices: &[u16]) {
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
    pub(super) fn device_sources(&mut self) -> Vec<u16> {
        if !self.userns() {
            return Vec::new();
        }
        NODES
            .iter()
            .map(|(path, _, _)| self.source(Path::new(path.to_str().unwrap())))
            .collect()
    }

    pub(super) fn masks(&mut self) {
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
    pub(super) fn standard(rootfs: &Path, namespaces: u64) -> Plan {
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
    pub(super) fn finish(self, user: &CStr, argv: &[&str], env: &[&str]) -> Ended {
        self.finish_in(user, c"/", argv, env)
    }

    pub(super) fn finish_in(
        mut self,
        user: &CStr,
        cwd: &CStr,
        argv: &[&str],
        env: &[&str],
    ) -> Ended {
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

    pub(super) fn identity(&mut self, user: &CStr, groups: Strings<'_>) -> u32 {
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

    pub(super) fn exec(&mut self, argv: &[&str], env: &[&str]) {
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
