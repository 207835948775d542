//! Races: what a container shares with another is exchanged for links while it starts, and the host stays as it is.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
mod race;
mod support;

use contract::{Bench, Outcome, chain};
use execdriver::{Command, Error, Mount, Network};
use race::{Racer, Tripwires, starts};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use support::{Need, skip_unless};

/// A volume with `target`, which is a directory or a file, and `link`, which leads to a directory of the host's that must
/// stay empty.
struct Shared {
    volume: PathBuf,
    watch: PathBuf,
    source: PathBuf,
    file: PathBuf,
}

impl Shared {
    fn new(bench: &Bench) -> Self {
        let below = |name: &str| bench.rootfs.outside().join(name);
        for dir in ["volume", "watch", "source"] {
            fs::create_dir_all(below(dir)).unwrap();
        }
        fs::write(below("file"), "file").unwrap();
        Self {
            volume: below("volume"),
            watch: below("watch"),
            source: below("source"),
            file: below("file"),
        }
    }

    fn tripwires(&self) -> Tripwires {
        Tripwires::set(&[&self.watch, &self.source], &[&self.file])
    }

    /// A link to `to`, and what it is exchanged with.
    fn race(&self, name: &str, to: &Path, seed: u64) -> Racer {
        let link = self.volume.join(format!("{name}-link"));
        symlink(to, &link).unwrap();
        Racer::start(self.volume.join(name), link, seed)
    }
}

/// Starts it again and again; `look` sees what ran. An error of a step is as good as a start.
fn start_often(
    bench: &Bench,
    count: usize,
    command: impl Fn(usize) -> Command,
    look: impl Fn(&Outcome),
) {
    for start in 0..count {
        match bench.try_run(&command(start)) {
            Ok(outcome) => look(&outcome),
            Err(Error::Setup { .. }) => {}
            Err(error) => panic!("{}", chain(&error)),
        }
    }
}

#[test]
fn cve_2021_30465_a_mount_target_that_is_exchanged_for_a_link_is_no_mount_on_the_host() {
    let bench = Bench::new();
    let shared = Shared::new(&bench);
    fs::create_dir(shared.volume.join("target")).unwrap();
    let tripwires = shared.tripwires();
    let racer = shared.race("target", &shared.watch, 30465);
    let command = |_| {
        let mut command = bench.command(&["true"]);
        command.mounts = vec![
            Mount::bind(&shared.volume, "/volume"),
            Mount::bind(&shared.source, "/volume/target"),
        ];
        command
    };
    // The thousand.
    start_often(&bench, starts(1000), command, |_| {});
    drop(racer);
    tripwires.assert_untouched();
}

#[test]
fn cve_2024_45310_a_parent_that_is_exchanged_for_a_link_makes_no_directory_or_file_on_the_host() {
    let bench = Bench::new();
    let shared = Shared::new(&bench);
    fs::create_dir(shared.volume.join("target")).unwrap();
    let tripwires = shared.tripwires();
    let up = Path::new("../../../../../../../..");
    let racer = shared.race(
        "target",
        &up.join(shared.watch.strip_prefix("/").unwrap()),
        45310,
    );
    let command = |start| {
        let deep = format!("/volume/target/deep{start}");
        let mut command = bench.command(&["true"]);
        command.mounts = vec![
            Mount::bind(&shared.volume, "/volume"),
            Mount::bind(&shared.source, format!("{deep}/directory")),
            Mount::bind(&shared.file, format!("{deep}/file")),
        ];
        command
    };
    start_often(&bench, starts(200), command, |_| {});
    drop(racer);
    tripwires.assert_untouched();
}

#[test]
fn cve_2025_31133_a_dev_null_that_is_exchanged_for_a_link_hides_and_opens_nothing() {
    let bench = Bench::new();
    let shared = Shared::new(&bench);
    fs::write(shared.volume.join("null"), "false").unwrap();
    let tripwires = shared.tripwires();
    let racer = shared.race("null", Path::new("/proc/sys/kernel/core_pattern"), 31133);
    let masked = "/proc/timer_list";
    let command = |_| {
        let mut command = bench.command(&[
            "seq",
            "write",
            "/proc/sys/kernel/core_pattern",
            "x",
            ",",
            "read",
            masked,
        ]);
        command.mounts = vec![Mount::bind(&shared.volume, "/dev")];
        command
    };
    start_often(&bench, starts(100), command, |outcome| {
        let mut lines = outcome.out.lines();
        assert!(
            matches!(lines.next(), Some("EROFS" | "EACCES")),
            "{outcome:?}"
        );
        assert!(
            matches!(lines.next(), None | Some("EACCES" | "ENOENT")),
            "{outcome:?}"
        );
    });
    drop(racer);
    tripwires.assert_untouched();
}

#[test]
fn cve_2025_52565_a_console_or_pts_that_is_exchanged_for_a_link_opens_nothing_of_proc() {
    let bench = Bench::new();
    let shared = Shared::new(&bench);
    fs::write(shared.volume.join("console"), "").unwrap();
    fs::create_dir(shared.volume.join("pts")).unwrap();
    let tripwires = shared.tripwires();
    let console = shared.race("console", Path::new("/proc/sysrq-trigger"), 52565);
    let pts = shared.race("pts", &shared.watch, 0);
    let command = |_| {
        let mut command = bench.command(&["seq", "write", "/proc/sys/kernel/core_pattern", "x"]);
        command.mounts = vec![Mount::bind(&shared.volume, "/dev")];
        command.process.tty = true;
        command
    };
    start_often(&bench, starts(100), command, |outcome| {
        assert!(
            matches!(outcome.out.trim(), "EROFS" | "EACCES"),
            "{outcome:?}"
        );
    });
    drop((console, pts));
    tripwires.assert_untouched();
}

#[test]
fn cve_2025_52881_what_is_written_to_proc_goes_there_and_to_no_decoy() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let bench = Bench::new();
    let shared = Shared::new(&bench);
    // What two containers share, in place of what is written to.
    for decoy in [
        "net/ipv4/ip_forward",
        "self/oom_score_adj",
        "self/attr/exec",
    ] {
        let decoy = shared.volume.join("decoy").join(decoy);
        fs::create_dir_all(decoy.parent().unwrap()).unwrap();
        fs::write(&decoy, "decoy").unwrap();
    }
    let decoys: Vec<PathBuf> = [
        "net/ipv4/ip_forward",
        "self/oom_score_adj",
        "self/attr/exec",
    ]
    .map(|decoy| shared.volume.join("decoy").join(decoy))
    .into();
    let mut same: Vec<&Path> = decoys.iter().map(PathBuf::as_path).collect();
    same.push(&shared.file);
    let tripwires = Tripwires::set(&[&shared.watch], &same);
    let racer = shared.race("decoy", Path::new("/proc/sys/kernel"), 52881);
    for target in ["/proc/sys", "/proc/self", "/proc/sys/net"] {
        let command = |_| {
            let words = ["seq", "read", "/proc/sys/net/ipv4/ip_forward"];
            let mut command = bench.command(&words).with_linux(|linux| {
                linux
                    .sysctl
                    .insert("net.ipv4.ip_forward".to_owned(), "1".to_owned());
                linux.oom_score_adj = 77;
            });
            command.network = Some(Network::default());
            command.mounts = vec![
                Mount::bind(&shared.volume, "/volume"),
                Mount::bind(shared.volume.join("decoy"), target),
            ];
            command
        };
        let mut start = 0;
        while start < starts(30) || !racer.has_raced() {
            start += 1;
            // A volume there is refused, or what was written is in force behind it.
            match bench.try_run(&command(start)) {
                Ok(_) | Err(Error::Setup { .. } | Error::InvalidCommand { .. }) => {}
                Err(error) => panic!("{}", chain(&error)),
            }
        }
    }
    drop(racer);
    tripwires.assert_untouched();
    let mut plain = bench
        .command(&["read", "/proc/sys/net/ipv4/ip_forward"])
        .with_linux(|linux| {
            linux
                .sysctl
                .insert("net.ipv4.ip_forward".to_owned(), "1".to_owned());
        });
    plain.network = Some(Network::default());
    assert_eq!(bench.output(&plain).trim(), "1");
}
