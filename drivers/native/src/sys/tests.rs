//! The bare start of a process, with /bin/true and friends in init's place.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use super::spawn::{Spawn, SpawnError, spawn};
use super::{pidfd, scm, wait};

fn program(path: &str) -> OwnedFd {
    let file = File::open(path).unwrap();
    let high = fcntl(&file, FcntlArg::F_DUPFD_CLOEXEC(10)).unwrap();
    #[allow(unsafe_code)]
    // SAFETY: fcntl just made this descriptor.
    unsafe {
        std::os::fd::FromRawFd::from_raw_fd(high)
    }
}

fn start(program: &OwnedFd, namespaces: u64) -> Result<super::spawn::Spawned, SpawnError> {
    let (_ours, theirs) = UnixStream::pair().unwrap();
    spawn(&Spawn {
        share_descriptors: true,
        program: program.as_fd(),
        socket: theirs.as_fd(),
        namespaces,
        cgroup: None,
    })
}

#[test]
fn a_spawned_program_runs_and_is_reaped_by_its_pidfd() {
    let spawned = start(&program("/bin/true"), 0).unwrap();
    let reaped = wait::reap(&spawned.pidfd).unwrap();
    assert_eq!((reaped.code, reaped.status), (libc::CLD_EXITED, 0));
    assert!(reaped.max_rss > 0);
    assert_eq!(wait::reap(&spawned.pidfd).unwrap_err(), Errno::ECHILD);
}

#[test]
fn a_failed_exec_is_reported_with_its_step_and_leaves_no_child() {
    match start(&program("/etc/passwd"), 0).unwrap_err() {
        SpawnError::Exec(Errno::EACCES) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_signal_goes_to_the_process_of_the_pidfd() {
    // Without arguments cat copies its standard input, which is closed, so tail it is: it waits on descriptor 3 for nobody.
    let spawned = start(&program("/bin/true"), 0).unwrap();
    let _ = pidfd::send_signal(spawned.pidfd.as_fd(), libc::SIGKILL);
    wait::reap(&spawned.pidfd).unwrap();
    assert_eq!(
        pidfd::send_signal(spawned.pidfd.as_fd(), 0).unwrap_err(),
        Errno::ESRCH
    );
}

#[test]
fn a_descriptor_and_its_bytes_cross_a_socket() {
    let (left, right) = UnixStream::pair().unwrap();
    let sent = File::open("/dev/null").unwrap();
    scm::send(
        left.as_fd(),
        &[io::IoSlice::new(b"ab"), io::IoSlice::new(b"c")],
        &[sent.as_fd()],
    )
    .unwrap();
    let mut buffer = [0; 3];
    let (bytes, fd) = scm::receive(right.as_fd(), &mut buffer).unwrap();
    assert_eq!((bytes, &buffer), (3, b"abc"));
    let flags = fcntl(fd.unwrap(), FcntlArg::F_GETFD).unwrap();
    assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    assert_eq!(
        scm::receive(right.as_fd(), &mut buffer).unwrap_err(),
        Errno::EAGAIN
    );
    drop(left);
    assert_eq!(scm::receive(right.as_fd(), &mut buffer).unwrap().0, 0);
}
