//! The execdriver contract as tests that any driver can run.
