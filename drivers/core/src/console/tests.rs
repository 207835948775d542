//! Tests of the console over pipes and fake streams.

use super::*;
use crate::Capture;
use crate::terminal::NoTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

const SECOND: Duration = Duration::from_secs(1);

fn console(streams: Streams, pipes: Pipes, cap: Option<u64>) -> StdConsole {
    StdConsole::attach(streams, pipes, cap, Arc::new(NoTerminal), Box::new(())).unwrap()
}

fn stdout(end: impl Read + Send + 'static) -> Streams {
    Streams {
        stdout: Some(Box::new(end)),
        ..Streams::default()
    }
}

fn stdin(end: impl InputEnd + 'static) -> Streams {
    Streams {
        stdin: Some(Box::new(end)),
        ..Streams::default()
    }
}

/// A reader that a cancellation ends, as a driver's would be.
struct Endless {
    cancelled: mpsc::Receiver<()>,
}

impl Read for Endless {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        let _ = self.cancelled.recv();
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}

struct Channel(Mutex<Option<mpsc::Sender<()>>>);

impl Cancel for Channel {
    fn cancel(&self, side: Side) {
        if side == Side::Output {
            self.0.lock().unwrap().take();
        }
    }
}

/// A writer of the caller's with a temper.
struct Failing {
    good_writes: usize,
    panics: bool,
    drops: Arc<AtomicUsize>,
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.good_writes.checked_sub(1) {
            Some(left) => self.good_writes = left,
            None if self.panics => panic!("the writer's own bug"),
            None => return Err(io::ErrorKind::StorageFull.into()),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn both_outputs_arrive_whole_and_apart() {
    let (out, err) = (Capture::new(1 << 24), Capture::new(1 << 24));
    let (out_end, mut out_process) = os_pipe::pipe().unwrap();
    let (err_end, mut err_process) = os_pipe::pipe().unwrap();
    let streams = Streams {
        stdin: None,
        stdout: Some(Box::new(out_end)),
        stderr: Some(Box::new(err_end)),
    };
    let console = console(streams, Pipes::null().stdout(&out).stderr(&err), None);
    for _ in 0..64 {
        out_process.write_all(&[b'o'; 100_000]).unwrap();
        err_process.write_all(&[b'e'; 1000]).unwrap();
    }
    drop((out_process, err_process));
    let finished = console.finish(SECOND);
    assert!(!finished.truncated && finished.errors.is_empty());
    assert_eq!(out.bytes(), vec![b'o'; 6_400_000]);
    assert_eq!(err.bytes(), vec![b'e'; 64_000]);
}

#[test]
fn the_end_of_the_callers_input_is_the_end_of_the_process_s() {
    let (mut process, end) = os_pipe::pipe().unwrap();
    let input = Pipes::null().stdin(Stdio::reader(&b"blahblah"[..]));
    let console = console(stdin(end), input, None);
    let mut got = String::new();
    process.read_to_string(&mut got).unwrap();
    assert_eq!(got, "blahblah");
    assert!(console.finish(SECOND).errors.is_empty());
}

#[test]
fn a_reader_that_blocks_forever_delays_nothing_and_keeps_no_end_open() {
    let (reader, _silent) = os_pipe::pipe().unwrap();
    let (mut process, end) = os_pipe::pipe().unwrap();
    let console = console(stdin(end), Pipes::null().stdin(Stdio::reader(reader)), None);
    let started = Instant::now();
    assert!(console.finish(60 * SECOND).errors.is_empty());
    assert!(started.elapsed() < 30 * SECOND);
    // Would block if the thread that is left behind still held the end.
    assert_eq!(process.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_process_that_does_not_read_its_input_is_no_failure() {
    let (process, end) = os_pipe::pipe().unwrap();
    drop(process);
    let input = Pipes::null().stdin(Stdio::reader(io::repeat(b'x')));
    assert!(
        console(stdin(end), input, None)
            .finish(SECOND)
            .errors
            .is_empty()
    );
}

#[test]
fn a_reader_that_fails_is_reported_and_ends_the_input() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let (mut process, end) = os_pipe::pipe().unwrap();
    let console = console(stdin(end), Pipes::null().stdin(Stdio::reader(Broken)), None);
    assert_eq!(process.read(&mut [0]).unwrap(), 0);
    let finished = console.finish(SECOND);
    let [error] = &finished.errors[..] else {
        panic!("{finished:?}");
    };
    assert_eq!((error.stream, error.action), (Stream::Stdin, Action::Read));
}

#[test]
fn a_writer_that_fails_or_panics_is_reported_once_and_the_process_never_blocks() {
    for panics in [false, true] {
        let drops = Arc::new(AtomicUsize::new(0));
        let sink = Failing {
            good_writes: 1,
            panics,
            drops: Arc::clone(&drops),
        };
        let (end, mut process) = os_pipe::pipe().unwrap();
        let console = console(stdout(end), Pipes::null().stdout(Stdio::writer(sink)), None);
        for _ in 0..100 {
            process.write_all(&[0; 10_000]).unwrap();
        }
        drop(process);
        let finished = console.finish(SECOND);
        let [error] = &finished.errors[..] else {
            panic!("{finished:?}");
        };
        assert_eq!(
            (error.stream, error.action),
            (Stream::Stdout, Action::Write)
        );
        let expected = if panics {
            "the writer's own bug"
        } else {
            "no storage space"
        };
        assert!(error.source.to_string().contains(expected), "{error:?}");
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn what_goes_beyond_the_cap_is_dropped_and_said() {
    let capture = Capture::new(100);
    let exact = console(
        stdout(&[7; 10][..]),
        Pipes::null().stdout(&capture),
        Some(10),
    );
    assert!(!exact.finish(SECOND).truncated);
    let capture = Capture::new(100);
    let over = console(
        stdout(&[7; 11][..]),
        Pipes::null().stdout(&capture),
        Some(10),
    );
    assert!(over.finish(SECOND).truncated);
    assert_eq!(capture.bytes(), [7; 10]);
}

#[test]
fn an_output_held_open_past_the_grace_is_cut_and_said() {
    let (sender, cancelled) = mpsc::channel();
    let cancel = Box::new(Channel(Mutex::new(Some(sender))));
    let end = stdout((&b"tail"[..]).chain(Endless { cancelled }));
    let capture = Capture::new(100);
    let pipes = Pipes::null().stdout(&capture);
    let console = StdConsole::attach(end, pipes, None, Arc::new(NoTerminal), cancel).unwrap();
    let started = Instant::now();
    let finished = console.finish(Duration::from_millis(50));
    assert!(finished.truncated && finished.errors.is_empty());
    assert_eq!(capture.text(), "tail");
    assert!(started.elapsed() >= Duration::from_millis(50));
}

#[test]
fn a_slow_writer_gets_every_byte_although_the_grace_is_short() {
    struct Slow(Capture);
    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            std::thread::sleep(Duration::from_millis(30));
            self.0.write(&bytes[..bytes.len().min(10)])
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let capture = Capture::new(100);
    let slow = Stdio::writer(Slow(capture.clone()));
    let console = console(stdout(&[7; 100][..]), Pipes::null().stdout(slow), None);
    let finished = console.finish(Duration::ZERO);
    assert!(!finished.truncated && finished.errors.is_empty());
    assert_eq!(capture.bytes(), [7; 100]);
}

#[test]
fn a_console_that_is_given_up_ends_its_threads_and_drops_every_end() {
    let (sender, cancelled) = mpsc::channel();
    let cancel = Box::new(Channel(Mutex::new(Some(sender))));
    let drops = Arc::new(AtomicUsize::new(0));
    let sink = Failing {
        good_writes: 0,
        panics: false,
        drops: Arc::clone(&drops),
    };
    let pipes = Pipes::null().stdout(Stdio::writer(sink));
    let end = stdout(Endless { cancelled });
    drop(StdConsole::attach(end, pipes, None, Arc::new(NoTerminal), cancel).unwrap());
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[test]
fn a_prompt_without_a_newline_is_flushed_to_the_caller() {
    let (end, mut process) = os_pipe::pipe().unwrap();
    let capture = Capture::new(100);
    let buffered = Stdio::writer(io::BufWriter::new(capture.clone()));
    let console = console(stdout(end), Pipes::null().stdout(buffered), None);
    process.write_all(b"login: ").unwrap();
    let started = Instant::now();
    while capture.text() != "login: " {
        assert!(started.elapsed() < 10 * SECOND, "never flushed");
        std::thread::yield_now();
    }
    drop(process);
    assert!(console.finish(SECOND).errors.is_empty());
}
