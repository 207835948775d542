//! The command line's user namespaces: `--userns`, and volumes with mapped owners.
#![cfg(all(target_os = "linux", feature = "cli"))]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

mod cli;
mod support;

use cli::Cli;
use std::os::unix::fs::MetadataExt;
use support::{Need, skip_unless};

const RANGE: &str = "100000:100000:65536";

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[test]
fn a_root_owned_rootfs_just_works_in_a_user_namespace() {
    if skip_unless(&[Need::Root, Need::MappedOwners]) {
        return;
    }
    let cli = Cli::new();
    let done = cli.run(&[
        "--userns",
        RANGE,
        "--",
        "seq",
        "read",
        "/proc/self/uid_map",
        ",",
        "touch",
        "/root/mine",
    ]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(words(&done.out), ["0", "100000", "65536", "ok"]);
    assert_eq!(cli.fs.inside("root/mine").metadata().unwrap().uid(), 0);
    // One that was given to the container's root is used as it is.
    cli.fs.give_to(100_000, 100_000);
    let done = cli.run(&["--userns", RANGE, "--", "touch", "/root/other"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        cli.fs.inside("root/other").metadata().unwrap().uid(),
        100_000
    );
}

#[test]
fn a_volume_with_idmap_belongs_to_the_containers_root() {
    if skip_unless(&[Need::Root, Need::MappedOwners]) {
        return;
    }
    let cli = Cli::new();
    let outside = cli.fs.outside();
    let volume = format!("{}:/data:idmap", outside.display());
    let done = cli.run(&[
        "--userns",
        RANGE,
        "--volume",
        &volume,
        "--",
        "touch",
        "/data/mine",
    ]);
    assert_eq!((done.code, done.out.as_str()), (0, "ok\n"), "{done:?}");
    assert_eq!(outside.join("mine").metadata().unwrap().uid(), 0);
}

#[test]
fn this_machines_own_root_is_seen_from_a_user_namespace() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let cli = Cli::new();
    let done = cli.call(&[
        "run",
        "--quiet",
        "--userns",
        RANGE,
        "--",
        "cat",
        "/proc/self/uid_map",
    ]);
    assert_eq!(words(&done.out), ["0", "100000", "65536"], "{done:?}");
}

#[test]
fn a_user_namespace_that_cannot_be_had_is_an_error_with_its_mend() {
    let cli = Cli::new();
    for mode in ["", "private", "1000", "0:0:99999999999"] {
        let done = cli.run(&["--userns", mode, "--", "true"]);
        assert_ne!(done.code, 0, "{done:?}");
        assert!(
            done.err.contains("host, auto, keep-id or UID:GID:SIZE"),
            "{done:?}"
        );
    }
    let done = cli.run(&["--userns", "0:0:0", "--", "true"]);
    assert_eq!(done.code, 125, "{done:?}");
    if skip_unless(&[Need::OrdinaryUser]) {
        return;
    }
    let done = cli.run(&["--userns", "host", "--", "true"]);
    assert_eq!(done.code, 125, "{done:?}");
    let done = cli.run(&["--userns", "1:1:10", "--", "true"]);
    assert_eq!(done.code, 125, "{done:?}");
    assert!(done.err.contains("ordinary user"), "{done:?}");
}
