//! Which device nodes a container may use, whoever made them: rules, and the two ways to enforce them.
//!
//! The rules are ordered. Each of the three accesses is decided on its own: by the last rule that is
//! about the node and names the access; without one it is denied. A use that needs several accesses
//! (opening for reading and writing) needs all of them. Version 1 ([`v1`]) and the program of version 2
//! ([`program`]) answer the same.

mod apply;
mod program;
mod rule;
#[cfg(test)]
mod tests;
mod v1;

pub(crate) use apply::{DevicePrograms, programs_refused};
pub(crate) use rule::DeviceRule;
