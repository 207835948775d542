//! The Linux driver of execdriver: namespaces, cgroups and a freestanding init.
