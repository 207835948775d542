//! What a run or an exec says to its plan beside the specification.

use super::ready::Ready;
use crate::seccomp::Filter;
use std::sync::Arc;

/// How the process is run, apart from what the container is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RunInput {
    /// Bit n: descriptor n is a pipe that was made for this process, and is given to its user.
    pub(crate) owned_streams: u8,
    /// How many version 1 cgroups init enters by itself.
    pub(crate) cgroup_entries: u16,
    /// Killed when the host program dies.
    pub(crate) die_with_host: bool,
    /// Template defaults that are not in force are errors.
    pub(crate) strict: bool,
    /// The filter of system calls; none where none was asked for, and none of the template's where the kernel has none.
    pub(crate) filter: Option<Arc<Filter>>,
    /// Whether somebody takes a filter's listener.
    pub(crate) listener: bool,
    /// Whether the program waits for somebody who starts it.
    pub(crate) hold: bool,
    /// The host's session keyring stays.
    pub(crate) keep_keyring: bool,
    /// How many descriptors from 3 on the program gets beside its streams.
    pub(crate) preserved: u16,
    /// What was made ahead.
    pub(crate) ready: Ready,
    /// Its first process waits already, in its cgroups and a pid namespace, and in the host's namespaces else.
    pub(crate) begun: bool,
    /// Whether the parent has nothing to do that must come before the mounts, or before an exec enters its container, as far
    /// as it knows without the plan.
    pub(crate) go_ahead: bool,
}
