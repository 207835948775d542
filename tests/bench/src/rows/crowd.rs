//! A thousand containers at once in one host program: what one more costs in time and in the host's memory.

use crate::Result;
use crate::pairs::{Pairs, time};
use crate::place::Place;
use crate::report::{Row, Unit};
use crate::sleeper::{self, Sleeper};
use execdriver::Driver;
use floor::Floor;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The verb of this program that makes it the crowd's host.
pub(crate) const VERB: &str = "crowd";
/// The verb that makes it the floor beside them.
pub(crate) const FLOOR: &str = "crowd-floor";
/// What counts as few.
const FEW: usize = 10;
/// Starts that are timed at each size, one ended before each; also readings of `stats`, and runs of the floor.
const TIMED: usize = 200;
/// Starts of a growing crowd that are timed at each size, each time that it grows.
const GROWING: usize = 40;
/// So often it grows and shrinks again, after a first time that is not timed.
const GROWTHS: usize = 5;
/// What ended containers leave to the kernel's workers is done by then.
const REST: Duration = Duration::from_secs(3);
/// The most resident memory of the host for a container, bytes.
const MEMORY: f64 = 96.0 * 1024.0;

pub(crate) fn measure(place: &Place, quick: bool) -> Result<Vec<Row>> {
    let size = if quick { 200 } else { 1000 };
    let output = Command::new(std::env::current_exe()?)
        .arg(VERB)
        .arg(size.to_string())
        .arg(place.state("crowd"))
        .arg(place.rootfs())
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let mut lines = text.lines().map(figures);
    let mut next = || lines.next().ok_or("the crowd's host said too little")?;
    let (few, many) = (next()?, next()?);
    let (growing_few, growing_many, memory) = (next()?, next()?, next()?);
    let (stats_few, stats_many) = (next()?, next()?);
    let (floor_few, floor_many) = (next()?, next()?);
    Ok(vec![
        Row {
            name: format!("a start beside {size} containers against one beside 10"),
            unit: Unit::Millis,
            target: Some(1.5),
            pairs: Pairs::of(many, few),
            did: format!(
                "One host program holds containers of the docker profile that wait for a signal, a thread each. {TIMED} times one \
                 of them is ended and another started, which is timed, from the call of `run` to the Start hook. A: beside \
                 {} others; B: beside {}, before the others come and again when they have ended, by turns from both. \
                 A pair is two of the same place in their series: a crowd cannot come and go for each.",
                size - 1,
                FEW - 1
            ),
        },
        Row {
            name: "the floor beside as many against beside 10".into(),
            unit: Unit::Millis,
            target: None,
            pairs: Pairs::of(floor_many, floor_few),
            did: format!(
                "{TIMED} runs of the floor one after the other, so that each begins when another container has just ended, by a \
                 process of their own, beside the same containers as the row above. Its removal is in its time."
            ),
        },
        Row {
            name: format!("the last starts of {size} that none ends among against the first"),
            unit: Unit::Millis,
            target: Some(1.5),
            pairs: Pairs::of(growing_many, growing_few),
            did: format!(
                "A: the last {GROWING} starts of {size}; B: those after the first ten; {GROWTHS} times, each beginning with the ten, {} s \
                 after all others have ended. Before, it has grown so once without being timed: memory that a virtual machine touches for \
                 the first time is its host's to find.",
                REST.as_secs()
            ),
        },
        Row {
            name: format!("one `stats` beside {size} containers against beside 10"),
            unit: Unit::Micros,
            target: Some(1.15),
            pairs: Pairs::of(stats_many, stats_few),
            did: "`Driver::stats` of the first of the same containers, when all are there and, before and after, by turns from both, when ten are. From the third on.".into(),
        },
        Row {
            name: format!("the host's memory for each of {size} containers against 96 KiB"),
            unit: Unit::Kibibytes,
            target: Some(1.0),
            pairs: Pairs::of(memory, vec![MEMORY]),
            did: "A: what the host program's resident memory grew by (`VmRSS`), its thread for each call of `run` included, \
                  divided by the containers: the first growth, once. All of them ended by a kill, and `run` returned for each."
                .into(),
        },
    ])
}

fn figures(line: &str) -> Result<Vec<f64>> {
    line.split(' ').map(|figure| Ok(figure.parse()?)).collect()
}

/// `bench crowd SIZE STATE ROOTFS`: prints the times beside few and beside many, those of a growing crowd, and the memory for each.
pub(crate) fn main(args: &[String]) -> Result<()> {
    let [size, state, rootfs] = args else {
        return Err("crowd SIZE STATE ROOTFS".into());
    };
    let size: usize = size.parse()?;
    // Files of counters stay open in the lower half of the descriptors: a thousand containers are to be in it.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let (driver, rootfs) = (sleeper::driver(state.as_ref())?, Path::new(rootfs));
    // What a first container costs once is not each one's.
    drop(Sleeper::start(&driver, rootfs)?);
    let mut crowd = Crowd {
        driver,
        rootfs,
        all: Vec::with_capacity(size),
    };
    let each = crowd.weigh(size)?;
    crowd.shrink()?;
    let stats_first = crowd.stats()?;
    let first = crowd.turn()?;
    let floor_first = floor_beside(rootfs)?;
    let (mut growing_few, mut growing_many) = (Vec::new(), Vec::new());
    for growth in 1..=GROWTHS {
        growing_few.extend(crowd.grow(GROWING)?);
        crowd.grow(size.saturating_sub(crowd.all.len() + GROWING))?;
        growing_many.extend(crowd.grow(GROWING)?);
        if growth < GROWTHS {
            crowd.shrink()?;
        }
    }
    let many = crowd.turn()?;
    let floor_many = floor_beside(rootfs)?;
    let stats_many = crowd.stats()?;
    // Whatever else the machine does changes meanwhile: the few are asked before and after.
    crowd.shrink()?;
    let stats_last = crowd.stats()?;
    let last = crowd.turn()?;
    let floor_last = floor_beside(rootfs)?;
    crowd.all.into_iter().try_for_each(Sleeper::end)?;
    println!("{}", line(&by_turns(&first, &last)));
    println!("{}", line(&many));
    println!("{}", line(&growing_few));
    println!("{}", line(&growing_many));
    println!("{each}");
    println!("{}", line(&by_turns(&stats_first, &stats_last)));
    println!("{}", line(&stats_many));
    println!("{}", line(&by_turns(&floor_first, &floor_last)));
    println!("{}", line(&floor_many));
    Ok(())
}

/// Seconds of the floor's runs, by a process that has no more descriptors than it needs.
fn floor_beside(rootfs: &Path) -> Result<Vec<f64>> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.arg(FLOOR).arg(rootfs).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    figures(String::from_utf8(output.stdout)?.trim())
}

/// `bench crowd-floor ROOTFS`: prints the times.
pub(crate) fn floor(args: &[String]) -> Result<()> {
    let [rootfs] = args else {
        return Err("crowd-floor ROOTFS".into());
    };
    let floor = Floor::new(rootfs.as_ref())?;
    let run = |_| Ok(time(|| Ok(floor.run("execdriver-bench-crowd-floor")?))?.as_secs_f64());
    // What a first one costs once is not each one's.
    run(0)?;
    let times: Result<Vec<f64>> = (0..TIMED).map(run).collect();
    println!("{}", line(&times?));
    Ok(())
}

/// Containers that are there at the same time.
struct Crowd<'a> {
    driver: Arc<dyn Driver>,
    rootfs: &'a Path,
    all: Vec<Sleeper>,
}

impl Crowd<'_> {
    /// Grows to `size`; the host's memory for each, bytes.
    fn weigh(&mut self, size: usize) -> Result<f64> {
        let before = resident()?;
        self.grow(size)?;
        Ok((resident()? - before) / size as f64)
    }

    /// Starts so many more; the seconds of each.
    fn grow(&mut self, more: usize) -> Result<Vec<f64>> {
        let mut times = Vec::with_capacity(more);
        for _ in 0..more {
            let start = Instant::now();
            self.all.push(Sleeper::start(&self.driver, self.rootfs)?);
            times.push(start.elapsed().as_secs_f64());
        }
        Ok(times)
    }

    /// Ends all but the first few.
    fn shrink(&mut self) -> Result<()> {
        let rest = self.all.split_off(FEW);
        rest.into_iter().try_for_each(Sleeper::end)?;
        std::thread::sleep(REST);
        Ok(())
    }

    /// Ends one and starts another, over and over, so that as many are there at each start; the seconds of each.
    fn turn(&mut self) -> Result<Vec<f64>> {
        let mut times = Vec::with_capacity(TIMED);
        for _ in 0..TIMED {
            self.all.swap_remove(0).end()?;
            times.extend(self.grow(1)?);
        }
        Ok(times)
    }

    /// Seconds of some readings of the first one.
    fn stats(&self) -> Result<Vec<f64>> {
        let id = self.all.first().ok_or("nobody is there")?.id();
        // From the third on they are alike.
        self.driver.stats(id)?;
        self.driver.stats(id)?;
        let read = || Ok(self.driver.stats(id).map(drop)?);
        (0..TIMED).map(|_| Ok(time(read)?.as_secs_f64())).collect()
    }
}

/// As many as either, one of these and one of those: a mean of two would be less at the mercy of outliers than what it is held against.
fn by_turns(some: &[f64], others: &[f64]) -> Vec<f64> {
    let pairs = some.iter().zip(others).enumerate();
    pairs
        .map(|(place, (one, other))| if place % 2 == 0 { *one } else { *other })
        .collect()
}

fn line(times: &[f64]) -> String {
    let words: Vec<String> = times.iter().map(f64::to_string).collect();
    words.join(" ")
}

/// Bytes of this process in memory: proc_pid_status(5).
fn resident() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes: f64 = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .ok_or("no VmRSS in /proc/self/status")?
        .parse()?;
    Ok(kibibytes * 1024.0)
}
