//! The program's word that it is ready (sd_notify(3)): the host's own socket would not believe a process of another cgroup.

use super::{OciResult, Runtime};
use crate::container::error;
use crate::state::{NOTIFY, NOTIFY_SOCKET};
use oci_spec::runtime::{Mount, Process, Spec};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Where the container finds the directory.
const INSIDE: &str = "/run/notify";

impl Runtime {
    /// The socket on which the program of a container says that it is ready; `None` when the container was made without.
    ///
    /// # Errors
    /// There is no such container, or the socket cannot be made.
    pub fn notices(&self, id: &str) -> OciResult<Option<UnixDatagram>> {
        let (entry, _) = self.load(id)?;
        let failed = "make the socket for notices";
        let address = entry.notify_address().map_err(error::setup(failed))?;
        let Some(address) = address else {
            return Ok(None);
        };
        let socket = UnixDatagram::bind(&address).map_err(error::setup(failed))?;
        // Whoever the program runs as: nobody else gets to the directory.
        let everybody = Permissions::from_mode(0o777);
        std::fs::set_permissions(&address, everybody).map_err(error::setup(failed))?;
        Ok(Some(socket))
    }
}

/// Has the program find the socket below the state directory.
pub(super) fn announce(document: &mut Spec, state: &Path) {
    let mut mount = Mount::default();
    mount
        .set_destination(INSIDE.into())
        .set_source(Some(state.join(NOTIFY)))
        .set_typ(Some("bind".to_owned()))
        .set_options(Some(
            ["bind", "nosuid", "noexec", "nodev", "ro"]
                .map(str::to_owned)
                .to_vec(),
        ));
    let mut mounts = document.mounts().clone().unwrap_or_default();
    mounts.push(mount);
    document.set_mounts(Some(mounts));
    if let Some(process) = document.process_mut() {
        tell(process);
    }
}

fn tell(process: &mut Process) {
    let mut env = process.env().clone().unwrap_or_default();
    env.retain(|entry| !entry.starts_with("NOTIFY_SOCKET="));
    env.push(format!("NOTIFY_SOCKET={INSIDE}/{NOTIFY_SOCKET}"));
    process.set_env(Some(env));
}
