//! The specification of a start, taken over from an earlier one of the same shape.

use super::Containers;
use crate::NativeDriver;
use execdriver_core::spec::Draft;
use execdriver_core::{Command, Result};

impl Containers {
    /// Translates a command, or has what was translated become it: a document is more than a hundred small blocks of memory.
    pub(super) fn draft(&self, command: &Command) -> Result<Draft> {
        match self.drafts.take(|draft| draft.suits(command)) {
            Some(mut draft) => draft.become_of(command).map(|()| draft),
            None => Draft::of(command, NativeDriver::NAME),
        }
    }

    /// Leaves it to the next start, without what may be secret.
    pub(super) fn keep_draft(&self, mut draft: Draft) {
        draft.forget_words();
        if draft.is_small() {
            self.drafts.put(draft);
        }
    }
}
