//! The filter of a container's system calls, from what its record or its specification says.

use super::Containers;
use crate::NativeDriver;
use crate::facts::HostFacts;
use crate::seccomp::{Filter, FilterError, Filters};
use execdriver_core::spec::{ExecDefaults, SeccompChoice};
use execdriver_core::{Error, Result};
use std::sync::Arc;

impl Containers {
    /// The filter of the container that `defaults` are of; none when it is unconfined, and none of the template's where the
    /// kernel takes none.
    ///
    /// # Errors
    /// The profile is wrong, or the kernel takes none.
    pub(super) fn filter(
        &self,
        defaults: &ExecDefaults,
        facts: &HostFacts,
    ) -> Result<Option<Arc<Filter>>> {
        let kernel = (facts.kernel.major, facts.kernel.minor);
        let filter = match &defaults.seccomp_filter {
            Some(document) => Filters::of_document(document).map(Some),
            None => {
                let sets = defaults.process.capabilities().as_ref();
                let bounding = sets.and_then(|sets| sets.bounding().clone());
                let bounding = bounding.unwrap_or_default();
                self.filters.get(&defaults.seccomp, &bounding, kernel)
            }
        };
        let filter = filter.map_err(|error| invalid(&error))?;
        if facts.seccomp || filter.is_none() {
            return Ok(filter);
        }
        match (&defaults.seccomp_filter, &defaults.seccomp) {
            (None, SeccompChoice::Default | SeccompChoice::Strict) => Ok(None),
            _ => {
                let operation = "seccomp_profile (seccomp is not enabled in the kernel, which \
                                 cannot run a custom profile)";
                Err(Error::unsupported(NativeDriver::NAME, operation))
            }
        }
    }
}

fn invalid(error: &FilterError) -> Error {
    Error::invalid("seccomp_profile", error.to_string())
}
