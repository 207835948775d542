//! The other end of `SCMP_ACT_NOTIFY`: a thread that answers calls as seccomp_unotify(2) tells.
//!
//! # Safety
//! Each ioctl gets a pointer to the structure that its number stands for, which lives beyond the call.
#![allow(unsafe_code)]

use libc::{
    SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND, SECCOMP_USER_NOTIF_FLAG_CONTINUE,
    seccomp_data, seccomp_notif, seccomp_notif_resp,
};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread::{self, JoinHandle};

/// What the caller of a call is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// The call fails with it and is not made.
    Fails(Errno),
    /// The kernel makes the call.
    Goes,
}

/// Answers on a thread of its own, until nobody is left under the filter; how many calls there were then.
pub(crate) fn answer(
    listener: File,
    decide: impl Fn(usize) -> Answer + Send + 'static,
) -> JoinHandle<usize> {
    let listener = OwnedFd::from(listener);
    thread::spawn(move || {
        let mut calls = 0;
        while wait(&listener) {
            let Some(id) = receive(&listener) else {
                continue;
            };
            send(&listener, id, decide(calls));
            calls += 1;
        }
        calls
    })
}

/// Whether there is a call; not when the last process under the filter is gone (Linux 5.8).
fn wait(listener: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    loop {
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            polled => {
                polled.expect("a listener can be polled");
                break;
            }
        }
    }
    let seen = fds[0].revents().expect("known events");
    seen.contains(PollFlags::POLLIN)
}

/// The id of a call that waits; none when its caller was killed meanwhile.
fn receive(listener: &OwnedFd) -> Option<u64> {
    let data = seccomp_data {
        nr: 0,
        arch: 0,
        instruction_pointer: 0,
        args: [0; 6],
    };
    // The kernel takes only zeroes here.
    let mut call = seccomp_notif {
        id: 0,
        pid: 0,
        flags: 0,
        data,
    };
    // SAFETY: the number stands for a `seccomp_notif`, which `call` is.
    let got = unsafe { libc::ioctl(listener.as_raw_fd(), SECCOMP_IOCTL_NOTIF_RECV, &mut call) };
    match Errno::result(got) {
        Ok(_) => Some(call.id),
        Err(Errno::ENOENT | Errno::EINTR) => None,
        Err(errno) => panic!("receive a call: {errno}"),
    }
}

fn send(listener: &OwnedFd, id: u64, answer: Answer) {
    let (error, flags) = match answer {
        Answer::Fails(errno) => (-(errno as i32), 0),
        Answer::Goes => (0, SECCOMP_USER_NOTIF_FLAG_CONTINUE),
    };
    let mut said = seccomp_notif_resp {
        id,
        val: 0,
        error,
        flags: u32::try_from(flags).expect("a flag of 32 bits"),
    };
    // SAFETY: the number stands for a `seccomp_notif_resp`, which `said` is.
    let sent = unsafe { libc::ioctl(listener.as_raw_fd(), SECCOMP_IOCTL_NOTIF_SEND, &mut said) };
    match Errno::result(sent) {
        // Its caller was killed meanwhile.
        Ok(_) | Err(Errno::ENOENT) => {}
        Err(errno) => panic!("answer a call: {errno}"),
    }
}
