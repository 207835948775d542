//! Where errors go: one line to stderr, and one to the log as its readers parse it.

use super::failure::Failure;
use super::global::{self, Global, LogFormat};
use super::output::complain;
use execdriver_core::Timestamp;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

/// Field names and order are those of the readers: containerd, Docker and Podman.
#[derive(Serialize)]
struct Line<'a> {
    level: &'a str,
    msg: &'a str,
    time: String,
}

/// Makes the log, before anything is done whose errors would be lost: clients read them there.
pub(super) fn check(global: &Global) -> Result<(), Failure> {
    let Some(path) = &global.log else {
        return Ok(());
    };
    let opened = open(path).map(drop);
    opened.map_err(|error| Failure::system(format!("open {}", path.display()), error))
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Tells an error.
pub(super) fn error(global: &Global, message: &str) {
    tell(global, "error", message);
}

/// Tells what went wrong and changed nothing.
pub(super) fn warnings(global: &Global, sentences: &[String]) {
    for sentence in sentences {
        tell(global, "warning", sentence);
    }
}

/// Tells what of a launch is not as it could be; to a log all of it. Clients show what is on stderr to whoever runs a container,
/// so it gets what this user can mend: an ordinary user's containers lack a cgroup as a rule, and Podman's builds ask for
/// ambient capabilities that their own inheritable set rules out.
pub(super) fn shortcomings(global: &Global, sentences: &[String]) {
    let logged = global.log.is_some() || global.debug;
    let mendable =
        |sentence: &&String| !global::is_ordinary() && !sentence.ends_with(RULED_OUT_BY_THE_BUNDLE);
    for sentence in sentences.iter().filter(|one| logged || mendable(one)) {
        tell(global, "warning", sentence);
    }
}

/// The driver's words for capabilities of a set that another set of the same process rules out.
const RULED_OUT_BY_THE_BUNDLE: &str = "not in the sets that it has to be in";

fn tell(global: &Global, level: &str, message: &str) {
    let line = line(global.log_format, level, message);
    let Some(path) = &global.log else {
        match global.log_format {
            LogFormat::Text => complain(message),
            LogFormat::Json => complain(&line),
        }
        return;
    };
    // Clients take what is on stderr for a failure.
    if level == "error" {
        complain(message);
    }
    // One write, so that lines of several processes do not mix.
    let written = open(path).and_then(|mut log| log.write_all(format!("{line}\n").as_bytes()));
    if let Err(error) = written {
        complain(&format!(
            "cannot write to the log {}: {error}",
            path.display()
        ));
    }
}

fn line(format: LogFormat, level: &str, msg: &str) -> String {
    let time = Timestamp::from(SystemTime::now()).to_string();
    match format {
        LogFormat::Text => format!("time={time:?} level={level} msg={msg:?}"),
        LogFormat::Json => serde_json::to_string(&Line { level, msg, time }).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_has_what_docker_reads() {
        let line = line(LogFormat::Json, "error", "exec: \"/x\": no");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["level"], "error");
        assert_eq!(read["msg"], "exec: \"/x\": no");
        assert!(read["time"].as_str().unwrap().ends_with('Z'));
    }
}
