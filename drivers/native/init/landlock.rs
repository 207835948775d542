//! Puts Landlock rules in force and makes sure that they are.

use core::ffi::CStr;

use crate::run::{Done, Failure, Init};
use crate::sys::abi::{O_DIRECTORY, O_RDONLY, S_IFDIR};
use crate::sys::{Errno, Fd, fs, landlock};
use crate::wire::Detail;
use crate::{capabilities, paths};

/// EXECUTE, WRITE_FILE, READ_FILE, TRUNCATE and IOCTL_DEV: what a rule for a file may give.
const OF_FILES: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15;
const READ_DIR: u64 = 1 << 3;

/// Rules in the making.
pub(crate) struct Rules {
    ruleset: Fd,
    /// Whether directories cannot be read where no rule says so.
    denies_reading: bool,
    /// Device and inode of the container's root.
    root: (u64, u64),
    /// A rule is for the root, and so for everything.
    allows_root: bool,
}

/// Makes the ruleset.
pub(crate) fn begin(init: &mut Init, wanted: u32, handled: [u64; 3]) -> Done {
    let abi = landlock::abi()?;
    if abi < wanted {
        return Err(Failure {
            value: u64::from(abi),
            ..Failure::of(Detail::LandlockTooOld)
        });
    }
    let root = fs::stat(paths::find(init, c"/", O_DIRECTORY)?.raw())?;
    init.landlock = Some(Rules {
        ruleset: landlock::create(handled)?,
        denies_reading: handled[0] & READ_DIR != 0,
        root: (root.dev, root.ino),
        allows_root: false,
    });
    Ok(())
}

/// Gives rights below a path of the container; a missing one is an error.
pub(crate) fn allow_path(init: &mut Init, path: &CStr, access: u64) -> Done {
    let file = paths::find(init, path, 0)?;
    let stat = fs::stat(file.raw())?;
    let rules = init
        .landlock
        .as_mut()
        .ok_or(Failure::of(Detail::BadMessage))?;
    rules.allows_root |= (stat.dev, stat.ino) == rules.root;
    let access = match stat.kind() {
        S_IFDIR => access,
        _ => access & OF_FILES,
    };
    Ok(landlock::allow_below(
        rules.ruleset.raw(),
        file.raw(),
        access,
    )?)
}

/// Gives rights to a port.
pub(crate) fn allow_port(init: &Init, port: u16, access: u64) -> Done {
    let rules = init
        .landlock
        .as_ref()
        .ok_or(Failure::of(Detail::BadMessage))?;
    Ok(landlock::allow_port(rules.ruleset.raw(), port, access)?)
}

/// In force from here on, for good. It takes no_new_privs or CAP_SYS_ADMIN in our user namespace, which the change of
/// user took from the effective set.
pub(crate) fn restrict(init: &mut Init) -> Done {
    let rules = init
        .landlock
        .take()
        .ok_or(Failure::of(Detail::BadMessage))?;
    capabilities::regain()?;
    landlock::restrict(rules.ruleset.raw())?;
    if !rules.denies_reading || rules.allows_root {
        return Ok(());
    }
    // No system call tells what is in force, so a forbidden file is tried.
    match fs::open(init.root(), c"/", O_RDONLY | O_DIRECTORY, 0) {
        Err(Errno::EACCES) => Ok(()),
        Err(errno) => Err(errno.into()),
        Ok(_) => Err(Failure::of(Detail::LandlockNotInForce)),
    }
}
