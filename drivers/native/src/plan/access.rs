//! What the launch and the record take from a plan.

use super::steps::Step;
use super::{Plan, PlanError, Shape, encode, too_large};
use crate::launch::outside;
use crate::shelf::Lent;
use crate::state::NamespaceRecord;
use crate::wire::Op;

impl Plan {
    /// The message for init.
    ///
    /// # Errors
    /// It is larger than init accepts: far above what the kernel executes.
    pub(crate) fn message(&self) -> Result<Lent<u8>, PlanError> {
        let fds = u16::try_from(self.fds.len()).ok();
        let message = fds.and_then(|fds| encode::message(self.steps.encoded(), fds, self.slots));
        message.ok_or_else(|| too_large("process"))
    }

    /// The shape of the sandbox that it takes; `None` where it takes none.
    pub(crate) fn shape(&self) -> Option<Shape> {
        Shape::of(&self.steps)
    }

    /// Whether a sandbox of this shape is what it takes.
    pub(crate) fn has_shape(&self, shape: &Shape) -> bool {
        shape.is(&self.steps)
    }

    /// The namespaces that are not the host program's, for the record.
    pub(crate) fn foreign_namespaces(&self) -> Vec<NamespaceRecord> {
        self.namespaces.clone()
    }

    /// Whether the container's processes may not call setgroups, for the record.
    pub(crate) fn denies_setgroups(&self) -> bool {
        self.denies_setgroups
    }

    /// The host's user and group of the container's root, where there is a new user namespace.
    pub(crate) fn root_on_host(&self) -> Option<(u32, u32)> {
        let maps = self.id_maps.as_ref()?;
        outside(&maps.uids, 0).zip(outside(&maps.gids, 0))
    }

    /// The number of the first step after the wait for a start, and the words from there on.
    pub(crate) fn after_hold(&self) -> Option<(u32, Vec<String>)> {
        let holds = |step: Step<'_>| matches!(step.op(), Some(Op::Hold { .. }));
        let next = self.steps.iter().position(holds)? + 1;
        let words = self.steps.iter().skip(next);
        let words = words.map(|step| step.words().to_owned()).collect();
        Some((u32::try_from(next).ok()?, words))
    }

    /// The words of the step that a report names.
    pub(crate) fn describe(&self, index: u32) -> String {
        let index = usize::try_from(index).ok();
        let step = index.and_then(|index| self.steps.get(index));
        step.map_or_else(
            || "set the container up".to_owned(),
            |step| step.words().to_owned(),
        )
    }
}
