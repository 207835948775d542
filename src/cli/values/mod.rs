//! The values of flags, parsed: durations, volumes, tmpfs, devices, limits, namespaces, user namespaces.

mod confine;
mod device;
mod duration;
mod limits;
mod namespace;
mod seccomp;
mod size;
mod ulimit;
mod userns;
mod volume;

pub(crate) use confine::{
    ClockArg, LandlockArg, clock, io_priority, landlock, memory_policy, personality, scheduler,
    securebit,
};
pub(crate) use device::DeviceArg;
pub(crate) use duration::duration;
pub(crate) use limits::{Bytes, DeviceNumber, cpus, huge_pages, of_device, rate};
pub(crate) use namespace::Namespace;
pub(crate) use seccomp::SeccompArg;
pub(crate) use size::size;
pub(crate) use ulimit::ulimit;
pub(crate) use userns::UsernsArg;
pub(crate) use volume::{VolumeArg, tmpfs};

/// What the system said, without the number that std adds.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
