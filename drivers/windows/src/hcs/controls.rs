//! What the compute service does and does not do, for `capabilities()`.

use execdriver_core::Control;

/// The controls, where containers are virtual machines unless they say otherwise, or are not.
pub(super) fn controls(hyperv: bool) -> Vec<Control> {
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
    controls.extend(["pause", "unpause"].map(|name| match hyperv {
        true => Control::enforced("operations", name),
        false => Control::unavailable(
            "operations",
            name,
            "the compute service pauses virtual machines alone",
            "run with isolation=hyperv",
        ),
    }));
    controls.push(Control::unavailable(
        "hooks",
        "pid before the start",
        "the compute service makes no process that does not run yet",
        "use the Start hook for what needs the pid",
    ));
    controls.extend(["limits of memory", "shares of processors"].map(enforced("cgroups")));
    controls.extend(isolation.map(enforced("isolation")));
    controls
}
