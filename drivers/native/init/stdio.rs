//! Puts the payload's streams on descriptors 0, 1 and 2.

use crate::run::{Done, Init};
use crate::sys::fs;

/// Copies three slots onto 0, 1 and 2. No slot lies there itself: the socket held these numbers while slots were filled.
pub(crate) fn stdio(init: &mut Init, slots: [u16; 3]) -> Done {
    for (target, slot) in (0..).zip(slots) {
        fs::dup_to(init.slot(slot)?, target)?;
    }
    Ok(())
}
