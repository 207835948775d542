//! Which paths the container does not see, and which it cannot write.
//!
//! After every mount: a mask that comes first would be covered. A path that the kernel has not is
//! skipped by init.

use super::steps::container_path;
use super::{Builder, PlanError};
use crate::wire::Op;
use std::path::Path;

/// Plans `maskedPaths` and `readonlyPaths`.
pub(super) fn plan(builder: &mut Builder<'_>) -> Result<(), PlanError> {
    let linux = builder.spec.oci.linux().as_ref();
    let masked = linux.and_then(|linux| linux.masked_paths().as_deref());
    let masked = masked.unwrap_or_default();
    if !masked.is_empty() {
        // The host's: one of the container's could be anything (CVE-2025-31133).
        builder
            .mounted
            .push(&Op::MaskInit {}, "open the host's /dev/null");
    }
    for path in masked {
        let target = container_path("linux.maskedPaths", Path::new(path))?;
        builder
            .mounted
            .push(&Op::Mask { path: &target }, format!("mask {path}"));
    }
    let readonly = linux.and_then(|linux| linux.readonly_paths().as_deref());
    for path in readonly.unwrap_or_default() {
        let target = container_path("linux.readonlyPaths", Path::new(path))?;
        let words = format!("make {path} read-only");
        builder
            .mounted
            .push(&Op::ReadonlyPath { path: &target }, words);
    }
    Ok(())
}
