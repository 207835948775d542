//! A scripted execdriver driver without an operating system, for hosts' unit tests.
