//! Output and input arrive whole, and their ends are seen.

use crate::bench::{capture, id};
use crate::{Act, Subject};
use execdriver_core::{Capture, Hooks, Pipes, RunOptions, Stdio};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What is written arrives exactly.
pub fn echo_stdout(subject: &dyn Subject) {
    let (status, out, err) = capture(subject, "echo", &Act::print("test123\n"), Pipes::null());
    assert_eq!(
        (status.code, out.as_str(), err.as_str()),
        (0, "test123\n", "")
    );
}

/// The two outputs stay apart.
pub fn split_streams(subject: &dyn Subject) {
    let act = Act::Print {
        stdout: "out\n".into(),
        stderr: "err\n".into(),
    };
    let (_, out, err) = capture(subject, "split", &act, Pipes::null());
    assert_eq!((out.as_str(), err.as_str()), ("out\n", "err\n"));
}

/// Input reaches the program, and so does its end.
pub fn stdin_pipe(subject: &dyn Subject) {
    let pipes = Pipes::null().stdin(Stdio::reader(&b"blahblah"[..]));
    let (status, out, _) = capture(subject, "cat", &Act::Cat, pipes);
    assert_eq!((status.code, out.as_str()), (0, "blahblah"));
}

/// Without input the program sees its end at once.
pub fn no_stdin(subject: &dyn Subject) {
    let (status, out, _) = capture(subject, "no-stdin", &Act::Cat, Pipes::null());
    assert_eq!((status.code, out.as_str()), (0, ""));
}

/// An open, silent input does not keep a program alive.
pub fn stdin_blocked(subject: &dyn Subject) {
    let (reader, writer) = os_pipe::pipe().unwrap();
    let pipes = Pipes::null().stdin(Stdio::reader(reader));
    let (status, ..) = capture(subject, "blocked", &Act::Exit(0), pipes);
    assert_eq!(status.code, 0);
    drop(writer);
}

/// A descriptor is passed straight through.
pub fn fd_passes_through(subject: &dyn Subject) {
    let (mut reader, writer) = os_pipe::pipe().unwrap();
    let command = subject.command(&id("fd"), &Act::print("through"));
    let pipes = Pipes::null().stdout(writer);
    let driver = subject.driver();
    driver
        .run(&command, &RunOptions::default(), pipes, &Hooks::none())
        .unwrap();
    let mut text = String::new();
    // The end comes only when nobody holds the other end any more.
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "through");
}

/// A writer has every byte and was dropped when `run` returns, however slow it is.
pub fn a_slow_writer_has_all_at_return(subject: &dyn Subject) {
    let (bytes, dropped) = (Arc::default(), Arc::default());
    let writer = Slow(Arc::clone(&bytes), Arc::clone(&dropped));
    let text = "x".repeat(1000);
    let command = subject.command(&id("slow"), &Act::print(&text));
    let pipes = Pipes::null().stdout(Stdio::writer(writer));
    let driver = subject.driver();
    driver
        .run(&command, &RunOptions::default(), pipes, &Hooks::none())
        .unwrap();
    assert_eq!(bytes.lock().unwrap().len(), text.len());
    assert!(dropped.load(Ordering::SeqCst));
}

/// Takes 100 bytes at a time and sleeps after each.
struct Slow(Arc<Mutex<Vec<u8>>>, Arc<AtomicBool>);

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = &bytes[..bytes.len().min(100)];
        thread::sleep(std::time::Duration::from_millis(5));
        self.0.lock().unwrap().extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.1.store(true, Ordering::SeqCst);
    }
}

/// Beyond the cap output is dropped, said so, and does not block the program.
pub fn output_cap_truncates_and_says_so(subject: &dyn Subject) {
    let output = Capture::new(1 << 20);
    let command = subject.command(&id("cap"), &Act::print("y".repeat(1000)));
    let options = RunOptions::default().output_cap(10);
    let driver = subject.driver();
    let pipes = Pipes::null().stdout(&output);
    let status = driver
        .run(&command, &options, pipes, &Hooks::none())
        .unwrap();
    assert_eq!((status.code, output.bytes().len()), (0, 10));
    assert!(status.output_truncated);
}

/// A stream of the wrong direction is refused before anything starts.
pub fn a_stream_of_the_wrong_direction_is_refused(subject: &dyn Subject) {
    let command = subject.command(&id("direction"), &Act::Exit(0));
    let pipes = Pipes::null().stdin(Stdio::writer(io::sink()));
    let driver = subject.driver();
    let hooks = Hooks::none().on_pre_start(|_| panic!("nothing may start"));
    let outcome = driver.run(&command, &RunOptions::default(), pipes, &hooks);
    assert!(outcome.unwrap_err().to_string().contains("pipes.stdin"));
}
