//! System calls that the nix crate lacks, behind safe functions: the only unsafe code of this crate outside init.

pub(crate) mod apart;
pub(crate) mod bpf;
pub(crate) mod flock;
pub(crate) mod inherited;
pub(crate) mod link;
pub(crate) mod loopback;
pub(crate) mod mount;
pub(crate) mod pidfd;
pub(crate) mod probe;
mod raw;
pub(crate) mod rlimit;
pub(crate) mod scm;
pub(crate) mod sigchld;
pub(crate) mod spawn;
mod spawn_child;
pub(crate) mod standing;
pub(crate) mod tty;
pub(crate) mod unmask;
pub(crate) mod wait;
pub(crate) mod xattr;

#[cfg(test)]
mod tests;
