//! Limits of another process: prlimit(2).
//!
//! # Safety
//! An ordinary call of the host program, from any thread; it takes numbers and two structures on our stack.
#![allow(unsafe_code)]

use nix::errno::Errno;

/// A soft and a hard limit; `u64::MAX` is unlimited.
pub(crate) type Pair = (u64, u64);

/// Sets a limit of `pid` and gives the one that it had. The caller makes sure that the pid is still
/// that of the process that is meant.
pub(crate) fn set(pid: i32, kind: u32, (soft, hard): Pair) -> Result<Pair, Errno> {
    let new = libc::rlimit64 {
        rlim_cur: soft,
        rlim_max: hard,
    };
    let mut old = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both structures outlive the call; the kernel reads the one and writes the other.
    let result = unsafe { libc::prlimit64(pid, kind as _, &raw const new, &raw mut old) };
    Errno::result(result)?;
    Ok((old.rlim_cur, old.rlim_max))
}

/// The limit that `pid` has. The kernel asks for the same rights as for setting it.
pub(crate) fn get(pid: i32, kind: u32) -> Result<Pair, Errno> {
    let mut old = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the structure outlives the call; without a new limit the kernel only writes it.
    let result = unsafe { libc::prlimit64(pid, kind as _, core::ptr::null(), &raw mut old) };
    Errno::result(result)?;
    Ok((old.rlim_cur, old.rlim_max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_a_child_is_set_and_the_old_one_told() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        // RLIMIT_CORE, which anybody may lower.
        let before = set(pid, 4, (0, 0)).unwrap();
        assert_eq!(set(pid, 4, (0, 0)).unwrap(), (0, 0));
        assert_eq!(get(pid, 4).unwrap(), (0, 0));
        assert!(before.0 <= before.1);
        assert_eq!(set(pid, 4, (1, 0)).unwrap_err(), Errno::EINVAL);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(set(pid, 4, (0, 0)).unwrap_err(), Errno::ESRCH);
    }
}
