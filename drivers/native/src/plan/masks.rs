//! Which paths the container does not see, and which it cannot write.
//!
//! After every mount: a mask that comes first would be covered. A path that the kernel has not is
//! skipped by init.

use super::steps::Part;
use super::text::container_path;
use super::{Builder, PlanError};
use crate::wire::Op;
use std::path::Path;

/// Plans `maskedPaths` and `readonlyPaths`.
pub(super) fn plan(builder: &mut Builder<'_>) -> Result<(), PlanError> {
    let linux = builder.spec.oci.linux().as_ref();
    let masked = linux.and_then(|linux| linux.masked_paths().as_deref());
    let masked = masked.unwrap_or_default();
    let steps = builder.steps.at(Part::Tree);
    if !masked.is_empty() {
        // The host's: one of the container's could be anything (CVE-2025-31133).
        steps.push(&Op::MaskInit {}, "open the host's /dev/null");
    }
    for path in masked {
        let target = container_path("linux.maskedPaths", Path::new(path))?;
        steps.push(&Op::Mask { path: &target }, format_args!("mask {path}"));
    }
    let readonly = linux.and_then(|linux| linux.readonly_paths().as_deref());
    for path in readonly.unwrap_or_default() {
        let target = container_path("linux.readonlyPaths", Path::new(path))?;
        steps.push(
            &Op::ReadonlyPath { path: &target },
            format_args!("make {path} read-only"),
        );
    }
    Ok(())
}
