//! `linux.intelRdt`: the class of service of a container, where the kernel has such.

use crate::resctrl::{Changed, Class, Resctrl, Visit};
use crate::state::Record;
use execdriver_core::{Error, Result, Spec};
use oci_spec::runtime::LinuxIntelRdt;

const FIELD: &str = "linux.intelRdt";
const NOT_MOUNTED: &str = "where resctrl is not mounted";

/// What the document asks for, held against what is there.
///
/// # Errors
/// There is no resctrl, or the field is wrong.
pub(super) fn of(spec: &Spec) -> Result<Option<(Resctrl, Class)>> {
    let linux = spec.oci.linux().as_ref();
    let Some(asked) = linux.and_then(|linux| linux.intel_rdt().as_ref()) else {
        return Ok(None);
    };
    let Some(resctrl) = Resctrl::find() else {
        let operation = format!("{FIELD} {NOT_MOUNTED}");
        return Err(Error::unsupported("native", operation));
    };
    let class = resctrl.decide(&spec.id, asked)?;
    Ok(Some((resctrl, class)))
}

/// Gives a container's class other shares of the caches and of memory's bandwidth.
///
/// # Errors
/// There is no resctrl or no class, or it cannot be changed: nothing is then.
pub(super) fn change(record: &Record, asked: &LinuxIntelRdt) -> Result<Changed> {
    let lacks = |what| Error::unsupported("native", format!("{FIELD} {what}"));
    let resctrl = Resctrl::find().ok_or_else(|| lacks(NOT_MOUNTED))?;
    let class = record
        .bundle
        .as_deref()
        .and_then(|bundle| bundle.class.as_ref());
    let class = class.ok_or_else(|| lacks("of a container that was made without it"))?;
    class.change(&resctrl, asked)
}

/// Takes the calling thread into the container's class, for what it executes there.
///
/// # Errors
/// The class cannot be entered.
pub(super) fn visit(record: &Record) -> Result<Option<Visit>> {
    let bundle = record.bundle.as_deref();
    let class = bundle.and_then(|bundle| bundle.class.as_ref());
    class.map(crate::resctrl::ClassRecord::visit).transpose()
}
