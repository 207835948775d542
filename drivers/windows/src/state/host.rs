//! The program that runs a container: which one it is, and whether it still lives.

use crate::backend::ProcessIdentity;

/// This program.
pub(crate) fn own() -> ProcessIdentity {
    #[cfg(windows)]
    return crate::sys::process::own_identity();
    #[cfg(not(windows))]
    ProcessIdentity {
        pid: std::process::id(),
        created: 0,
    }
}

/// Whether that program still runs; in doubt it does.
pub(crate) fn is_alive(host: ProcessIdentity) -> bool {
    if host == own() {
        return true;
    }
    #[cfg(windows)]
    return !matches!(crate::sys::process::ProcessHandle::reopen(host), Ok(None));
    #[cfg(not(windows))]
    false
}
