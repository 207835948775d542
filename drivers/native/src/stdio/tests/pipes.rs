//! Streams without a terminal.

use super::super::caller::{DRAIN, FromProcess};
use super::super::end::{End, Event};
use super::super::width::DEFAULT;
use super::super::{null, prepare};
use super::{LONG, Running, SECOND, Slow, clean, kill, silent};
use execdriver_core::console::{Action, Stream};
use execdriver_core::{Capture, Error, Pipes, Stdio};
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MILLISECOND: Duration = Duration::from_millis(1);

fn both(out: &Capture, err: &Capture) -> Pipes {
    Pipes::null().stdout(out).stderr(err)
}

#[test]
fn twenty_megabytes_arrive_whole_in_a_capture() {
    let capture = Capture::new(1 << 25);
    let pipes = Pipes::null().stdout(&capture);
    let (code, finished) = Running::start("head -c 20000000 /dev/zero", pipes, None).end(LONG);
    assert!(code == 0 && clean(&finished));
    assert_eq!(capture.bytes().len(), 20_000_000);
}

#[test]
fn twenty_megabytes_arrive_whole_in_a_slow_writer() {
    let capture = Capture::new(1 << 25);
    let slow = Stdio::writer(Slow(capture.clone(), MILLISECOND));
    let pipes = Pipes::null().stdout(slow);
    let (code, finished) = Running::start("head -c 20000000 /dev/zero", pipes, None).end(LONG);
    assert!(code == 0 && clean(&finished));
    assert_eq!(capture.bytes().len(), 20_000_000);
}

#[test]
fn a_writer_slower_than_the_grace_loses_nothing() {
    let capture = Capture::new(1 << 20);
    let slow = Stdio::writer(Slow(capture.clone(), 300 * MILLISECOND));
    let pipes = Pipes::null().stdout(slow);
    let script = "head -c 100000 /dev/zero";
    let (_, finished) = Running::start(script, pipes, None).end(MILLISECOND);
    assert!(clean(&finished), "{finished:?}");
    assert_eq!(capture.bytes().len(), 100_000);
}

#[test]
fn the_streams_stay_apart() {
    let (out, err) = (Capture::new(100), Capture::new(100));
    let (code, finished) =
        Running::start("echo test123; echo oh >&2; exit 5", both(&out, &err), None).end(LONG);
    assert!(code == 5 && clean(&finished));
    assert_eq!(
        (out.text(), err.text()),
        ("test123\n".into(), "oh\n".into())
    );
}

#[test]
fn outputs_into_one_capture_keep_their_order() {
    let capture = Capture::new(1 << 16);
    let script = "n=0; while [ $n -lt 500 ]; do echo o$n; echo e$n >&2; n=$((n+1)); done";
    let (_, finished) = Running::start(script, both(&capture, &capture), None).end(LONG);
    let expected: String = (0..500).map(|n| format!("o{n}\ne{n}\n")).collect();
    assert!(clean(&finished));
    assert_eq!(capture.text(), expected);
}

#[test]
fn input_ends_where_the_callers_ends() {
    let capture = Capture::new(100);
    let pipes = Pipes::null()
        .stdin(Stdio::reader(&b"blahblah"[..]))
        .stdout(&capture);
    let (code, finished) = Running::start("cat", pipes, None).end(LONG);
    assert!(code == 0 && clean(&finished));
    assert_eq!(capture.text(), "blahblah");
}

#[test]
fn a_megabyte_goes_through_a_process_and_back() {
    let capture = Capture::new(1 << 21);
    let input: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[0]).collect();
    let pipes = Pipes::null()
        .stdin(Stdio::reader(io::Cursor::new(input.clone())))
        .stdout(&capture);
    let (code, finished) = Running::start("cat", pipes, None).end(LONG);
    assert!(code == 0 && clean(&finished));
    assert!(capture.bytes() == input);
}

#[test]
fn silent_input_does_not_delay_the_end() {
    let (stdin, _writer) = silent();
    let started = Instant::now();
    let (code, finished) = Running::start("true", Pipes::null().stdin(stdin), None).end(LONG);
    assert!(code == 0 && clean(&finished));
    assert!(started.elapsed() < 5 * SECOND);
}

#[test]
fn input_that_nobody_reads_does_not_delay_the_end() {
    let endless = Stdio::reader(io::repeat(b'x'));
    let script = "sleep 60 <&0 >/dev/null 2>&1 & echo $!";
    let capture = Capture::new(100);
    let pipes = Pipes::null().stdin(endless).stdout(&capture);
    let (code, finished) = Running::start(script, pipes, None).end(LONG);
    kill(&capture.text());
    assert!(code == 0 && clean(&finished), "{finished:?}");
}

#[test]
fn streams_that_are_null_are_the_null_device_and_cost_no_pipe() {
    let (child, _host) = prepare(Pipes::null(), false).unwrap();
    assert_eq!(child.chown_mask(), 0);
    let capture = Capture::new(1000);
    let script = "readlink /proc/self/fd/0 /proc/$$/fd/2; cat";
    let (_, finished) = Running::start(script, Pipes::null().stdout(&capture), None).end(LONG);
    assert!(clean(&finished));
    assert_eq!(capture.text(), "/dev/null\n/dev/null\n");
}

#[test]
fn only_pipes_of_ours_are_to_be_owned_by_the_user() {
    let file = tempfile::tempfile().unwrap();
    let pipes = Pipes::null()
        .stdin(Stdio::reader(io::empty()))
        .stdout(file)
        .stderr(&Capture::new(1));
    let (child, _host) = prepare(pipes, false).unwrap();
    assert_eq!(child.chown_mask(), 0b101);
}

#[test]
fn an_open_file_is_passed_straight_through() {
    let mut file = tempfile::tempfile().unwrap();
    let pipes = Pipes::null().stdout(file.try_clone().unwrap());
    let (_, finished) = Running::start("echo direct", pipes, None).end(LONG);
    assert!(clean(&finished));
    let mut text = String::new();
    io::Seek::rewind(&mut file).unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "direct\n");
}

#[test]
fn a_descendant_that_holds_the_output_is_bounded_by_the_grace() {
    let script = "sleep 60 & echo $!";
    for thread in [false, true] {
        let capture = Capture::new(100);
        let stdout = if thread {
            Stdio::writer(capture.clone())
        } else {
            Stdio::from(&capture)
        };
        let started = Instant::now();
        let running = Running::start(script, Pipes::null().stdout(stdout), None);
        let (code, finished) = running.end(200 * MILLISECOND);
        kill(&capture.text());
        assert!(code == 0 && finished.truncated && finished.errors.is_empty());
        assert!(started.elapsed() >= 200 * MILLISECOND);
        assert!(started.elapsed() < 10 * SECOND);
    }
}

#[test]
fn a_descendant_that_writes_for_ever_is_cut() {
    let script = "yes >&2 & echo $!";
    for thread in [false, true] {
        let (out, err) = (Capture::new(100), Capture::new(100));
        let stderr = if thread {
            Stdio::writer(err.clone())
        } else {
            Stdio::from(&err)
        };
        let pipes = Pipes::null().stdout(&out).stderr(stderr);
        let started = Instant::now();
        let (_, finished) = Running::start(script, pipes, None).end(100 * MILLISECOND);
        kill(&out.text());
        assert!(finished.truncated && finished.errors.is_empty());
        assert!(started.elapsed() < 10 * SECOND);
    }
}

#[test]
fn a_cancelled_output_that_never_pauses_is_read_up_to_a_bound() {
    let zeros = End::Pipe(File::open("/dev/zero").unwrap().into());
    let cancel = Arc::new(Event::new().unwrap());
    let mut output = FromProcess::new(zeros, Arc::clone(&cancel), DEFAULT);
    cancel.happen();
    let mut got = Capture::new(1 << 24);
    let error = io::copy(&mut output, &mut got).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!((DRAIN..2 * DRAIN).contains(&got.bytes().len()));
}

#[test]
fn a_process_that_ends_leaves_its_last_bytes_even_without_a_grace() {
    for _ in 0..50 {
        let (out, err) = (Capture::new(100), Capture::new(100));
        let pipes = Pipes::null()
            .stdout(&out)
            .stderr(Stdio::writer(err.clone()));
        // A fork of another test may hold the pipes open meanwhile, but nothing is lost.
        let (_, finished) =
            Running::start("echo one; echo two >&2", pipes, None).end(Duration::ZERO);
        assert!(finished.errors.is_empty(), "{finished:?}");
        assert_eq!((out.text(), err.text()), ("one\n".into(), "two\n".into()));
    }
}

#[test]
fn what_goes_beyond_the_cap_is_dropped_and_the_process_never_blocks() {
    for thread in [false, true] {
        let capture = Capture::new(1 << 24);
        let stdout = if thread {
            Stdio::writer(capture.clone())
        } else {
            Stdio::from(&capture)
        };
        let running = Running::start(
            "head -c 2000000 /dev/zero; exit 3",
            Pipes::null().stdout(stdout),
            Some(100_001),
        );
        let (code, finished) = running.end(LONG);
        assert!(code == 3 && finished.truncated && finished.errors.is_empty());
        assert_eq!(capture.bytes().len(), 100_001);
    }
}

#[test]
fn a_writer_that_fails_is_reported_and_the_process_never_blocks() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let pipes = Pipes::null().stderr(Stdio::writer(Full));
    let (code, finished) =
        Running::start("head -c 2000000 /dev/zero >&2; exit 4", pipes, None).end(LONG);
    assert_eq!(code, 4);
    let [error] = &finished.errors[..] else {
        panic!("{finished:?}");
    };
    assert_eq!(
        (error.stream, error.action),
        (Stream::Stderr, Action::Write)
    );
}

#[test]
fn copier_threads_take_none_of_the_hosts_signals() {
    struct Asks(Capture);
    impl Write for Asks {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let status = std::fs::read_to_string("/proc/thread-self/status")?;
            self.0.write_all(status.as_bytes())?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let capture = Capture::new(1 << 16);
    let pipes = Pipes::null().stdout(Stdio::writer(Asks(capture.clone())));
    Running::start("echo go", pipes, None).end(LONG);
    let status = capture.text();
    let blocked = status
        .lines()
        .find_map(|l| l.strip_prefix("SigBlk:\t"))
        .unwrap();
    let blocked = u64::from_str_radix(blocked, 16).unwrap();
    for signal in [libc::SIGPIPE, libc::SIGCHLD, libc::SIGTERM, libc::SIGUSR1] {
        assert_ne!(blocked & 1 << (signal - 1), 0, "{signal} is not blocked");
    }
    assert_eq!(blocked & 1 << (libc::SIGSEGV - 1), 0);
    assert!(status.contains("Name:\texecdriver-out\n"));
}

#[test]
fn a_deadline_passes_while_output_flows() {
    let capture = Capture::new(100);
    let mut running = Running::start("exec yes", Pipes::null().stdout(&capture), None);
    let started = Instant::now();
    let deadline = Some(started + 200 * MILLISECOND);
    let ready = running.wait(deadline);
    assert_eq!(ready.unwrap(), None);
    assert!(started.elapsed() >= 200 * MILLISECOND && started.elapsed() < 5 * SECOND);
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    assert!(clean(&running.console.finish(SECOND)));
}

#[test]
fn captures_on_threads_fill_while_nobody_waits() {
    let capture = Capture::new(1 << 20);
    let (child, host) = prepare(Pipes::null().stdout(&capture), false).unwrap();
    let console = host.on_threads().attach("test", None, None).unwrap();
    let mut process = File::from(child.fds().unwrap()[1].try_clone_to_owned().unwrap());
    drop(child);
    // More than a pipe holds: without a thread this would block for ever.
    process.write_all(&[0; 500_000]).unwrap();
    drop(process);
    assert!(clean(&console.finish(SECOND)));
    assert_eq!(capture.bytes().len(), 500_000);
}

#[test]
fn a_file_or_another_device_in_the_place_of_the_null_device_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for path in [file.path().to_str().unwrap(), "/dev/zero"] {
        let error = Error::from(null::open(path).unwrap_err());
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("not the null device"), "{cause}");
        assert!(error.to_string().contains(path));
    }
    let _: File = null::open("/dev/null").unwrap();
}
