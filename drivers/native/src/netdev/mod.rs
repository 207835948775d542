//! Interfaces of the host that a bundle wants in its container: `linux.netDevices`.
//!
//! An interface keeps its hardware address and MTU when it moves and loses its addresses, which are given to it again. It
//! goes with its new namespace: a physical one comes back to the host when that ends, a virtual one is no more.

mod message;

use message::{Answer, GET_LINK, IFNAME, NET_NS_FD, NEW_LINK, Request, SET_LINK};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// One interface, by its name on the host and in the container, which may have `%d` for a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NetDevice {
    pub(crate) host: String,
    pub(crate) container: String,
}

/// Why an interface is not in the container.
#[derive(Debug, thiserror::Error)]
#[error("linux.netDevices[{name:?}]: {step}")]
pub(crate) struct NetDeviceError {
    name: String,
    step: &'static str,
    #[source]
    source: Errno,
}

/// `IFNAMSIZ` with its NUL.
const LONGEST: usize = 16;

/// Whether the kernel takes this as the name of an interface.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '/' && c != ':';
    !name.is_empty()
        && name.len() < LONGEST
        && name != "."
        && name != ".."
        && name.chars().all(plain)
}

/// Moves the interfaces into the network namespace that `holder` is of: its own descriptor, or a pidfd of a process in it.
///
/// # Errors
/// Which interface, and what the kernel said. Those before it were moved.
pub(crate) fn hand_over(
    devices: &[NetDevice],
    holder: BorrowedFd<'_>,
) -> Result<(), NetDeviceError> {
    for device in devices {
        let failed = |step| {
            let name = device.host.clone();
            move |source| NetDeviceError { name, step, source }
        };
        let here = Route::open().map_err(failed("open a netlink socket"))?;
        let (there, namespace) =
            inside(holder).map_err(failed("enter the container's network namespace"))?;
        let (index, _) = here
            .link(&device.host)
            .map_err(failed("find it on the host"))?;
        if !device.container.contains('%') && there.link(&device.container).is_ok() {
            return Err(failed("give it a name that the container has already")(
                Errno::EEXIST,
            ));
        }
        let addresses = here
            .addresses(index)
            .map_err(failed("read its addresses"))?;
        let before = there
            .links()
            .map_err(failed("list the container's interfaces"))?;
        let fd = u32::try_from(namespace.as_raw_fd()).unwrap_or(u32::MAX);
        let name = format!("{}\0", device.container);
        let request = Request::link(SET_LINK, 0, index, None)
            .with(NET_NS_FD, &fd.to_ne_bytes())
            .with(IFNAME, name.as_bytes());
        here.ask(request)
            .map_err(failed("move it into the container"))?;
        let after = there
            .links()
            .map_err(failed("list the container's interfaces"))?;
        let new = after.into_iter().find(|link| !before.contains(link));
        let (index, _) = new
            .ok_or(Errno::ENODEV)
            .map_err(failed("find it in the container"))?;
        for address in addresses {
            let request = Request::address(&address, index.unsigned_abs());
            there
                .ask(request)
                .map_err(failed("give it its address again"))?;
        }
        let up = Request::link(NEW_LINK, 0, index, Some(true));
        there.ask(up).map_err(failed("set it up"))?;
    }
    Ok(())
}

/// A socket in the other namespace, and the namespace. A thread of its own goes there for it and ends.
fn inside(holder: BorrowedFd<'_>) -> Result<(Route, File), Errno> {
    std::thread::scope(|scope| {
        let visit = scope.spawn(|| {
            setns(holder, CloneFlags::CLONE_NEWNET)?;
            let namespace = File::open("/proc/thread-self/ns/net").map_err(crate::at::errno)?;
            Ok((Route::open()?, namespace))
        });
        visit.join().unwrap_or(Err(Errno::ECHILD))
    })
}

/// A netlink socket; it belongs to the namespace in which it was made.
struct Route(OwnedFd);

impl Route {
    fn open() -> Result<Self, Errno> {
        let made = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        );
        made.map(Self)
    }

    /// What comes back, to its end.
    fn ask(&self, request: Request) -> Result<Vec<(u16, Vec<u8>)>, Errno> {
        let fd = self.0.as_fd().as_raw_fd();
        send(fd, &request.finish(1), MsgFlags::empty())?;
        let mut messages = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let got = match recv(fd, &mut buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            for answer in message::answers(buffer.get(..got).unwrap_or_default()) {
                match answer {
                    Answer::Message(kind, body) => messages.push((kind, body)),
                    Answer::End(end) => return end.map(|()| messages),
                }
            }
        }
    }

    fn link(&self, name: &str) -> Result<(i32, String), Errno> {
        let request = Request::link(GET_LINK, 0, 0, None);
        let found = self.ask(request.with(IFNAME, format!("{name}\0").as_bytes()))?;
        let first = found.first().and_then(|(_, body)| message::link(body));
        first.ok_or(Errno::ENODEV)
    }

    fn links(&self) -> Result<Vec<(i32, String)>, Errno> {
        let all = self.ask(Request::link(GET_LINK, message::DUMP, 0, None))?;
        Ok(all
            .iter()
            .filter_map(|(_, body)| message::link(body))
            .collect())
    }

    fn addresses(&self, index: i32) -> Result<Vec<Vec<u8>>, Errno> {
        let all = self.ask(Request::addresses())?;
        let given = all.into_iter().map(|(_, body)| body);
        Ok(given
            .filter(|body| message::is_given(body, index))
            .collect())
    }
}
