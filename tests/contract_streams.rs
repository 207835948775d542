//! Cases 10 to 17 of the contract: bytes in, bytes out, and their ends.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod contract;
mod support;

use contract::{Bench, SOON};
use execdriver::{Capture, Hooks, Pipes, RunOptions, Stdio};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn echo_stdout() {
    let bench = Bench::new();
    let outcome = bench.run(&bench.command(&["echo", "test123"]));
    assert_eq!(
        (outcome.out.as_str(), outcome.err.as_str()),
        ("test123\n", "")
    );
}

#[test]
fn split_streams() {
    let bench = Bench::new();
    let outcome = bench.run(&bench.command(&["split"]));
    assert_eq!(
        (outcome.out.as_str(), outcome.err.as_str()),
        ("out\n", "err\n")
    );
}

/// Whatever else is open in the host, the program has its three streams and nothing more.
#[test]
fn fds() {
    let bench = Bench::new();
    let open = std::fs::File::open("/").unwrap();
    let kept = nix::fcntl::fcntl(&open, nix::fcntl::FcntlArg::F_DUPFD(40)).unwrap();
    let shown = bench.says(&["fds"]);
    let numbers: Vec<&str> = shown.lines().filter_map(|l| l.split(' ').next()).collect();
    assert_eq!(numbers, ["0", "1", "2"], "{shown}");
    // Its own descriptor of the directory is the lowest free one.
    assert_eq!(bench.says(&["ls", "/proc/self/fd"]), "0\n1\n2\n3\n");
    nix::unistd::close(kept).unwrap();
}

#[test]
fn big_output() {
    const SIZE: usize = 20 << 20;
    let bench = Bench::new();
    let bytes = Arc::new(Mutex::new(Vec::with_capacity(SIZE)));
    let writer = Stdio::writer(Slow(Arc::clone(&bytes)));
    let command = bench.command(&["big", &SIZE.to_string()]);
    let pipes = Pipes::null().stdout(writer);
    let options = RunOptions::default();
    let run = bench.driver.run(&command, &options, pipes, &Hooks::none());
    let bytes = bytes.lock().unwrap();
    assert_eq!(bytes.len(), SIZE);
    let same = bytes.chunks(16).all(|line| line == b"0123456789abcde\n");
    assert!(same, "a byte is wrong or out of place");
    let status = run.unwrap();
    assert_eq!((status.code, status.output_truncated), (0, false));
    assert!(
        status.stream_errors.is_empty(),
        "{:?}",
        status.stream_errors
    );
}

/// Takes at most 64 KiB at a time and is in no hurry.
struct Slow(Arc<Mutex<Vec<u8>>>);

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = &bytes[..bytes.len().min(1 << 16)];
        thread::sleep(Duration::from_millis(2));
        self.0.lock().unwrap().extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn stdin_pipe() {
    let bench = Bench::new();
    let pipes = Pipes::null().stdin(Stdio::reader(&b"blahblah"[..]));
    let outcome = bench.run_with(&bench.command(&["cat"]), pipes, &Hooks::none());
    assert_eq!((outcome.status.code, outcome.out.as_str()), (0, "blahblah"));
}

#[test]
fn stdin_close_exits() {
    let bench = Bench::new();
    // Both ways in: a pipe of the caller's that the program reads itself, and one that is copied.
    for copied in [false, true] {
        let (reader, mut writer) = os_pipe::pipe().unwrap();
        let pipes = Pipes::null();
        let pipes = match copied {
            true => pipes.stdin(Stdio::reader(reader)),
            false => pipes.stdin(reader),
        };
        let command = bench.command(&["cat"]);
        let closed = thread::scope(|scope| {
            let closer = scope.spawn(move || {
                writer.write_all(b"typed").unwrap();
                thread::sleep(Duration::from_millis(200));
                drop(writer);
                Instant::now()
            });
            let outcome = bench.run_with(&command, pipes, &Hooks::none());
            assert_eq!((outcome.status.code, outcome.out.as_str()), (0, "typed"));
            closer.join().unwrap()
        });
        assert!(closed.elapsed() < Duration::from_secs(1), "{copied}");
    }
}

#[test]
fn stdin_blocked() {
    let bench = Bench::new();
    for copied in [false, true] {
        let (reader, silent) = os_pipe::pipe().unwrap();
        let pipes = match copied {
            true => Pipes::null().stdin(Stdio::reader(reader)),
            false => Pipes::null().stdin(reader),
        };
        let begun = Instant::now();
        let outcome = bench.run_with(&bench.command(&["true"]), pipes, &Hooks::none());
        assert_eq!(outcome.status.code, 0);
        assert!(begun.elapsed() < SOON / 2);
        drop(silent);
    }
}

#[test]
fn no_stdin() {
    let bench = Bench::new();
    let shown = bench.says(&["seq", "cat", ",", "fds"]);
    assert!(shown.starts_with("0 /dev/null\n"), "{shown}");
    // The null device of the container's own /dev or the host's: never a file that only has the name.
    let node = bench.says(&["stat", "/dev/null"]);
    assert!(node.starts_with("c 0666 1 3 "), "{node}");
    let output = Capture::new(16);
    let pipes = Pipes::null().stdout(&output);
    let command = bench.command(&["drain"]);
    let run = bench
        .driver
        .run(&command, &RunOptions::default(), pipes, &Hooks::none());
    assert_eq!((run.unwrap().code, output.text().as_str()), (0, "0\n"));
}
