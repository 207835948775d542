//! The calls of i386 that also go through `socketcall(2)` and `ipc(2)`, whose first argument says which is meant.

use super::conditions::{Compare, Condition};

/// include/uapi/linux/net.h: `SYS_*`.
const SOCKETS: [(&str, u64); 20] = [
    ("socket", 1),
    ("bind", 2),
    ("connect", 3),
    ("listen", 4),
    ("accept", 5),
    ("getsockname", 6),
    ("getpeername", 7),
    ("socketpair", 8),
    ("send", 9),
    ("recv", 10),
    ("sendto", 11),
    ("recvfrom", 12),
    ("shutdown", 13),
    ("setsockopt", 14),
    ("getsockopt", 15),
    ("sendmsg", 16),
    ("recvmsg", 17),
    ("accept4", 18),
    ("recvmmsg", 19),
    ("sendmmsg", 20),
];

/// include/uapi/linux/ipc.h: `SEMOP` and so on.
const IPC: [(&str, u64); 12] = [
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];

/// The other way to this call: through which one, and what its first argument is then.
pub(super) fn of(name: &str) -> Option<(&'static str, Condition)> {
    let find = |list: &[(&str, u64)]| {
        let found = list.iter().find(|(known, _)| *known == name);
        found.map(|(_, number)| *number)
    };
    let (through, value) = match find(&SOCKETS) {
        Some(value) => ("socketcall", value),
        None => ("ipc", find(&IPC)?),
    };
    let condition = Condition {
        index: 0,
        compare: Compare::Equal,
        value,
    };
    Some((through, condition))
}
