//! The JSON of commands and stats, byte for byte the original's.

pub(crate) mod nullable;
