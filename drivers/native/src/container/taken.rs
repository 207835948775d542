//! What of a container is there already when it is asked for, and the plan that goes with it.

use super::Containers;
use crate::plan::{FdSlot, Host, Plan, PlanError, Ready, RunInput, Sources, makes_network};
use crate::ready::Sandbox;
use execdriver_core::Spec;
use std::os::fd::OwnedFd;

/// What was made ahead, and is this container's from here on.
#[derive(Debug)]
pub(super) enum Taken {
    Nothing,
    Network(OwnedFd),
    Sandbox(Sandbox),
}

impl Taken {
    /// The descriptor that a slot of the plan is for.
    pub(super) fn descriptor(&self, slot: &FdSlot) -> Option<&OwnedFd> {
        match (self, slot) {
            (Self::Network(network), FdSlot::ReadyNetwork) => Some(network),
            (Self::Sandbox(sandbox), FdSlot::ReadyNetwork) => Some(&sandbox.network),
            (Self::Sandbox(sandbox), FdSlot::ReadyIpc) => Some(&sandbox.ipc),
            (Self::Sandbox(sandbox), FdSlot::ReadyTree(number)) => {
                sandbox.trees.get(usize::from(*number))
            }
            _ => None,
        }
    }
}

impl Containers {
    /// Closes what a container has by now, on the thread that has made it: descriptors of mounts take a while.
    pub(super) fn let_go(&self, taken: Taken) {
        if let (Taken::Sandbox(sandbox), Some(kept)) = (taken, self.stock.kept_sandboxes()) {
            drop(kept.boxes.let_go(sandbox));
        }
    }

    /// The plan of a new container, with what is ready for it.
    pub(super) fn plan(
        &self,
        spec: &Spec,
        host: &Host,
        sources: &Sources,
        mut input: RunInput,
    ) -> Result<(Plan, Taken), PlanError> {
        let mut build = |ready| {
            input.ready = ready;
            Plan::build(spec, host, sources, &input)
        };
        if let Some(sandboxes) = self.stock.kept_sandboxes() {
            let plan = build(Ready::Sandbox)?;
            if !plan.fds.contains(&FdSlot::ReadyIpc) {
                return Ok((plan, Taken::Nothing));
            }
            return match sandboxes
                .boxes
                .take(|shape| plan.has_shape(shape), || plan.shape())
            {
                Some(sandbox) => Ok((plan, Taken::Sandbox(sandbox))),
                None => Ok((build(Ready::Nothing)?, Taken::Nothing)),
            };
        }
        let wanted = makes_network(spec, host).then(|| self.stock.network());
        match wanted.flatten() {
            Some(network) => Ok((build(Ready::Network)?, Taken::Network(network))),
            None => Ok((build(Ready::Nothing)?, Taken::Nothing)),
        }
    }
}
