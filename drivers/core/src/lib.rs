//! The contract of execdriver: data types, the Driver trait, console threads; no OS calls.
