//! What is seen of a container from outside and within, to compare two that should look alike.

use crate::ahead::cgroup_name;
use crate::contract::{Bench, Started};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

/// Whether the container's /dev was there before it was asked for.
pub(crate) fn is_ahead(started: &Started) -> bool {
    let null = format!("/proc/{}/root/dev/null", started.pid);
    let made = std::fs::metadata(null).unwrap().modified().unwrap();
    // The kernel's clock of files goes in steps of up to 10 ms.
    made + Duration::from_millis(20) < started.asked
}

/// A line of mountinfo without the numbers of its mounts and file system, and without the root's, which is the host's.
pub(crate) fn without_numbers(line: &str) -> String {
    match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
        [_, _, device, rest] if device.contains(':') => match rest.split(' ').nth(1) == Some("/") {
            true => String::new(),
            false => rest.to_owned(),
        },
        _ => line.to_owned(),
    }
}

/// What is below a directory of a container, with all that can be seen of it from outside but its times and numbers.
fn entries(started: &Started, directory: &str) -> BTreeMap<PathBuf, String> {
    let root = PathBuf::from(format!("/proc/{}/root", started.pid));
    let mut left = vec![root.join(directory)];
    let mut found = BTreeMap::new();
    while let Some(path) = left.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let link = std::fs::read_link(&path).unwrap_or_default();
        let said = format!(
            "{:o} {}:{} {:x} {}",
            meta.mode(),
            meta.uid(),
            meta.gid(),
            meta.rdev(),
            link.display()
        );
        found.insert(path.strip_prefix(&root).unwrap().to_owned(), said);
        if meta.is_dir() && !path.ends_with("pts") {
            left.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|one| one.unwrap().path()),
            );
        }
    }
    found
}

/// What is seen of a container from outside and within.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) dev: BTreeMap<PathBuf, String>,
    /// With their roots, attributes and propagation, in the order of their paths.
    pub(crate) mounts: BTreeSet<String>,
    /// What its cgroup file systems show at their roots.
    pub(crate) cgroups: Vec<String>,
    pub(crate) own_cgroup: String,
}

pub(crate) fn view(bench: &Bench, id: &str, started: &Started) -> View {
    let table = std::fs::read_to_string(format!("/proc/{}/mountinfo", started.pid)).unwrap();
    let name = cgroup_name(started.pid);
    let plain = |text: &str| text.replace(id, "ID").replace(&name, "ID");
    let said = |words: &[&str]| plain(&bench.exec(id, words).out);
    let processes = |mount: &str| {
        let root = format!(
            "/proc/{}/root/sys/fs/cgroup/{mount}/cgroup.procs",
            started.pid
        );
        let found = std::fs::read_to_string(&root).unwrap_or_default();
        // Its own first process is there, and nobody of the host.
        format!(
            "{mount}: {} of {}",
            found.contains(&started.pid.to_string()),
            found.lines().count()
        )
    };
    let cgroup = format!("/proc/{}/root/sys/fs/cgroup", started.pid);
    let mut names: Vec<String> = std::fs::read_dir(cgroup)
        .unwrap()
        .map(|one| one.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    View {
        dev: entries(started, "dev"),
        mounts: table
            .lines()
            .map(|line| plain(&without_numbers(line)))
            .collect(),
        cgroups: names.iter().map(|name| processes(name)).collect(),
        own_cgroup: said(&["cat", "/proc/self/cgroup"]),
    }
}
