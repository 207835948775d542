//! The flat object of a command, and which platform its keys make it.

use super::mirror::{List, Map, Object, Objects, Owner, Word, mirror};
use super::parts::{MountKeys, NetworkKeys, Process, ResourcesKeys};
use super::path_text;
use crate::{
    CgroupNamespace, Command, Device, Ephemeral, Error, IdMap, Ipc, Isolation, Landlock,
    LinuxCommand, Pid, Platform, ProcessAttributes, Profile, RemappedRoot, Result, TimeOffsets,
    UserNamespace, Uts, WindowsCommand,
};

mirror! {
    /// Every key of a command, in the original's order. `hostname` is Windows's own and our
    /// addition to Linux.
    CommandKeys {
        Both container_pid: i32,
        Both id: String,
        Both initpath: String,
        Both mount_label: String,
        Both mounts: Objects<MountKeys>,
        Both network: Option<Object<NetworkKeys>>,
        Both process_config: Object<Process>,
        Both process_label: String,
        Both resources: Option<Object<ResourcesKeys>>,
        Both rootfs: String,
        Both working_dir: String,
        Both tmpdir: String,
        Linux allowed_devices: Objects<Device>,
        Linux apparmor_profile: String,
        Linux autocreated_devices: Objects<Device>,
        Linux cap_add: List<String>,
        Linux cap_drop: List<String>,
        Linux cgroup_parent: String,
        Linux gidmapping: Objects<IdMap>,
        Linux group_add: List<String>,
        Linux ipc: Option<Object<Ipc>>,
        Linux oom_score_adj: i32,
        Linux pid: Option<Object<Pid>>,
        Linux readonly_rootfs: bool,
        Linux remap_root: Option<Object<RemappedRoot>>,
        Linux seccomp_profile: String,
        Linux uidmapping: Objects<IdMap>,
        Linux uts: Option<Object<Uts>>,
        Linux no_new_privileges: bool,
        Linux init: bool,
        Linux profile: Word<Profile>,
        Linux ephemeral: Option<Object<Ephemeral>>,
        Linux sysctl: Map<String>,
        Linux landlock: Option<Object<Landlock>>,
        Linux cgroup_namespace: Option<Object<CgroupNamespace>>,
        Linux domainname: String,
        Linux user_namespace: Word<UserNamespace>,
        Linux idmap_rootfs: bool,
        Linux time_offsets: Option<Object<TimeOffsets>>,
        Linux attributes: Object<ProcessAttributes>,
        Windows first_start: bool,
        Both hostname: String,
        Windows layer_folder: String,
        Windows layer_paths: List<String>,
        Windows isolation: Word<Isolation>,
        Windows args_escaped: bool,
        Windows hv_partition: bool,
        Windows endpoints: List<String>,
    }
}

/// Turns a command into its keys.
pub(super) fn encode(command: &Command) -> Result<CommandKeys> {
    if let Some((field, reason)) = command.foreign_field() {
        return Err(Error::invalid(field, reason));
    }
    let keys = match &command.platform {
        Platform::Linux(linux) => encode_linux(linux),
        Platform::Windows(windows) => encode_windows(windows)?,
    };
    let is_linux = command.as_linux().is_some();
    let mut mounts = Vec::with_capacity(command.mounts.len());
    for (index, mount) in command.mounts.iter().enumerate() {
        mounts.push(Object(MountKeys::encode(index, mount, is_linux)?));
    }
    let network = match &command.network {
        Some(network) => Some(Object(NetworkKeys::encode(network, is_linux)?)),
        None => None,
    };
    let resources = command.resources.as_ref();
    Ok(CommandKeys {
        container_pid: Some(command.container_pid),
        id: Some(command.id.clone()),
        initpath: Some(command.init_path.clone()),
        mount_label: Some(command.mount_label.clone()),
        mounts: Some(List(mounts)),
        network: Some(network),
        process_config: Some(Object(Process::encode(&command.process, is_linux))),
        process_label: Some(command.process_label.clone()),
        resources: Some(resources.map(|limits| Object(ResourcesKeys::encode(limits, is_linux)))),
        rootfs: Some(path_text("rootfs", &command.rootfs)?),
        working_dir: Some(command.working_dir.clone()),
        tmpdir: Some(path_text("tmpdir", &command.tmp_dir)?),
        ..keys
    })
}

fn encode_linux(linux: &LinuxCommand) -> CommandKeys {
    let text = |text: &String| (!text.is_empty()).then(|| text.clone());
    CommandKeys {
        allowed_devices: Some(List::wrap(&linux.allowed_devices)),
        apparmor_profile: Some(linux.apparmor_profile.clone()),
        autocreated_devices: Some(List::wrap(&linux.autocreated_devices)),
        cap_add: Some(List(linux.cap_add.clone())),
        cap_drop: Some(List(linux.cap_drop.clone())),
        cgroup_parent: Some(linux.cgroup_parent.clone()),
        gidmapping: Some(List::wrap(&linux.gid_mappings)),
        group_add: Some(List(linux.group_add.clone())),
        ipc: Some(linux.ipc.clone().map(Object)),
        oom_score_adj: Some(linux.oom_score_adj),
        pid: Some(linux.pid.clone().map(Object)),
        readonly_rootfs: Some(linux.readonly_rootfs),
        remap_root: Some(linux.remapped_root.map(Object)),
        seccomp_profile: Some(linux.seccomp_profile.clone()),
        uidmapping: Some(List::wrap(&linux.uid_mappings)),
        uts: Some(linux.uts.clone().map(Object)),
        no_new_privileges: linux.no_new_privileges.then_some(true),
        init: linux.init.then_some(true),
        profile: (linux.profile != Profile::default()).then_some(Word(linux.profile)),
        ephemeral: linux.ephemeral.map(|bounds| Some(Object(bounds))),
        sysctl: (!linux.sysctl.is_empty()).then(|| Map(linux.sysctl.clone())),
        landlock: linux.landlock.clone().map(|paths| Some(Object(paths))),
        cgroup_namespace: linux
            .cgroup_namespace
            .clone()
            .map(|cgroup| Some(Object(cgroup))),
        domainname: text(&linux.domainname),
        user_namespace: (linux.user_namespace != UserNamespace::default())
            .then_some(Word(linux.user_namespace)),
        idmap_rootfs: linux.idmap_rootfs.then_some(true),
        time_offsets: linux.time_offsets.map(|offsets| Some(Object(offsets))),
        attributes: (linux.attributes != ProcessAttributes::default())
            .then(|| Object(linux.attributes.clone())),
        hostname: text(&linux.hostname),
        ..CommandKeys::default()
    }
}

fn encode_windows(windows: &WindowsCommand) -> Result<CommandKeys> {
    let mut layers = Vec::with_capacity(windows.layer_paths.len());
    for (index, path) in windows.layer_paths.iter().enumerate() {
        layers.push(path_text(&format!("layer_paths[{index}]"), path)?);
    }
    Ok(CommandKeys {
        first_start: Some(windows.first_start),
        hostname: Some(windows.hostname.clone()),
        layer_folder: Some(path_text("layer_folder", &windows.layer_folder)?),
        layer_paths: Some(List(layers)),
        isolation: Some(Word(windows.isolation)),
        args_escaped: Some(windows.args_escaped),
        hv_partition: Some(windows.hv_partition),
        endpoints: (!windows.endpoints.is_empty()).then(|| List(windows.endpoints.clone())),
        ..CommandKeys::default()
    })
}

/// Turns keys into the command of the platform that they belong to.
pub(super) fn decode(mut keys: CommandKeys) -> Result<Command> {
    let linux = platform_key(&keys, Owner::Linux);
    let windows = platform_key(&keys, Owner::Windows);
    if let (Some(linux), Some(windows)) = (&linux, &windows) {
        let reason = format!(
            "it is a key of Windows commands beside `{linux}`, a key of Linux commands; expected \
             the keys of one platform"
        );
        return Err(Error::invalid(windows, reason));
    }
    let is_linux = windows.is_none();
    let network = keys.network.take().flatten();
    let resources = keys.resources.take().flatten();
    let mounts = keys.mounts.take().unwrap_or_default().unwrap();
    let mut command = Command {
        container_pid: keys.container_pid.take().unwrap_or_default(),
        id: keys.id.take().unwrap_or_default(),
        init_path: keys.initpath.take().unwrap_or_default(),
        mount_label: keys.mount_label.take().unwrap_or_default(),
        mounts: mounts.into_iter().map(MountKeys::decode).collect(),
        network: network.map(|network| network.0.decode()),
        process: keys.process_config.take().unwrap_or_default().0.decode(),
        process_label: keys.process_label.take().unwrap_or_default(),
        resources: resources.map(|limits| limits.0.decode(is_linux)),
        rootfs: keys.rootfs.take().unwrap_or_default().into(),
        working_dir: keys.working_dir.take().unwrap_or_default(),
        tmp_dir: keys.tmpdir.take().unwrap_or_default().into(),
        platform: Platform::default(),
    };
    command.platform = if is_linux {
        Platform::Linux(decode_linux(keys))
    } else {
        Platform::Windows(decode_windows(keys))
    };
    Ok(command)
}

/// The path of a key that only `owner` has.
fn platform_key(keys: &CommandKeys, owner: Owner) -> Option<String> {
    let in_process = || {
        let process = keys.process_config.as_ref()?;
        Some(format!("process_config.{}", process.0.key_of(owner)?))
    };
    let in_network = || {
        let network = keys.network.as_ref()?.as_ref()?;
        Some(format!("network.{}", network.0.key_of(owner)?))
    };
    let in_resources = || {
        let resources = keys.resources.as_ref()?.as_ref()?;
        Some(format!("resources.{}", resources.0.key_of(owner)?))
    };
    let in_mounts = || {
        let mounts = keys.mounts.as_ref()?.0.iter().enumerate();
        mounts
            .filter_map(|(index, mount)| Some((index, mount.0.key_of(owner)?)))
            .map(|(index, key)| format!("mounts[{index}].{key}"))
            .next()
    };
    keys.key_of(owner)
        .map(str::to_owned)
        .or_else(in_process)
        .or_else(in_network)
        .or_else(in_resources)
        .or_else(in_mounts)
}

fn decode_linux(keys: CommandKeys) -> LinuxCommand {
    LinuxCommand {
        allowed_devices: keys.allowed_devices.unwrap_or_default().unwrap(),
        apparmor_profile: keys.apparmor_profile.unwrap_or_default(),
        autocreated_devices: keys.autocreated_devices.unwrap_or_default().unwrap(),
        cap_add: keys.cap_add.unwrap_or_default().0,
        cap_drop: keys.cap_drop.unwrap_or_default().0,
        cgroup_parent: keys.cgroup_parent.unwrap_or_default(),
        gid_mappings: keys.gidmapping.unwrap_or_default().unwrap(),
        group_add: keys.group_add.unwrap_or_default().0,
        ipc: keys.ipc.flatten().map(|object| object.0),
        oom_score_adj: keys.oom_score_adj.unwrap_or_default(),
        pid: keys.pid.flatten().map(|object| object.0),
        readonly_rootfs: keys.readonly_rootfs.unwrap_or_default(),
        remapped_root: keys.remap_root.flatten().map(|object| object.0),
        seccomp_profile: keys.seccomp_profile.unwrap_or_default(),
        uid_mappings: keys.uidmapping.unwrap_or_default().unwrap(),
        uts: keys.uts.flatten().map(|object| object.0),
        no_new_privileges: keys.no_new_privileges.unwrap_or_default(),
        init: keys.init.unwrap_or_default(),
        profile: keys.profile.unwrap_or_default().0,
        ephemeral: keys.ephemeral.flatten().map(|object| object.0),
        sysctl: keys.sysctl.unwrap_or_default().0,
        landlock: keys.landlock.flatten().map(|object| object.0),
        cgroup_namespace: keys.cgroup_namespace.flatten().map(|object| object.0),
        hostname: keys.hostname.unwrap_or_default(),
        domainname: keys.domainname.unwrap_or_default(),
        user_namespace: keys.user_namespace.unwrap_or_default().0,
        idmap_rootfs: keys.idmap_rootfs.unwrap_or_default(),
        time_offsets: keys.time_offsets.flatten().map(|object| object.0),
        attributes: keys.attributes.unwrap_or_default().0,
    }
}

fn decode_windows(keys: CommandKeys) -> WindowsCommand {
    let layers = keys.layer_paths.unwrap_or_default().0;
    WindowsCommand {
        first_start: keys.first_start.unwrap_or_default(),
        hostname: keys.hostname.unwrap_or_default(),
        layer_folder: keys.layer_folder.unwrap_or_default().into(),
        layer_paths: layers.into_iter().map(Into::into).collect(),
        isolation: keys.isolation.unwrap_or_default().0,
        args_escaped: keys.args_escaped.unwrap_or_default(),
        hv_partition: keys.hv_partition.unwrap_or_default(),
        endpoints: keys.endpoints.unwrap_or_default().0,
    }
}
