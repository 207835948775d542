//! The rows of the table.

pub(crate) mod big_host;
pub(crate) mod bubblewrap;
pub(crate) mod bundle;
pub(crate) mod cold;
pub(crate) mod crowd;
pub(crate) mod exec;
pub(crate) mod in_process;
pub(crate) mod oci;
pub(crate) mod rate;
pub(crate) mod seccomp;
pub(crate) mod stats;
pub(crate) mod stream;
