//! What is made ahead, while nobody waits: network namespaces, or sandboxes, which are most of a container.
//!
//! ```text
//! plan -> pool: one of this shape? -> it, or none, and the container makes its own
//!           |   after the start: what was taken is ordered again
//!           +-> thread -> namespaces, an init that mounts -> descriptors
//! ```
//! Each is given out once and never comes back: no container finds what another left.

mod namespaces;
mod pool;
mod sandbox;

use crate::plan::Shape;
use namespaces::Workshop;
use nix::sys::resource::{Resource, getrlimit};
use pool::Pool;
use std::os::fd::OwnedFd;

pub(crate) use sandbox::Sandbox;

/// The most that a driver keeps: each is 100 to 200 KiB of the kernel's memory, and one or four descriptors.
pub(crate) const MOST: usize = 64;

/// Of the descriptors that the host program may have open, sandboxes hold an eighth at most.
const SHARE: u64 = 8 * 4;

/// As many as are asked for, as long as descriptors are left for containers.
fn affordable(size: usize) -> usize {
    let soft = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    let most = usize::try_from(soft / SHARE).unwrap_or(MOST);
    size.min(MOST).min(most.max(1))
}

/// What a driver keeps ready: one kind of things, or nothing.
#[derive(Debug)]
pub(crate) enum Stock {
    /// Every container makes all by itself.
    Nothing,
    /// Network namespaces, their loopback interfaces up.
    Networks(Pool<(), OwnedFd>),
    /// Sandboxes, of the shapes that were asked for last.
    Sandboxes(Pool<Shape, Sandbox>),
}

impl Stock {
    /// Keeps up to so many network namespaces; 0 is none, and no thread.
    pub(crate) fn networks(size: usize) -> Self {
        match size {
            0 => Self::Nothing,
            size => Self::Networks(Pool::new("execdriver-net", size.min(MOST), || {
                let workshop = Workshop::open().ok()?;
                Some(Box::new(move |()| workshop.network().ok()))
            })),
        }
    }

    /// Keeps up to so many sandboxes; 0 is none, and no thread.
    pub(crate) fn sandboxes(size: usize) -> Self {
        match size {
            0 => Self::Nothing,
            size => Self::Sandboxes(Pool::new("execdriver-box", affordable(size), || {
                let workshop = Workshop::open().ok()?;
                Some(Box::new(move |shape| Sandbox::make(&workshop, shape)))
            })),
        }
    }

    /// A network namespace that nobody else has or had.
    pub(crate) fn network(&self) -> Option<OwnedFd> {
        match self {
            Self::Networks(pool) => pool.take(|()| true, || Some(())),
            Self::Nothing | Self::Sandboxes(_) => None,
        }
    }

    /// Where sandboxes are kept.
    pub(crate) fn kept_sandboxes(&self) -> Option<&Pool<Shape, Sandbox>> {
        match self {
            Self::Sandboxes(pool) => Some(pool),
            Self::Nothing | Self::Networks(_) => None,
        }
    }

    /// Makes what is missing: said when a start is over, whose time it would take.
    pub(crate) fn restock(&self) {
        match self {
            Self::Nothing => {}
            Self::Networks(pool) => pool.restock(),
            Self::Sandboxes(pool) => pool.restock(),
        }
    }
}
