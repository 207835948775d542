//! Bytes through a container's streams against the same program's outside of a container.

use crate::Result;
use crate::pairs::{Pairs, time};
use crate::place::Place;
use crate::report::{Row, Unit};
use execdriver::{Command, Driver, Hooks, Options, Pipes, Registry, RunOptions, Stdio};
use std::fs::File;
use std::io::{Read, Write};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const BLOCK: usize = 64 << 10;

pub(crate) fn measure(place: &Place, count: usize, quick: bool) -> Result<Vec<Row>> {
    let mebibytes = if quick { 1024 } else { 4096 };
    let stream = Stream::open(place, mebibytes)?;
    let row = |name: &str, pairs, did: &str| Row {
        name: format!("{mebibytes} MiB {name} against the same without a container"),
        unit: Unit::Millis,
        target: Some(1.0 / 0.95),
        pairs,
        did: did.into(),
    };
    Ok(vec![
        row(
            "from the container's output to a file",
            Pairs::take(
                count,
                || time(|| stream.to_file()),
                || time(|| stream.host_to_file()),
            )?,
            "A: `Driver::run` of a static program that writes blocks of 64 KiB, its output `Stdio::Fd` of a file on a tmpfs. \
             B: the same program as a child of the host, its output the same file.",
        ),
        row(
            "from the container's output to a counting writer",
            Pairs::take(
                count,
                || time(|| stream.to_writer()),
                || time(|| stream.host_to_writer()),
            )?,
            "A: as before, its output `Stdio::Writer` of a writer that counts. B: the child's output a pipe that the host \
             reads in blocks of 64 KiB and counts.",
        ),
        row(
            "from a reader into the container's input",
            Pairs::take(
                count,
                || time(|| stream.reader_to()),
                || time(|| stream.host_reader_to()),
            )?,
            "A: `Driver::run` of a static program that reads to the end, its input `Stdio::Reader`. B: the same program as a \
             child, its input a pipe that the host fills from the same reader in blocks of 64 KiB.",
        ),
    ])
}

struct Stream<'a> {
    driver: Arc<dyn Driver>,
    place: &'a Place,
    mebibytes: u64,
}

impl<'a> Stream<'a> {
    fn open(place: &'a Place, mebibytes: u64) -> Result<Self> {
        let state = place.state("stream");
        let driver = Registry::with_builtin().open("native", &state, Options::none())?;
        Ok(Self {
            driver,
            place,
            mebibytes,
        })
    }

    fn run(&self, mebibytes: Option<u64>, pipes: Pipes) -> Result<()> {
        let id = format!("execdriver-bench-stream-{}", process::id());
        let mut command = Command::linux(id, self.place.rootfs(), "/bin/stream");
        command
            .process
            .arguments
            .extend(mebibytes.map(|count| count.to_string()));
        let status = self
            .driver
            .run(&command, &RunOptions::default(), pipes, &Hooks::none())?;
        match status.success() && status.stream_errors.is_empty() {
            true => Ok(()),
            false => Err(format!("stream ended so: {status:?}").into()),
        }
    }

    fn child(&self) -> process::Command {
        process::Command::new(self.place.rootfs().join("bin/stream"))
    }

    fn counted(&self, count: u64) -> Result<()> {
        match count == self.mebibytes << 20 {
            true => Ok(()),
            false => Err(format!("{count} bytes came of {} MiB", self.mebibytes).into()),
        }
    }

    fn to_file(&self) -> Result<()> {
        let file = File::create(self.place.file("stream"))?;
        self.run(
            Some(self.mebibytes),
            Pipes::null().stdout(Stdio::Fd(file.try_clone()?)),
        )?;
        self.counted(file.metadata()?.len())
    }

    fn host_to_file(&self) -> Result<()> {
        let file = File::create(self.place.file("stream"))?;
        let mut child = self.child();
        child
            .arg(self.mebibytes.to_string())
            .stdout(file.try_clone()?)
            .status()?;
        self.counted(file.metadata()?.len())
    }

    fn to_writer(&self) -> Result<()> {
        let count = Arc::new(AtomicU64::new(0));
        let writer = Box::new(Counter(Arc::clone(&count)));
        self.run(
            Some(self.mebibytes),
            Pipes::null().stdout(Stdio::Writer(writer)),
        )?;
        self.counted(count.load(Ordering::Relaxed))
    }

    fn host_to_writer(&self) -> Result<()> {
        let count = Arc::new(AtomicU64::new(0));
        let mut child = self.child();
        let mut child = child
            .arg(self.mebibytes.to_string())
            .stdout(process::Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no pipe from the child")?;
        copy(output, Counter(Arc::clone(&count)))?;
        child.wait()?;
        self.counted(count.load(Ordering::Relaxed))
    }

    fn reader_to(&self) -> Result<()> {
        let reader = Box::new(Zeros(self.mebibytes << 20));
        self.run(None, Pipes::null().stdin(Stdio::Reader(reader)))
    }

    fn host_reader_to(&self) -> Result<()> {
        let mut child = self.child().stdin(process::Stdio::piped()).spawn()?;
        let input = child.stdin.take().ok_or("no pipe to the child")?;
        copy(Zeros(self.mebibytes << 20), input)?;
        match child.wait()?.success() {
            true => Ok(()),
            false => Err("the child failed".into()),
        }
    }
}

fn copy(mut from: impl Read, mut to: impl Write) -> Result<()> {
    let mut block = vec![0; BLOCK];
    loop {
        match from.read(&mut block)? {
            0 => return Ok(()),
            read => to.write_all(block.get(..read).ok_or("a reader read too much")?)?,
        }
    }
}

/// Counts what is written to it.
struct Counter(Arc<AtomicU64>);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// So many zero bytes.
struct Zeros(u64);

impl Read for Zeros {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = usize::try_from(self.0).map_or(buffer.len(), |left| left.min(buffer.len()));
        self.0 -= count as u64;
        Ok(count)
    }
}
