//! Mounts that are made before it is known for whom: in an empty root, sent away, and attached by another init.

use core::ffi::CStr;

use crate::mounts::Target;
use crate::paths;
use crate::root;
use crate::run::{Done, Init};
use crate::sys::abi::O_DIRECTORY;
use crate::sys::mount;
use crate::wire::Kind;

/// Puts an empty tmpfs over `/`, as the root of all that follows.
pub(crate) fn skeleton(init: &mut Init) -> Done {
    let memory = mount::fsopen(c"tmpfs")?;
    mount::fsconfig(&memory, c"mode", Some(c"0755"))?;
    let memory = mount::fsmount(&memory, 0)?;
    root::cover_host(init, &memory)?;
    init.root = Some(memory);
    Ok(())
}

/// Sends a clone of what is mounted at a path. A clone is attached nowhere: it lives as long as its descriptor, or as what it is
/// attached to.
pub(crate) fn offer(init: &Init, path: &CStr) -> Done {
    let found = paths::find(init, path, O_DIRECTORY)?;
    let tree = mount::clone_tree(found.raw(), true)?;
    init.report(Kind::Offered, 0, Some(tree.raw()))
}

/// Mounts a tree that was made ahead where a new file system would be mounted.
pub(crate) fn attach(init: &mut Init, slot: u16, path: &'static CStr, flags: u32) -> Done {
    let tree = init.take_slot(slot)?;
    init.attached = None;
    Target::of(init, path, flags)?.cover(&tree)?;
    paths::covered(init, path);
    paths::remember(init, path, tree);
    Ok(())
}
