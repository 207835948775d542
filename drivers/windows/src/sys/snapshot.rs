//! What all processes of the machine have used, in one look.
//!
//! # Safety
//! The buffer is a chain of `SYSTEM_PROCESS_INFORMATION`; each is read from within it, unaligned, and its text is not followed.
//!
//! `GetProcessTimes` of another process is a constant under Wine 8; this one is right there and on Windows.

use super::ntdll::status;
use std::io;
use windows_sys::Wdk::System::SystemInformation::{
    NtQuerySystemInformation, SystemProcessInformation,
};
use windows_sys::Win32::System::WindowsProgramming::SYSTEM_PROCESS_INFORMATION;

/// `STATUS_INFO_LENGTH_MISMATCH` of ntstatus.h.
const TOO_SMALL: i32 = 0xC000_0004_u32.cast_signed();

/// A process in that look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Usage {
    /// Its pid.
    pub(crate) pid: u32,
    /// Threads.
    pub(crate) threads: u32,
    /// Open handles.
    pub(crate) handles: u32,
    /// When it was made, 100 ns since 1601.
    pub(crate) created: u64,
    /// 100 ns.
    pub(crate) user: u64,
    /// 100 ns.
    pub(crate) kernel: u64,
    /// Bytes in memory now.
    pub(crate) working_set: u64,
    /// Bytes committed.
    pub(crate) committed: u64,
}

/// Looks at every process.
pub(crate) fn processes() -> io::Result<Vec<Usage>> {
    let mut words = 32 * 1024;
    loop {
        let mut buffer = vec![0_u64; words];
        let bytes = u32::try_from(words * 8).unwrap_or(u32::MAX);
        let place = buffer.as_mut_ptr().cast();
        let mut needed = 0;
        // SAFETY: the buffer has as many bytes as we say, aligned for what is put there.
        let answer = unsafe {
            NtQuerySystemInformation(SystemProcessInformation, place, bytes, &raw mut needed)
        };
        if answer == TOO_SMALL {
            words *= 2;
            continue;
        }
        status(answer)?;
        return Ok(parse(&buffer));
    }
}

/// The processes of a chain; it ends where it would leave the buffer.
fn parse(buffer: &[u64]) -> Vec<Usage> {
    let bytes = size_of_val(buffer);
    let mut found = Vec::new();
    let mut at = 0_usize;
    while at + size_of::<SYSTEM_PROCESS_INFORMATION>() <= bytes {
        // SAFETY: `at` plus the structure's size is within the buffer, as was just seen.
        let place = unsafe { buffer.as_ptr().cast::<u8>().add(at) };
        // SAFETY: that many bytes are there, and every pattern of bits is a value of it.
        let one: SYSTEM_PROCESS_INFORMATION =
            unsafe { place.cast::<SYSTEM_PROCESS_INFORMATION>().read_unaligned() };
        found.push(usage(&one));
        if one.NextEntryOffset == 0 {
            break;
        }
        at += one.NextEntryOffset as usize;
    }
    found
}

fn usage(one: &SYSTEM_PROCESS_INFORMATION) -> Usage {
    // winternl.h hides the times in Reserved1: after 24 bytes the creation, then user and kernel time, 8 bytes each.
    let time = |at: usize| {
        let bytes = one
            .Reserved1
            .get(at..at + 8)
            .and_then(|b| b.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    };
    Usage {
        pid: u32::try_from(one.UniqueProcessId as usize).unwrap_or(0),
        threads: one.NumberOfThreads,
        handles: one.HandleCount,
        created: time(24),
        user: time(32),
        kernel: time(40),
        working_set: one.WorkingSetSize as u64,
        committed: one.PrivatePageCount.max(one.PagefileUsage) as u64,
    }
}
