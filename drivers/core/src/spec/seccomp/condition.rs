//! `includes` and `excludes`: the machines, kernels and capabilities that a rule is for.

use super::{SeccompError, SeccompTarget, words};
use serde::Deserialize;

/// What a rule depends on; an empty one depends on nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Condition {
    arches: Option<Vec<String>>,
    caps: Option<Vec<String>>,
    min_kernel: Option<String>,
}

impl Condition {
    /// As `includes`: all that is named must hold.
    pub(super) fn includes(&self, target: &SeccompTarget) -> Result<bool, SeccompError> {
        let facts = self.facts(target)?;
        let arch = facts.arch.unwrap_or(true);
        Ok(arch && facts.caps.iter().all(|has| *has) && facts.kernel.unwrap_or(true))
    }

    /// As `excludes`: nothing of what is named may hold.
    pub(super) fn excludes(&self, target: &SeccompTarget) -> Result<bool, SeccompError> {
        let facts = self.facts(target)?;
        let arch = facts.arch.unwrap_or(false);
        Ok(arch || facts.caps.iter().any(|has| *has) || facts.kernel.unwrap_or(false))
    }

    /// Whether each thing that is named is so; all are read, so that a wrong word never goes unseen.
    fn facts(&self, target: &SeccompTarget) -> Result<Facts, SeccompError> {
        let machine = words::machine(target.arch);
        let arches = self.arches.as_deref().filter(|arches| !arches.is_empty());
        for word in arches.into_iter().flatten() {
            words::check_machine(word)?;
        }
        let caps = self.caps.iter().flatten().map(|word| {
            let capability = words::capability(word)?;
            Ok(target.capabilities.contains(&capability))
        });
        let kernel = match self.min_kernel.as_deref() {
            Some(word) => Some(target.kernel >= words::kernel(word)?),
            None => None,
        };
        Ok(Facts {
            arch: arches.map(|arches| arches.iter().any(|arch| arch == machine)),
            caps: caps.collect::<Result<_, SeccompError>>()?,
            kernel,
        })
    }
}

struct Facts {
    arch: Option<bool>,
    caps: Vec<bool>,
    kernel: Option<bool>,
}
