//! `linux.intelRdt`: the class of service of a container, where the kernel has such.

use crate::resctrl::{Class, Resctrl, Visit};
use crate::state::Record;
use execdriver_core::{Error, Result, Spec};

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
        let operation = "linux.intelRdt where resctrl is not mounted";
        return Err(Error::unsupported("native", operation));
    };
    let class = resctrl.decide(&spec.id, asked)?;
    Ok(Some((resctrl, class)))
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
