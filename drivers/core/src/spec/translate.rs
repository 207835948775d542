//! `Command -> Spec`: every rule of the contract's container template, each from its own file.

use super::mounts::{self, Mounts};
use super::template::{Facts, Shm, TTY_GROUP};
use super::{
    SeccompChoice, Spec, TemplateDefault, attributes, capabilities, devices, environment, idmap,
    masks, namespaces, oci, process, resources, user,
};
use crate::mount::clean_path;
use crate::{Command, Error, LinuxCommand, NamespaceMode, Profile, Result};
use oci_spec::runtime::{self, Linux, LinuxIdMapping, LinuxNamespace, LinuxNamespaceType};
use std::path::PathBuf;

/// The version of the runtime specification that the documents follow.
const OCI_VERSION: &str = "1.2.0";

impl Spec {
    /// Translates a Linux command, for the driver registered as `driver`.
    ///
    /// Touches nothing: the same command gives the same specification on every host.
    ///
    /// ```
    /// use execdriver_core::{Command, Spec};
    /// let command = Command::linux("web-1", "/srv/rootfs", "/bin/sh");
    /// let spec = Spec::from_command(&command, "native")?;
    /// assert_eq!(spec.oci.hostname().as_deref(), Some("web-1"));
    /// # Ok::<(), execdriver_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongPlatform`] for another command, [`Error::InvalidCommand`] naming the field.
    pub fn from_command(command: &Command, driver: &str) -> Result<Self> {
        Self::boxed_from_command(command, driver).map(|spec| *spec)
    }

    /// As [`Spec::from_command`], made on the heap: a thread that waits for a container keeps the
    /// pages that its stack once took, as long as the container lives.
    ///
    /// # Errors
    /// As there.
    pub fn boxed_from_command(command: &Command, driver: &str) -> Result<Box<Self>> {
        let linux = command.as_linux().ok_or_else(|| Error::WrongPlatform {
            driver: driver.to_owned(),
            found: command.platform.name().to_owned(),
        })?;
        check(command, linux)?;
        let mut spec = blank();
        fill(&mut spec, command, linux)?;
        Ok(spec)
    }
}

// For the same reason these are functions that must not become one frame.

#[inline(never)]
fn blank() -> Box<Spec> {
    Box::new(Spec::from_oci(String::new(), oci::document()))
}

#[inline(never)]
fn fill(spec: &mut Spec, command: &Command, linux: &LinuxCommand) -> Result<()> {
    let maps = idmap::translate(linux)?;
    let mounts = mounts::translate(&command.mounts, facts(command, linux, &maps.1))?;
    let (set, named) = capability_sets(command, linux)?;
    let (namespaces, joins) = namespaces::translate(command, linux);

    let mut root = runtime::Root::default();
    root.set_readonly(Some(linux.readonly_rootfs));
    fill_process(&mut spec.oci, command, linux, &set)?;
    spec.oci
        .set_version(OCI_VERSION.to_owned())
        .set_root(Some(root))
        .set_domainname(process::unless_empty(&linux.domainname))
        .set_annotations(None);
    fill_linux(&mut spec.oci, command, linux, &mounts, (maps, namespaces))?;
    let shm_of = joins
        .iter()
        .find(|join| join.kind == LinuxNamespaceType::Ipc)
        .filter(|_| !mounts.dev_is_callers() && !mounts.taken.contains("/dev/shm"))
        .map(|join| join.container.clone());
    let fill_dev = !mounts.dev_is_callers();
    spec.oci.set_mounts(Some(mounts.list));
    spec.user = user::names(&command.process.user, &linux.group_add)?;
    spec.joins = joins;
    spec.init = linux.init;
    spec.ephemeral = linux.ephemeral;
    spec.defaults = defaults(command, linux);
    spec.named_capabilities = named;
    spec.fill_dev = fill_dev;
    spec.host_devices = command.process.privileged && fill_dev;
    spec.shm_of = shm_of;
    spec.demands = mounts.demands;
    spec.cgroup_parent.clone_from(&linux.cgroup_parent);
    spec.seccomp = seccomp(command, linux);
    spec.landlock.clone_from(&linux.landlock);
    spec.user_namespace = linux.user_namespace;
    spec.idmap_rootfs = linux.idmap_rootfs;
    spec.cpus.clone_from(&linux.attributes.cpus);
    spec.core_scheduling = linux.attributes.core_scheduling;
    spec.securebits.clone_from(&linux.attributes.securebits);
    fill_own(spec, command, linux)
}

/// What differs between commands of one shape ([`Draft`](super::Draft)): nothing else is made from these fields.
#[inline(never)]
pub(super) fn fill_own(spec: &mut Spec, command: &Command, linux: &LinuxCommand) -> Result<()> {
    spec.id.clone_from(&command.id);
    if let Some(root) = spec.oci.root_mut() {
        root.set_path(command.rootfs.clone());
    }
    spec.oci
        .set_hostname(environment::hostname(command, linux)?);
    if let Some(process) = spec.oci.process_mut() {
        process::own(process, command)?;
    }
    if let Some(part) = spec.oci.linux_mut() {
        part.set_cgroups_path(cgroups_path(&linux.cgroup_parent, &command.id));
    }
    Ok(())
}

/// What can be said against a Linux command beyond [`Command::validate`] and the parts' rules.
#[inline(never)]
pub(super) fn check(command: &Command, linux: &LinuxCommand) -> Result<()> {
    command.validate()?;
    if let Some((field, reason)) = command.foreign_field() {
        return Err(Error::invalid(field, reason));
    }
    if linux.profile == Profile::Strict && command.process.privileged {
        return Err(Error::invalid(
            "process_config.privileged",
            "the strict profile has no privileged containers (use profile docker)",
        ));
    }
    Ok(())
}

fn facts(command: &Command, linux: &LinuxCommand, gids: &[LinuxIdMapping]) -> Facts {
    Facts {
        privileged: command.process.privileged,
        readonly_rootfs: linux.readonly_rootfs,
        maps_tty_group: idmap::maps(gids, TTY_GROUP),
        shm: match linux.ipc_mode() {
            // Whose namespace a path is, nobody knows: it gets its own shared memory.
            NamespaceMode::Own | NamespaceMode::Path(_) => Shm::Own,
            NamespaceMode::Host => Shm::Host,
            NamespaceMode::Container(_) => Shm::Joined,
        },
    }
}

/// All that a process may have, and what of it was asked for by name. A privileged container
/// gets all; what it adds and drops is checked and, as in the original, has no effect.
fn capability_sets(
    command: &Command,
    linux: &LinuxCommand,
) -> Result<(runtime::Capabilities, runtime::Capabilities)> {
    let (set, named) = capabilities::tweak(linux.profile, &linux.cap_add, &linux.cap_drop)?;
    if command.process.privileged {
        return Ok((capabilities::all(), runtime::Capabilities::new()));
    }
    Ok((set, named))
}

#[inline(never)]
fn fill_process(
    document: &mut runtime::Spec,
    command: &Command,
    linux: &LinuxCommand,
    set: &runtime::Capabilities,
) -> Result<()> {
    document.set_process(Some(process::translate(command, linux, set)?));
    Ok(())
}

type IdMaps = (Vec<LinuxIdMapping>, Vec<LinuxIdMapping>);

#[inline(never)]
fn fill_linux(
    document: &mut runtime::Spec,
    command: &Command,
    linux: &LinuxCommand,
    mounts: &Mounts,
    (maps, namespaces): (IdMaps, Vec<LinuxNamespace>),
) -> Result<()> {
    // What goes deepest comes before what is large.
    let nodes = devices::nodes(&linux.autocreated_devices, mounts.dev_is_callers())?;
    let resources = Box::new(resources::translate(command, linux)?);
    let mut part = linux_part(command, linux, mounts, maps);
    part.set_namespaces(Some(namespaces))
        .set_devices(Some(nodes))
        .set_resources(Some(*resources));
    document.set_linux(Some(part));
    Ok(())
}

#[inline(never)]
fn linux_part(
    command: &Command,
    linux: &LinuxCommand,
    mounts: &Mounts,
    (uids, gids): IdMaps,
) -> Linux {
    let privileged = command.process.privileged;
    let mut part = oci::linux();
    part.set_uid_mappings(Some(uids).filter(|map| !map.is_empty()))
        .set_gid_mappings(Some(gids).filter(|map| !map.is_empty()))
        .set_rootfs_propagation(Some(mounts.root_propagation.to_owned()))
        .set_masked_paths(Some(masks::masked(privileged)))
        .set_readonly_paths(Some(masks::read_only(privileged, linux.readonly_rootfs)))
        .set_mount_label(process::unless_empty(&command.mount_label))
        .set_personality(linux.attributes.personality.map(attributes::personality))
        .set_memory_policy(
            linux
                .attributes
                .memory_policy
                .as_ref()
                .map(attributes::memory),
        )
        .set_time_offsets(linux.time_offsets.as_ref().map(attributes::time))
        .set_sysctl(
            Some(linux.sysctl.clone().into_iter().collect()).filter(|_| !linux.sysctl.is_empty()),
        );
    part
}

/// `<parent>/<id>`, cleaned, so that `..` never leaves the hierarchy. A relative parent stays so.
fn cgroups_path(parent: &str, id: &str) -> Option<PathBuf> {
    if parent.is_empty() {
        return None;
    }
    let path = clean_path(&format!("{parent}/{id}"));
    Some(PathBuf::from(if parent.starts_with('/') {
        path.as_str()
    } else {
        path.trim_start_matches('/')
    }))
}

fn seccomp(command: &Command, linux: &LinuxCommand) -> SeccompChoice {
    match linux.seccomp_profile.as_str() {
        "" if command.process.privileged => SeccompChoice::Unconfined,
        "" => match linux.profile {
            Profile::Docker => SeccompChoice::Default,
            Profile::Strict => SeccompChoice::Strict,
        },
        "unconfined" => SeccompChoice::Unconfined,
        profile => SeccompChoice::Profile(profile.to_owned()),
    }
}

fn defaults(command: &Command, linux: &LinuxCommand) -> Vec<TemplateDefault> {
    let privileged = command.process.privileged;
    let pids_given = command
        .resources
        .as_ref()
        .and_then(|all| all.linux.as_ref())
        .is_some_and(|limits| limits.pids_limit != 0);
    [
        (
            TemplateDefault::DeviceRules,
            !privileged && !devices::restricts(&linux.allowed_devices),
        ),
        (
            TemplateDefault::Seccomp,
            matches!(
                seccomp(command, linux),
                SeccompChoice::Default | SeccompChoice::Strict
            ),
        ),
        (
            TemplateDefault::AppArmor,
            !privileged && linux.apparmor_profile.is_empty(),
        ),
        (TemplateDefault::Cgroup, linux.cgroup_parent.is_empty()),
        (
            TemplateDefault::PidsLimit,
            linux.profile == Profile::Strict && !pids_given,
        ),
    ]
    .into_iter()
    .filter_map(|(default, applies)| applies.then_some(default))
    .collect()
}
