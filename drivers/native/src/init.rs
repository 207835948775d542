//! The freestanding program that becomes the container's first process, as the build script left it.

/// A static ELF executable of a few tens of KiB; it speaks [`crate::wire`].
pub(crate) const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/init"));

#[cfg(test)]
mod tests;
