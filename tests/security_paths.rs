//! Links, files and races in what a container can influence lead nowhere on the host.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
#[path = "hosts/own.rs"]
mod own;
mod race;
mod support;

use contract::{Bench, Outcome, chain, process, refused};
use execdriver::{Command, Error, ExecRequest, Mount, Pipes};
use nix::fcntl::{FcntlArg, fcntl};
use race::Racer;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use support::{patience, payload, rounds};

/// Everything below a directory.
fn below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        found.push(entry.path());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.append(&mut below(&entry.path()));
        }
    }
    found
}

/// A host directory that must stay empty, and two ways to write a link to it.
fn watched(bench: &Bench) -> (PathBuf, [PathBuf; 2]) {
    let watch = bench.rootfs.outside().join("watch");
    fs::create_dir_all(&watch).unwrap();
    let up = Path::new("../../../../../../../..");
    let relative = up.join(watch.strip_prefix("/").unwrap());
    (watch.clone(), [watch, relative])
}

/// CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: the labels went into a false /proc.
#[test]
fn cve_2019_19921_a_proc_that_is_no_directory_of_the_rootfs_is_refused() {
    let bench = Bench::new();
    let (watch, links) = watched(&bench);
    for target in ["proc", "sys"] {
        for link in &links {
            bench.rootfs.symlink(link, target);
            let (_, text) = refused(bench.try_run(&bench.command(&["true"])));
            assert!(text.contains(&format!("/{target}")), "{text}");
        }
        bench.rootfs.symlink("/tmp", target);
        let (_, text) = refused(bench.try_run(&bench.command(&["true"])));
        assert!(text.contains(&format!("/{target}")), "{text}");
        fs::remove_file(bench.rootfs.inside(target)).unwrap();
        bench.rootfs.write(target, "");
        let (_, text) = refused(bench.try_run(&bench.command(&["true"])));
        assert!(text.contains(&format!("/{target}")), "{text}");
        fs::remove_file(bench.rootfs.inside(target)).unwrap();
        bench.rootfs.mkdir(target);
    }
    assert_eq!(below(&watch), [] as [PathBuf; 0]);
    assert!(bench.run(&bench.command(&["true"])).status.success());
}

/// The same with what the caller mounts: whatever is there, /proc/self is the program's own or nothing runs.
#[test]
fn cve_2019_16884_a_volume_over_proc_never_passes_for_the_containers_own() {
    let bench = Bench::new();
    let volume = bench.rootfs.outside().join("proc");
    fs::create_dir_all(volume.join("self")).unwrap();
    fs::write(volume.join("self/status"), "CapInh:\t0000000000000000\n").unwrap();
    for mount in [Mount::bind(&volume, "/proc"), Mount::tmpfs("/proc", "")] {
        let mut command = bench.command(&["true"]);
        command.mounts = vec![mount];
        let (_, text) = refused(bench.try_run(&command));
        assert!(text.contains("/proc"), "{text}");
    }
}

/// CVE-2019-18837, CVE-2026-41579, CVE-2025-24965: an image's own /dev or /etc led out of it.
#[test]
fn cve_2019_18837_links_in_place_of_the_rootfs_directories_leave_the_host_untouched() {
    let bench = Bench::new();
    let (watch, links) = watched(&bench);
    let source = bench.rootfs.outside().join("source");
    fs::create_dir_all(&source).unwrap();
    fs::write(bench.rootfs.outside().join("file"), "").unwrap();
    let file = bench.rootfs.outside().join("file");
    let passwd = fs::read(bench.rootfs.inside("etc/passwd")).unwrap();
    for path in [
        "dev",
        "dev/pts",
        "dev/shm",
        "dev/mqueue",
        "dev/null",
        "run",
        "var",
        "etc",
    ] {
        for link in &links {
            bench.rootfs.symlink(link, path);
            for tty in [false, true] {
                let mut command = bench.command(&["true"]);
                command.process.tty = tty;
                command.mounts = vec![
                    Mount::tmpfs("/run/deep/er", ""),
                    Mount::bind(&source, "/var/deep/er"),
                    Mount::bind(&file, "/etc/hosts"),
                    Mount::bind(&source, "/dev/deep/er"),
                ];
                // A link that leads nowhere in the rootfs may be an error, which is fine.
                if let Err(error) = bench.try_run(&command) {
                    assert!(
                        matches!(error, Error::Setup { .. }),
                        "{path}: {}",
                        chain(&error)
                    );
                }
            }
            assert_eq!(below(&watch), [] as [PathBuf; 0], "{path} -> {link:?}");
        }
        fs::remove_file(bench.rootfs.inside(path)).unwrap();
        bench.rootfs.mkdir(path);
        if path == "etc" {
            bench.rootfs.write("etc/passwd", &passwd);
        }
    }
    assert!(bench.run(&bench.command(&["true"])).status.success());
}

/// CVE-2021-30465 (a mount on the host's directory), CVE-2024-45310 (directories and files made there).
#[test]
fn cve_2024_45310_a_mount_target_that_is_exchanged_for_a_link_leads_nowhere_on_the_host() {
    let bench = Bench::new();
    let (watch, links) = watched(&bench);
    let source = bench.rootfs.outside().join("source");
    let file = bench.rootfs.outside().join("file");
    fs::create_dir_all(&source).unwrap();
    fs::write(&file, "").unwrap();
    let (mut ran, mut refused) = (0, 0);
    let starts = rounds(100);
    for (round, link) in links.iter().enumerate() {
        let volume = bench.rootfs.outside().join(format!("volume{round}"));
        fs::create_dir_all(volume.join("target")).unwrap();
        std::os::unix::fs::symlink(link, volume.join("link")).unwrap();
        let racer = Racer::start(volume.join("target"), volume.join("link"), 0);
        for start in 0..starts {
            // Made anew in each start, so that there is always something to make.
            let deep = format!("/volume/target/deep{start}");
            let mut command = bench.command(&["true"]);
            command.mounts = vec![
                Mount::bind(&volume, "/volume"),
                Mount::bind(&source, format!("{deep}/directory")),
                Mount::bind(&file, format!("{deep}/file")),
                Mount::tmpfs(format!("{deep}/tmpfs"), ""),
            ];
            match bench.try_run(&command) {
                Ok(_) => ran += 1,
                Err(Error::Setup { .. }) => refused += 1,
                Err(error) => panic!("{}", chain(&error)),
            }
        }
        drop(racer);
    }
    assert_eq!(
        below(&watch),
        [] as [PathBuf; 0],
        "{ran} ran, {refused} refused"
    );
    assert!(below(&source).is_empty());
    assert!(
        ran + refused == 2 * starts && ran > 0,
        "{ran} ran, {refused} refused"
    );
}

/// CVE-2024-21626: the working directory, or the program's, was a descriptor of the host's that had leaked.
#[test]
fn cve_2024_21626_a_descriptor_of_the_host_is_neither_a_working_directory_nor_a_way_to_a_program() {
    const NAME: &str = "cve_2024_21626_a_descriptor_of_the_host_is_neither_a_working_directory_nor_a_way_to_a_program";
    if !own::in_own_process(NAME) {
        return;
    }
    let root = File::open("/").unwrap();
    for _ in 0..10 {
        // Without FD_CLOEXEC.
        fcntl(&root, FcntlArg::F_DUPFD(3)).unwrap();
    }
    let bench = Bench::new();
    let sleeper = bench.command(&["pause"]);
    bench.while_running(&sleeper, |_| {
        // On a slow machine some of them only; the leaked ones follow each other.
        for number in (0..32).step_by(patience().min(4) as usize) {
            let directory = format!("/proc/self/fd/{number}");
            // From a directory of the host's, and from any below it that init may have had open.
            let up = format!("/../../../../../../../..{}", payload().display());
            for below in ["/proc/self/exe", &up, ""] {
                let program = format!("{directory}{below}");
                let words = [&program, "echo", "out of the container"];
                let run = bench.try_run(&bench.command(&words));
                not_the_hosts_program(&program, run);
                not_the_hosts_program(&program, bench.try_exec(&sleeper.id, &words));
                // The same way by an interpreter, which the kernel looks up.
                bench
                    .rootfs
                    .write("bin/script", format!("#!{program} echo\n"));
                bench.rootfs.mode("bin/script", 0o755);
                not_the_hosts_program(&program, bench.try_run(&bench.command(&["script"])));
            }
            let command = Command {
                working_dir: directory.clone(),
                ..bench.command(&["cwd"])
            };
            not_the_hosts_directory(&directory, bench.try_run(&command));
            let request = ExecRequest::new(process(&["cwd"])).cwd(&directory);
            let exec = bench.try_exec_with(&sleeper.id, &request, Pipes::null());
            not_the_hosts_directory(&directory, exec);
        }
    });
}

fn not_the_hosts_program(program: &str, outcome: execdriver::Result<Outcome>) {
    match outcome {
        // Init itself; without a plan it does nothing.
        Ok(outcome) => assert_eq!((outcome.status.code, &*outcome.out), (125, ""), "{program}"),
        Err(error) => assert!(error.exit_code() >= 125, "{program}: {}", chain(&error)),
    }
}

fn not_the_hosts_directory(path: &str, outcome: execdriver::Result<Outcome>) {
    match outcome {
        // getcwd(3): what is not below the root begins with `(unreachable)`.
        Ok(outcome) => assert!(outcome.out.starts_with('/'), "{path}: {outcome:?}"),
        Err(error) => {
            let right = matches!(error, Error::InvalidCommand { .. } | Error::Setup { .. });
            assert!(right, "{path}: {}", chain(&error));
        }
    }
}
