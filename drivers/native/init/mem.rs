//! The memory routines that the compiler calls; without libc nobody else brings them.
//!
//! # Safety
//! Called by compiler-generated code only, with the arguments that the C standard asks for. Bodies must not contain a
//! pattern that the compiler turns back into a call of the same routine, hence volatile-free assembly or byte loops
//! through `read_volatile`.

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
        core::arch::asm!("rep stosb", inout("rcx") len => _, inout("rdi") to => _, in("al") byte, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    for index in 0..len {
        // SAFETY: `index` is below `len`, the caller's number of bytes.
        unsafe { set_byte(to, index, byte) };
    }
    to
}

/// # Safety
/// As `memcmp(3)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    for index in 0..len {
        // SAFETY: the caller gives `len` readable bytes on both sides.
        let a = unsafe { byte(left, index) };
        // SAFETY: as above.
        let b = unsafe { byte(right, index) };
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
    while unsafe { byte(text, len) } != 0 {
        len += 1;
    }
    len
}

/// Volatile, so that a loop around it does not become a call of the routine that it makes up.
///
/// # Safety
/// The byte is readable.
unsafe fn byte(start: *const u8, index: usize) -> u8 {
    // SAFETY: the caller's contract.
    let place = unsafe { start.add(index) };
    // SAFETY: the caller's contract.
    unsafe { place.read_volatile() }
}

/// # Safety
/// One byte is readable, the other writable.
unsafe fn copy_byte(to: *mut u8, from: *const u8, index: usize) {
    // SAFETY: the caller's contract.
    let value = unsafe { byte(from, index) };
    // SAFETY: the caller's contract.
    unsafe { set_byte(to, index, value) };
}

/// # Safety
/// The byte is writable.
unsafe fn set_byte(to: *mut u8, index: usize, value: u8) {
    // SAFETY: the caller's contract.
    let place = unsafe { to.add(index) };
    // SAFETY: the caller's contract.
    unsafe { place.write_volatile(value) };
}

unsafe fn forward(to: *mut u8, from: *const u8, len: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: our callers' contract; the direction flag is clear by the calling convention.
    unsafe {
        core::arch::asm!("rep movsb", inout("rcx") len => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    for index in 0..len {
        // SAFETY: `index` is below `len`, our callers' number of bytes.
        unsafe { copy_byte(to, from, index) };
    }
}

unsafe fn backward(to: *mut u8, from: *const u8, len: usize) {
    for index in (0..len).rev() {
        // SAFETY: `index` is below `len`, our callers' number of bytes.
        unsafe { copy_byte(to, from, index) };
    }
}
