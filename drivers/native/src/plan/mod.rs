//! From the specification to a plan: every decision made, still data.

pub(crate) mod encode;
