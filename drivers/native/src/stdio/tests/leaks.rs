//! What must hold for the whole process: each test starts itself again to be alone in one.

use super::super::prepare;
use super::{LONG, Running, SECOND, silent};
use execdriver_core::{Capture, Pipes, Stdio};
use nix::sys::resource::{Resource, setrlimit};
use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

/// Whether this process runs `name` alone; if not, it is started so and must succeed.
fn alone(name: &str) -> bool {
    if std::env::var_os("EXECDRIVER_ALONE").is_some() {
        return true;
    }
    let name = format!("stdio::tests::leaks::{name}");
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name.as_str(), "--exact", "--nocapture", "--test-threads=1"])
        .env("EXECDRIVER_ALONE", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{name}: {}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

fn entries(directory: &str) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

/// Descriptors and threads of this process.
fn census() -> (usize, usize) {
    (entries("/proc/self/fd"), entries("/proc/self/task"))
}

fn settles_at(expected: (usize, usize)) {
    // A joined thread leaves its directory a moment later (pthread_join(3) waits for the exit of
    // the thread's code only).
    let deadline = Instant::now() + 5 * SECOND;
    while census() != expected && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(census(), expected);
}

#[test]
fn no_descriptor_and_no_thread_is_left() {
    if !alone("no_descriptor_and_no_thread_is_left") {
        return;
    }
    let before = census();
    for round in 0..20 {
        let capture = Capture::new(1000);
        let pipes = Pipes::null()
            .stdin(Stdio::reader(&b"abc"[..]))
            .stdout(&capture)
            .stderr(Stdio::writer(io::sink()));
        if round % 2 == 0 {
            Running::start("cat", pipes, None).end(LONG);
        } else {
            Running::on_terminal(&["cat"], pipes, false).end(LONG);
        }
        let file = tempfile::tempfile().unwrap();
        let (reader, _writer) = os_pipe::pipe().unwrap();
        let pipes = Pipes::null().stdin(reader).stdout(file);
        if round % 2 == 0 {
            Running::start("true", pipes, None).end(LONG);
        } else {
            Running::on_terminal(&["true"], pipes, false).end(LONG);
        }
    }
    settles_at(before);
}

#[test]
fn a_start_that_fails_leaves_nothing_however_far_it_came() {
    if !alone("a_start_that_fails_leaves_nothing_however_far_it_came") {
        return;
    }
    let before = census();
    let pipes = || {
        Pipes::null()
            .stdin(Stdio::reader(io::empty()))
            .stdout(Stdio::writer(io::sink()))
            .stderr(&Capture::new(10))
    };
    drop(prepare(pipes(), false).unwrap());
    let (child, host) = prepare(pipes(), false).unwrap();
    let console = host.attach("test", None, None).unwrap();
    drop(console);
    drop(child);
    settles_at(before);
}

#[test]
fn a_reader_left_blocked_keeps_its_thread_and_nothing_else() {
    if !alone("a_reader_left_blocked_keeps_its_thread_and_nothing_else") {
        return;
    }
    for terminal in [false, true] {
        let (stdin, typist) = silent();
        let before = census();
        let pipes = Pipes::null().stdin(stdin);
        let running = if terminal {
            Running::on_terminal(&["sleep", "0.2"], pipes, false)
        } else {
            Running::start("sleep 0.2", pipes, None)
        };
        running.end(LONG);
        settles_at((before.0, before.1 + 1));
        drop(typist);
        // The caller's reader, and the typist.
        settles_at((before.0 - 2, before.1));
    }
}

#[test]
fn a_thread_that_cannot_be_made_is_an_error_and_leaves_nothing() {
    if !alone("a_thread_that_cannot_be_made_is_an_error_and_leaves_nothing") {
        return;
    }
    let before = census();
    let pipes = Pipes::null()
        .stdin(Stdio::reader(io::empty()))
        .stdout(Stdio::writer(io::sink()));
    let (child, host) = prepare(pipes, false).unwrap();
    // No room for another stack.
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    let bytes = pages * 4096 + 256 * 1024;
    setrlimit(Resource::RLIMIT_AS, bytes, bytes).unwrap();
    let error = host.attach("test", None, None).err().unwrap();
    assert!(error.to_string().contains("start a thread"), "{error}");
    drop(child);
    settles_at(before);
}

#[test]
fn a_stream_that_the_host_lacks_cannot_be_inherited() {
    if !alone("a_stream_that_the_host_lacks_cannot_be_inherited") {
        return;
    }
    nix::unistd::close(0).unwrap();
    let pipes = Pipes::null().stdin(Stdio::Inherit);
    let pipes = pipes.stdout(&Capture::new(1));
    let error = prepare(pipes, false).err().unwrap();
    assert!(error.to_string().contains("standard input"), "{error}");
}

#[test]
#[allow(unsafe_code, reason = "no safe way to put a signal's default back")]
fn a_broken_pipe_does_not_kill_a_host_that_does_not_ignore_sigpipe() {
    if !alone("a_broken_pipe_does_not_kill_a_host_that_does_not_ignore_sigpipe") {
        return;
    }
    // SAFETY: SIG_DFL is no handler, so no code of ours can run at a bad moment.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    for _ in 0..10 {
        let endless = Stdio::reader(io::repeat(b'x'));
        let running = Running::start("sleep 0.05", Pipes::null().stdin(endless), None);
        let (code, finished) = running.end(LONG);
        assert!(code == 0 && finished.errors.is_empty());
    }
    for _ in 0..3 {
        let (reader, writer) = os_pipe::pipe().unwrap();
        drop(reader);
        let (_, finished) =
            Running::on_terminal(&["echo", "x"], Pipes::null().stdout(writer), false).end(LONG);
        assert_eq!(finished.errors.len(), 1);
    }
}
