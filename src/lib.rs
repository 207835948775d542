//! Containers from inside your own program.
