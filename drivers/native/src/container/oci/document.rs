//! The bundle's document as the driver takes it.

use super::Create;
use execdriver_core::{Error, Result, Spec};

/// The specification of the container to make.
pub(super) fn specification(create: Create<'_>) -> Result<Spec> {
    if create.document.root().is_none() {
        let reason = "got none, expected the root file system";
        return Err(Error::invalid("root", reason));
    }
    Ok(Spec::from_bundle(create.id, create.bundle, create.document))
}
