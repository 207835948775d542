//! A judge: runs a program on test cases, each in a container of its own, and gives verdicts.
//!
//! ```text
//! cargo run --release --example judge -- --memory 64 /usr/bin/sort docs/examples/judge/cases
//! ```
//!
//! A case is a pair of files, `NAME.in` and `NAME.out`. The program must write exactly what
//! `NAME.out` has when it reads `NAME.in`, within `--time`, without failing, and in as much memory as
//! `--memory` says where it is given (which an ordinary user needs a delegated cgroup for). The driver
//! is picked by name at start-up (`--driver`, else the platform's default); the unit tests at the end
//! of `judging.rs` give the very same code a fake.

mod cases;
mod judging;

use execdriver::{Driver, Options, Registry};
use judging::{Judge, Verdict};
use std::error::Error;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

const USAGE: &str = "usage: judge [--driver NAME] [--root DIR] [--rootfs DIR] [--time SECONDS] \
    [--memory MIB] PROGRAM CASES";

fn main() -> ExitCode {
    match judge() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("judge: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because {error}");
                cause = error.source();
            }
            ExitCode::from(2)
        }
    }
}

/// Judges what the command line says; whether every case was accepted.
fn judge() -> Result<bool, Box<dyn Error>> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let judge = Judge {
        driver: arguments.open_driver()?,
        rootfs: arguments.rootfs,
        time: arguments.time,
        memory: arguments.memory,
    };
    let mut all_accepted = true;
    for case in cases::read(&arguments.cases)? {
        let verdict = judge.judge(&arguments.program, &case)?;
        println!("{:20} {verdict}", case.name);
        all_accepted &= verdict == Verdict::Accepted;
    }
    Ok(all_accepted)
}

struct Arguments {
    driver: Option<String>,
    root: PathBuf,
    rootfs: PathBuf,
    time: Duration,
    memory: Option<NonZeroU32>,
    program: String,
    cases: PathBuf,
}

impl Arguments {
    fn parse(words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut driver = None;
        let mut root = std::env::temp_dir().join(format!("judge-{}", std::process::id()));
        let mut rootfs = PathBuf::from("/");
        let mut time = Duration::from_secs(2);
        let mut memory = None;
        let mut plain = Vec::new();
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--driver" => driver = Some(value()?),
                "--root" => root = value()?.into(),
                "--rootfs" => rootfs = value()?.into(),
                "--memory" => memory = Some(value()?.parse()?),
                "--time" => time = Duration::try_from_secs_f64(value()?.parse()?)?,
                _ => plain.push(word),
            }
        }
        match <[String; 2]>::try_from(plain) {
            Ok([program, cases]) => Ok(Self {
                driver,
                root,
                rootfs,
                time,
                memory,
                program,
                cases: cases.into(),
            }),
            Err(_) => Err(USAGE.into()),
        }
    }

    fn open_driver(&self) -> execdriver::Result<Arc<dyn Driver>> {
        let registry = Registry::with_builtin();
        let root: &Path = &self.root;
        match &self.driver {
            Some(name) => registry.open(name, root, Options::none()),
            None => registry.open_default(root, Options::none()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(words: &str) -> Result<Option<u32>, String> {
        let arguments = Arguments::parse(words.split(' ').map(str::to_owned));
        let memory = arguments.map(|arguments| arguments.memory.map(NonZeroU32::get));
        memory.map_err(|error| error.to_string())
    }

    #[test]
    fn the_memory_is_so_many_mib_or_not_limited() {
        assert_eq!(memory("--memory 64 solver cases"), Ok(Some(64)));
        assert_eq!(memory("solver cases"), Ok(None));
        for wrong in ["0", "-1", "much"] {
            assert!(memory(&format!("--memory {wrong} solver cases")).is_err());
        }
        assert!(
            memory("solver cases --memory")
                .unwrap_err()
                .contains("usage")
        );
    }
}
