//! The controllers of a hierarchy of cgroups, in the kernel's own notation.

use crate::shared_text::SharedText;
use serde::{Serialize, Serializer};

/// `cpu,cpuacct`, `name=systemd`; of version 2 none. What all containers of a host have alike: a copy is no block of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Controllers(SharedText);

impl Controllers {
    /// Their names, in the hierarchy's order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        names(&self.0)
    }

    /// Whether this is one of them.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names().any(|have| have == name)
    }

    /// Whether there is none, as in version 2.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As the kernel writes them.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// The names in such a text.
pub(crate) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|name| !name.is_empty())
}

impl From<SharedText> for Controllers {
    fn from(text: SharedText) -> Self {
        Self(text)
    }
}

impl From<&str> for Controllers {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

/// A list of the names.
impl Serialize for Controllers {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.names())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_the_kernels_is_the_list_of_its_names() {
        let two = Controllers::from("cpu,cpuacct");
        assert_eq!(two.names().collect::<Vec<_>>(), ["cpu", "cpuacct"]);
        assert!(two.has("cpu") && two.has("cpuacct") && !two.has("cpua"));
        assert_eq!(two.text(), "cpu,cpuacct");
        assert_eq!(serde_json::to_string(&two).unwrap(), r#"["cpu","cpuacct"]"#);
        let none = Controllers::from("");
        assert!(none.is_empty() && !none.has("") && none.names().next().is_none());
        assert_eq!(serde_json::to_string(&none).unwrap(), "[]");
    }
}
