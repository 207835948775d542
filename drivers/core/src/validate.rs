//! What can be said against a command without looking at a host.

use crate::{Command, ContainerId, Result};

impl Command {
    /// Judges the command without touching anything.
    ///
    /// # Errors
    /// `InvalidCommand` that names the field in the words of the JSON.
    pub fn validate(&self) -> Result<()> {
        ContainerId::parse(&self.id)?;
        Ok(())
    }

    /// A field that is set although the command's platform does not have it, and why not.
    pub(crate) fn foreign_field(&self) -> Option<(String, String)> {
        None
    }
}
