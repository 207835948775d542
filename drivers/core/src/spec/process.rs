//! The process part of a container: arguments, directory, terminal, limits.

use super::{attributes, capabilities, environment, oci};
use crate::{Command, LinuxCommand, LinuxResources, ProcessConfig, Profile, Result};
use oci_spec::runtime::{self, Capabilities, PosixRlimit, PosixRlimitType, Process};
use std::path::PathBuf;
use std::sync::LazyLock;

use PosixRlimitType as R;

/// By the number of the resource: include/uapi/asm-generic/resource.h.
const RLIMITS: [PosixRlimitType; 16] = [
    R::RlimitCpu,
    R::RlimitFsize,
    R::RlimitData,
    R::RlimitStack,
    R::RlimitCore,
    R::RlimitRss,
    R::RlimitNproc,
    R::RlimitNofile,
    R::RlimitMemlock,
    R::RlimitAs,
    R::RlimitLocks,
    R::RlimitSigpending,
    R::RlimitMsgqueue,
    R::RlimitNice,
    R::RlimitRtprio,
    R::RlimitRttime,
];

/// The process of a container. Its user holds no numbers: names are looked up in the container.
pub(super) fn translate(
    command: &Command,
    linux: &LinuxCommand,
    set: &Capabilities,
) -> Result<Process> {
    let config = &command.process;
    let mut process = blank();
    process
        .set_capabilities(Some(capabilities::sets(set)))
        .set_rlimits(Some(rlimits(command)?))
        .set_oom_score_adj(Some(linux.oom_score_adj))
        .set_no_new_privileges(Some(
            linux.no_new_privileges || linux.profile == Profile::Strict,
        ))
        .set_apparmor_profile(apparmor(config, linux))
        .set_selinux_label(unless_empty(&command.process_label))
        .set_scheduler(
            linux
                .attributes
                .scheduler
                .as_ref()
                .map(attributes::scheduler),
        )
        .set_io_priority(
            linux
                .attributes
                .io_priority
                .map(oci::io_priority)
                .transpose()?,
        );
    Ok(process)
}

/// What a process has from its command alone: program, arguments, environment and directory.
pub(super) fn own(process: &mut Process, command: &Command) -> Result<()> {
    words(process, &command.process)?;
    let mut env = process.env_mut().take().unwrap_or_default();
    environment::normalise(&command.process.env, &mut env);
    process
        .set_env(Some(env))
        .set_cwd(directory(&command.working_dir));
    Ok(())
}

/// Arguments and terminal.
pub(super) fn words(process: &mut Process, config: &ProcessConfig) -> Result<()> {
    let size = config.console_size.filter(|_| config.tty);
    let args = std::iter::once(&config.entrypoint).chain(&config.arguments);
    process
        .set_args(Some(args.cloned().collect()))
        .set_terminal(Some(config.tty))
        .set_console_size(size.map(oci::console_size).transpose()?);
    Ok(())
}

/// The working directory; `/` when empty. Not cleaned: `..` behind a symbolic link is real.
pub(super) fn directory(path: &str) -> PathBuf {
    PathBuf::from(if path.is_empty() { "/" } else { path })
}

/// `None`: the default profile. A privileged container has none unless it asks for one.
fn apparmor(config: &ProcessConfig, linux: &LinuxCommand) -> Option<String> {
    match linux.apparmor_profile.as_str() {
        "" if config.privileged => Some("unconfined".to_owned()),
        profile => unless_empty(profile),
    }
}

/// A label, profile or name; empty: none.
pub(super) fn unless_empty(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// OCI's default process has an environment, capabilities and limits; this one has nothing.
fn blank() -> Process {
    static BLANK: LazyLock<Process> = LazyLock::new(|| {
        let mut process = Process::default();
        process
            .set_user(runtime::User::default())
            .set_args(None)
            .set_env(None)
            .set_capabilities(None)
            .set_rlimits(None)
            .set_command_line(None)
            .set_io_priority(None)
            .set_scheduler(None);
        process
    });
    BLANK.clone()
}

/// OCI's names for the limits; what has none was refused before.
fn rlimits(command: &Command) -> Result<Vec<PosixRlimit>> {
    let resources = command.resources.as_ref();
    posix_rlimits(resources.and_then(|resources| resources.linux.as_ref()))
}

/// The same of any limits.
pub(super) fn posix_rlimits(linux: Option<&LinuxResources>) -> Result<Vec<PosixRlimit>> {
    linux
        .iter()
        .flat_map(|linux| &linux.rlimits)
        .filter_map(|limit| {
            let kind = RLIMITS.get(usize::try_from(limit.kind).ok()?)?;
            Some(oci::rlimit(*kind, limit))
        })
        .collect()
}
