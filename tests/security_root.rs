//! Nothing of the host's tree is reachable from a container's root, however the root was made.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod support;

use execdriver::{Capture, Command, Ephemeral, Hooks, Options, Pipes, Registry, RunOptions};
use support::{Need, Rootfs, skip_unless, unique_id};

/// What the payload says in a container that `change` was applied to.
fn said(rootfs: &Rootfs, words: &[&str], change: impl FnOnce(&mut Command)) -> String {
    let registry = Registry::with_builtin();
    let driver = registry.open("native", &rootfs.state(), Options::none());
    let mut command =
        Command::linux(unique_id("root"), rootfs.path(), words[0]).args(words[1..].iter().copied());
    change(&mut command);
    let output = Capture::new(1 << 20);
    let pipes = Pipes::null().stdout(&output).stderr(&output);
    let status = driver
        .unwrap()
        .run(&command, &RunOptions::default(), pipes, &Hooks::none())
        .unwrap();
    assert!(status.success(), "{}", output.text());
    output.text()
}

fn ephemeral(command: &mut Command) {
    command.as_linux_mut().unwrap().ephemeral = Some(Ephemeral {
        size_bytes: 1 << 20,
        inodes: 100,
    });
}

fn readonly(command: &mut Command) {
    command.as_linux_mut().unwrap().readonly_rootfs = true;
}

/// The parent of the root is the root: pivot_root(2) leaves the old root on top of the new one,
/// and whatever stays there is what `/..` leads into.
#[test]
fn the_parent_of_the_root_is_the_root() {
    if skip_unless(&[Need::UserNamespaces, Need::Overlay]) {
        return;
    }
    let rootfs = Rootfs::new();
    for change in [|_: &mut Command| {}, ephemeral, readonly] {
        let root = said(&rootfs, &["/bin/ls", "/"], change);
        assert_eq!(said(&rootfs, &["/bin/ls", "/.."], change), root);
        assert_eq!(
            said(&rootfs, &["/bin/ls", "/../../proc/../.."], change),
            root
        );
    }
}

/// Every mount that the container sees lies below its own root.
#[test]
fn no_mount_of_the_host_is_in_the_containers_table() {
    if skip_unless(&[Need::UserNamespaces, Need::Overlay]) {
        return;
    }
    let rootfs = Rootfs::new();
    for change in [|_: &mut Command| {}, ephemeral, readonly] {
        let table = said(&rootfs, &["/bin/cat", "/proc/self/mountinfo"], change);
        let field = |line: &str, n: usize| line.split(' ').nth(n).unwrap().to_owned();
        let roots: Vec<&str> = table.lines().filter(|line| field(line, 4) == "/").collect();
        assert_eq!(roots.len(), 1, "{table}");
        let top = field(roots[0], 0);
        for line in table.lines().filter(|line| *line != roots[0]) {
            let mut parent = field(line, 1);
            while parent != top {
                let above = table.lines().find(|line| field(line, 0) == parent);
                parent = field(above.unwrap_or_else(|| panic!("{line}\n{table}")), 1);
            }
        }
    }
}
