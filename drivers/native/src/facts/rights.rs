//! What takes a right that the host program may lack: for `doctor`.

use super::HostFacts;
use super::doctor::control;
use execdriver_core::Control;

const SYS_ADMIN: u64 = 1 << 21;
const SYS_NICE: u64 = 1 << 23;
const SYS_RESOURCE: u64 = 1 << 24;

/// The group and the name, any of which capabilities is enough, what they are called, and the mend.
type Right = (
    (&'static str, &'static str),
    u64,
    &'static str,
    &'static str,
);

const RIGHTS: [Right; 6] = [
    (
        ("namespaces", "without a user namespace (host)"),
        SYS_ADMIN,
        "the others take CAP_SYS_ADMIN without one around them",
        "start the host program as root",
    ),
    (
        ("namespaces", "joined by path (ns:PATH)"),
        SYS_ADMIN,
        "to join one takes CAP_SYS_ADMIN over the user namespace that owns it",
        "start the host program as root, or name a container of your own (container:ID)",
    ),
    (
        ("scheduling", "real-time policies and lower nice values"),
        SYS_NICE,
        "beyond RLIMIT_RTPRIO and RLIMIT_NICE they take CAP_SYS_NICE",
        "start the host program as root, or raise its limits (rtprio and nice in limits.conf)",
    ),
    (
        ("scheduling", "real-time I/O priority"),
        SYS_ADMIN | SYS_NICE,
        "it takes CAP_SYS_ADMIN or CAP_SYS_NICE",
        "start the host program as root",
    ),
    (
        ("processes", "limits above its own hard ones (ulimit)"),
        SYS_RESOURCE,
        "they take CAP_SYS_RESOURCE",
        "start the host program with it, or with higher limits of its own",
    ),
    (
        ("processes", "oom_score_adj below its own"),
        SYS_RESOURCE,
        "it takes CAP_SYS_RESOURCE",
        "start the host program with it, or with a lower oom_score_adj (`choom`)",
    ),
];

pub(super) fn controls(facts: &HostFacts) -> Vec<Control> {
    let effective = facts.capabilities.effective;
    // Namespaces are those of a user namespace; all else is the machine's, where its capabilities count for nothing.
    let confined = facts.user_namespaces.outer.is_some();
    let one = |&(name, any, reason, mend): &Right| {
        let counts = name.0 == "namespaces" || !confined;
        control(counts && effective & any != 0, name, reason, mend)
    };
    RIGHTS.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::CapabilitySets;
    use execdriver_core::Enforcement;

    fn missing(effective: u64, confined: bool) -> Vec<String> {
        let mut facts = HostFacts::read();
        let status = format!("CapPrm:\t{effective:x}\nCapEff:\t{effective:x}\n");
        facts.capabilities = CapabilitySets::parse(&status, "40");
        facts.user_namespaces.outer = confined.then(Default::default);
        let all = controls(&facts).into_iter();
        all.filter(|control| control.enforcement != Enforcement::Enforced)
            .map(|control| control.name)
            .collect()
    }

    #[test]
    fn each_right_that_the_host_program_lacks_is_said() {
        assert_eq!(missing(0, false).len(), RIGHTS.len());
        assert_eq!(missing(u64::MAX, false), [""; 0]);
        assert_eq!(
            missing(!SYS_RESOURCE, false),
            [
                "limits above its own hard ones (ulimit)",
                "oom_score_adj below its own"
            ]
        );
        assert_eq!(missing(SYS_NICE, false).len(), 4);
        assert_eq!(missing(u64::MAX, true).len(), RIGHTS.len() - 2);
    }
}
