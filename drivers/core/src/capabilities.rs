//! What a driver can do on this host, said before anything runs.

use std::fmt;

/// Whether a control is in force on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Enforcement {
    /// It is enforced when asked for.
    Enforced,
    /// The host cannot enforce it: asking for it explicitly is an error.
    Unavailable {
        /// What is missing.
        reason: String,
        /// The exact mend: a command, a setting or a package; empty when there is none.
        mend: String,
    },
    /// This version of the driver does not implement it yet: asking for it is an error.
    NotImplemented,
}

/// One control, facility or operation.
///
/// ```
/// use execdriver_core::{Control, Enforcement};
/// let control = Control::enforced("namespaces", "pid");
/// assert_eq!(control.enforcement, Enforcement::Enforced);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Control {
    /// The group it is listed under: `namespaces`, `cgroups`, `operations`.
    pub group: String,
    /// Its name in the words of the command or the trait.
    pub name: String,
    /// Whether it is in force.
    pub enforcement: Enforcement,
}

impl Control {
    /// A control that is enforced.
    pub fn enforced(group: &str, name: &str) -> Self {
        Self::new(group, name, Enforcement::Enforced)
    }

    /// A control that this host lacks, with the mend.
    pub fn unavailable(group: &str, name: &str, reason: &str, mend: &str) -> Self {
        let enforcement = Enforcement::Unavailable {
            reason: reason.to_owned(),
            mend: mend.to_owned(),
        };
        Self::new(group, name, enforcement)
    }

    /// A control of this enforcement.
    pub fn new(group: &str, name: &str, enforcement: Enforcement) -> Self {
        Self {
            group: group.to_owned(),
            name: name.to_owned(),
            enforcement,
        }
    }
}

/// What a driver can do on this host: what `doctor` prints.
///
/// ```
/// use execdriver_core::{Capabilities, Control};
/// let mut capabilities = Capabilities::new("native");
/// capabilities.controls.push(Control::enforced("operations", "exec"));
/// assert!(capabilities.enforces("operations", "exec"));
/// assert!(!capabilities.enforces("operations", "pause"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The driver's registered name.
    pub driver: String,
    /// Every control that the driver knows of.
    pub controls: Vec<Control>,
}

impl Capabilities {
    /// The empty list of `driver`.
    pub fn new(driver: &str) -> Self {
        Self {
            driver: driver.to_owned(),
            controls: Vec::new(),
        }
    }

    /// Whether the control is known and enforced.
    pub fn enforces(&self, group: &str, name: &str) -> bool {
        self.controls.iter().any(|control| {
            control.group == group
                && control.name == name
                && control.enforcement == Enforcement::Enforced
        })
    }
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enforced => f.write_str("enforced"),
            Self::Unavailable { reason, .. } => write!(f, "unavailable: {reason}"),
            Self::NotImplemented => f.write_str("not implemented"),
        }
    }
}
