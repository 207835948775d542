//! The systemd manager: a container's cgroup lies in a transient scope, which systemd makes and owns.
//!
//! A scope is started around a process that is there already. Others take the container's first one,
//! which systemd then moves; here that process is born in its cgroup (`CLONE_INTO_CGROUP`), with limits
//! and device rules in force. So the scope starts around a *placeholder*, an init that has nothing to do.
//! It stays, beside the container, until the counters were read: systemd removes a scope and what is below
//! it when its last process ends. It ends with the host program, so that a scope never outlives both.
//!
//! What is delegated is what lies below the scope (systemd.io/CGROUP_DELEGATION): systemd writes the
//! files of the scope itself whenever it likes, at a reload too, and none below. So the container is in
//! the cgroup `container` of its scope, whose files are ours as with the cgroupfs manager, and an update
//! needs no second bookkeeping of properties. systemd's own view (`systemctl status`, `systemd-cgtop`)
//! sums up what is below.

mod manager;
mod name;
#[cfg(test)]
mod tests;

pub(crate) use manager::UnitError;
pub(crate) use name::ScopeName;

use super::{Cgroup, CgroupError, CgroupPath, Hierarchies, Hierarchy};
use crate::launch::Placeholder;
use crate::shared_text::SharedText;
use crate::state::UnitRecord;
use manager::{Manager, PATIENCE};
use nix::unistd::geteuid;

/// The container's own cgroup below its scope.
const LEAF: &str = "container";
/// Where the placeholder is: a cgroup of version 2 with processes hands no controllers down.
const ASIDE: &str = "placeholder";

/// systemd on one bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Systemd {
    address: String,
    slice: &'static str,
}

impl Systemd {
    /// The machine's for root, the user's for others, each where it is found by convention.
    pub(crate) fn of_this_user() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        match geteuid().is_root() {
            true => Self {
                address: variable("DBUS_SYSTEM_BUS_ADDRESS")
                    .unwrap_or_else(|| "unix:path=/run/dbus/system_bus_socket".to_owned()),
                slice: "system.slice",
            },
            false => Self {
                address: variable("DBUS_SESSION_BUS_ADDRESS")
                    .unwrap_or_else(|| format!("unix:path=/run/user/{}/bus", geteuid())),
                slice: "user.slice",
            },
        }
    }

    /// Whether the manager answers.
    pub(crate) fn check(&self) -> Result<(), CgroupError> {
        let manager = Manager::open(&self.address, PATIENCE);
        manager.map(drop).map_err(|error| self.failed("ask", error))
    }

    /// The scope of a container.
    ///
    /// # Errors
    /// `InvalidPath` for a parent that is no slice.
    pub(crate) fn place(&self, parent: &str, id: &str) -> Result<ScopeName, CgroupError> {
        ScopeName::new(parent, id, self.slice)
    }

    /// Makes a container's cgroup in a scope of its own.
    ///
    /// # Errors
    /// `Systemd` for what the manager did not do, and what
    /// a cgroup's making can bring. Nothing is left.
    pub(crate) fn create(
        &self,
        host: &Hierarchies,
        name: &ScopeName,
        needed: &[String],
    ) -> Result<Cgroup, CgroupError> {
        let placeholder = Placeholder::start().map_err(|error| CgroupError::Placeholder {
            source: Box::new(error),
        })?;
        let unit = UnitRecord {
            name: name.unit.clone(),
            bus: self.address.clone(),
        };
        let mut manager =
            Manager::open(&self.address, PATIENCE).map_err(|error| self.failed("ask", error))?;
        let made = manager
            .start_scope(name, placeholder.pid())
            .map_err(|error| self.failed("start a scope by", error))
            .and_then(|path| below(host, &path, needed, &placeholder));
        match made {
            Ok(mut cgroup) => {
                cgroup.unit = Some(unit);
                cgroup.placeholder = Some(placeholder);
                Ok(cgroup)
            }
            Err(error) => {
                drop(placeholder);
                if !matches!(
                    &error,
                    CgroupError::Systemd {
                        source: UnitError::Exists { .. },
                        ..
                    }
                ) {
                    // The error that led here is the one to report.
                    let _ = stop(&unit);
                }
                Err(error)
            }
        }
    }

    fn failed(&self, action: &'static str, source: UnitError) -> CgroupError {
        CgroupError::Systemd {
            action,
            bus: self.address.clone(),
            source,
        }
    }
}

/// Stops the scope of a container whose processes are gone, and forgets it.
pub(super) fn stop(unit: &UnitRecord) -> Result<(), CgroupError> {
    let stopped =
        Manager::open(&unit.bus, PATIENCE).and_then(|mut manager| manager.stop(&unit.name));
    stopped.map_err(|source| CgroupError::Systemd {
        action: "stop a scope by",
        bus: unit.bus.clone(),
        source,
    })
}

/// The container's cgroup below its scope, in every hierarchy: those that systemd leaves alone get one
/// of the same path.
fn below(
    host: &Hierarchies,
    scope: &str,
    needed: &[String],
    placeholder: &Placeholder,
) -> Result<Cgroup, CgroupError> {
    let mut made_parents = match host.unified() {
        Some(unified) => step_aside(unified, scope, placeholder, host.verify)?,
        None => Vec::new(),
    };
    let mut cgroup = Cgroup::create(host, &CgroupPath::new(scope, LEAF)?, needed)?;
    made_parents.append(&mut cgroup.made_parents);
    cgroup.made_parents = made_parents;
    Ok(cgroup)
}

/// Moves the placeholder out of the scope's own cgroup of version 2, into one beside the container's;
/// the answer is what was made for it, outermost first.
fn step_aside(
    unified: &Hierarchy,
    scope: &str,
    placeholder: &Placeholder,
    verify: bool,
) -> Result<Vec<SharedText>, CgroupError> {
    let list = vec![unified.clone()];
    let only = Hierarchies { list, verify };
    let aside = Cgroup::create(&only, &CgroupPath::new(scope, ASIDE)?, &[])?;
    aside.place(placeholder.pid(), false)?;
    let mut made = aside.made_parents;
    made.extend(aside.members.into_iter().map(|member| member.path));
    Ok(made)
}
