//! Streams of a process with a terminal.

use super::{LONG, Running, SECOND, clean, silent};
use crate::support::rounds;
use execdriver_core::{Capture, Error, Pipes, Stdio, WindowSize};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

const MILLISECOND: Duration = Duration::from_millis(1);

fn file(end: impl Into<OwnedFd>) -> File {
    File::from(end.into())
}

fn sh(script: &str, pipes: Pipes) -> Running {
    Running::on_terminal(&["sh", "-c", script], pipes, false)
}

#[test]
fn a_terminal_echoes_and_ends_lines_its_own_way() {
    let capture = Capture::new(100);
    let input = Stdio::reader(&b"hello\n"[..]);
    let pipes = Pipes::null().stdin(input).stdout(&capture);
    let running = Running::on_terminal(&["cat"], pipes, true);
    let (code, finished) = running.end(LONG);
    assert!(code == 0 && clean(&finished));
    assert_eq!(capture.text(), "hello\r\nhello\r\n");
}

#[test]
fn the_end_of_the_callers_input_reaches_the_process() {
    for (input, script, output) in [
        ("", "cat; echo end", "end\r\n"),
        ("abc\n", "cat; echo end", "abc\r\nend\r\n"),
        ("abc", "cat; echo end", "abcend\r\n"),
        // It is still there when the process begins to read later.
        ("abc", "sleep 0.3; cat; echo end", "abcend\r\n"),
        // And it ends one read only: the terminal is not at its end for ever.
        ("abc", "cat; timeout 0.3 cat; echo $?", "abc124\r\n"),
        ("abc\n", "cat; timeout 0.3 cat; echo $?", "abc\r\n124\r\n"),
        // The process's own choice of the character counts.
        (
            "abc\n",
            "stty eof %; sleep 0.3; cat; echo end",
            "abc\r\nend\r\n",
        ),
    ] {
        let capture = Capture::new(1000);
        let reader = Late(io::Cursor::new(input), 150 * MILLISECOND);
        let pipes = Pipes::null().stdin(Stdio::reader(reader)).stdout(&capture);
        let (_, finished) = sh(script, pipes).end(LONG);
        assert!(clean(&finished));
        assert_eq!(capture.text(), output, "{input:?} into {script}");
    }
}

/// A reader whose first byte takes a while.
struct Late<R>(R, Duration);

impl<R: Read> Read for Late<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        std::thread::sleep(std::mem::take(&mut self.1));
        self.0.read(buffer)
    }
}

#[test]
fn a_megabyte_of_input_goes_through_a_terminal_and_ends() {
    let line = [b"x".repeat(79), b"\n".to_vec()].concat();
    let input = io::Cursor::new(line.repeat(13_000));
    let capture = Capture::new(1000);
    let pipes = Pipes::null().stdin(Stdio::reader(input)).stdout(&capture);
    let (_, finished) = sh("wc -c", pipes).end(LONG);
    assert!(clean(&finished));
    assert_eq!(capture.text(), "1040000\r\n");
}

#[test]
fn two_megabytes_through_a_terminal_lose_nothing_fifty_times() {
    let script = "head -c 2000000 /dev/zero | tr '\\0' x";
    for round in 0..rounds(50) {
        let capture = Capture::new(1 << 22);
        let (stdout, collector) = match round % 3 {
            0 => (Stdio::from(&capture), None),
            1 => (Stdio::writer(capture.clone()), None),
            _ => {
                let (mut reader, writer) = os_pipe::pipe().unwrap();
                let mut sink = capture.clone();
                let thread = std::thread::spawn(move || io::copy(&mut reader, &mut sink));
                (Stdio::from(writer), Some(thread))
            }
        };
        let (_, finished) = sh(script, Pipes::null().stdout(stdout)).end(LONG);
        assert!(clean(&finished), "{finished:?}");
        if let Some(thread) = collector {
            // The console has dropped the caller's file, else this would never end.
            thread.join().unwrap().unwrap();
        }
        let bytes = capture.bytes();
        assert!(
            bytes.len() == 2_000_000 && bytes.iter().all(|b| *b == b'x'),
            "{}",
            bytes.len()
        );
    }
}

#[test]
fn output_that_is_null_does_not_block_the_process() {
    let (code, finished) = sh("head -c 1000000 /dev/zero; exit 7", Pipes::null()).end(LONG);
    assert!(code == 7 && clean(&finished));
}

#[test]
fn the_process_sees_its_window_size() {
    let capture = Capture::new(100);
    let (stdin, mut typist) = silent();
    let running = sh(
        "read go; stty size",
        Pipes::null().stdin(stdin).stdout(&capture),
    );
    let size = WindowSize {
        rows: 33,
        columns: 77,
    };
    running.console.terminal().resize(size).unwrap();
    typist.write_all(b"go\n").unwrap();
    let (_, finished) = running.end(LONG);
    assert!(clean(&finished));
    assert_eq!(capture.text(), "33 77\r\n");
}

#[test]
fn a_terminal_that_is_closed_says_so_and_keeps_no_descriptor() {
    let running = sh("true", Pipes::null());
    let terminal = running.console.terminal();
    running.end(LONG);
    let error = terminal.resize(WindowSize::default()).unwrap_err();
    assert!(matches!(error, Error::NotRunning { id } if id == "test"));
    terminal.close().unwrap();
}

#[test]
fn closing_the_terminal_hangs_the_session_up_whoever_waits_for_it() {
    for thread in [false, true] {
        let (stdin, _typist) = silent();
        let pipes = Pipes::null().stdin(stdin);
        let pipes = if thread {
            pipes.stdout(Stdio::writer(Vec::new()))
        } else {
            pipes
        };
        let argv = ["setsid", "--ctty", "sleep", "60"];
        let running = Running::on_terminal(&argv, pipes, false);
        let terminal = running.console.terminal();
        let closer = std::thread::spawn(move || {
            std::thread::sleep(200 * MILLISECOND);
            terminal.close()
        });
        let started = Instant::now();
        let (_, finished) = running.end(LONG);
        closer.join().unwrap().unwrap();
        assert!(clean(&finished), "{finished:?}");
        assert!(started.elapsed() < 10 * SECOND);
    }
}

#[test]
fn a_silent_file_as_input_does_not_delay_the_end() {
    let (reader, _writer) = os_pipe::pipe().unwrap();
    let started = Instant::now();
    let (code, finished) = sh("exit 6", Pipes::null().stdin(reader)).end(LONG);
    assert!(code == 6 && clean(&finished));
    assert!(started.elapsed() < 5 * SECOND);
}

#[test]
fn a_file_as_input_is_typed_into_the_terminal_and_ends() {
    let mut typed = tempfile::tempfile().unwrap();
    typed.write_all(b"from a file\n").unwrap();
    io::Seek::rewind(&mut typed).unwrap();
    let capture = Capture::new(100);
    let pipes = Pipes::null().stdin(typed).stdout(&capture);
    let (_, finished) = sh("cat; echo end", pipes).end(LONG);
    assert!(clean(&finished));
    assert_eq!(capture.text(), "from a file\r\nend\r\n");
}

#[test]
fn a_file_that_takes_no_output_is_given_up_after_a_while() {
    let (_reader, writer) = os_pipe::pipe().unwrap();
    let mut full = writer.try_clone().unwrap();
    full.write_all(&[0; 65536]).unwrap();
    let started = Instant::now();
    let running = sh("echo lost", Pipes::null().stdout(file(writer)));
    let (_, finished) = running.end(Duration::ZERO);
    assert!(
        finished.truncated && finished.errors.is_empty(),
        "{finished:?}"
    );
    assert!(started.elapsed() < 15 * SECOND);
}

#[test]
fn a_background_process_that_keeps_the_terminal_is_bounded_by_the_grace() {
    let capture = Capture::new(100);
    let script = "setsid sleep 60 & echo $!";
    let started = Instant::now();
    let running = sh(script, Pipes::null().stdout(&capture));
    let (_, finished) = running.end(200 * MILLISECOND);
    super::kill(&capture.text());
    assert!(finished.truncated && finished.errors.is_empty());
    assert!(started.elapsed() < 10 * SECOND);
}

#[test]
fn a_closed_terminal_wakes_the_waiting_thread() {
    let mut running = sh("sleep 60", Pipes::null());
    let terminal = running.console.terminal();
    terminal.close().unwrap();
    // Nothing is left to copy: the wait goes on for the process alone.
    let deadline = Some(Instant::now() + 100 * MILLISECOND);
    let ready = running.wait(deadline);
    assert_eq!(ready.unwrap(), None);
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    assert!(clean(&running.console.finish(SECOND)));
}
