//! What the compute service does and does not do, for `capabilities()`.

use execdriver_core::Control;

/// Limits, at the start and live.
const LIMITS: [&str; 3] = [
    "limits of memory",
    "shares of processors",
    "caps of processor time",
];

/// The controls.
pub(super) fn controls() -> Vec<Control> {
    let operations = [
        "run",
        "exec",
        "kill",
        "resize",
        "pids",
        "terminate",
        "clean",
        "stats",
        "update",
        "pause",
        "unpause",
        "hooks",
    ];
    let isolation = [
        "files",
        "network",
        "registry",
        "processes",
        "nothing outlives the container or its host",
    ];
    let enforced = |group| move |name: &str| Control::enforced(group, name);
    let mut controls: Vec<Control> = operations.map(enforced("operations")).into();
    controls.push(Control::unavailable(
        "hooks",
        "pid before the start",
        "the compute service makes no process that does not run yet",
        "use the Start hook for what needs the pid",
    ));
    controls.extend(LIMITS.map(enforced("cgroups")));
    controls.extend(["affinity", "limits of processes"].map(|name| {
        Control::unavailable(
            "cgroups",
            name,
            "the compute service has no word for it",
            "use windows.backend=job",
        )
    }));
    controls.extend(isolation.map(enforced("isolation")));
    controls
}
