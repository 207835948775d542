//! What a job cannot do: refused when a command asks for it, and said beforehand by `capabilities()`.

use crate::NAME;
use execdriver_core::{Command, Control, Error, Isolation, Result};

/// Refuses what a job cannot give.
///
/// # Errors
/// `Unsupported` with what was asked.
pub(crate) fn check(command: &Command) -> Result<()> {
    let windows = command.require_windows(NAME)?;
    let network = command.network.clone().unwrap_or_default();
    let isolated = matches!(windows.isolation, Isolation::Process | Isolation::HyperV);
    let asked = [
        (
            !command.rootfs.as_os_str().is_empty(),
            "rootfs: a job sees the host's files",
        ),
        (
            !command.mounts.is_empty(),
            "mounts: a job sees the host's files where they are",
        ),
        (
            network.interface.is_some() || !network.container_id.is_empty(),
            "network: a job is on the host's",
        ),
        (
            !windows.endpoints.is_empty(),
            "endpoints: a job is on the host's network",
        ),
        (
            !windows.hostname.is_empty(),
            "hostname: a job has the host's",
        ),
        (
            !windows.layer_folder.as_os_str().is_empty() || !windows.layer_paths.is_empty(),
            "layers: a job sees the host's files",
        ),
        (
            isolated || windows.hv_partition,
            "isolation: a job has none; use windows.backend=hcs",
        ),
        (
            !command.process_label.is_empty() || !command.mount_label.is_empty(),
            "labels: they are Linux's",
        ),
    ];
    match asked.into_iter().find(|(asked, _)| *asked) {
        Some((_, what)) => Err(Error::unsupported(
            NAME,
            format!("{what} (windows.backend=job)"),
        )),
        None => Ok(()),
    }
}

/// What a job does and does not do.
pub(crate) fn controls() -> Vec<Control> {
    let operations = [
        "run",
        "exec",
        "kill",
        "resize",
        "pause",
        "unpause",
        "pids",
        "terminate",
        "clean",
        "stats",
        "update",
        "hooks",
    ];
    let operations = operations
        .iter()
        .map(|name| Control::enforced("operations", name));
    let limits = [
        "limits of memory",
        "shares of processors",
        "caps of processor time",
        "affinity",
    ];
    let limits = limits.iter().map(|name| Control::enforced("cgroups", name));
    let lacks = |(name, reason): (&str, &str)| {
        let mend = "use windows.backend=hcs on a host with the containers feature";
        Control::unavailable("isolation", name, reason, mend)
    };
    let isolation = [
        (
            "files",
            "processes of a job see the host's files with the rights of their user",
        ),
        ("network", "processes of a job are on the host's network"),
        ("registry", "processes of a job see the host's registry"),
        (
            "processes",
            "processes of a job see the host's other processes",
        ),
    ];
    let mut controls: Vec<Control> = operations.chain(limits).collect();
    controls.push(Control::enforced(
        "isolation",
        "nothing outlives the container or its host",
    ));
    controls.extend(isolation.into_iter().map(lacks));
    controls
}
