//! What CRIU is asked, and what it answers.

use super::wire::{Message, Value, fields};
use std::os::fd::RawFd;

/// How CRIU treats cgroups (criu(8), `--manage-cgroups`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CgroupMode {
    /// Properties of those that it makes itself.
    #[default]
    Soft,
    /// All properties.
    Full,
    /// All, and none may exist.
    Strict,
    /// Cgroups are no business of its.
    Ignore,
}

impl CgroupMode {
    /// The mode of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "soft" => Some(Self::Soft),
            "full" => Some(Self::Full),
            "strict" => Some(Self::Strict),
            "ignore" => Some(Self::Ignore),
            _ => None,
        }
    }

    /// `criu_cg_mode`.
    fn number(self) -> u32 {
        match self {
            Self::Ignore => 0,
            Self::Soft => 3,
            Self::Full => 4,
            Self::Strict => 5,
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Dump,
    Restore,
    PreDump,
    Notify,
    Features,
    Version,
}

impl Kind {
    /// `criu_req_type`.
    fn number(self) -> u32 {
        match self {
            Self::Dump => 1,
            Self::Restore => 2,
            Self::PreDump => 4,
            Self::Notify => 6,
            Self::Features => 9,
            Self::Version => 10,
        }
    }
}

/// A request with options. Descriptors are numbers in the asking process (`images`, `work`), or in CRIU's (`inherit`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) images: RawFd,
    pub(crate) work: Option<RawFd>,
    pub(crate) log: &'static str,
    pub(crate) pid: Option<i32>,
    pub(crate) root: String,
    pub(crate) leave_running: bool,
    pub(crate) ext_unix_sk: bool,
    pub(crate) tcp_established: bool,
    pub(crate) tcp_skip_in_flight: bool,
    pub(crate) shell_job: bool,
    pub(crate) file_locks: bool,
    pub(crate) link_remap: bool,
    pub(crate) auto_dedup: bool,
    /// Restored processes are children of the asking process.
    pub(crate) sibling: bool,
    /// `address`, `port`.
    pub(crate) page_server: Option<(String, u16)>,
    pub(crate) parent_images: Option<String>,
    pub(crate) track_memory: bool,
    pub(crate) cgroup_mode: CgroupMode,
    /// Controllers, and the container's cgroup there.
    pub(crate) cgroup_roots: Vec<(String, String)>,
    pub(crate) freeze_cgroup: Option<String>,
    /// `mnt[/proc/keys]:m0`, `net[4026532557]:extRootNetNS`, `file[18:3]`.
    pub(crate) external: Vec<String>,
    /// What a descriptor of CRIU's stands for.
    pub(crate) inherit: Vec<(String, RawFd)>,
    /// Namespaces that are entered, not made: `ipc` and its file.
    pub(crate) join: Vec<(String, String)>,
    /// `CLONE_NEW*` of namespaces whose content is left out.
    pub(crate) empty_namespaces: u32,
    pub(crate) lsm_profile: Option<String>,
    pub(crate) lsm_mount_context: Option<String>,
    pub(crate) config_file: Option<String>,
}

impl Request {
    /// The bytes of the request; the field numbers are those of `criu_opts`.
    pub(crate) fn encode(&self, kind: Kind) -> Vec<u8> {
        let mut opts = Message::default();
        opts.number(1, number(self.images));
        if let Some(pid) = self.pid {
            opts.number(2, number(pid));
        }
        opts.flag(3, self.leave_running)
            .flag(4, self.ext_unix_sk)
            .flag(5, self.tcp_established)
            // Device files that were opened by another name are opened by their own when they are made anew.
            .flag(6, kind == Kind::Restore)
            .flag(7, self.shell_job)
            .flag(8, self.file_locks)
            // Warnings, errors and what was done, for whoever has to find out why.
            .number(9, 4u32)
            .text(10, self.log);
        if let Some((address, port)) = &self.page_server {
            let mut server = Message::default();
            server.text(1, address).number(2, *port);
            opts.message(11, &server);
        }
        opts.flag(12, true).text(13, &self.root);
        if let Some(parent) = &self.parent_images {
            opts.text(14, parent);
        }
        opts.flag(15, self.track_memory).flag(16, self.auto_dedup);
        if let Some(work) = self.work {
            opts.number(17, number(work));
        }
        opts.flag(18, self.link_remap);
        opts.flag(24, self.cgroup_mode != CgroupMode::Ignore);
        for (controller, path) in &self.cgroup_roots {
            let mut root = Message::default();
            root.text(1, controller).text(2, path);
            opts.message(25, &root);
        }
        opts.flag(26, self.sibling);
        for (key, fd) in &self.inherit {
            let mut one = Message::default();
            one.text(1, key).number(2, number(*fd));
            opts.message(27, &one);
        }
        self.encode_later(&mut opts);
        let mut request = Message::default();
        request.number(1, kind.number()).message(2, &opts);
        request.finish()
    }

    fn encode_later(&self, opts: &mut Message) {
        opts.number(34, self.cgroup_mode.number());
        for external in &self.external {
            opts.text(37, external);
        }
        if self.empty_namespaces != 0 {
            opts.number(38, self.empty_namespaces);
        }
        for (namespace, file) in &self.join {
            let mut join = Message::default();
            join.text(1, namespace).text(2, file);
            opts.message(39, &join);
        }
        if let Some(cgroup) = &self.freeze_cgroup {
            opts.text(44, cgroup);
        }
        opts.flag(46, self.tcp_skip_in_flight);
        // The other end of the container's terminal is the client's: it is handed out anew.
        opts.flag(50, true);
        let texts = [
            (51, &self.config_file),
            (53, &self.lsm_profile),
            (56, &self.lsm_mount_context),
        ];
        for (field, text) in texts {
            if let Some(text) = text {
                opts.text(field, text);
            }
        }
    }
}

/// A request without options: the version, or whether memory is tracked.
pub(super) fn question(kind: Kind) -> Vec<u8> {
    let mut request = Message::default();
    request.number(1, kind.number());
    if kind == Kind::Features {
        let mut features = Message::default();
        features.number(1, true);
        request.message(5, &features);
    }
    request.finish()
}

/// The answer to a notice: go on, or give up.
pub(super) fn acknowledge(go_on: bool) -> Vec<u8> {
    let mut request = Message::default();
    request.number(1, Kind::Notify.number()).number(3, go_on);
    request.finish()
}

/// An answer, or a notice on the way to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) success: bool,
    /// The name of the notice, where it is one.
    pub(crate) notice: Option<String>,
    /// The first process as the host sees it.
    pub(crate) pid: Option<i32>,
    pub(crate) errno: i32,
    pub(crate) message: String,
    /// Major, minor, sublevel.
    pub(crate) version: (u64, u64, u64),
    pub(crate) tracks_memory: bool,
}

impl Reply {
    /// Reads an answer; none when it is none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reply = Self::default();
        for (field, value) in fields(bytes)? {
            match (field, value) {
                (2, Value::Number(success)) => reply.success = success != 0,
                (4, Value::Bytes(restored)) => {
                    reply.pid = fields(restored)?.into_iter().find_map(pid_in(1));
                }
                (5, Value::Bytes(notice)) => {
                    let inner = fields(notice)?;
                    reply.notice = inner.iter().find_map(|field| text_in(1, *field));
                    reply.pid = inner.into_iter().find_map(pid_in(2));
                }
                (7, Value::Number(errno)) => reply.errno = signed(errno),
                (8, Value::Bytes(features)) => {
                    reply.tracks_memory = fields(features)?.contains(&(1, Value::Number(1)));
                }
                (9, Value::Bytes(text)) => {
                    reply.message = String::from_utf8_lossy(text).into_owned();
                }
                (10, Value::Bytes(version)) => {
                    let parts = fields(version)?;
                    let part = |wanted| parts.iter().find_map(number_in(wanted)).unwrap_or(0);
                    reply.version = (part(1), part(2), part(4));
                }
                _ => {}
            }
        }
        Some(reply)
    }
}

/// A descriptor or a pid, which are never negative.
fn number(value: i32) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// An `int32` comes as 64 bits, with the sign in all of the upper ones.
fn signed(value: u64) -> i32 {
    i32::try_from(value.cast_signed()).unwrap_or(0)
}

fn pid_in(wanted: u32) -> impl Fn((u32, Value<'_>)) -> Option<i32> {
    move |field| number_in(wanted)(&field).map(signed)
}

fn number_in(wanted: u32) -> impl Fn(&(u32, Value<'_>)) -> Option<u64> {
    move |field| match field {
        (field, Value::Number(number)) if *field == wanted => Some(*number),
        _ => None,
    }
}

fn text_in(wanted: u32, field: (u32, Value<'_>)) -> Option<String> {
    match field {
        (field, Value::Bytes(text)) if field == wanted => {
            Some(String::from_utf8_lossy(text).into_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(request: &Request, kind: Kind) -> Vec<(u32, u64)> {
        let bytes = request.encode(kind);
        let outer = fields(&bytes).unwrap();
        assert_eq!(outer[0], (1, Value::Number(u64::from(kind.number()))));
        let (2, Value::Bytes(opts)) = outer[1] else {
            panic!("{outer:?}");
        };
        let all = fields(opts).unwrap().into_iter();
        all.map(|(field, value)| match value {
            Value::Number(number) => (field, number),
            Value::Bytes(bytes) => (field, bytes.len() as u64),
        })
        .collect()
    }

    #[test]
    fn what_is_not_asked_for_is_left_out() {
        let request = Request {
            images: 7,
            log: "dump.log",
            ..Request::default()
        };
        let fields = options(&request, Kind::Dump);
        assert!(fields.contains(&(1, 7)) && fields.contains(&(34, 3)));
        for left_out in [
            2, 3, 4, 5, 6, 7, 8, 11, 14, 15, 17, 25, 26, 27, 37, 38, 44, 51,
        ] {
            assert!(!fields.iter().any(|(field, _)| *field == left_out));
        }
    }

    #[test]
    fn what_is_asked_for_is_there() {
        let request = Request {
            images: 7,
            log: "restore.log",
            work: Some(8),
            pid: Some(300),
            leave_running: true,
            sibling: true,
            cgroup_mode: CgroupMode::Ignore,
            external: vec!["mnt[m0]:/dev/null".to_owned(), "file[18:3]".to_owned()],
            inherit: vec![("pipe:[1]".to_owned(), 9)],
            empty_namespaces: 0x4000_0000,
            ..Request::default()
        };
        let fields = options(&request, Kind::Restore);
        for expected in [
            (2, 300),
            (3, 1),
            (6, 1),
            (17, 8),
            (26, 1),
            (34, 0),
            (37, 17),
            (37, 10),
        ] {
            assert!(fields.contains(&expected), "{expected:?} in {fields:?}");
        }
        assert!(fields.contains(&(38, 0x4000_0000)) && fields.contains(&(27, 12)));
        assert!(!fields.iter().any(|(field, _)| *field == 24));
    }

    #[test]
    fn answers_and_notices_are_told_apart() {
        let mut notice = Message::default();
        notice.text(1, "setup-namespaces").number(2, 42u32);
        let mut reply = Message::default();
        reply.number(1, 6u32).number(2, true).message(5, &notice);
        let read = Reply::decode(&reply.finish()).unwrap();
        assert_eq!(read.notice.as_deref(), Some("setup-namespaces"));
        assert_eq!((read.success, read.pid), (true, Some(42)));
        let mut reply = Message::default();
        reply
            .number(1, 2u32)
            .number(2, false)
            .number(7, (-3i64).cast_unsigned());
        let read = Reply::decode(&reply.finish()).unwrap();
        assert_eq!((read.success, read.errno, read.notice), (false, -3, None));
        assert_eq!(Reply::decode(&[0xff]), None);
    }
}
