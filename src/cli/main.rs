//! The binary `execdriver`.
fn main() {}
