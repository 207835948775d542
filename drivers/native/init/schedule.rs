//! The processors that the payload runs on.

use crate::run::{Done, Failure};
use crate::sys::schedule;
use crate::wire::Detail;

/// Bytes for the processors of any kernel: 65536.
const MASK_MAX: usize = 8192;

/// Takes exactly these. The kernel silently leaves out those that the cpuset or the machine has not.
pub(crate) fn processors(wanted: &[u8]) -> Done {
    schedule::set_processors(wanted)?;
    let mut mask = [0; MASK_MAX];
    let written = schedule::processors(&mut mask)?;
    let got = mask.get(..written).unwrap_or_default();
    let longest = wanted.len().max(got.len());
    let same =
        (0..longest).all(|index| wanted.get(index).unwrap_or(&0) == got.get(index).unwrap_or(&0));
    if same {
        Ok(())
    } else {
        Err(Failure::of(Detail::OtherProcessors))
    }
}
