//! `restore`: a container is made from saved processes.

use super::create::Alive;
use super::images::{Criued, Images, config_annotation, key_of, name_of};
use super::{
    Create, Launched, OciError, OciResult, Runtime, class, document, hooks, masters, points,
    sources, state,
};
use crate::container::error;
use crate::container::made::Made;
use crate::container::run::plan_host;
use crate::criu::{Criu, Kind, Reply, Request, Root, Saved, is_handed_on};
use crate::launch::Process;
use crate::plan::{Plan, RunInput, Sources};
use crate::state::{BundleRecord, NamespaceRecord, Status, Store};
use crate::sys::pidfd;
use execdriver_core::{Error, Spec};
use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType};
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

const LOG: &str = "restore.log";

/// A container to make from saved processes. Its streams are those of the calling process, as far as they were pipes or files
/// of the host's.
#[derive(Debug)]
pub struct Restore<'a> {
    /// The container: its id, document and bundle; what is in it beside is for `create`.
    pub create: Create<'a>,
    /// How CRIU is to be run.
    pub criu: Criued,
    /// Another AppArmor profile or SELinux label than the saved one: `apparmor:name`.
    pub lsm_profile: Option<String>,
    /// The SELinux context of its mounts.
    pub lsm_mount_context: Option<String>,
}

impl Runtime {
    /// Makes the container, whose programs go on where they were. On every error nothing of it is left.
    ///
    /// # Errors
    /// The id is taken or is none, the files or the document are not those of the container, or CRIU failed.
    pub fn restore(&self, restore: Restore<'_>) -> OciResult<Launched> {
        let Restore {
            create,
            criu: criued,
            ..
        } = &restore;
        Store::check(create.id).map_err(|error| super::named(create.id, error))?;
        let criu = criued.find(self, "restore")?;
        let images = criued.open(false, LOG)?;
        let saved = Saved::read(&criued.images).map_err(|source| OciError::Images {
            path: criued.images.clone(),
            source,
        })?;
        let annotations = create.document.annotations().iter().flatten();
        let mut request = criued.request(LOG, config_annotation(annotations))?;
        request.lsm_profile.clone_from(&restore.lsm_profile);
        request
            .lsm_mount_context
            .clone_from(&restore.lsm_mount_context);
        let bundle = BundleRecord::of(create);
        let (path, facts) = (create.bundle.to_owned(), self.containers.facts());
        let spec = document::specification(restore.create)?;
        if class::of(&spec)?.is_some() {
            // Its processes would be born into the class of whoever restores them.
            let operation = "linux.intelRdt of a container that is restored";
            return Err(Error::unsupported("native", operation).into());
        }
        let place = self.place(&spec, &facts)?;
        let made = self.begin(&place, &spec, &facts, bundle)?;
        let cgroup = made.cgroup();
        let host = plan_host(&spec, &facts, cgroup.as_deref().map_err(|why| *why));
        let input = RunInput {
            filter: self.containers.filter((&spec).into(), &facts)?,
            ..RunInput::default()
        };
        let plan = Plan::build(&spec, &host, &Sources::resolve(&spec, &host), &input);
        let plan = plan.map_err(Error::from)?;
        drop(cgroup);
        let restoration = Restoration {
            runtime: self,
            spec: &spec,
            made: &made,
            plan: &plan,
            saved: &saved,
        };
        let launched = restoration.carry_out(&criu, &images, request, &path)?;
        made.leave();
        Ok(launched)
    }
}

/// A container that is being made anew.
struct Restoration<'a> {
    runtime: &'a Runtime,
    spec: &'a Spec,
    made: &'a Made,
    plan: &'a Plan,
    saved: &'a Saved,
}

impl Restoration<'_> {
    fn carry_out(
        &self,
        criu: &Criu,
        images: &Images,
        mut request: Request,
        bundle: &Path,
    ) -> OciResult<Launched> {
        let state_dir = self.made.entry().path();
        let kept = self.describe(&mut request, bundle)?;
        request.root = state_dir.to_string_lossy().into_owned();
        request.sibling = true;
        let rootfs = self.made.entry().read().map_err(Error::from)?.rootfs;
        points::make(Path::new(&rootfs), &self.saved.points).map_err(|(point, errno)| {
            error::setup(&format!(
                "make {point} in the root file system, where something is mounted"
            ))(errno)
        })?;
        let root = Root {
            rootfs: Path::new(&rootfs),
            at: &state_dir,
            attributes: attributes(&self.saved.root_options),
        };
        let directories = images.directories.clone();
        let session = criu.open((kept, directories), Some(&root))?;
        Images::tell(&mut request, &session);
        let maps = self.plan.id_maps.as_ref();
        let _mapped = maps.and_then(|maps| images.tell_mapped(&mut request, maps));
        if let Ok(cgroup) = self.made.cgroup() {
            // Whatever it starts is in the container's cgroup from its first moment, so that it can be found and ended.
            cgroup.place(session.pid(), false).map_err(Error::from)?;
            request.cgroup_roots = cgroup_roots(session.pid())?;
        }
        let (mut masters, mut confined) = (Vec::new(), false);
        let reply =
            session.carry_out((&request, Kind::Restore, &images.log), |name, pid, fd| {
                match (name, pid, fd) {
                    ("setup-namespaces", Some(pid), _) => self.namespaced(pid),
                    ("orphan-pts-master", _, Some(fd)) => {
                        masters.push(fd);
                        Ok(())
                    }
                    // Everything is made, and nothing of the container's has run: what CRIU itself does, such as opening
                    // /dev/net/tun, is not bound by the container's limits.
                    ("post-restore", ..) => {
                        let programs = &self.runtime.containers.device_programs;
                        confined = true;
                        Ok(self.made.restrict(&self.plan.cgroup, programs)?)
                    }
                    _ => Ok(()),
                }
            })?;
        if !confined {
            return Err(unconfined().into());
        }
        self.finish(&reply, masters)
    }

    /// What CRIU has to know of the new container; the descriptors that it keeps.
    fn describe(&self, request: &mut Request, bundle: &Path) -> OciResult<Vec<OwnedFd>> {
        let record = self.made.entry().read().map_err(Error::from)?;
        for mount in &self.saved.mounts {
            let source = sources::source(mount, &self.spec.oci, bundle, record.cgroup.as_ref());
            let source = source.ok_or_else(|| OciError::NoSource {
                point: mount.point.clone(),
            })?;
            let external = format!("mnt[{}]:{}", mount.key, source.display());
            request.external.push(external);
        }
        let mut kept = Vec::new();
        let mut inherit = |key: &str, fd: OwnedFd| {
            request.inherit.push((key.to_owned(), fd.as_raw_fd()));
            kept.push(fd);
        };
        let ours = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        let ours = [ours.0.as_fd(), ours.1.as_fd(), ours.2.as_fd()];
        for (stream, fd) in self.saved.streams.iter().zip(ours) {
            if is_handed_on(stream) {
                let copy = fd.try_clone_to_owned();
                inherit(stream, copy.map_err(error::setup("copy the streams"))?);
            }
        }
        for namespace in self.namespaces() {
            let (kind, Some(path)) = (namespace.typ(), namespace.path()) else {
                continue;
            };
            match key_of(kind) {
                Some(key) => {
                    let file = File::open(path).map_err(|source| OciError::Images {
                        path: path.clone(),
                        source,
                    })?;
                    inherit(key, file.into());
                }
                None => {
                    let path = path.to_string_lossy().into_owned();
                    request.join.push((name_of(kind).to_owned(), path));
                }
            }
        }
        Ok(kept)
    }

    fn namespaces(&self) -> &[LinuxNamespace] {
        let linux = self.spec.oci.linux().as_ref();
        let listed = linux.and_then(|linux| linux.namespaces().as_deref());
        listed.unwrap_or_default()
    }

    /// The first process has its namespaces, and waits.
    fn namespaced(&self, pid: i32) -> OciResult<()> {
        self.made.record_init(pid, self.plan)?;
        let Some(document) = self.spec.oci.hooks() else {
            return Ok(());
        };
        let record = self.made.entry().read().map_err(Error::from)?;
        let state = state::state(&record);
        #[allow(deprecated, reason = "documents still have it")]
        hooks::run("prestart", document.prestart().as_deref(), &state)?;
        let create_runtime = document.create_runtime().as_deref();
        hooks::run("createRuntime", create_runtime, &state)
    }

    fn finish(&self, reply: &Reply, masters: Vec<OwnedFd>) -> OciResult<Launched> {
        let failed = || error::setup::<nix::errno::Errno>("find the first process");
        let pid = reply
            .pid
            .ok_or(nix::errno::Errno::ESRCH)
            .map_err(failed())?;
        let process = Arc::new(Process::child(pidfd::open(pid).map_err(failed())?, pid));
        let mut alive = Alive(Some(Arc::clone(&process)));
        // CRIU tells of namespaces where there are any to set up.
        let namespaces = self.namespaces_of(pid);
        self.made.record_init(pid, self.plan)?;
        let terminal = masters::of_process(masters, pid);
        let (terminal, identity) = terminal.map_or((None, None), |(fd, record)| (Some(fd), record));
        self.made.modify(|record| {
            record.status = Status::Running;
            record.terminal = identity;
            record.namespaces = namespaces;
        })?;
        let record = self.made.entry().read().map_err(Error::from)?;
        self.runtime.poststart(&record)?;
        alive.0 = None;
        Ok(Launched {
            process,
            terminal,
            warnings: self.plan.unenforced.clone(),
        })
    }

    /// The namespaces that are not ours. CRIU gives every container one of time, so that its clocks go on.
    fn namespaces_of(&self, pid: i32) -> Vec<NamespaceRecord> {
        let kinds = [
            LinuxNamespaceType::Mount,
            LinuxNamespaceType::Cgroup,
            LinuxNamespaceType::Uts,
            LinuxNamespaceType::Ipc,
            LinuxNamespaceType::User,
            LinuxNamespaceType::Pid,
            LinuxNamespaceType::Network,
            LinuxNamespaceType::Time,
        ];
        let file = |of: &str, kind| fs::metadata(format!("/proc/{of}/ns/{}", name_of(kind))).ok();
        let inode = |of: &str, kind| file(of, kind).map(|file| file.ino());
        let process = pid.to_string();
        let foreign = |kind: &LinuxNamespaceType| inode(&process, *kind) != inode("self", *kind);
        let own = |kind| {
            let mut listed = self.namespaces().iter();
            !listed.any(|one| one.typ() == kind && one.path().is_some())
        };
        let foreign = kinds.into_iter().filter(foreign);
        foreign
            .map(|kind| NamespaceRecord {
                kind,
                own: own(kind),
            })
            .collect()
    }
}

/// A CRIU that does not say when limits are to be put in force.
fn unconfined() -> Error {
    error::setup("put the container's limits in force")(
        "CRIU did not say when its processes were made",
    )
}

/// The cgroups of a process: controllers, and the path in their hierarchy.
fn cgroup_roots(pid: u32) -> OciResult<Vec<(String, String)>> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup"));
    let text = text.map_err(error::setup("read the cgroups of CRIU"))?;
    Ok(roots(&text))
}

fn roots(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let pairs = lines.filter_map(|(_, rest)| rest.split_once(':'));
    pairs
        .map(|(one, two)| (one.to_owned(), two.to_owned()))
        .collect()
}

/// The attributes of the root's mount: CRIU binds it as it finds it.
fn attributes(options: &[String]) -> u64 {
    let bit = |option: &String| match option.as_str() {
        "ro" => libc::MOUNT_ATTR_RDONLY,
        "nosuid" => libc::MOUNT_ATTR_NOSUID,
        "nodev" => libc::MOUNT_ATTR_NODEV,
        "noexec" => libc::MOUNT_ATTR_NOEXEC,
        _ => 0,
    };
    options.iter().map(bit).fold(0, |all, one| all | one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hierarchy_has_its_root() {
        let text = "2:cpu,cpuacct:/execdriver/c1\n1:name=systemd:/a:b\n0::/execdriver/c1\n";
        let expected = [
            ("cpu,cpuacct", "/execdriver/c1"),
            ("name=systemd", "/a:b"),
            ("", "/execdriver/c1"),
        ];
        let found = roots(text);
        let found: Vec<_> = found
            .iter()
            .map(|(one, two)| (one.as_str(), two.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_root_that_was_read_only_stays_so() {
        let options = ["ro", "relatime", "nosuid"].map(str::to_owned);
        let expected = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID;
        assert_eq!(attributes(&options), expected);
        assert_eq!(attributes(&[]), 0);
    }
}
