//! `NOTIFY_SOCKET`: the program's word that it is ready, handed on to whoever waits for ours.

use super::failure::Failure;
use execdriver_native::oci::{Runtime, Watched};
use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// How often it is looked whether the container still lives.
const LOOK: Duration = Duration::from_millis(200);

/// Whether anybody waits for us to be ready.
pub(super) fn is_wanted() -> bool {
    host().is_some()
}

fn host() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty())
}

/// What a container says, and who is told.
pub(super) struct Notices {
    socket: UnixDatagram,
    watch: execdriver_native::oci::Watch,
    pid: u32,
    host: OsString,
}

impl Notices {
    /// Listens; `None` when nobody wants to know, or the container was made without.
    pub(super) fn open(runtime: &Runtime, id: &str) -> Result<Option<Self>, Failure> {
        let Some(host) = host() else {
            return Ok(None);
        };
        let Some(socket) = runtime.notices(id)? else {
            return Ok(None);
        };
        let failed = |error| Failure::system("NOTIFY_SOCKET", error);
        socket.set_read_timeout(Some(LOOK)).map_err(failed)?;
        Ok(Some(Self {
            socket,
            watch: runtime.watch(id)?,
            pid: runtime.state(id)?.pid,
            host,
        }))
    }

    /// Waits until the program says that it is ready, or ends.
    pub(super) fn hand_on(mut self) {
        let mut buffer = [0; 4096];
        loop {
            let said = self.socket.recv(&mut buffer).unwrap_or(0);
            let said = buffer.get(..said).unwrap_or_default();
            if said
                .split(|byte| *byte == b'\n')
                .any(|line| line == b"READY=1")
            {
                self.tell();
                return;
            }
            if matches!(self.watch.wait(Duration::ZERO), Ok(Watched::Ended) | Err(_)) {
                return;
            }
        }
    }

    /// Whoever does not listen any more is not told.
    fn tell(&self) {
        let text = format!("READY=1\nMAINPID={}\n", self.pid);
        let path = self.host.as_bytes();
        let address = match path.strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(&self.host),
        };
        let sent = UnixDatagram::unbound().and_then(|socket| {
            let address = address?;
            socket.send_to_addr(text.as_bytes(), &address)
        });
        if let Err(error) = sent {
            super::output::complain(&format!("NOTIFY_SOCKET: {error}"));
        }
    }
}
