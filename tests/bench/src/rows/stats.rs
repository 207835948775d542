//! One reading of a container's counters against reading the same kind of files by their paths.

use crate::Result;
use crate::pairs::{Pairs, time};
use crate::peers::version;
use crate::place::Place;
use crate::report::{Row, Unit};
use crate::sleeper::{self, Sleeper};
use crate::version_one;
use execdriver::{Options, Registry};
use std::hint::black_box;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The container of the other runtime.
const ID: &str = "execdriver-bench-stats";

/// The files that count, of either version.
const COUNTERS: [&str; 27] = [
    "cpuacct.usage_percpu",
    "cpuacct.stat",
    "cpu.stat",
    "memory.usage_in_bytes",
    "memory.max_usage_in_bytes",
    "memory.failcnt",
    "memory.memsw.usage_in_bytes",
    "memory.memsw.max_usage_in_bytes",
    "memory.memsw.failcnt",
    "memory.kmem.usage_in_bytes",
    "memory.kmem.max_usage_in_bytes",
    "memory.kmem.failcnt",
    "memory.stat",
    "memory.oom_control",
    "memory.current",
    "memory.events",
    "pids.current",
    "pids.max",
    "pids.peak",
    "blkio.throttle.io_service_bytes_recursive",
    "blkio.throttle.io_serviced_recursive",
    "io.stat",
    "cpu.pressure",
    "memory.pressure",
    "io.pressure",
    "memory.peak",
    "memory.swap.current",
];

/// The most that one reading may cost, seconds.
const MOST: f64 = 150e-6;

pub(crate) fn measure(place: &Place, pairs: usize) -> Result<Vec<Row>> {
    let pairs_of_peer = pairs;
    let driver = sleeper::driver(&place.state("stats"))?;
    let sleeper = Sleeper::start(&driver, &place.rootfs())?;
    let files = files(sleeper.pid()?);
    let stats = || {
        time(|| {
            black_box(driver.stats(sleeper.id())?);
            Ok(())
        })
    };
    let target = Pairs::take(pairs, stats, stats)?.against(MOST);
    let pairs = Pairs::take(pairs, stats, || time(|| read_all(&files)))?;
    let within = Row {
        name: "one `stats` against 150 us".into(),
        unit: Unit::Micros,
        target: Some(1.0),
        pairs: target,
        did: "A: `Driver::stats` of a running container that was read before, so that its files are open. B: the target.".into(),
    };
    let alone = Row {
        name: "one `stats` against its files alone".into(),
        unit: Unit::Micros,
        target: None,
        pairs,
        did: "A: as above, state and liveness from the disk. B: `std::fs::read` of the counters' files of the same cgroups by their \
              paths: what a reading costs whose files are not open is in the row after the next."
            .into(),
    };
    let mut rows = vec![within, alone];
    if let Some(version) = version("runc") {
        let compare =
            |open| version_one::within(&[ID], || against_runc(place, open, pairs_of_peer));
        rows.push(Row {
            name: format!("one `stats` against `runc events --stats` ({version})"),
            unit: Unit::Millis,
            target: Some(0.05),
            pairs: compare("4")?,
            did: "A: as above. B: `runc events --stats ID` as a process, of a container of the same mounts and namespaces. Both \
                  where version 2 is unmounted."
                .into(),
        });
        rows.push(Row {
            name: "the same with `native.kept_open=0`".into(),
            unit: Unit::Millis,
            target: None,
            pairs: compare("0")?,
            did: "A: as the first two readings of any container, and all of one that is read by turns with many others: no file \
                  of it is open. B: as above."
                .into(),
        });
    }
    Ok(rows)
}

fn against_runc(place: &Place, open: &str, pairs: usize) -> Result<Pairs> {
    let state = place.state(&format!("stats-v1-{open}"));
    let options = Options::parse([format!("native.kept_open={open}")])?;
    let driver = Registry::with_builtin().open("native", &state, options)?;
    let sleeper = Sleeper::start(&driver, &place.rootfs())?;
    let runc = |args: &[&str]| -> Result<()> {
        let mut command = Command::new("runc");
        command.arg("--root").arg(place.state("runc")).args(args);
        if args.first() == Some(&"run") {
            command.arg(place.bundle("pause")).arg(ID);
        }
        let status = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("{status}: {command:?}").into()),
        }
    };
    runc(&["run", "--detach", "--bundle"])?;
    let own = || {
        time(|| {
            black_box(driver.stats(sleeper.id())?);
            Ok(())
        })
    };
    let pairs = Pairs::take(pairs, own, || time(|| runc(&["events", "--stats", ID])));
    runc(&["delete", "--force", ID])?;
    pairs
}

/// Those that this host has, by the cgroups of the process.
fn files(pid: u32) -> Vec<PathBuf> {
    let cgroups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let root = PathBuf::from("/sys/fs/cgroup");
    let directory = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/'));
        let mount = match controllers {
            "" if root.join("unified").exists() => root.join("unified"),
            "" => root.clone(),
            name => root.join(name),
        };
        Some(mount.join(path))
    };
    let directories = cgroups.lines().filter_map(directory);
    let all = directories.flat_map(|dir| COUNTERS.map(|file| dir.join(file)));
    all.filter(|file| file.exists()).collect()
}

fn read_all(files: &[PathBuf]) -> Result<()> {
    for file in files {
        black_box(std::fs::read(file)?);
    }
    Ok(())
}
