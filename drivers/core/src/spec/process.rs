//! The process part of a container: arguments, directory, terminal, limits.

use super::paths::in_container;
use super::text::{invalid, no_nul};
use super::{capabilities, environment, oci};
use crate::{Command, LinuxCommand, ProcessConfig, Profile, Result, Rlimit};
use oci_spec::runtime::{self, Capabilities, PosixRlimit, PosixRlimitType, Process};
use std::path::PathBuf;

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
    words(&mut process, "process_config", config)?;
    process
        .set_env(Some(environment::normalise(
            "process_config.environment",
            &config.env,
        )?))
        .set_cwd(directory("working_dir", &command.working_dir)?)
        .set_capabilities(Some(capabilities::sets(set)))
        .set_rlimits(Some(rlimits(command)?))
        .set_oom_score_adj(Some(oom_score_adj(linux)?))
        .set_no_new_privileges(Some(
            linux.no_new_privileges || linux.profile == Profile::Strict,
        ))
        .set_apparmor_profile(label("apparmor_profile", &linux.apparmor_profile)?)
        .set_selinux_label(label("process_label", &command.process_label)?);
    Ok(process)
}

/// Arguments and terminal, from a configuration that `field` names.
pub(super) fn words(process: &mut Process, field: &str, config: &ProcessConfig) -> Result<()> {
    if config.entrypoint.is_empty() {
        return Err(invalid(
            format_args!("{field}.entrypoint"),
            "got an empty text, expected a program",
        ));
    }
    no_nul(format_args!("{field}.entrypoint"), &config.entrypoint)?;
    for (index, argument) in config.arguments.iter().enumerate() {
        no_nul(format_args!("{field}.arguments[{index}]"), argument)?;
    }
    let size = config.console_size.filter(|_| config.tty);
    let args = std::iter::once(&config.entrypoint).chain(&config.arguments);
    process
        .set_args(Some(args.cloned().collect()))
        .set_terminal(Some(config.tty))
        .set_console_size(size.map(oci::console_size).transpose()?);
    Ok(())
}

/// The working directory; `/` when empty. Not cleaned: `..` behind a symbolic link is real.
pub(super) fn directory(field: &str, path: &str) -> Result<PathBuf> {
    if path.is_empty() {
        return Ok(PathBuf::from("/"));
    }
    in_container(format_args!("{field}"), path)?;
    Ok(PathBuf::from(path))
}

/// A label or profile; empty: none.
pub(super) fn label(field: &str, text: &str) -> Result<Option<String>> {
    no_nul(format_args!("{field}"), text)?;
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

/// OCI's default process has an environment, capabilities and limits; this one has nothing.
fn blank() -> Process {
    let mut process = Process::default();
    process
        .set_user(runtime::User::default())
        .set_command_line(None)
        .set_io_priority(None)
        .set_scheduler(None);
    process
}

fn oom_score_adj(linux: &LinuxCommand) -> Result<i32> {
    match linux.oom_score_adj {
        score @ -1000..=1000 => Ok(score),
        other => Err(invalid(
            format_args!("oom_score_adj"),
            format!("got {other}, expected -1000 to 1000"),
        )),
    }
}

fn rlimits(command: &Command) -> Result<Vec<PosixRlimit>> {
    let linux = command
        .resources
        .as_ref()
        .and_then(|all| all.linux.as_ref());
    let limits = linux.map_or(&[][..], |linux| &linux.rlimits);
    (0..)
        .zip(limits)
        .map(|(index, limit)| rlimit(index, limit, limits))
        .collect()
}

fn rlimit(index: usize, limit: &Rlimit, all: &[Rlimit]) -> Result<PosixRlimit> {
    let field = format_args!("resources.rlimits[{index}]");
    let Some(kind) = usize::try_from(limit.kind)
        .ok()
        .and_then(|n| RLIMITS.get(n))
    else {
        return Err(invalid(
            field,
            format!("got type {}, expected 0 to 15", limit.kind),
        ));
    };
    if limit.soft > limit.hard {
        let (soft, hard) = (limit.soft, limit.hard);
        return Err(invalid(
            field,
            format!("the soft limit {soft} is above the hard limit {hard}"),
        ));
    }
    if all[..index]
        .iter()
        .any(|earlier| earlier.kind == limit.kind)
    {
        return Err(invalid(field, format!("{kind} is limited twice")));
    }
    oci::rlimit(*kind, limit)
}
