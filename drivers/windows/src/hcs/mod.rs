//! Containers of the Host Compute Service.
