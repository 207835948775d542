//! A sandbox made ahead: the namespaces and mounts of a container that is the same whatever runs in it.

use super::namespaces::Workshop;
use crate::launch::{LaunchError, offered};
use crate::plan::{PlanError, Shape};
use nix::errno::Errno;
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

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum SandboxError {
    #[error("cannot make a namespace")]
    Namespace(#[from] Errno),
    #[error("cannot describe the mounts")]
    Plan(#[from] PlanError),
    #[error("cannot make the mounts")]
    Mounts(#[from] LaunchError),
}

impl Sandbox {
    /// Makes one of this shape.
    pub(super) fn make(workshop: &Workshop, shape: &Shape) -> Result<Self, SandboxError> {
        if workshop.is_lost() {
            return Err(Errno::ESTALE.into());
        }
        let message = shape.message()?;
        let (network, ipc) = (workshop.network()?, workshop.ipc()?);
        let trees = offered(
            &message,
            &[network.as_fd(), ipc.as_fd()],
            Shape::TREES.len(),
        )?;
        Ok(Self {
            network,
            ipc,
            trees,
        })
    }
}
