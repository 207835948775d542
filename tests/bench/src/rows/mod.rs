//! The rows of the table.

pub(crate) mod big_host;
pub(crate) mod bundle;
pub(crate) mod cold;
pub(crate) mod in_process;
