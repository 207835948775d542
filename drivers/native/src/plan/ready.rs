//! What of a container can be there before anybody asks for it, and what of its plan is left then.
//!
//! A plan is made as always, and parted afterwards: the file systems on /dev and /sys, and the nodes, links and file systems
//! in them that take nothing from the container's root, its cgroups or the host's files, are made ahead, and the container's
//! init attaches the two trees. Two plans with the same operations done ahead have the same [`Shape`], byte for byte, and
//! what was made for one is good for the other.

use super::namespaces::{Namespaces, flag};
use super::steps::{Fate, Steps};
use super::{FdSlot, Host, PlanError, encode, too_large};
use crate::shelf::Lent;
use crate::wire::{MOUNT_COPY_UP, MOUNT_INHERIT_MODE, MOUNT_REAL_DIR, Op};
use execdriver_core::Spec;
use oci_spec::runtime::{LinuxNamespaceType as Kind, Mount};
use std::ffi::CStr;
use std::path::Path;
use std::sync::Arc;

/// What a start finds made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Ready {
    /// Nothing.
    #[default]
    Nothing,
    /// A network namespace.
    Network,
    /// A sandbox of its shape: namespaces of network and IPC, and what is mounted on /dev and /sys.
    Sandbox,
}

impl Ready {
    /// `CLONE_NEW*` bits of the namespaces that need not be made.
    pub(super) const fn namespaces(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Network => flag(Kind::Network),
            Self::Sandbox => flag(Kind::Network) | flag(Kind::Ipc),
        }
    }
}

/// Whether a network namespace made ahead is of use to this container.
pub(crate) fn makes_network(spec: &Spec, host: &Host) -> bool {
    Namespaces::decide(spec, host).is_ok_and(|namespaces| namespaces.may_take_network())
}

impl Namespaces {
    /// Whether one made ahead will do for its network: a private one, of the user namespace that the host program is in.
    fn may_take_network(&self) -> bool {
        self.creates(Kind::Network) && !self.in_user_namespace()
    }

    /// The same of all that a sandbox is. A document may say of each mount what would not be the same ahead.
    fn may_take_sandbox(&self, spec: &Spec) -> bool {
        let private = self.creates(Kind::Ipc) && self.creates(Kind::Mount);
        private
            && !spec.is_document()
            && self.may_take_network()
            && !self.is_confined()
            && has_trees(spec)
    }

    /// With what is ready, if it is of use here.
    pub(super) fn with(mut self, ready: Ready, spec: &Spec) -> Self {
        let useful = match ready {
            Ready::Nothing => false,
            Ready::Network => self.may_take_network(),
            Ready::Sandbox => self.may_take_sandbox(spec),
        };
        if useful {
            self.ready = ready;
        }
        self
    }

    /// Enters what was made ahead: before the parent is told that all namespaces exist, and so before the hooks. Gives the slot
    /// of the first tree, where there are some.
    pub(super) fn take_ready(
        &self,
        steps: &mut Steps,
        fds: &mut Vec<FdSlot>,
    ) -> Result<Option<u16>, PlanError> {
        if self.ready != Ready::Nothing {
            let slot = super::slot(fds, FdSlot::ReadyNetwork)?;
            steps.push(&join(slot, Kind::Network), "enter the network namespace");
        }
        if self.ready != Ready::Sandbox {
            return Ok(None);
        }
        let slot = super::slot(fds, FdSlot::ReadyIpc)?;
        steps.push(&join(slot, Kind::Ipc), "enter the IPC namespace");
        let first = super::slot(fds, FdSlot::ReadyTree(0))?;
        super::slot(fds, FdSlot::ReadyTree(1))?;
        Ok(Some(first))
    }
}

fn join(slot: u16, kind: Kind) -> Op<'static> {
    let flags = u32::try_from(flag(kind)).unwrap_or_default();
    Op::Join { slot, flags }
}

/// Whether the document has new file systems where the trees are.
fn has_trees(spec: &Spec) -> bool {
    let mounts = spec.oci.mounts().as_deref().unwrap_or_default();
    let has = |path: &str, fstype: &str| {
        let right = |mount: &Mount| {
            mount.typ().as_deref() == Some(fstype) && mount.destination() == Path::new(path)
        };
        mounts.iter().any(right)
    };
    has("/dev", "tmpfs") && has("/sys", "sysfs")
}

/// The operations that make a container's trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape(Arc<[Box<[u8]>]>);

impl Shape {
    /// Where the trees are, and what the place has to be.
    pub(crate) const TREES: [(&CStr, u32, &str); 2] = [
        (c"/dev", 0, "mount what was made ahead on /dev"),
        (c"/sys", MOUNT_REAL_DIR, "mount what was made ahead on /sys"),
    ];

    /// Of a plan that takes a sandbox.
    pub(super) fn of(steps: &Steps) -> Option<Self> {
        Some(Self(steps.ahead()?.map(Box::from).collect()))
    }

    /// Whether it is that plan's.
    pub(super) fn is(&self, steps: &Steps) -> bool {
        let own = self.0.iter().map(AsRef::as_ref);
        steps.ahead().is_some_and(|ahead| ahead.eq(own))
    }

    /// The message to an init that makes it, in the namespaces of slots 0 and 1.
    pub(crate) fn message(&self) -> Result<Lent<u8>, PlanError> {
        let flags = libc::MS_REC | libc::MS_PRIVATE;
        let [(dev, ..), (sys, ..)] = Self::TREES;
        let before = [
            join(0, Kind::Network),
            join(1, Kind::Ipc),
            Op::Propagation { flags },
            Op::Skeleton {},
            Op::Mkdir {
                path: dev,
                mode: 0o755,
            },
            Op::Mkdir {
                path: sys,
                mode: 0o755,
            },
        ];
        let after = [
            Op::Offer { path: dev },
            Op::Offer { path: sys },
            Op::AwaitGo {},
        ];
        let encoded = |op: &Op<'_>| {
            let mut bytes = Vec::new();
            op.encode(&mut bytes);
            bytes
        };
        let mut all: Vec<Vec<u8>> = before.iter().map(encoded).collect();
        all.extend(self.0.iter().map(|op| op.to_vec()));
        all.extend(after.iter().map(encoded));
        let message = encode::message(all.iter().map(Vec::as_slice), 2, 2);
        message.ok_or_else(|| too_large("mounts"))
    }
}

/// Parts the steps of a plan that takes a sandbox whose trees are in slots from `first` on. Where that cannot be, nothing is done
/// ahead, and the plan is none that can be carried out.
pub(super) fn attach(steps: &mut Steps, first: u16) {
    let Some(fates) = Fates::of(steps) else {
        return;
    };
    steps.part_ways(&fates, |number| {
        let (target, flags, words) = Shape::TREES[usize::from(number) % Shape::TREES.len()];
        let slot = first.saturating_add(number);
        let attach = Op::Attach {
            slot,
            target,
            flags,
        };
        (attach, words)
    });
}

/// File systems that show nothing but the namespaces that a sandbox has. All others, cgroups among them, would show those of
/// whoever makes it.
const OF_A_SANDBOX: [&CStr; 4] = [c"tmpfs", c"sysfs", c"devpts", c"mqueue"];

/// How far a tree has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tree {
    /// Nothing is mounted there yet.
    Missing,
    /// What comes next in it can be done ahead.
    Open,
    /// Something came into it that cannot: what follows may need to see it, or to cover it.
    Closed,
}

/// Who does each step, decided one after the other. Ahead go only those that are the same whenever they are done: what is masked
/// is not, as a module of the kernel's that is loaded later may bring a file that was not there.
struct Fates {
    trees: [Tree; 2],
    all: Vec<Fate>,
    /// A step belongs to one that is done ahead, and cannot be.
    torn: bool,
}

impl Fates {
    /// `None` where not both trees are there, or one would be torn.
    fn of(steps: &Steps) -> Option<Vec<Fate>> {
        let mut fates = Self {
            trees: [Tree::Missing; 2],
            all: Vec::with_capacity(128),
            torn: false,
        };
        for step in steps.iter() {
            let fate = fates.next(&step.op()?);
            fates.all.push(fate);
        }
        let complete = !fates.torn && !fates.trees.contains(&Tree::Missing);
        complete.then_some(fates.all)
    }

    fn next(&mut self, op: &Op<'_>) -> Fate {
        match *op {
            Op::MountFs {
                fstype,
                target,
                flags,
                ..
            } => match OF_A_SANDBOX.contains(&fstype) && !reads_place(flags) {
                true => self.begins(target).unwrap_or_else(|| self.within(target)),
                false => self.stays_in(target),
            },
            Op::Device { path, .. } | Op::Symlink { path, .. } | Op::Mkdir { path, .. } => {
                self.within(path)
            }
            Op::Bind { target: path, .. }
            | Op::CgroupFs { target: path, .. }
            | Op::Mask { path }
            | Op::ReadonlyPath { path } => self.stays_in(path),
            Op::MaskInit {} => Fate::Stays,
            // Of the step before.
            Op::MountAttrs { .. } => {
                self.torn |= self.all.last().is_some_and(|fate| *fate != Fate::Stays);
                Fate::Stays
            }
            _ => {
                self.close_all();
                Fate::Stays
            }
        }
    }

    /// A file system that is the first on a tree's place.
    fn begins(&mut self, target: &CStr) -> Option<Fate> {
        let number = Shape::TREES.iter().position(|(path, ..)| *path == target)?;
        let tree = self.trees.get_mut(number)?;
        if *tree != Tree::Missing {
            return None;
        }
        *tree = Tree::Open;
        Some(Fate::Tree(u16::try_from(number).ok()?))
    }

    /// A step that can be done ahead if its tree is open.
    fn within(&mut self, path: &CStr) -> Fate {
        match self.tree_of(path) {
            Some(tree) if *tree == Tree::Open => Fate::Ahead,
            _ => self.stays_in(path),
        }
    }

    /// A step that cannot.
    fn stays_in(&mut self, path: &CStr) -> Fate {
        if !is_clean(path) {
            // It may be anywhere.
            self.close_all();
        }
        for ((place, ..), tree) in Shape::TREES.iter().zip(&mut self.trees) {
            let at = path.to_bytes().starts_with(place.to_bytes());
            if at && *tree == Tree::Open {
                *tree = Tree::Closed;
            }
        }
        Fate::Stays
    }

    fn close_all(&mut self) {
        for tree in &mut self.trees {
            if *tree == Tree::Open {
                *tree = Tree::Closed;
            }
        }
    }

    /// The tree that a path lies in, by its letters.
    fn tree_of(&mut self, path: &CStr) -> Option<&mut Tree> {
        if !is_clean(path) {
            return None;
        }
        let inside = |(place, ..): &(&CStr, u32, &str)| {
            let rest = path.to_bytes().strip_prefix(place.to_bytes());
            rest.is_some_and(|rest| rest.starts_with(b"/"))
        };
        let number = Shape::TREES.iter().position(inside)?;
        self.trees.get_mut(number)
    }
}

/// Whether a path has no `.`, `..` or empty name, so that it lies where its letters say, links aside.
fn is_clean(path: &CStr) -> bool {
    let mut pairs = path.to_bytes().windows(2);
    !pairs.any(|pair| pair == b"/." || pair == b"//")
}

/// Whether a new file system takes something from the directory that it covers, which is the image's.
fn reads_place(flags: u32) -> bool {
    flags & (MOUNT_INHERIT_MODE | MOUNT_COPY_UP) != 0
}
