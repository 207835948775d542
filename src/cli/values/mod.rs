//! The values of flags, parsed: durations, volumes, tmpfs, devices, limits, namespaces.

mod device;
mod duration;
mod namespace;
mod ulimit;
mod volume;

pub(crate) use device::device;
pub(crate) use duration::duration;
pub(crate) use namespace::Namespace;
pub(crate) use ulimit::ulimit;
pub(crate) use volume::{tmpfs, volume};
