//! The memory routines that the compiler calls; without libc nobody else brings them.
//!
//! # Safety
//! Called by compiler-generated code only, with the arguments that the C standard asks for. Bodies must not contain a
//! pattern that the compiler turns back into a call of the same routine, hence volatile-free assembly or byte loops
//! through `read_volatile`.

use core::arch::asm;

/// # Safety
/// As `memcpy(3)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller gives `len` readable bytes at `from` and `len` writable ones at `to`.
    unsafe { forward(to, from, len) };
    to
}

/// # Safety
/// As `memmove(3)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= len {
        // SAFETY: `to` does not lie inside the source, so copying upwards reads each byte before it is written.
        unsafe { forward(to, from, len) };
    } else {
        // SAFETY: as above, downwards.
        unsafe { backward(to, from, len) };
    }
    to
}

/// # Safety
/// As `memset(3)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    let byte = byte as u8;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller gives `len` writable bytes; the direction flag is clear by the calling convention.
    unsafe {
        asm!("rep stosb", inout("rcx") len => _, inout("rdi") to => _, in("al") byte, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    for index in 0..len {
        // SAFETY: `index` is below `len`. Volatile, so that the loop does not become a call of memset.
        unsafe { to.add(index).write_volatile(byte) };
    }
    to
}

/// # Safety
/// As `memcmp(3)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    for index in 0..len {
        // SAFETY: `index` is below `len`. Volatile, so that the loop does not become a call of bcmp.
        let (a, b) = unsafe {
            (
                left.add(index).read_volatile(),
                right.add(index).read_volatile(),
            )
        };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

/// # Safety
/// As `bcmp(3)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    // SAFETY: the same contract.
    unsafe { memcmp(left, right, len) }
}

/// # Safety
/// As `strlen(3)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut len = 0;
    // SAFETY: every byte before the NUL is readable.
    while unsafe { text.add(len).read_volatile() } != 0 {
        len += 1;
    }
    len
}

unsafe fn forward(to: *mut u8, from: *const u8, len: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: our callers' contract; the direction flag is clear by the calling convention.
    unsafe {
        asm!("rep movsb", inout("rcx") len => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    for index in 0..len {
        // SAFETY: `index` is below `len`.
        unsafe {
            to.add(index)
                .write_volatile(from.add(index).read_volatile())
        };
    }
}

unsafe fn backward(to: *mut u8, from: *const u8, len: usize) {
    for index in (0..len).rev() {
        // SAFETY: `index` is below `len`.
        unsafe {
            to.add(index)
                .write_volatile(from.add(index).read_volatile())
        };
    }
}
