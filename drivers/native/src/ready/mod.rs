//! What is made ahead, while nobody waits: network namespaces, or sandboxes and first processes, which are most of a container.
//!
//! ```text
//! command -> pool: a first process in such cgroups? -> it, or none, and the start makes cgroups and a process
//! plan    -> pool: a sandbox of this shape?         -> it, or none, and the container makes its own
//!              |   after the start: what was taken is ordered again; after the end: its cgroups are let go of
//!              +-> thread -> namespaces, an init that mounts -> descriptors
//!              +-> thread -> cgroups, an init that waits
//! ```
//! Each is given out once and never comes back: no container finds what another left.

mod namespaces;
mod pool;
mod sandbox;
mod waiting;

use crate::cgroup::Cgroup;
use crate::facts::Standing;
use crate::plan::Shape;
use namespaces::Workshop;
use nix::sys::resource::{Resource, getrlimit};
use pool::Pool;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};
use waiting::{Known, Posting};

pub(crate) use sandbox::Sandbox;
pub(crate) use waiting::{Post, Waiting};

/// The most that a driver keeps: each is 100 to 200 KiB of the kernel's memory, and one or four descriptors; a first process with
/// its cgroups has up to sixteen, and as much memory again.
pub(crate) const MOST: usize = 64;

/// Of the descriptors that the host program may have open, sandboxes and first processes hold a quarter at most, those that the
/// threads are about to let go of included.
const SHARE: u64 = 4 * 32;

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
    /// Sandboxes, of the shapes that were asked for last, and first processes for them.
    Sandboxes(Box<Sandboxes>),
}

/// The two halves of a container that are there before it.
#[derive(Debug)]
pub(crate) struct Sandboxes {
    pub(crate) boxes: Pool<Shape, Sandbox>,
    posts: Pool<Post, Waiting>,
    known: Known,
    /// Starts by threads that hand down something else.
    others: AtomicU32,
}

impl Sandboxes {
    fn new(size: usize) -> Self {
        let known = Known::default();
        let told = Arc::clone(&known);
        Self {
            boxes: Pool::new("execdriver-box", size, || {
                let workshop = Workshop::open().ok()?;
                Some(Box::new(move |shape| Sandbox::make(&workshop, shape)))
            }),
            posts: Pool::new("execdriver-post", size, move || {
                let mut posting = Posting::open(Arc::clone(&told))?;
                Some(Box::new(move |post| posting.make(post)))
            }),
            known,
            others: AtomicU32::new(0),
        }
    }

    /// A first process that suits, which nobody else has or had.
    pub(crate) fn first_process(&self, post: &Post) -> Option<Waiting> {
        if self.is_others(&post.standing) {
            // What the thread would make for it suits nobody.
            return None;
        }
        let taken = self.posts.take(|kept| kept == post, || Some(post.clone()));
        taken.filter(Waiting::waits)
    }

    /// Whether the thread that makes them hands down something else. That is asked anew from time to time, as all threads may have
    /// changed.
    fn is_others(&self, standing: &Standing) -> bool {
        const OFTEN: u32 = 16;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let other = known
            .as_ref()
            .is_some_and(|known| *known != standing.thread);
        other && self.others.fetch_add(1, Ordering::Relaxed) % OFTEN != OFTEN - 1
    }

    /// Takes back what was not used.
    pub(crate) fn give_back(&self, post: Post, waiting: Waiting) {
        self.posts.give_back(post, waiting);
    }

    /// Takes the cgroups of a container that has ended, of which a thread lets go; or gives them back.
    pub(crate) fn let_go(&self, cgroup: Cgroup) -> Option<Cgroup> {
        let back = self.posts.let_go(Waiting::ended(cgroup))?;
        back.part().1
    }
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
            size => Self::Sandboxes(Box::new(Sandboxes::new(affordable(size)))),
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
    pub(crate) fn kept_sandboxes(&self) -> Option<&Sandboxes> {
        match self {
            Self::Sandboxes(kept) => Some(kept),
            Self::Nothing | Self::Networks(_) => None,
        }
    }

    /// Makes what is missing: said when a start is over, whose time it would take.
    pub(crate) fn restock(&self) {
        match self {
            Self::Nothing => {}
            Self::Networks(pool) => pool.restock(),
            Self::Sandboxes(kept) => {
                kept.posts.restock();
                kept.boxes.restock();
            }
        }
    }
}
