//! The options that `checkpoint` and `restore` have in common.

use super::failure::Failure;
use super::global::Global;
use clap::Args;
use execdriver_native::oci::{CgroupMode, Criued};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How CRIU is to be run, as clients say it.
#[derive(Debug, Args)]
pub(super) struct Images {
    /// The directory of the saved processes.
    #[arg(long, value_name = "DIR", default_value = "checkpoint")]
    image_path: PathBuf,
    /// The directory of CRIU's log and its own files [default: that of the saved processes].
    #[arg(long, value_name = "DIR")]
    work_path: Option<PathBuf>,
    /// Also connected TCP sockets.
    #[arg(long)]
    tcp_established: bool,
    /// Leave out TCP connections that are being made.
    #[arg(long)]
    tcp_skip_in_flight: bool,
    /// Also Unix sockets that are connected to somebody outside.
    #[arg(long)]
    ext_unix_sk: bool,
    /// Also a session whose leader or terminal is outside.
    #[arg(long)]
    shell_job: bool,
    /// Also locks of files.
    #[arg(long)]
    file_locks: bool,
    /// Also files without a name.
    #[arg(long)]
    link_remap: bool,
    /// Not done by this runtime: memory that is fetched while the processes go on.
    #[arg(long)]
    lazy_pages: bool,
    /// Drop pages from earlier files that later ones have.
    #[arg(long)]
    auto_dedup: bool,
    /// How cgroups are treated: soft, full, strict or ignore.
    #[arg(long, value_name = "MODE", default_value = "soft")]
    manage_cgroups_mode: String,
    /// A namespace whose content is left out: network.
    #[arg(long, value_name = "NAMESPACE")]
    empty_ns: Vec<String>,
}

impl Images {
    /// The same for the driver.
    pub(super) fn criued(self, global: &Global) -> Result<Criued, Failure> {
        if self.lazy_pages {
            return Err(Failure::usage(
                "--lazy-pages: this runtime saves and reads all memory at once",
            ));
        }
        let mode = self.manage_cgroups_mode.as_str();
        let cgroup_mode = CgroupMode::named(mode).ok_or_else(|| {
            let reason = "expected soft, full, strict or ignore";
            Failure::usage(format!("--manage-cgroups-mode: got {mode:?}, {reason}"))
        })?;
        Ok(Criued {
            program: global.criu.clone(),
            images: absolute(&self.image_path)?,
            work: self.work_path.as_deref().map(absolute).transpose()?,
            tcp_established: self.tcp_established,
            tcp_skip_in_flight: self.tcp_skip_in_flight,
            ext_unix_sk: self.ext_unix_sk,
            shell_job: self.shell_job,
            file_locks: self.file_locks,
            link_remap: self.link_remap,
            auto_dedup: self.auto_dedup,
            cgroup_mode,
            empty_namespaces: self.empty_ns,
            give_up: Some(Arc::new(ending()?)),
        })
    }
}

/// Something to read as soon as a signal asks us to end, by which we then do not: CRIU may hang, and has to be ended first.
fn ending() -> Result<OwnedFd, Failure> {
    let failed = |errno| Failure::system("take signals", errno);
    let mut set = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        set.add(signal);
    }
    set.thread_block().map_err(failed)?;
    let taken = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC).map_err(failed)?;
    let copied = taken.as_fd().try_clone_to_owned();
    copied.map_err(|error| Failure::system("take signals", error))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::system(path.display(), error))
}
