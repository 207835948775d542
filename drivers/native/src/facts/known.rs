//! The facts as a driver keeps them: read once, and looked after by every start.

use super::read::{outer, record};
use super::{CapabilitySets, HostFacts, Status};
use nix::unistd::{getegid, geteuid};
use std::sync::Arc;

/// The facts of when they were first needed.
#[derive(Debug)]
pub(crate) struct Known {
    facts: Arc<HostFacts>,
    /// The text of `/proc/thread-self/cgroup` that they agree with.
    own_cgroups: String,
}

impl Known {
    /// Reads them.
    pub(crate) fn read() -> Self {
        let own_cgroups = own_cgroups();
        let mut facts = HostFacts::read();
        // It may have been moved in between: then the next start sees that they differ.
        facts.cgroups.refresh(&own_cgroups);
        Self {
            facts: Arc::new(facts),
            own_cgroups,
        }
    }

    /// The same facts with what the host program itself may have changed since: its user, its
    /// capabilities and its cgroup; all of them when cgroups were unmounted meanwhile. A tenth of
    /// the cost of [`HostFacts::read`]. Mostly nothing has changed, and all starts share them.
    #[cfg(test)]
    pub(crate) fn now(&self) -> Arc<HostFacts> {
        self.now_with(None)
    }

    /// The same, and what was read for it of the calling thread's standing, where somebody wants it.
    pub(crate) fn now_with(&self, mut status: Option<&mut Option<Status>>) -> Arc<HostFacts> {
        if !self.facts.cgroups.are_mounted() {
            return Arc::new(HostFacts::read());
        }
        let facts = self.but_cgroups_with(|text| {
            if let Some(status) = &mut status {
                **status = Status::of(text);
            }
        });
        let own_cgroups = own_cgroups();
        if let Some(Some(status)) = status {
            status.add_cgroups(&own_cgroups);
        }
        if own_cgroups == self.own_cgroups {
            return facts;
        }
        let mut facts = HostFacts::clone(&facts);
        facts.cgroups.refresh(&own_cgroups);
        Arc::new(facts)
    }

    /// The same for who makes no cgroup: nobody has looked whether they are mounted where they were, and where we are in them.
    pub(crate) fn but_cgroups(&self) -> Arc<HostFacts> {
        self.but_cgroups_with(|_| {})
    }

    fn but_cgroups_with(&self, also: impl FnOnce(&str)) -> Arc<HostFacts> {
        if self.facts.cgroups.list.is_empty() {
            // They may have been mounted since, and containers be in them.
            return Arc::new(HostFacts::read());
        }
        let (euid, egid) = (geteuid().as_raw(), getegid().as_raw());
        let capabilities = record("/proc/thread-self/status", |status| {
            also(status);
            CapabilitySets::of(status, self.facts.capabilities.last)
        });
        let outer = outer();
        let known = &self.facts;
        if (euid, egid) == (known.euid, known.egid)
            && capabilities == known.capabilities
            && outer == known.user_namespaces.outer
        {
            return Arc::clone(known);
        }
        let mut facts = HostFacts::clone(known);
        facts.euid = euid;
        facts.egid = egid;
        facts.capabilities = capabilities;
        facts.user_namespaces.outer = outer;
        Arc::new(facts)
    }
}

fn own_cgroups() -> String {
    record("/proc/thread-self/cgroup", str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn starts_share_the_facts_until_one_changes() {
        let known = Known::read();
        assert_eq!(*known.facts, HostFacts::read());
        assert!(Arc::ptr_eq(&known.now(), &known.facts));
        let mut other = HostFacts::clone(&known.facts);
        other.euid = 1;
        other.cgroups.refresh("");
        let other = Known {
            facts: Arc::new(other),
            own_cgroups: String::new(),
        };
        assert_eq!(other.now(), known.facts);
    }

    #[test]
    fn cgroups_that_are_no_longer_where_they_were_are_looked_for_anew() {
        let known = Known::read();
        let mut moved = HostFacts::clone(&known.facts);
        for hierarchy in &mut moved.cgroups.list {
            hierarchy.mount = PathBuf::from("/proc");
        }
        let moved = Known {
            facts: Arc::new(moved),
            own_cgroups: known.own_cgroups.clone(),
        };
        assert_eq!(moved.now(), known.facts);
    }
}
