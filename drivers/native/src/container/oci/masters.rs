//! The terminals of saved processes: which one is the container's.

use crate::state::TerminalRecord;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

/// The master whose other end a stream of the process is, and what it is known by: of a container that was saved with execs of
/// its own terminals there are several, and the clients of those are gone. One that none is of is the only one that there is.
pub(super) fn of_process(
    masters: Vec<OwnedFd>,
    pid: i32,
) -> Option<(OwnedFd, Option<TerminalRecord>)> {
    let streams = (0..3).filter_map(|number| fs::metadata(format!("/proc/{pid}/fd/{number}")).ok());
    let streams: Vec<(u64, u64)> = streams.map(|file| (file.dev(), file.rdev())).collect();
    let mut known: Vec<_> = masters
        .into_iter()
        .map(|master| {
            let record = TerminalRecord::of_master(master.as_fd()).ok();
            (master, record)
        })
        .collect();
    let of_stream = |(_, record): &(OwnedFd, Option<TerminalRecord>)| {
        let record = record.as_ref();
        record.is_some_and(|record| streams.contains(&(record.dev, record.rdev)))
    };
    let chosen = known.iter().position(of_stream).unwrap_or(0);
    (chosen < known.len()).then(|| known.swap_remove(chosen))
}
