//! A command in the flavour of the system that it is run on.

use crate::failure::Failure;
use execdriver::{Command, Resources};

/// The command as it is: the flags are those of Linux containers.
#[cfg(not(windows))]
#[allow(clippy::unnecessary_wraps, reason = "it can fail on Windows")]
pub(crate) fn of_this_system(command: Command) -> Result<Command, Failure> {
    Ok(command)
}

/// Limits as they are.
#[cfg(not(windows))]
#[allow(clippy::unnecessary_wraps, reason = "it can fail on Windows")]
pub(crate) fn limits(limits: Resources) -> Result<Resources, Failure> {
    Ok(limits)
}

/// The same limits for Windows: `--cpus`, `--cpuset-cpus` and `--pids-limit` have counterparts.
///
/// # Errors
/// A flag asks for what only Linux has.
#[cfg(windows)]
pub(crate) fn limits(limits: Resources) -> Result<Resources, Failure> {
    use execdriver::{Error, LinuxResources, WindowsResources};

    let linux = limits.linux.clone().unwrap_or_default();
    let rest = LinuxResources {
        cpu_quota: 0,
        cpu_period: 0,
        cpuset_cpus: String::new(),
        pids_limit: 0,
        ..linux.clone()
    };
    if rest != LinuxResources::default() {
        let reason = "only memory, processors and the number of processes have limits on Windows";
        return Err(Failure::not_run(Error::invalid("resources", reason)));
    }
    let processors = std::thread::available_parallelism().map_or(1, |number| number.get() as i64);
    let windows = WindowsResources {
        cpu_maximum: match linux.cpu_quota {
            0 => 0,
            quota if quota < 0 => -1,
            quota => {
                let period = linux.cpu_period.max(1).saturating_mul(processors);
                (quota.saturating_mul(10_000) / period).clamp(1, 10_000)
            }
        },
        cpu_affinity: linux.cpuset_cpus,
        processes: linux.pids_limit,
    };
    Ok(Resources {
        linux: None,
        windows: Some(windows).filter(|windows| *windows != WindowsResources::default()),
        ..limits
    })
}

/// The same container for Windows.
///
/// # Errors
/// A flag asks for what only Linux has.
#[cfg(windows)]
pub(crate) fn of_this_system(command: Command) -> Result<Command, Failure> {
    use execdriver::{Platform, WindowsCommand};
    use std::path::{Path, PathBuf};

    let linux = command.as_linux().cloned().unwrap_or_default();
    let mut plain = Command::linux(&command.id, &command.rootfs, "");
    plain.process = command.process.clone();
    plain.mounts.clone_from(&command.mounts);
    plain.working_dir.clone_from(&command.working_dir);
    plain.network.clone_from(&command.network);
    plain.resources.clone_from(&command.resources);
    let plain = plain.with_linux(|plain| {
        plain.init = linux.init;
        plain.hostname.clone_from(&linux.hostname);
    });
    let windows = WindowsCommand {
        hostname: linux.hostname,
        ..WindowsCommand::default()
    };
    refuse_differences(&command, &plain)?;
    let rootfs = if command.rootfs == Path::new("/") {
        PathBuf::new()
    } else {
        command.rootfs.clone()
    };
    Ok(Command {
        rootfs,
        platform: Platform::Windows(windows),
        ..command
    })
}

/// Names the first part of a Linux command that has no counterpart.
#[cfg(windows)]
fn refuse_differences(command: &Command, plain: &Command) -> Result<(), Failure> {
    let object = |command: &Command| -> Result<serde_json::Value, Failure> {
        let text = command.to_json().map_err(Failure::not_run)?;
        serde_json::from_str(&text).map_err(|error| Failure::message(error.to_string(), 125))
    };
    let (asked, plain) = (object(command)?, object(plain)?);
    let mut keys = asked.as_object().into_iter().flatten();
    match keys.find(|(key, value)| plain.get(key) != Some(value)) {
        Some((key, _)) => {
            let reason = "it is for Linux alone, and this is Windows";
            Err(Failure::not_run(execdriver::Error::invalid(key, reason)))
        }
        None => Ok(()),
    }
}
