//! `features`: what this runtime enforces, as JSON.

use super::failure::Answer;
use super::output;

pub(super) fn run() -> Answer {
    output::pretty(&execdriver_native::oci::features())
}
