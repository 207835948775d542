//! The container's terminal: allocated inside its own devpts, its master sent to the parent.

use crate::paths;
use crate::run::{Done, Failure, Init};
use crate::sys::abi::{
    DEVPTS_SUPER_MAGIC, O_CLOEXEC, O_DIRECTORY, O_NOCTTY, O_NOFOLLOW, O_PATH, O_RDWR,
    RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV, S_IFCHR, S_IFREG, TIOCGPTPEER, device,
};
use crate::sys::{Errno, Fd, fs, mount, socket};
use crate::wire::{Detail, Kind, NO_ID};

/// What `Terminal` asks for.
pub(crate) struct Wanted {
    pub(crate) rows: u16,
    pub(crate) cols: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) console: bool,
}

const INSIDE: u64 = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;

/// Opens a terminal and sends its master. The slave comes from the master itself and not from a name that could be
/// swapped (CVE-2025-52565).
pub(crate) fn open(init: &mut Init, wanted: &Wanted) -> Done {
    let pts = paths::find(init, c"/dev/pts", O_DIRECTORY)?;
    let master = open_master(&pts)?;
    socket::unlock_terminal(master.raw())?;
    let flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
    let slave = Fd::own(socket::ioctl_number(master.raw(), TIOCGPTPEER, flags as usize)? as i32);
    if (wanted.rows, wanted.cols) != (0, 0) {
        socket::set_window(master.raw(), wanted.rows, wanted.cols)?;
    }
    fs::chmod(slave.raw(), 0o600)?;
    if (wanted.uid, wanted.gid) != (NO_ID, NO_ID) {
        fs::chown(slave.raw(), wanted.uid, wanted.gid)?;
    }
    let slave = if wanted.console {
        as_console(init, &slave)?
    } else {
        slave
    };
    init.report(Kind::Terminal, 0, Some(master.raw()))?;
    init.terminal = Some(slave);
    Ok(())
}

fn open_master(pts: &Fd) -> Result<Fd, Failure> {
    if fs::statfs(pts.raw())?.kind != DEVPTS_SUPER_MAGIC {
        return Err(Failure::of(Detail::NotDevpts));
    }
    let master = fs::open(pts.raw(), c"ptmx", O_RDWR | O_NOCTTY, INSIDE)?;
    let stat = fs::stat(master.raw())?;
    let right = stat.kind() == S_IFCHR && stat.rdev == device(5, 2);
    if right {
        Ok(master)
    } else {
        Err(Failure::of(Detail::NotDevpts))
    }
}

/// Binds the slave on /dev/console and opens it there, so that ttyname(3) inside finds that name.
fn as_console(init: &Init, slave: &Fd) -> Result<Fd, Failure> {
    let dev = paths::find(init, c"/dev", O_DIRECTORY)?;
    match fs::mknod(dev.raw(), c"console", S_IFREG | 0o600, 0) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let target = fs::open(
        dev.raw(),
        c"console",
        O_PATH | O_NOFOLLOW,
        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    )?;
    let tree = mount::clone_tree(slave.raw(), false)?;
    mount::attach(tree.raw(), target.raw())?;
    let console = fs::open(
        dev.raw(),
        c"console",
        O_RDWR | O_NOCTTY,
        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    )?;
    let same = fs::stat(console.raw())?.rdev == fs::stat(slave.raw())?.rdev;
    if same {
        Ok(console)
    } else {
        Err(Failure::of(Detail::SourceChanged))
    }
}
