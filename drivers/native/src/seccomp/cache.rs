//! The filters of one driver: each is compiled once and kept.

use super::{CompileError, Filter, Machine};
use execdriver_core::spec::{
    SeccompChoice, SeccompError, SeccompTarget, capability_mask, docker_profile, seccomp_profile,
    strict_profile,
};
use oci_spec::runtime::{Arch, Capabilities, LinuxSeccomp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// More profiles than a host program has; past it the filters are compiled each time.
const MOST: usize = 64;

/// What a filter depends on. The kernel does not change while the program runs.
type Key = (SeccompChoice, u64);

/// Filters by what they depend on.
#[derive(Debug, Default)]
pub(crate) struct Filters(Mutex<HashMap<Key, Option<Arc<Filter>>>>);

/// Why a profile does not become a filter.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    /// The profile is wrong.
    #[error(transparent)]
    Profile(#[from] SeccompError),
    /// There is no program for it.
    #[error(transparent)]
    Compile(#[from] CompileError),
}

impl Filters {
    /// The filter of a container with these capabilities on a kernel of this version; none when nothing is filtered.
    ///
    /// # Errors
    /// The profile is wrong, or too long.
    pub(crate) fn get(
        &self,
        choice: &SeccompChoice,
        capabilities: &Capabilities,
        kernel: (u32, u32),
    ) -> Result<Option<Arc<Filter>>, FilterError> {
        let mask = match choice {
            // They are the same whatever the capabilities are.
            SeccompChoice::Unconfined => return Ok(None),
            SeccompChoice::Default | SeccompChoice::Strict => 0,
            _ => capability_mask(capabilities),
        };
        let key = (choice.clone(), mask);
        // A filter is whole when it is put in: nothing is wrong with the map of a thread that panicked.
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = lock().get(&key) {
            return Ok(found.clone());
        }
        // Not under the lock: two threads may compile the same one, and neither waits.
        let filter = compile(choice, capabilities, kernel)?.map(Arc::new);
        let mut kept = lock();
        if kept.len() < MOST {
            kept.insert(key, filter.clone());
        }
        Ok(filter)
    }

    /// The filter of a document, which is not kept.
    ///
    /// # Errors
    /// As for [`Filters::get`].
    pub(crate) fn of_document(filter: &LinuxSeccomp) -> Result<Arc<Filter>, FilterError> {
        Ok(Arc::new(Filter::of_parts(filter, &[], Machine::NATIVE)?))
    }
}

fn compile(
    choice: &SeccompChoice,
    capabilities: &Capabilities,
    kernel: (u32, u32),
) -> Result<Option<Filter>, FilterError> {
    let arch = native();
    let policy = match choice {
        SeccompChoice::Default => docker_profile(arch),
        SeccompChoice::Strict => strict_profile(arch),
        SeccompChoice::Profile(text) => {
            let target = SeccompTarget {
                arch,
                kernel,
                capabilities: capabilities.clone(),
            };
            match seccomp_profile(text, &target)? {
                Some(filter) => filter.into(),
                None => return Ok(None),
            }
        }
        _ => return Ok(None),
    };
    Ok(Some(Filter::compile(&policy, Machine::NATIVE)?))
}

fn native() -> Arch {
    match Machine::NATIVE {
        Machine::Aarch64 => Arch::ScmpArchAarch64,
        _ => Arch::ScmpArchX86_64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_spec::runtime::Capability;

    #[test]
    fn a_filter_is_compiled_once_for_what_it_depends_on() {
        let filters = Filters::default();
        let none = Capabilities::new();
        let get = |choice: &SeccompChoice, capabilities: &Capabilities| {
            filters.get(choice, capabilities, (6, 1)).unwrap()
        };
        let admin = Capabilities::from([Capability::SysAdmin]);
        let first = get(&SeccompChoice::Default, &none).unwrap();
        assert!(Arc::ptr_eq(
            &first,
            &get(&SeccompChoice::Default, &admin).unwrap()
        ));
        let strict = get(&SeccompChoice::Strict, &none).unwrap();
        assert_ne!(first, strict);
        let text = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mount"],
            "action": "SCMP_ACT_ERRNO", "excludes": {"caps": ["CAP_SYS_ADMIN"]}}]}"#;
        let profile = SeccompChoice::Profile(text.to_owned());
        assert_ne!(get(&profile, &none), get(&profile, &admin));
        assert_eq!(get(&SeccompChoice::Profile("{}".to_owned()), &none), None);
        assert_eq!(get(&SeccompChoice::Unconfined, &none), None);
        assert!(
            filters
                .get(&SeccompChoice::Profile("[".to_owned()), &none, (6, 1))
                .is_err()
        );
    }
}
