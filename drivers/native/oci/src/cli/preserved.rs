//! Descriptors that a program gets beside its streams: those of a socket unit (sd_listen_fds(3)), and `--preserve-fds`.

use super::failure::Failure;
use execdriver_native::oci::inherited;
use oci_spec::runtime::Process;
use std::os::fd::OwnedFd;

/// The first number behind the streams.
const FIRST: i32 = 3;

/// Takes them, and tells the program how many of them are a socket unit's.
pub(super) fn take(asked: u16, process: &mut Process) -> Result<Vec<OwnedFd>, Failure> {
    let listening = listening();
    let count = listening + i32::from(asked);
    let mut taken = Vec::new();
    for number in FIRST..FIRST + count {
        let copy = inherited(number, FIRST + count).map_err(|errno| {
            Failure::system(format!("--preserve-fds: descriptor {number}"), errno)
        })?;
        taken.push(copy);
    }
    if listening > 0 {
        let mut env = process.env().clone().unwrap_or_default();
        env.push(format!("LISTEN_FDS={listening}"));
        // The program is the first of its pid namespace.
        env.push("LISTEN_PID=1".to_owned());
        process.set_env(Some(env));
    }
    Ok(taken)
}

/// How many are ours by the word of whoever started us.
fn listening() -> i32 {
    let number = |name| std::env::var(name).ok()?.parse::<i32>().ok();
    let pid = i32::try_from(std::process::id()).ok();
    match number("LISTEN_PID") == pid {
        true => number("LISTEN_FDS").filter(|count| (0..1024).contains(count)),
        false => None,
    }
    .unwrap_or(0)
}
