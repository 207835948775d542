//! Security modules: the profile or label of the program, and Landlock.

use super::host::AppArmor;
use super::steps::Steps;
use super::{Host, PlanError, landlock};
use crate::plan::encode::PackedStrings;
use crate::wire::Op;
use execdriver_core::Spec;
use execdriver_core::spec::{ProcessControls, TemplateDefault};
use oci_spec::runtime::Process;
use std::ffi::CStr;
use std::fmt;

/// What the program is confined by, decided for this host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Confinement {
    /// The AppArmor profile; `None`: the kernel decides as for every other program.
    pub(super) apparmor: Option<String>,
    /// The SELinux label.
    selinux: Option<String>,
}

impl Confinement {
    /// Decides for a new container; a sentence for each default that is not in force.
    pub(super) fn of_run(
        spec: &Spec,
        process: &Process,
        host: &Host,
        unenforced: &mut Vec<String>,
    ) -> Result<Self, PlanError> {
        let mut confinement = Self::of_process(process, host)?;
        if spec.defaults.contains(&TemplateDefault::AppArmor) && confinement.apparmor.is_none() {
            match &host.apparmor {
                // There is nothing to enforce it: as in the original, the container goes without.
                AppArmor::Absent => {}
                AppArmor::Active { default: Ok(name) } => {
                    confinement.apparmor = Some(name.clone());
                }
                AppArmor::Active { default: Err(why) } => {
                    unenforced.push(["the default AppArmor profile: ", why].concat());
                }
            }
        }
        let linux = spec.oci.linux().as_ref();
        let label = linux.and_then(|linux| linux.mount_label().as_deref());
        if label.is_some_and(|label| !label.is_empty()) {
            needs_selinux(host, "mount_label")?;
            if spec.ephemeral.is_some() {
                return Err(PlanError::unsupported(
                    "mount_label on an ephemeral root file system",
                ));
            }
        }
        if let Some(rules) = &spec.landlock {
            unenforced.extend(landlock::unenforced(rules, host.landlock_abi)?);
        }
        Ok(confinement)
    }

    /// Decides for any process; the profile of an exec is the one that its container got.
    pub(super) fn of_process(process: &Process, host: &Host) -> Result<Self, PlanError> {
        let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let selinux = some(process.selinux_label());
        if selinux.is_some() {
            needs_selinux(host, "process_label")?;
        }
        let asked = some(process.apparmor_profile());
        let apparmor = match (asked, &host.apparmor) {
            (Some(name), AppArmor::Absent) if name != "unconfined" => {
                return Err(PlanError::unsupported(format!(
                    "apparmor_profile {name:?}: AppArmor is not active in this kernel"
                )));
            }
            (_, AppArmor::Absent) => None,
            (asked, AppArmor::Active { .. }) => asked,
        };
        Ok(Self { apparmor, selinux })
    }

    /// Whether init writes to files of procfs.
    pub(super) fn writes_procfs(&self) -> bool {
        self.apparmor.is_some() || self.selinux.is_some()
    }

    /// Takes effect when the program is executed.
    pub(super) fn label(&self, steps: &mut Steps) {
        if let Some(profile) = &self.apparmor {
            // Where several modules are active, attr/exec is that of another one.
            let files = [c"attr/apparmor/exec", c"attr/exec"];
            let words = format_args!("confine it by the AppArmor profile {profile}");
            label(&files, &format!("exec {profile}"), words, steps);
        }
        if let Some(context) = &self.selinux {
            let words = format_args!("give it the SELinux label {context}");
            label(&[c"attr/exec"], context, words, steps);
        }
    }
}

/// The rules of Landlock, while paths are opened with the rights of the container's root.
pub(super) fn landlock_rules(
    controls: &ProcessControls,
    host: &Host,
    steps: &mut Steps,
) -> Result<(), PlanError> {
    match &controls.landlock {
        Some(rules) => {
            landlock::unenforced(rules, host.landlock_abi)?;
            landlock::plan(rules, host.landlock_abi, steps)
        }
        None => Ok(()),
    }
}

/// In force from here on: init has read the container's files, and still has the capability.
pub(super) fn landlock_restrict(controls: &ProcessControls, host: &Host, steps: &mut Steps) {
    if controls.landlock.is_some() {
        let abi = host.landlock_abi;
        let words = format_args!("put the Landlock rules in force (ABI {abi})");
        steps.push(&Op::LandlockRestrict {}, words);
    }
}

/// The label of a new file system as its parameter, for those that take one: proc, sysfs and
/// cgroups have labels of the policy's own. mqueue takes it as an attribute, which init knows.
pub(super) fn mount_label<'a>(spec: &'a Spec, fstype: &str) -> Option<&'a str> {
    let label = spec.oci.linux().as_ref()?.mount_label().as_deref()?;
    let takes = matches!(fstype, "tmpfs" | "devpts" | "mqueue");
    (takes && !label.is_empty()).then_some(label)
}

fn label(files: &[&CStr], value: &str, words: fmt::Arguments<'_>, steps: &mut Steps) {
    let packed: PackedStrings = files.iter().collect();
    let value = value.as_bytes();
    steps.push(
        &Op::ExecLabel {
            files: packed.view(),
            value,
        },
        words,
    );
}

fn needs_selinux(host: &Host, field: &str) -> Result<(), PlanError> {
    if host.selinux {
        return Ok(());
    }
    Err(PlanError::unsupported(format!(
        "{field}: SELinux is not active in this kernel"
    )))
}
