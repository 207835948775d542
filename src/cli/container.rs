//! The flags that say what a container is, and the `Command` that they make.

use crate::failure::Failure;
use crate::values::{self, DeviceArg, Namespace, UsernsArg, VolumeArg};
use clap::Args;
use execdriver::{
    CgroupNamespace, Command, Ephemeral, Error, Ipc, LinuxCommand, Mount, Network, Pid,
    ProcessConfig, Profile, Uts,
};
use std::path::{Path, PathBuf};

/// What the container is made of.
#[derive(Debug, Args)]
pub(crate) struct ContainerArgs {
    /// The directory that becomes `/`; without it the program is one of this machine
    #[arg(long, value_name = "DIR", help_heading = "File system")]
    rootfs: Option<PathBuf>,
    /// Throw all writes to the root file system away at the end (a tmpfs layer of at most SIZE)
    #[arg(long, value_name = "SIZE", num_args = 0..=1, default_missing_value = "256m",
          require_equals = true, value_parser = values::size, help_heading = "File system")]
    ephemeral: Option<u64>,
    /// Mount the root file system read-only
    #[arg(long, help_heading = "File system")]
    read_only: bool,
    /// Without --rootfs: make the current directory writable
    #[arg(long, conflicts_with = "rootfs", help_heading = "File system")]
    pub(crate) rw: bool,
    /// Mount a file or directory of the host's [SRC:DST[:ro,idmap]; SRC may be relative; idmap:
    /// what is root's there is the container's root's, by its user namespace]
    #[arg(
        short = 'v',
        long = "volume",
        value_name = "SRC:DST[:OPTS]",
        help_heading = "File system"
    )]
    volumes: Vec<VolumeArg>,
    /// Mount an empty tmpfs [DST[:OPTIONS]]
    #[arg(long, value_name = "DST[:OPTS]", value_parser = values::tmpfs, help_heading = "File system")]
    tmpfs: Vec<Mount>,
    /// Give the container a device, or all in a directory [HOST[:CONTAINER][:rwm]]
    #[arg(long = "device", value_name = "DEVICE", help_heading = "File system")]
    devices: Vec<DeviceArg>,
    /// The host name inside [default: the container's id]
    #[arg(long, value_name = "HOST", help_heading = "Isolation")]
    hostname: Option<String>,
    /// none (loopback only), host, container:ID or ns:PATH
    #[arg(
        long,
        value_name = "MODE",
        default_value = "none",
        hide_default_value = true,
        help_heading = "Isolation"
    )]
    network: Namespace,
    /// private, host, container:ID or ns:PATH
    #[arg(
        long,
        value_name = "MODE",
        default_value = "private",
        hide_default_value = true,
        help_heading = "Isolation"
    )]
    ipc: Namespace,
    /// private, host, container:ID or ns:PATH
    #[arg(
        long,
        value_name = "MODE",
        default_value = "private",
        hide_default_value = true,
        help_heading = "Isolation"
    )]
    pid: Namespace,
    /// private, host, container:ID or ns:PATH
    #[arg(
        long,
        value_name = "MODE",
        default_value = "private",
        hide_default_value = true,
        help_heading = "Isolation"
    )]
    uts: Namespace,
    /// The user namespace: host, auto or keep-id (ids of /etc/subuid), or UID:GID:SIZE
    #[arg(long, value_name = "MODE", help_heading = "Isolation")]
    userns: Option<UsernsArg>,
    /// Add a capability, without CAP_ (or ALL)
    #[arg(long, value_name = "C", help_heading = "Privileges")]
    cap_add: Vec<String>,
    /// Drop a capability, without CAP_ (or ALL)
    #[arg(long, value_name = "C", help_heading = "Privileges")]
    cap_drop: Vec<String>,
    /// All capabilities and devices: no protection of the host
    #[arg(long, help_heading = "Privileges")]
    pub(crate) privileged: bool,
    /// Processes can gain no privileges, by set-user-ID programs say
    #[arg(long, help_heading = "Privileges")]
    no_new_privileges: bool,
    /// docker or strict [default: docker with --rootfs or --privileged, else strict]
    #[arg(long, value_name = "NAME", value_parser = profile, help_heading = "Privileges")]
    pub(crate) profile: Option<Profile>,
    /// More groups for the process, by name or number
    #[arg(long, value_name = "GROUP", help_heading = "Privileges")]
    group_add: Vec<String>,
    /// Do not keep an init as PID 1 that forwards signals and reaps orphans
    #[arg(long, help_heading = "Isolation")]
    no_init: bool,
    /// The cgroup above the container's: below the root, or when relative below this command's own
    #[arg(long, value_name = "PATH", help_heading = "Limits")]
    cgroup_parent: Option<String>,
    /// A kernel parameter of the container's namespaces
    #[arg(long, value_name = "KEY=VALUE", value_parser = sysctl, help_heading = "Isolation")]
    sysctl: Vec<(String, String)>,
}

impl ContainerArgs {
    /// The command of container `id` for `process`, run in `workdir`.
    pub(crate) fn command(
        &self,
        id: String,
        process: ProcessConfig,
        workdir: Option<String>,
    ) -> Result<Command, Failure> {
        let mut command = Command {
            process,
            ..Command::linux(id, "/", "")
        };
        command.process.privileged = self.privileged;
        command.network = network(&self.network);
        for volume in &self.volumes {
            let mount = volume
                .resolve()
                .map_err(|reason| invalid("volume", reason))?;
            command.mounts.push(mount);
        }
        command.mounts.extend_from_slice(&self.tmpfs);
        let mut linux = self.linux()?;
        match &self.rootfs {
            Some(rootfs) => {
                command.rootfs = absolute(rootfs)?;
                command.working_dir = workdir.unwrap_or_default();
            }
            None if cfg!(windows) => command.working_dir = workdir.unwrap_or_default(),
            None => self.host_root(&mut command, &mut linux, workdir)?,
        }
        if let Some(userns) = self.userns {
            let rootfs = self.rootfs.as_deref();
            userns.apply(&mut command, &mut linux, rootfs);
        }
        command.platform = execdriver::Platform::Linux(linux);
        Ok(command)
    }

    fn linux(&self) -> Result<LinuxCommand, Failure> {
        let mut devices = Vec::new();
        for device in &self.devices {
            let found = device.resolve();
            devices.extend(found.map_err(|reason| invalid("device", reason))?);
        }
        Ok(LinuxCommand {
            cap_add: self.cap_add.clone(),
            cap_drop: self.cap_drop.clone(),
            group_add: self.group_add.clone(),
            allowed_devices: devices.clone(),
            autocreated_devices: devices,
            ipc: mode(&self.ipc, Ipc::host, Ipc::of_container, Ipc::at_path),
            pid: mode(&self.pid, Pid::host, Pid::of_container, Pid::at_path),
            uts: mode(&self.uts, Uts::host, Uts::of_container, Uts::at_path),
            cgroup_namespace: None::<CgroupNamespace>,
            hostname: self.hostname.clone().unwrap_or_default(),
            readonly_rootfs: self.read_only,
            no_new_privileges: self.no_new_privileges,
            cgroup_parent: self.cgroup_parent.clone().unwrap_or_default(),
            sysctl: self.sysctl.iter().cloned().collect(),
            init: !self.no_init,
            profile: self.profile.unwrap_or_default(),
            ephemeral: self.ephemeral.map(|size_bytes| Ephemeral {
                size_bytes,
                ..Ephemeral::default()
            }),
            ..LinuxCommand::default()
        })
    }
}

/// The rootfs from `/` on. What its last part is, a link say, is the driver's to judge.
fn absolute(rootfs: &Path) -> Result<PathBuf, Failure> {
    let failed = |error| invalid("rootfs", format!("{rootfs:?}: {}", values::reason(&error)));
    if cfg!(windows) {
        // A volume's name (`\\?\Volume{...}`) is as good as a directory there, and no file has that name.
        return std::path::absolute(rootfs).map_err(failed);
    }
    let Some(name) = rootfs.file_name() else {
        return rootfs.canonicalize().map_err(failed);
    };
    let parent = match rootfs.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok(parent.canonicalize().map_err(failed)?.join(name))
}

pub(crate) fn invalid(field: &str, reason: String) -> Failure {
    Failure::not_run(Error::invalid(field, reason))
}

fn network(namespace: &Namespace) -> Option<Network> {
    match namespace {
        Namespace::Own => None,
        Namespace::Host => Some(Network::host()),
        Namespace::Container(id) => Some(Network::of_container(id)),
        Namespace::Path(path) => Some(Network::at_path(path)),
    }
}

fn mode<T>(
    namespace: &Namespace,
    host: fn() -> T,
    of_container: fn(String) -> T,
    at_path: fn(PathBuf) -> T,
) -> Option<T> {
    match namespace {
        Namespace::Own => None,
        Namespace::Host => Some(host()),
        Namespace::Container(id) => Some(of_container(id.clone())),
        Namespace::Path(path) => Some(at_path(path.clone())),
    }
}

fn sysctl(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let pair = pair.map(|(key, value)| (key.to_owned(), value.to_owned()));
    pair.ok_or_else(|| format!("{text:?} is not KEY=VALUE"))
}

fn profile(text: &str) -> Result<Profile, String> {
    match text {
        "docker" => Ok(Profile::Docker),
        "strict" => Ok(Profile::Strict),
        _ => Err(format!("{text:?} is not one of docker, strict")),
    }
}
