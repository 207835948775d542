//! A sandbox made ahead: the namespaces and mounts of a container that is the same whatever runs in it.

use super::namespaces::Workshop;
use crate::launch::offered;
use crate::plan::Shape;
use std::os::fd::{AsFd, OwnedFd};

/// One, which becomes one container's.
#[derive(Debug)]
pub(crate) struct Sandbox {
    /// Its network namespace, the loopback interface up.
    pub(crate) network: OwnedFd,
    /// Its namespace of queues and shared memory.
    pub(crate) ipc: OwnedFd,
    /// Mounts that are attached nowhere yet, in the order of [`Shape::TREES`].
    pub(crate) trees: Vec<OwnedFd>,
}

impl Sandbox {
    /// Makes one of this shape; `None` where that cannot be done now, and containers make all by themselves.
    pub(super) fn make(workshop: &Workshop, shape: &Shape) -> Option<Self> {
        if workshop.is_lost() {
            return None;
        }
        let message = shape.message().ok()?;
        let (network, ipc) = (workshop.network().ok()?, workshop.ipc().ok()?);
        let fds = [network.as_fd(), ipc.as_fd()];
        let trees = offered(&message, &fds, Shape::TREES.len()).ok()?;
        Some(Self {
            network,
            ipc,
            trees,
        })
    }
}
