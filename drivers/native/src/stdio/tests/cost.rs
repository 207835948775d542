//! What the streams cost; run by hand in release: `cargo test --release -- --ignored cost`.

use super::super::prepare;
use super::{LONG, Running, SECOND};
use execdriver_core::{Capture, Pipes, Stdio};
use std::io;
use std::time::{Duration, Instant};

fn set_up_and_end(pipes: impl Fn() -> Pipes) -> Duration {
    let rounds = 2000;
    let started = Instant::now();
    for _ in 0..rounds {
        let (child, host) = prepare(pipes(), false).unwrap();
        drop(child);
        let console = host.attach("cost", None, None).unwrap();
        console.finish(SECOND);
    }
    started.elapsed() / rounds
}

#[test]
#[ignore = "a measurement"]
fn cost_of_setting_streams_up() {
    let capture = || Stdio::from(&Capture::new(1 << 20));
    let writer = || Stdio::writer(io::sink());
    eprintln!("null       {:?}", set_up_and_end(Pipes::null));
    let captured = || Pipes::null().stdout(capture()).stderr(capture());
    eprintln!("2 captures {:?}", set_up_and_end(captured));
    let written = || Pipes::null().stdout(writer()).stderr(writer());
    eprintln!("2 writers  {:?}", set_up_and_end(written));
    let read = || Pipes::null().stdin(Stdio::reader(io::empty()));
    eprintln!("1 reader   {:?}", set_up_and_end(read));
}

#[test]
#[ignore = "a measurement"]
fn cost_of_a_gigabyte() {
    for script in [
        "exec head -c 1073741824 /dev/zero",
        "exec dd if=/dev/zero bs=1M count=1024",
    ] {
        eprintln!("{script}");
        for (name, stdout) in [
            ("null", Stdio::Null),
            ("capture", Stdio::from(&Capture::new(1 << 20))),
            ("writer", Stdio::writer(io::sink())),
        ] {
            let started = Instant::now();
            Running::start(script, Pipes::null().stdout(stdout), None).end(LONG);
            eprintln!("  {name:8} {:?}", started.elapsed());
        }
    }
}
