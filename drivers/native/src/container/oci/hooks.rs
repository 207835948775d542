//! The document's hooks: programs that are told the container's state at points of its life.

use super::{OciResult, State};
use execdriver_core::Error;
use oci_spec::runtime::Hook;

/// Runs the hooks of one kind in their order; the first failure is the error.
pub(super) fn run(stage: &str, hooks: Option<&Vec<Hook>>, _state: &State) -> OciResult<()> {
    match hooks {
        Some(hooks) if !hooks.is_empty() => {
            let what = format!("hooks.{stage} (not in this version)");
            Err(Error::unsupported(crate::NativeDriver::NAME, what).into())
        }
        _ => Ok(()),
    }
}
