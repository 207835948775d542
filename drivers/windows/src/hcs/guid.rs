//! The text of a GUID as HCS wants it for a layer.

/// The text of a GUID in memory: lower case, no braces, the first three fields little-endian.
pub(crate) fn guid_text(bytes: [u8; 16]) -> String {
    let [a0, a1, a2, a3, b0, b1, c0, c1, rest @ ..] = bytes;
    let [d0, d1, e @ ..] = rest;
    let node: String = e.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{:08x}-{:04x}-{:04x}-{d0:02x}{d1:02x}-{node}",
        u32::from_le_bytes([a0, a1, a2, a3]),
        u16::from_le_bytes([b0, b1]),
        u16::from_le_bytes([c0, c1]),
    )
}
