//! Which first process that waits already a container may have.

use super::Containers;
use super::made::Made;
use crate::cgroup::{Manager, limits};
use crate::facts::{HostFacts, Standing, Status};
use crate::launch::Early;
use crate::plan::is_apart;
use crate::ready::Post;
use execdriver_core::{Result, RunOptions, Spec};
use std::sync::Arc;

impl Containers {
    /// Takes the id, and makes the cgroups, or takes them with a first process that waits in them, where one is kept and is just what
    /// the launch would start; `status` is of the calling thread.
    pub(super) fn begin(
        &self,
        (spec, facts): (&Spec, &Arc<HostFacts>),
        status: Option<Status>,
        options: &RunOptions,
    ) -> Result<(Made, Option<Early>)> {
        if let Some(status) = status
            && let Some(begun) = self.begin_waiting((spec, facts), status, options)
        {
            return begun;
        }
        let made = Made::begin((&self.store, &self.manager), spec, facts)?;
        Ok((made, None))
    }

    /// The latter, apart: what it has on the stack is not that of all starts.
    #[inline(never)]
    fn begin_waiting(
        &self,
        (spec, facts): (&Spec, &Arc<HostFacts>),
        status: Status,
        options: &RunOptions,
    ) -> Option<Result<(Made, Option<Early>)>> {
        let kept = self.stock.kept_sandboxes()?;
        let post = self.post((spec, facts), status, options)?;
        let mut waiting = Some(kept.first_process(&post)?);
        let begun = Made::begin_with(&self.store, spec, &mut waiting);
        if let Some(waiting) = waiting {
            // The id is taken.
            kept.give_back(post, waiting);
        }
        Some(begun)
    }

    fn post(
        &self,
        (spec, facts): (&Spec, &Arc<HostFacts>),
        status: Status,
        options: &RunOptions,
    ) -> Option<Post> {
        let may = facts.is_root()
            && facts.user_namespaces.outer.is_none()
            && facts.calls.clone_into_cgroup
            && self.manager == Manager::Cgroupfs
            && spec.cgroup_parent.is_empty()
            // It would die with the thread that has started it.
            && !options.die_with_host
            && is_apart(spec)
            && may_be_limited_late(spec);
        if !may {
            return None;
        }
        Some(Post {
            needed: spec.limits().map(limits::needed).unwrap_or_default(),
            facts: Arc::clone(facts),
            standing: Standing::with(status, facts.has_labels())?,
        })
    }
}

/// To what has memory already no less can be given. A first process and its namespaces have less than one MiB.
const ENOUGH_MEMORY: i64 = 16 << 20;

/// Whether a process may be there before its limits. That of the kernel's own memory had to be set before it had any, on kernels
/// that know it.
fn may_be_limited_late(spec: &Spec) -> bool {
    let memory = spec.limits().and_then(|limits| limits.memory().as_ref());
    memory.is_none_or(|memory| {
        let all = [memory.limit(), memory.swap(), memory.reservation()];
        let enough = |limit: i64| limit <= 0 || limit >= ENOUGH_MEMORY;
        all.into_iter().flatten().all(enough) && memory.kernel().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use execdriver_core::{Command, Resources};

    #[test]
    fn small_limits_of_memory_are_in_force_before_anybody_is_there() {
        let may = |memory: i64| {
            let mut command = Command::linux("c", "/", "/bin/true");
            command.resources = Some(Resources {
                memory,
                ..Resources::default()
            });
            may_be_limited_late(&Spec::from_command(&command, "native").unwrap())
        };
        assert!(may(0) && may(-1) && may(64 << 20));
        assert!(!may(8 << 20));
    }
}
