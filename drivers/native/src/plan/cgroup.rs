//! The container's cgroup as data, and what of the template's controls is not in force.

use super::host::OwnCgroup;
use super::steps::Steps;
use super::{FdSlot, Host, PlanError, slot};
use crate::cgroup::devices::DeviceRule;
use crate::cgroup::limits::{Available, Purpose, Setting, settings};
use crate::wire::Op;
use execdriver_core::Spec;
use execdriver_core::spec::TemplateDefault;
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxResources};
use std::borrow::Cow;

/// What to do in the container's cgroup.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CgroupPlan {
    /// Device rules, the first one first; none when they are not enforced.
    pub(crate) device_rules: Vec<DeviceRule>,
    /// Limits, in the order in which they are written.
    pub(crate) limits: Vec<Setting>,
}

/// Decides, and gives a sentence for each of the template's controls that is not in force.
pub(super) fn plan(spec: &Spec, host: &Host) -> Result<(CgroupPlan, Vec<String>), PlanError> {
    let mut unenforced = Vec::new();
    // A document always has device rules, which no ordinary user can put in force: nor can its container make a node.
    let ordinary = !host.is_root() || host.outer.is_some();
    let excused = spec.is_document() && ordinary;
    let mut missing = |default: TemplateDefault, what: &str, why: String| {
        if spec.defaults.contains(&default) || excused {
            unenforced.push(format!("{what}: {why}"));
            Ok(())
        } else {
            Err(PlanError::unsupported(format!("{what}: {why}")))
        }
    };
    let limits = spec.limits();
    let rules = limits.and_then(|limits| limits.devices().as_deref());
    let rules = rules.unwrap_or_default();
    let restricts = rules.iter().any(|rule| !rule.allow());
    let mut plan = CgroupPlan::default();
    match &host.cgroup.own {
        OwnCgroup::Made {
            no_device_rules: None,
            ..
        } => plan.device_rules = device_rules(rules)?,
        OwnCgroup::Made {
            no_device_rules: Some(why),
            ..
        } => {
            if restricts {
                missing(TemplateDefault::DeviceRules, "device rules", why.clone())?;
            }
        }
        OwnCgroup::None { reason } => {
            missing(
                TemplateDefault::Cgroup,
                "a cgroup of its own",
                reason.clone(),
            )?;
            if restricts {
                let why = "there is no cgroup of its own".to_owned();
                missing(TemplateDefault::DeviceRules, "device rules", why)?;
            }
        }
    }
    self::limits(spec, host, &mut plan, &mut unenforced)?;
    Ok((plan, unenforced))
}

/// The limits. That on processes may be the template's own, which is reported where it cannot be.
fn limits(
    spec: &Spec,
    host: &Host,
    plan: &mut CgroupPlan,
    unenforced: &mut Vec<String>,
) -> Result<(), PlanError> {
    let nothing = LinuxResources::default();
    let mut asked = Cow::Borrowed(spec.limits().unwrap_or(&nothing));
    let have = match &host.cgroup.own {
        OwnCgroup::Made { available, .. } => available.clone(),
        OwnCgroup::None { reason } => Available {
            otherwise: reason.clone(),
            ..Available::default()
        },
    };
    let settings = |asked: &LinuxResources| settings(asked, &nothing, &have, Purpose::Create);
    let mut default = LinuxResources::default();
    if spec.defaults.contains(&TemplateDefault::PidsLimit) {
        default.set_pids(*asked.pids());
        asked.to_mut().set_pids(None);
    }
    plan.limits = settings(&asked)?;
    match settings(&default) {
        Ok(bound) => plan.limits.extend(bound),
        Err(error) => unenforced.push(format!("the bound on processes: {error}")),
    }
    Ok(())
}

/// Init's first steps: everything after them is accounted for, and PreStart finds it in its place.
pub(super) fn enter(
    entries: u16,
    steps: &mut Steps,
    fds: &mut Vec<FdSlot>,
) -> Result<(), PlanError> {
    for entry in 0..entries {
        let slot = slot(fds, FdSlot::CgroupEntry(entry))?;
        let words = format_args!("enter its cgroups ({} of {entries})", entry + 1);
        steps.push(&Op::Place { slot }, words);
    }
    Ok(())
}

fn device_rules(rules: &[LinuxDeviceCgroup]) -> Result<Vec<DeviceRule>, PlanError> {
    let mut judged = Vec::with_capacity(rules.len());
    for rule in rules {
        let kind = rule.typ();
        let kind = kind.as_ref().map_or("a", |kind| kind.as_str());
        let access = rule.access().as_deref().unwrap_or_default();
        let (major, minor) = (rule.major(), rule.minor());
        let rule = DeviceRule::new(rule.allow(), kind, major, minor, access)
            .map_err(|error| PlanError::invalid("allowed_devices", error.to_string()))?;
        judged.push(rule);
    }
    Ok(judged)
}
