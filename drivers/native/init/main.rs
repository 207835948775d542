//! init: the program that becomes the container's first process.
//!
//! The parent executes it from a sealed memfd, in fresh namespaces, with one socket. It receives a plan ([`message`]),
//! walks it ([`run`]) and becomes the payload ([`exec`]). It carries no text: what failed is a number that the parent
//! puts into words. See `docs/native.md`.
#![no_std]
#![no_main]
#![deny(unsafe_op_in_unsafe_fn)]

mod accounts;
mod ahead;
mod attributes;
mod capabilities;
mod copy_up;
mod decimal;
mod devices;
mod dispatch;
mod entry;
mod exec;
mod hold;
mod hook;
mod identity;
mod landlock;
mod lines;
mod masks;
mod mem;
mod message;
mod mounts;
mod paths;
mod pid1;
mod process;
mod procfs;
mod root;
mod run;
mod schedule;
mod split;
mod stdio;
mod sys;
mod sysctl;
mod terminal;
#[allow(dead_code, reason = "init uses the decoder, the parent the encoder")]
mod wire;
