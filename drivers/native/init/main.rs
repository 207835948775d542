//! init: the program that becomes the container's first process.
#![no_std]
#![no_main]
#![deny(unsafe_op_in_unsafe_fn)]

mod entry;
mod exec;
mod mem;
mod message;
mod run;
mod stdio;
mod sys;
#[allow(dead_code, reason = "init uses the decoder, the parent the encoder")]
mod wire;
