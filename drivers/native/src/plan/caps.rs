//! Capabilities: what the document wants, what the host has to give: capabilities(7).

use super::{Host, PlanError};
use execdriver_core::spec::capability_mask;
use oci_spec::runtime::{Capabilities, Capability, LinuxCapabilities};

/// The five sets, bit n for capability n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sets {
    pub(super) bounding: u64,
    pub(super) effective: u64,
    pub(super) permitted: u64,
    pub(super) inheritable: u64,
    pub(super) ambient: u64,
}

impl Sets {
    /// What of each the kernel lets a process have.
    fn within_bounds(self) -> Self {
        Self {
            effective: self.effective & self.permitted,
            ambient: self.ambient & self.permitted & self.inheritable,
            ..self
        }
    }

    /// pivot_root(2) leaves no initramfs: the container's root only lies over it. With CAP_SYS_ADMIN in the
    /// mount namespace's user namespace umount2(2) takes it away, and setns(2) leads to what was below.
    fn has_administration(self) -> bool {
        let admin = capability_mask(&Capabilities::from([Capability::SysAdmin]));
        (self.bounding | self.permitted | self.inheritable) & admin != 0
    }
}

/// The sets of a process.
///
/// A host's root often lacks some (a container's, a hardened service's): "all" then means all that
/// there are, and the template's are left out, but one that was asked for by name is an error.
pub(super) fn sets(
    wanted: Option<&LinuxCapabilities>,
    named: &Capabilities,
    host: &Host,
    in_user_namespace: bool,
    lenient: bool,
) -> Result<Sets, PlanError> {
    let available = available(host, in_user_namespace);
    let lacking = capability_mask(named) & !available;
    if lacking != 0 {
        let names = names(named, lacking);
        let what = format!("capability {names}, which the host program itself has not");
        return Err(PlanError::unsupported(what));
    }
    // No capabilities in the document are none in the process.
    let set = |set: Option<&Capabilities>| set.map_or(0, capability_mask) & available;
    let sets = Sets {
        bounding: set(wanted.and_then(|sets| sets.bounding().as_ref())),
        effective: set(wanted.and_then(|sets| sets.effective().as_ref())),
        permitted: set(wanted.and_then(|sets| sets.permitted().as_ref())),
        inheritable: set(wanted.and_then(|sets| sets.inheritable().as_ref())),
        ambient: set(wanted.and_then(|sets| sets.ambient().as_ref())),
    };
    let sets = match lenient {
        true => sets.within_bounds(),
        false => sets,
    };
    check(sets)?;
    if host.root_is_initramfs && sets.has_administration() {
        return Err(PlanError::unsupported(
            "CAP_SYS_ADMIN on a host whose root is an initramfs: it would uncover the host's root \
             (switch_root to another file system first)",
        ));
    }
    Ok(sets)
}

/// In a user namespace of its own a process has all of them, as far as that goes.
fn available(host: &Host, in_user_namespace: bool) -> u64 {
    match in_user_namespace {
        true => host.all_capabilities(),
        false => host.capabilities,
    }
}

/// A sentence for each set of a document that is not given in full: a warning and no error (config.md).
pub(super) fn lost(
    wanted: Option<&LinuxCapabilities>,
    host: &Host,
    in_user_namespace: bool,
) -> Vec<String> {
    let Some(wanted) = wanted else {
        return Vec::new();
    };
    let available = available(host, in_user_namespace);
    let mask = |set: &Option<Capabilities>| set.as_ref().map_or(0, capability_mask);
    let permitted = mask(wanted.permitted()) & available;
    let inheritable = mask(wanted.inheritable()) & available;
    let sets = [
        ("bounding", wanted.bounding(), available),
        ("effective", wanted.effective(), permitted),
        ("permitted", wanted.permitted(), available),
        ("inheritable", wanted.inheritable(), available),
        ("ambient", wanted.ambient(), permitted & inheritable),
    ];
    let lost = sets.into_iter().filter_map(|(name, set, limit)| {
        let lacking = mask(set) & !limit;
        let names = names(set.as_ref()?, lacking);
        let why = match lacking & !available {
            0 => "not in the sets that it has to be in",
            _ => "the runtime itself has not",
        };
        (lacking != 0).then(|| format!("process.capabilities.{name}: {names}: {why}"))
    });
    lost.collect()
}

/// What the kernel would refuse late and without a name.
fn check(sets: Sets) -> Result<(), PlanError> {
    let within = [
        ("effective", sets.effective, "permitted", sets.permitted),
        ("ambient", sets.ambient, "permitted", sets.permitted),
        ("ambient", sets.ambient, "inheritable", sets.inheritable),
    ];
    for (name, set, of, limit) in within {
        if set & !limit != 0 {
            let field = format!("process.capabilities.{name}");
            let reason = format!("got capabilities that are not in {of}");
            return Err(PlanError::invalid(field, reason));
        }
    }
    Ok(())
}

fn names(named: &Capabilities, mask: u64) -> String {
    if mask == 0 {
        return String::new();
    }
    let mut names: Vec<String> = named
        .iter()
        .filter(|capability| capability_mask(&Capabilities::from([**capability])) & mask != 0)
        .map(ToString::to_string)
        .collect();
    names.sort();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::root_host;
    use super::*;
    use oci_spec::runtime::Capability;

    fn none() -> LinuxCapabilities {
        let mut sets = LinuxCapabilities::default();
        sets.set_bounding(None)
            .set_effective(None)
            .set_permitted(None)
            .set_inheritable(None)
            .set_ambient(None);
        sets
    }

    fn all(set: &Capabilities) -> LinuxCapabilities {
        let mut sets = none();
        sets.set_bounding(Some(set.clone()))
            .set_effective(Some(set.clone()))
            .set_permitted(Some(set.clone()));
        sets
    }

    #[test]
    fn a_capability_that_the_host_lacks_is_left_out_unless_it_was_named() {
        let host = Host {
            capabilities: !(1 << 24),
            ..root_host()
        };
        let set = Capabilities::from([Capability::SysResource, Capability::Chown]);
        let unnamed = Capabilities::new();
        let got = sets(Some(&all(&set)), &unnamed, &host, false, false).unwrap();
        assert_eq!((got.bounding, got.effective, got.permitted), (1, 1, 1));
        let error = sets(Some(&all(&set)), &set, &host, false, false).unwrap_err();
        assert!(
            error.to_string().contains("capability SYS_RESOURCE,"),
            "{error}"
        );
        let got = sets(Some(&all(&set)), &set, &host, true, false).unwrap();
        assert_eq!(got.bounding, 1 | 1 << 24);
    }

    #[test]
    fn what_a_document_cannot_have_is_left_out_and_told() {
        let host = Host {
            capabilities: !(1 << 24),
            ..root_host()
        };
        let asked = Capabilities::from([Capability::SysResource, Capability::Chown]);
        let mut wanted = all(&asked);
        wanted.set_ambient(Some(asked.clone()));
        let got = sets(Some(&wanted), &Capabilities::new(), &host, false, true).unwrap();
        assert_eq!((got.bounding, got.ambient), (1, 0));
        let lost = lost(Some(&wanted), &host, false);
        assert_eq!(lost.len(), 4, "{lost:?}");
        assert!(
            lost[3].starts_with("process.capabilities.ambient: "),
            "{lost:?}"
        );
    }

    #[test]
    fn a_document_without_capabilities_has_none() {
        let got = sets(None, &Capabilities::new(), &root_host(), false, false).unwrap();
        assert_eq!((got.bounding, got.permitted, got.inheritable), (0, 0, 0));
    }

    #[test]
    fn sets_that_the_kernel_refuses_are_named() {
        let chown = Capabilities::from([Capability::Chown]);
        let mut wanted = none();
        wanted.set_ambient(Some(chown));
        let error = sets(
            Some(&wanted),
            &Capabilities::new(),
            &root_host(),
            false,
            false,
        );
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("process.capabilities.ambient")
        );
    }
}
