//! `bpf(2)`: loads a device program and attaches it to a cgroup.
//!
//! # Safety
//! Ordinary calls of the host program, from any thread. The kernel reads the structures below, which live on our stack or are
//! borrowed for the call, and writes into the log alone; it checks a program before it takes it.
#![allow(unsafe_code)]

use core::ffi::c_int;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

const PROG_LOAD: c_int = 5;
const PROG_ATTACH: c_int = 8;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_TYPE_CGROUP_DEVICE: u32 = 6;
/// Programs of the cgroups above stay in force beside ours, and ours beside those of cgroups below.
const ALLOW_MULTI: u32 = 2;

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Insn {
    /// Class and operation.
    pub(crate) code: u8,
    /// Destination register in the low half, source in the high one.
    pub(crate) registers: u8,
    /// Of a jump or of memory.
    pub(crate) offset: i16,
    /// Constant.
    pub(crate) immediate: i32,
}

/// The part of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
struct LoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

/// The part of `union bpf_attr` for `BPF_PROG_ATTACH`.
#[repr(C)]
struct AttachAttr {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
}

/// Loads a program; the kernel's objections go to the log, if there is one, as text that ends with a NUL.
pub(crate) fn load_device_program(program: &[Insn], log: &mut [u8]) -> Result<OwnedFd, Errno> {
    let mut attr = LoadAttr {
        prog_type: PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: u32::try_from(program.len()).map_err(|_| Errno::E2BIG)?,
        insns: program.as_ptr() as u64,
        // No helper is called, so none of a licence's is needed; the kernel wants the text.
        license: c"Apache-2.0".as_ptr() as u64,
        log_level: u32::from(!log.is_empty()),
        log_size: u32::try_from(log.len()).map_err(|_| Errno::E2BIG)?,
        log_buf: if log.is_empty() {
            0
        } else {
            log.as_mut_ptr() as u64
        },
        kern_version: 0,
        prog_flags: 0,
        prog_name: *b"execdriver_dev\0\0",
        prog_ifindex: 0,
        expected_attach_type: ATTACH_TYPE_CGROUP_DEVICE,
    };
    let size = size_of::<LoadAttr>();
    // SAFETY: the attributes are of the given size, and the program, the text and the log that they point to outlive the call.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, PROG_LOAD, &raw mut attr, size) };
    let fd = Errno::result(fd)?;
    #[allow(clippy::cast_possible_truncation, reason = "a descriptor is an int")]
    // SAFETY: the kernel just made this descriptor for us; it is close-on-exec.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Attaches a device program to a cgroup of version 2: it goes when the cgroup goes.
pub(crate) fn attach_device_program(cgroup: BorrowedFd, program: BorrowedFd) -> Result<(), Errno> {
    let mut attr = AttachAttr {
        target_fd: cgroup.as_raw_fd().cast_unsigned(),
        attach_bpf_fd: program.as_raw_fd().cast_unsigned(),
        attach_type: ATTACH_TYPE_CGROUP_DEVICE,
        attach_flags: ALLOW_MULTI,
        replace_bpf_fd: 0,
    };
    let size = size_of::<AttachAttr>();
    // SAFETY: the attributes are of the given size and hold numbers only.
    let result = unsafe { libc::syscall(libc::SYS_bpf, PROG_ATTACH, &raw mut attr, size) };
    Errno::result(result).map(drop)
}
