//! What `checkpoint` and `restore` have in common: the directories of CRIU's files, and its options.

use super::{OciError, OciResult, Runtime};
use crate::criu::{Criu, Request, Session};
use crate::launch::{IdMaps, IdRange, id_namespace};
use crate::sys::mount;
use nix::sched::CloneFlags;
use oci_spec::runtime::LinuxNamespaceType as Kind;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use crate::criu::CgroupMode;

/// CRIU's settings if nobody says otherwise, by the name under which they are kept for any OCI runtime.
const CONFIG: &str = "/etc/criu/runc.conf";
/// The annotation that names others; empty: none.
const CONFIG_ANNOTATION: &str = "org.criu.config";
/// CRIU's link to the files that these ones follow.
const EARLIER: &str = "parent";

/// How CRIU is to be run.
#[derive(Debug, Clone, Default)]
pub struct Criued {
    /// Its program.
    pub program: PathBuf,
    /// The directory of the saved processes.
    pub images: PathBuf,
    /// The directory of its log and its own files; none: that of the saved processes.
    pub work: Option<PathBuf>,
    /// Also connected TCP sockets.
    pub tcp_established: bool,
    /// Leave out connections that are being made.
    pub tcp_skip_in_flight: bool,
    /// Also Unix sockets that somebody outside is connected to.
    pub ext_unix_sk: bool,
    /// Also a session whose leader or terminal is outside.
    pub shell_job: bool,
    /// Also locks of files.
    pub file_locks: bool,
    /// Also files without a name.
    pub link_remap: bool,
    /// Drop pages from earlier files that later ones have.
    pub auto_dedup: bool,
    /// How cgroups are treated.
    pub cgroup_mode: CgroupMode,
    /// Namespaces whose content is left out: `network`.
    pub empty_namespaces: Vec<String>,
    /// CRIU is given up as soon as something can be read from this: the container is what it was, or is not made. One that does
    /// not end by itself within ten seconds is killed.
    pub give_up: Option<Arc<OwnedFd>>,
}

/// CRIU's files.
pub(super) struct Images {
    /// The directory of the saved processes, and that of its own files if it has one.
    pub(super) directories: Vec<PathBuf>,
    /// Where its log is.
    pub(super) log: PathBuf,
}

impl Images {
    /// Names the directories in the request.
    pub(super) fn tell(request: &mut Request, session: &Session<'_>) {
        let numbers = session.directories();
        request.images = numbers.first().copied().unwrap_or(-1);
        request.work = numbers.get(1).copied();
    }

    /// Has the saved processes read from a tree in which the root of their user namespace owns the files: whoever restores them is
    /// that root by then, and the directory is open to nobody but ours. What stays to be written goes where it went. `None` where
    /// the file system cannot map owners, and where pages are looked for in a directory beside it.
    pub(super) fn tell_mapped(&self, request: &mut Request, maps: &IdMaps) -> Option<OwnedFd> {
        let images = self.directories.first()?;
        if fs::symlink_metadata(images.join(EARLIER)).is_ok() {
            return None;
        }
        let directory = File::open(images).ok()?;
        open_to_roots_group(&directory);
        let namespace = id_namespace(&owners(maps)).ok()?;
        let tree = mount::clone_tree(directory.as_fd(), false).ok()?;
        mount::map_ids(tree.as_fd(), namespace.as_fd(), false).ok()?;
        request.work = request.work.or(Some(request.images));
        request.images = tree.as_raw_fd();
        Some(tree)
    }
}

/// Before the maps of the new user namespace are written, whoever restores is neither its root nor has any power over files, but is
/// of our group: which therefore passes through the directory.
fn open_to_roots_group(directory: &File) {
    let Ok(file) = directory.metadata() else {
        return;
    };
    let mode = file.permissions().mode() & 0o7777;
    if (file.uid(), file.gid()) == (0, 0) && mode & 0o010 == 0 {
        // On a file system that is only read, restore succeeds if the maps are written in time.
        let _ = directory.set_permissions(Permissions::from_mode(mode | 0o010));
    }
}

/// The owners of a user namespace's files, and our groups.
fn owners(maps: &IdMaps) -> IdMaps {
    let all = IdRange {
        inside: 0,
        outside: 0,
        size: u32::MAX,
    };
    IdMaps {
        gids: vec![all],
        ..maps.clone()
    }
}

impl Criued {
    /// The program, if it can be run and the caller may use it.
    pub(super) fn find(&self, runtime: &Runtime, verb: &'static str) -> OciResult<Criu> {
        let facts = runtime.containers.facts();
        if !facts.is_root() || facts.user_namespaces.outer.is_some() {
            return Err(OciError::OnlyRoot { verb });
        }
        Ok(Criu::find(&self.program, self.give_up.clone())?)
    }

    /// Finds the directories; `make`: makes those that are not there.
    pub(super) fn open(&self, make: bool, log: &'static str) -> OciResult<Images> {
        let check = |path: &Path, make: bool| {
            let made = if make { made(path) } else { Ok(()) };
            let is_dir = made.and_then(|()| Ok(path.metadata()?.is_dir()));
            let source = match is_dir {
                Ok(true) => return Ok(path.to_owned()),
                Ok(false) => io::Error::from(io::ErrorKind::NotADirectory),
                Err(error) => error,
            };
            let path = path.to_owned();
            Err(OciError::Images { path, source })
        };
        let mut directories = vec![check(&self.images, make)?];
        if let Some(work) = &self.work {
            directories.push(check(work, true)?);
        }
        let log = self.work.as_ref().unwrap_or(&self.images).join(log);
        Ok(Images { directories, log })
    }

    /// The request, as far as both have the same.
    pub(super) fn request(
        &self,
        log: &'static str,
        annotation: Option<&str>,
    ) -> OciResult<Request> {
        Ok(Request {
            log,
            ext_unix_sk: self.ext_unix_sk,
            tcp_established: self.tcp_established,
            tcp_skip_in_flight: self.tcp_skip_in_flight,
            shell_job: self.shell_job,
            file_locks: self.file_locks,
            link_remap: self.link_remap,
            auto_dedup: self.auto_dedup,
            cgroup_mode: self.cgroup_mode,
            empty_namespaces: empty(&self.empty_namespaces)?,
            config_file: config(annotation),
            ..Request::default()
        })
    }
}

/// The file of settings: the one that the annotation names, if it is there.
pub(super) fn config(annotation: Option<&str>) -> Option<String> {
    let path = annotation.unwrap_or(CONFIG);
    (!path.is_empty()).then(|| path.to_owned())
}

/// The annotation that names CRIU's settings.
pub(super) fn config_annotation<'a>(
    mut annotations: impl Iterator<Item = (&'a String, &'a String)>,
) -> Option<&'a str> {
    let found = annotations.find(|(key, _)| *key == CONFIG_ANNOTATION);
    found.map(|(_, value)| value.as_str())
}

/// `CLONE_NEW*` of the namespaces that are to be empty: CRIU knows of one.
fn empty(names: &[String]) -> OciResult<u32> {
    names.iter().try_fold(0, |bits, name| match name.as_str() {
        "network" => Ok(bits | CloneFlags::CLONE_NEWNET.bits().cast_unsigned()),
        _ => {
            let reason = format!("got {name:?}, expected network");
            Err(execdriver_core::Error::invalid("--empty-ns", reason).into())
        }
    })
}

/// CRIU's name for a namespace, the same as below `/proc/<pid>/ns`.
pub(super) fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Mount => "mnt",
        Kind::Cgroup => "cgroup",
        Kind::Uts => "uts",
        Kind::Ipc => "ipc",
        Kind::User => "user",
        Kind::Pid => "pid",
        Kind::Network => "net",
        Kind::Time => "time",
    }
}

/// The key of a namespace of the host's, which CRIU leaves alone, in the words that other runtimes use.
pub(super) fn key_of(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Network => Some("extRootNetNS"),
        Kind::Pid => Some("extRootPidNS"),
        _ => None,
    }
}

fn made(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// The names of what is in a directory.
pub(super) fn entries(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_of_the_annotation_or_the_usual_ones() {
        assert_eq!(config(None).as_deref(), Some(CONFIG));
        assert_eq!(config(Some("")), None);
        assert_eq!(config(Some("/x.conf")).as_deref(), Some("/x.conf"));
        let key = CONFIG_ANNOTATION.to_owned();
        let value = "/x.conf".to_owned();
        let other = ("a".to_owned(), "b".to_owned());
        let all = [(&other.0, &other.1), (&key, &value)];
        assert_eq!(config_annotation(all.into_iter()), Some("/x.conf"));
        assert_eq!(config_annotation(all.into_iter().take(1)), None);
    }

    #[test]
    fn only_the_network_may_be_empty() {
        assert_eq!(empty(&["network".to_owned()]).unwrap(), 0x4000_0000);
        assert_eq!(empty(&[]).unwrap(), 0);
        let error = empty(&["ipc".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("--empty-ns"), "{error}");
    }
}
