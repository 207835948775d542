//! A mount namespace in which only version 1 of cgroups is seen: crun refuses a host that has both versions.

use crate::Result;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use std::path::Path;

const UNIFIED: &str = "/sys/fs/cgroup/unified";

/// Does the work, and starts its processes, where version 2 is unmounted. `ids` are those of crun's containers.
pub(crate) fn within<T: Send>(ids: &[&str], work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    // A thread has a mount namespace of its own if it wants to, and its children are started in it.
    let done = std::thread::scope(|scope| scope.spawn(|| on_thread(ids, work)).join());
    done.map_err(|_| "the measuring thread panicked")?
}

fn on_thread<T>(ids: &[&str], work: impl FnOnce() -> Result<T>) -> Result<T> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        None::<&str>,
    )?;
    let hybrid = Path::new(UNIFIED).exists();
    if hybrid {
        umount2(UNIFIED, MntFlags::MNT_DETACH)?;
    }
    let done = work();
    if hybrid {
        for id in ids {
            // crun takes the empty mount point for a hierarchy, and makes a plain directory there.
            let _ = std::fs::remove_dir_all(Path::new(UNIFIED).join(id));
        }
    }
    done
}
