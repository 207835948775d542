//! The filter of a container's system calls, from what its record or its specification says.

use super::Containers;
use crate::NativeDriver;
use crate::facts::HostFacts;
use crate::seccomp::{Filter, FilterError, Filters};
use execdriver_core::spec::{ExecDefaults, SeccompChoice};
use execdriver_core::{Error, Result, Spec};
use oci_spec::runtime::{Capabilities, LinuxSeccomp, Process};
use std::sync::Arc;

impl Containers {
    /// The filter of a container; none when it is unconfined, and none of the template's where the
    /// kernel takes none.
    ///
    /// # Errors
    /// The profile is wrong, or the kernel takes none.
    pub(super) fn filter(
        &self,
        of: Filtered<'_>,
        facts: &HostFacts,
    ) -> Result<Option<Arc<Filter>>> {
        let kernel = (facts.kernel.major, facts.kernel.minor);
        let filter = match of.document {
            Some(document) => Filters::of_document(document).map(Some),
            None => {
                let none = Capabilities::new();
                let bounding = of.bounding.unwrap_or(&none);
                self.filters.get(of.choice, bounding, kernel)
            }
        };
        let filter = filter.map_err(|error| invalid(&error))?;
        if facts.seccomp || filter.is_none() {
            return Ok(filter);
        }
        match (of.document, of.choice) {
            (None, SeccompChoice::Default | SeccompChoice::Strict) => Ok(None),
            _ => {
                let operation = "seccomp_profile (seccomp is not enabled in the kernel, which \
                                 cannot run a custom profile)";
                Err(Error::unsupported(NativeDriver::NAME, operation))
            }
        }
    }
}

/// What a filter is made from.
#[derive(Clone, Copy)]
pub(super) struct Filtered<'a> {
    /// It wins over `choice`.
    document: Option<&'a LinuxSeccomp>,
    choice: &'a SeccompChoice,
    bounding: Option<&'a Capabilities>,
}

impl<'a> From<&'a Spec> for Filtered<'a> {
    fn from(spec: &'a Spec) -> Self {
        let linux = spec.oci.linux().as_ref();
        Self {
            document: linux.and_then(|linux| linux.seccomp().as_ref()),
            choice: &spec.seccomp,
            bounding: spec.oci.process().as_ref().and_then(bounding),
        }
    }
}

impl<'a> From<&'a ExecDefaults> for Filtered<'a> {
    fn from(defaults: &'a ExecDefaults) -> Self {
        Self {
            document: defaults.seccomp_filter.as_ref(),
            choice: &defaults.seccomp,
            bounding: bounding(&defaults.process),
        }
    }
}

fn bounding(process: &Process) -> Option<&Capabilities> {
    process.capabilities().as_ref()?.bounding().as_ref()
}

fn invalid(error: &FilterError) -> Error {
    Error::invalid("seccomp_profile", error.to_string())
}
