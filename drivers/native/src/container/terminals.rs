//! The terminals that this process holds, for `resize` by id.

use execdriver_core::{Target, Terminal};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Terminals by what they belong to. They are owned by the run or exec that waits.
#[derive(Default)]
pub(super) struct Terminals {
    held: Mutex<HashMap<Arc<Target>, Weak<dyn Terminal>>>,
}

impl Terminals {
    /// Remembers a terminal until the value is dropped.
    pub(super) fn hold(&self, target: Target, terminal: &Arc<dyn Terminal>) -> HeldTerminal<'_> {
        let target = Arc::new(target);
        let kept = Arc::clone(&target);
        self.lock().insert(kept, Arc::downgrade(terminal));
        HeldTerminal {
            terminals: self,
            target,
        }
    }

    /// The terminal of `target`, if this process holds it.
    pub(super) fn find(&self, target: &Target) -> Option<Arc<dyn Terminal>> {
        self.lock().get(target)?.upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<Target>, Weak<dyn Terminal>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Terminals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}

/// A remembered terminal.
pub(super) struct HeldTerminal<'a> {
    terminals: &'a Terminals,
    target: Arc<Target>,
}

impl Drop for HeldTerminal<'_> {
    fn drop(&mut self) {
        self.terminals.lock().remove(&self.target);
    }
}
