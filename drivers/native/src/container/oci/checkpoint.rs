//! `checkpoint`: a container's processes go into files.

use super::images::{Criued, Images, config_annotation, entries, key_of, name_of};
use super::{OciError, OciResult, Runtime, Status, lock, points, state};
use crate::cgroup::Cgroup;
use crate::container::descriptors::first_process;
use crate::criu::{self, Criu, CriuError, ENDED, Kind, Mount, Request, Saved, SavedMount};
use crate::launch::Process;
use crate::state::{self as records, Record};
use execdriver_core::Error;
use oci_spec::runtime::LinuxNamespaceType;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const LOG: &str = "dump.log";

/// How a container is to be saved.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint {
    /// How CRIU is to be run.
    pub criu: Criued,
    /// Its processes go on.
    pub leave_running: bool,
    /// Only its memory; its processes go on.
    pub pre_dump: bool,
    /// Files of an earlier `pre_dump`, from the directory of these.
    pub parent: Option<PathBuf>,
    /// Where the memory is sent to: address and port.
    pub page_server: Option<(String, u16)>,
}

impl Runtime {
    /// Saves a container. Unless it goes on, it is gone then; gives a sentence for each `poststop` hook that failed.
    ///
    /// # Errors
    /// It does not run, there is no CRIU that works, or a process has what cannot be saved: then it runs as before.
    pub fn checkpoint(&self, id: &str, checkpoint: &Checkpoint) -> OciResult<Vec<String>> {
        let (entry, _) = self.load(id)?;
        let criu = checkpoint.criu.find(self, "checkpoint")?;
        if checkpoint.pre_dump || checkpoint.parent.is_some() {
            criu.check_tracking()?;
        }
        let locked = lock(&entry)?;
        let record = locked.read().map_err(Error::from)?;
        let status = state::status(&record);
        let status = match status {
            // What a paused one waits for is its `start`: there is nothing to save yet.
            Status::Paused if record.status == records::Status::Created => Status::Created,
            status => status,
        };
        if !matches!(status, Status::Running | Status::Paused) {
            let verb = "checkpoint";
            return Err(OciError::WrongState { verb, status });
        }
        let process = first_process(&record).ok_or(OciError::NotRunning)?;
        dump(&criu, checkpoint, &record, &process)?;
        drop(locked);
        if checkpoint.leave_running || checkpoint.pre_dump {
            return Ok(Vec::new());
        }
        self.delete(id, true)
    }
}

fn dump(criu: &Criu, checkpoint: &Checkpoint, record: &Record, process: &Process) -> OciResult<()> {
    let path = checkpoint.criu.images.as_path();
    let annotations = record.bundle.iter().flat_map(|bundle| &bundle.annotations);
    let mut request = checkpoint
        .criu
        .request(LOG, config_annotation(annotations))?;
    let images = checkpoint.criu.open(true, LOG)?;
    let before = entries(path);
    let (mounts, host) = (mounts_of(process.pid())?, mounts_of_ours()?);
    let saved = saved(record, process, &mounts, &host);
    describe(&mut request, checkpoint, record, process, &saved);
    let kind = match checkpoint.pre_dump {
        true => Kind::PreDump,
        false => Kind::Dump,
    };
    let written = match kind {
        Kind::Dump => saved.write(path).map_err(|source| OciError::Images {
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    };
    let freeze = |frozen| {
        let cgroup = record.cgroup.as_ref().map(Cgroup::open);
        let cgroup = cgroup.and_then(Result::ok);
        cgroup.map(|cgroup| cgroup.set_frozen(frozen))
    };
    let paused = state::status(record) == Status::Paused;
    let done = written.and_then(|()| {
        let session = criu.open((Vec::new(), images.directories), None)?;
        Images::tell(&mut request, &session);
        session.carry_out((&request, kind, &images.log), |name, _, _| {
            // CRIU lets go of the processes of a paused container one by one, and they run when it is killed meanwhile.
            if name == ENDED && paused {
                freeze(true);
            }
            Ok(())
        })
    });
    if done.is_err() && !paused {
        // It freezes what runs, and one that was killed has not let it go on. Without a freezer it did not freeze it either.
        freeze(false);
    }
    let late = matches!(&done, Err(OciError::Criu(error)) if is_late(error));
    if done.is_err() && !late {
        // What was there stays, and so does the log, which the error names.
        for file in entries(path) {
            if !before.contains(&file) && file != images.log {
                let _ = fs::remove_file(file);
            }
        }
    }
    done.map(drop)
}

/// Whether everything was written when it was given up.
fn is_late(error: &execdriver_core::BoxError) -> bool {
    matches!(
        error.downcast_ref::<CriuError>(),
        Some(CriuError::GivenUpLate)
    )
}

/// What CRIU has to know of this container.
fn describe(
    request: &mut Request,
    checkpoint: &Checkpoint,
    record: &Record,
    process: &Process,
    saved: &Saved,
) {
    request.pid = Some(process.pid());
    request.root.clone_from(&record.rootfs);
    request.leave_running = checkpoint.leave_running;
    request.page_server.clone_from(&checkpoint.page_server);
    let parent = checkpoint.parent.as_deref();
    request.parent_images = parent.map(|path| path.to_string_lossy().into_owned());
    request.track_memory = checkpoint.pre_dump || parent.is_some();
    let cgroup = record
        .cgroup
        .as_ref()
        .and_then(|cgroup| Cgroup::open(cgroup).ok());
    let freezer = cgroup.as_ref().and_then(Cgroup::freezer_path);
    request.freeze_cgroup = freezer.map(|path| path.to_string_lossy().into_owned());
    let mounts = saved.mounts.iter();
    request.external = mounts
        .map(|mount| format!("mnt[{}]:{}", mount.point, mount.key))
        .collect();
    let files = saved
        .streams
        .iter()
        .filter(|stream| stream.starts_with("file["));
    request.external.extend(files.cloned());
    for namespace in record.namespaces.iter().filter(|namespace| !namespace.own) {
        let name = name_of(namespace.kind);
        let file = fs::metadata(format!("/proc/{}/ns/{name}", process.pid()));
        if let (Some(key), Ok(file)) = (key_of(namespace.kind), file) {
            request
                .external
                .push(format!("{name}[{}]:{key}", file.ino()));
        }
    }
}

/// What restore has to know.
fn saved(record: &Record, process: &Process, mounts: &[Mount], host: &[Mount]) -> Saved {
    let own = |kind| {
        let mut all = record.namespaces.iter();
        all.any(|namespace| namespace.kind == kind && namespace.own)
    };
    let external = criu::external(mounts, host, own(LinuxNamespaceType::Cgroup));
    let numbered = external.into_iter().enumerate();
    let root = mounts.iter().find(|mount| mount.point == "/");
    let root_of = PathBuf::from(format!("/proc/{}/root", process.pid()));
    let is_dir = |point: &str| {
        let file = fs::symlink_metadata(root_of.join(point.trim_start_matches('/')));
        file.is_ok_and(|file| file.is_dir())
    };
    Saved {
        version: Saved::VERSION,
        points: points::of_root(mounts, is_dir),
        mounts: numbered
            .map(|(number, mount)| SavedMount {
                key: format!("m{number}"),
                point: mount.point.clone(),
                cgroup: match mount.is_cgroup() {
                    true => mount.super_options.clone(),
                    false => Vec::new(),
                },
                root: mount.root.clone(),
            })
            .collect(),
        root_options: root.map(|root| root.options.clone()).unwrap_or_default(),
        streams: (0..3)
            .map(|number| stream(process.pid(), number, mounts))
            .collect(),
    }
}

/// What a stream of the first process is to CRIU. A file or device of the host's is none that the container could open.
fn stream(pid: i32, number: u8, mounts: &[Mount]) -> String {
    let path = PathBuf::from(format!("/proc/{pid}/fd/{number}"));
    let name = fs::read_link(&path).unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    let file = fs::metadata(&path).ok();
    let Some(file) = file.filter(|_| name.starts_with('/')) else {
        return name;
    };
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).unwrap_or_default();
    let mount = info.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    let mount = mount.and_then(|id| id.trim().parse::<u32>().ok());
    match mount {
        Some(id) if !mounts.iter().any(|mount| mount.id == id) => {
            format!("file[{id:x}:{:x}]", file.ino())
        }
        _ => name,
    }
}

fn mounts_of(pid: i32) -> OciResult<Vec<Mount>> {
    mounts_in(Path::new(&format!("/proc/{pid}/mountinfo")))
}

fn mounts_of_ours() -> OciResult<Vec<Mount>> {
    mounts_in(Path::new("/proc/self/mountinfo"))
}

fn mounts_in(path: &Path) -> OciResult<Vec<Mount>> {
    let text = fs::read(path).map_err(crate::container::error::setup("list the mounts"))?;
    Ok(criu::read_mounts(&String::from_utf8_lossy(&text)))
}
