//! Names of slices and scopes: what a parent says, and where systemd puts it.

use crate::cgroup::{CgroupError, of_id};

/// Where a container belongs in systemd's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScopeName {
    /// `system.slice`.
    pub(crate) slice: String,
    /// `execdriver-<id>.scope`.
    pub(crate) unit: String,
}

/// The longest name of a unit.
const LONGEST: usize = 255;

impl ScopeName {
    /// The scope of container `id` under `parent`: nothing (the slice is then `default`), a slice
    /// (`jobs-nightly.slice`), or in the form of OCI's `cgroupsPath` `slice:prefix:name`, of which the
    /// first two may be empty.
    ///
    /// # Errors
    /// `InvalidPath` that says what is wrong with the parent.
    pub(crate) fn new(parent: &str, id: &str, default: &str) -> Result<Self, CgroupError> {
        let invalid = |reason| CgroupError::InvalidPath {
            path: parent.to_owned(),
            reason,
        };
        let parts: Vec<&str> = parent.split(':').collect();
        let own = of_id::unit(id);
        let (slice, prefix, name) = match parts.as_slice() {
            [slice] => (*slice, "execdriver", &*own),
            [slice, prefix, name] => (*slice, *prefix, *name),
            _ => return Err(invalid("systemd's form is slice:prefix:name")),
        };
        let slice = if slice.is_empty() { default } else { slice };
        check_slice(slice).map_err(invalid)?;
        let unit = match prefix {
            "" => format!("{name}.scope"),
            prefix => format!("{prefix}-{name}.scope"),
        };
        if name.is_empty() || unit.len() > LONGEST || !unit.bytes().all(is_allowed) {
            return Err(invalid(
                "a scope's name is of letters, digits and :-_.\\, at most 255",
            ));
        }
        Ok(Self {
            slice: slice.to_owned(),
            unit,
        })
    }

    /// The end of its cgroup's path: `a-b.slice` lies in `a.slice`.
    pub(crate) fn path(&self) -> String {
        let stem = self.slice.strip_suffix(".slice").unwrap_or_default();
        let mut path = String::new();
        for (at, _) in stem.match_indices('-').filter(|(at, _)| *at > 0) {
            path.push_str(stem.get(..at).unwrap_or_default());
            path.push_str(".slice/");
        }
        if stem != "-" {
            path.push_str(&self.slice);
            path.push('/');
        }
        path + &self.unit
    }
}

/// systemd.slice(5): a dash stands for a level.
fn check_slice(slice: &str) -> Result<(), &'static str> {
    let Some(stem) = slice.strip_suffix(".slice") else {
        return Err("with native.cgroupdriver=systemd the parent is a slice: NAME.slice");
    };
    let levels = stem == "-" || !stem.split('-').any(str::is_empty);
    match levels && slice.len() <= LONGEST && slice.bytes().all(is_allowed) {
        true => Ok(()),
        false => Err("a slice's name is of letters, digits and :_.\\, levels joined by one dash"),
    }
}

/// systemd.unit(5), but for `@`: a scope or slice is never the instance of a template.
fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b":-_.\\".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(parent: &str) -> Result<ScopeName, CgroupError> {
        ScopeName::new(parent, "c1", "system.slice")
    }

    #[test]
    fn cgroup_parent_is_a_slice_and_its_levels_are_directories() {
        for (parent, path) in [
            ("", "system.slice/execdriver-c1.scope"),
            ("jobs.slice", "jobs.slice/execdriver-c1.scope"),
            (
                "a-b-c.slice",
                "a.slice/a-b.slice/a-b-c.slice/execdriver-c1.scope",
            ),
            ("-.slice", "execdriver-c1.scope"),
            ("machine.slice:docker:x", "machine.slice/docker-x.scope"),
            ("::x", "system.slice/x.scope"),
            (":p:x", "system.slice/p-x.scope"),
        ] {
            assert_eq!(named(parent).unwrap().path(), path, "{parent}");
        }
    }

    #[test]
    fn a_parent_that_is_no_slice_is_refused() {
        for parent in [
            "/docker",
            "docker",
            "../../x",
            "x/y.slice",
            ".slice",
            "-a.slice",
            "a-.slice",
            "a--b.slice",
            "a b.slice",
            "a@b.slice",
            "a.slice:p@q:x",
            "a.slice:p",
            "a.slice:p:",
            "a.slice:p:x:y",
            "a.slice:../p:x",
            "a.slice:p:x/y",
            "a\n.slice",
        ] {
            assert!(named(parent).is_err(), "{parent:?}");
        }
        let error = named("/docker").unwrap_err().to_string();
        assert!(error.contains("NAME.slice"), "{error}");
        assert!(named(&format!("{}.slice", "x".repeat(250))).is_err());
    }

    proptest! {
        #[test]
        fn no_name_leads_anywhere_else(parent in "[a-b./:\\-]{0,12}(\\.slice)?(:a?:[a./]{0,3})?") {
            if let Ok(name) = named(&parent) {
                let path = name.path();
                let mut parts = path.split('/');
                prop_assert!(parts.all(|part| !part.is_empty() && part != "." && part != ".."));
                prop_assert!(path.ends_with(".scope"));
            }
        }
    }
}
