//! What of the host a document or an image could reach while a container starts: sockets, libraries, volumes, lengths.
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

use contract::{Bench, Outcome, chain, refused};
use execdriver::{Error, HookContext, Hooks, IdMap, Mount, Network, Pipes};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use race::{Racer, starts};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use support::{Need, skip_unless};

/// The names of the unix sockets that a process has open; an abstract one begins with `@`.
fn named_sockets(pid: u32) -> Vec<String> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    let links = descriptors
        .flatten()
        .filter_map(|fd| fs::read_link(fd.path()).ok());
    let inode = |link: PathBuf| {
        let link = link.into_os_string().into_string().ok()?;
        Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
    };
    let inodes: Vec<String> = links.filter_map(inode).collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/unix")).unwrap();
    let rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.len() > 7 && inodes.iter().any(|inode| inode == row[6]))
        .map(|row| row[7].to_owned())
        .collect()
}

/// The shim listened on an abstract socket, which has no owner, and every container on the host's network reached it.
#[test]
fn cve_2020_15257_a_container_on_the_hosts_network_finds_no_socket_of_the_driver() {
    let bench = Bench::new();
    let look = |context: &HookContext<'_>| {
        for pid in [context.pid, std::process::id()] {
            let named = named_sockets(pid);
            assert!(named.is_empty(), "{named:?}");
        }
        Ok(())
    };
    let mut command = bench.command(&["sleep", "0.2"]);
    command.network = Some(Network::host());
    let hooks = Hooks::none().on_pre_start(look).on_start(look);
    assert!(
        bench
            .run_with(&command, Pipes::null(), &hooks)
            .status
            .success()
    );
    // The test itself would find one.
    let name = format!("execdriver-test-{}", std::process::id());
    let address =
        <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(
            &name,
        );
    let _listener = std::os::unix::net::UnixListener::bind_addr(&address.unwrap()).unwrap();
    assert_eq!(named_sockets(std::process::id()), [format!("@{name}")]);
}

/// A helper entered the image's root, and then its C library loaded the image's name service.
#[test]
fn cve_2019_14271_nothing_of_the_image_is_loaded_to_look_a_name_up() {
    let bench = Bench::new();
    let libraries = [
        "lib/libnss_files.so.2",
        "lib/x86_64-linux-gnu/libnss_files.so.2",
        "lib/libnss_compat.so.2",
        "lib64/ld-linux-x86-64.so.2",
        "etc/nsswitch.conf",
        "etc/ld.so.preload",
        "etc/ld.so.cache",
        "etc/gshadow",
    ];
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).unwrap();
    for library in libraries {
        bench.rootfs.write(library, "of the image");
        inotify
            .add_watch(&bench.rootfs.inside(library), AddWatchFlags::IN_OPEN)
            .unwrap();
    }
    let mut command = bench.command(&["true"]);
    command.process.user = "root:root".to_owned();
    bench.output(&command);
    let sleeper = bench.command(&["pause"]);
    bench.while_running(&sleeper, |_| {
        let mut by_name = contract::process(&["true"]);
        by_name.user = "root:root".to_owned();
        let request = execdriver::ExecRequest::new(by_name);
        let outcome = bench.try_exec_with(&sleeper.id, &request, Pipes::null());
        assert!(outcome.unwrap().status.success());
    });
    assert!(inotify.read_events().is_err(), "something was opened");
    // Both would have been seen.
    let seen = bench.rootfs.inside(libraries[4]);
    fs::read(seen).unwrap();
    assert!(!inotify.read_events().unwrap().is_empty());
}

/// A length of 16 bits overflowed, and what followed in the document passed for fields of the message.
#[test]
fn cve_2021_43784_a_document_of_70000_bytes_arrives_whole_or_is_refused() {
    let bench = Bench::new();
    let long = format!("LONG={}", "x".repeat(70_000));
    let mut command = bench.command(&["env"]);
    command.process.env = vec![long.clone(), "AFTER=it".to_owned()];
    let said = bench.output(&command);
    assert!(
        said.contains(&long) && said.contains("AFTER=it"),
        "{}",
        said.len()
    );
    // The text of so many ranges is longer than 70,000 bytes.
    let range = |at: u32, apart: u32| IdMap {
        container_id: at,
        host_id: 100_000 + at * apart,
        size: 1,
    };
    let ranges = |count, apart| (0..count).map(|at| range(at, apart)).collect::<Vec<_>>();
    let mapped = |ranges: Vec<IdMap>| {
        bench
            .command(&["cat", "/proc/self/uid_map"])
            .with_linux(|linux| {
                (linux.uid_mappings, linux.gid_mappings) = (ranges.clone(), ranges);
            })
    };
    let (error, text) = refused(bench.try_run(&mapped(ranges(5_000, 1))));
    assert!(
        matches!(error, Error::InvalidCommand { .. }) && text.contains("340"),
        "{text}"
    );
    if skip_unless(&[Need::Root]) {
        return;
    }
    bench.rootfs.give_to(100_000, 100_000);
    let said = bench.output(&mapped(ranges(300, 2)));
    let last: Vec<&str> = said.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(
        (said.lines().count(), &*last),
        (300, ["299", "100598", "1"].as_slice())
    );
    // As many as the kernel takes, in more bytes than it takes at once.
    let (_, text) = refused(bench.try_run(&mapped(ranges(340, 2))));
    assert!(text.contains("4096"), "{text}");
}

/// A path that was checked and then bound by its name was another one by then. A path of /proc/self/fd says which file is
/// meant, however it is called now.
#[test]
fn cve_2026_34078_a_volume_by_its_descriptor_is_the_directory_that_was_opened() {
    let bench = Bench::new();
    let below = |name: &str| bench.rootfs.outside().join(name);
    for dir in ["checked", "other"] {
        fs::create_dir(below(dir)).unwrap();
        fs::write(below(dir).join("mark"), dir).unwrap();
    }
    let opened = File::open(below("checked")).unwrap();
    let source = format!("/proc/self/fd/{}", opened.as_raw_fd());
    let mut command = bench.command(&["read", "/data/mark"]);
    command.mounts = vec![Mount::bind(&source, "/data")];
    assert_eq!(bench.output(&command).trim_end(), "checked");
    // The name is another's now.
    let (checked, other) = (below("checked"), below("other"));
    renameat2(
        AT_FDCWD,
        &checked,
        AT_FDCWD,
        &other,
        RenameFlags::RENAME_EXCHANGE,
    )
    .unwrap();
    assert_eq!(bench.output(&command).trim_end(), "checked");
    // And while it is looked up.
    let racer = Racer::start(checked, other, 34078);
    let mut ran = 0;
    for _ in 0..starts(50) {
        match bench.try_run(&command) {
            Ok(Outcome { out, .. }) => {
                assert_eq!(out.trim_end(), "checked");
                ran += 1;
            }
            Err(Error::Setup { .. } | Error::InvalidCommand { .. }) => {}
            Err(error) => panic!("{}", chain(&error)),
        }
    }
    drop(racer);
    // A racer that never rests may win each look, and still nothing else is bound.
    eprintln!("{ran} of {} ran", starts(50));
    assert!(Path::new(&source).exists());
}
