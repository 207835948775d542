//! What the host had before a test, and the check that it has no more afterwards.

use super::rootfs::Rootfs;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

static TESTS: RwLock<()> = RwLock::new(());

/// Held by a test that takes a `Baseline`: no test of this binary that holds `among` runs meanwhile.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    TESTS.write().unwrap_or_else(PoisonError::into_inner)
}

/// Held by the other tests of a binary that has baseline tests.
pub(crate) fn among() -> RwLockReadGuard<'static, ()> {
    TESTS.read().unwrap_or_else(PoisonError::into_inner)
}

/// Descriptors, threads and children of this process, its mounts, what runs on the rootfs, and all cgroups and state
/// directories of some ids.
///
/// Take it after one warm-up run: what a process makes once (the sealed init) is no leak.
pub(crate) struct Baseline {
    rootfs: PathBuf,
    state: PathBuf,
    ids: Vec<String>,
    before: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Baseline {
    /// Counts now. Cgroups are looked for by `ids`, by whole names or as a part of one (`<id>.scope`).
    pub(crate) fn take(rootfs: &Rootfs, ids: &[&str]) -> Self {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        let mut baseline = Self {
            rootfs: rootfs.path(),
            state: rootfs.state(),
            ids,
            before: BTreeMap::new(),
        };
        baseline.before = baseline.count();
        baseline
    }

    /// Waits at most three seconds until nothing is left.
    ///
    /// # Panics
    /// Names every kind of thing of which there is more than before, and the new ones.
    #[track_caller]
    pub(crate) fn assert_back(&self) {
        let mut left = Vec::new();
        super::within(Duration::from_secs(3), || {
            left = self.left();
            left.is_empty()
        });
        assert!(left.is_empty(), "left behind:\n{}", left.join("\n"));
    }

    /// What there is more of than before, a line a kind.
    pub(crate) fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (kind, now) in self.count() {
            let before = self.before.get(kind).cloned().unwrap_or_default();
            let new: Vec<&String> = now.difference(&before).collect();
            // Descriptors and threads have new names without being more.
            if now.len() > before.len()
                || (!new.is_empty() && !matches!(kind, "descriptors" | "threads"))
            {
                left.push(format!(
                    "{kind}: {} before, {} now, new {new:?}",
                    before.len(),
                    now.len()
                ));
            }
        }
        left
    }

    fn count(&self) -> BTreeMap<&'static str, BTreeSet<String>> {
        BTreeMap::from([
            ("descriptors", descriptors()),
            ("threads", names(Path::new("/proc/self/task"))),
            ("children", children()),
            ("mounts", mounts("self").into_iter().collect()),
            ("processes on the rootfs", on_rootfs(&self.rootfs)),
            ("cgroups", self.cgroups()),
            ("state directories", states(&self.state)),
        ])
    }

    fn cgroups(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        walk(Path::new("/sys/fs/cgroup"), 8, &mut |path, name| {
            if self.ids.iter().any(|id| name.contains(id.as_str())) {
                found.insert(path.display().to_string());
            }
        });
        found
    }
}

fn names(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn descriptors() -> BTreeSet<String> {
    let numbers = names(Path::new("/proc/self/fd"));
    let target = |number: &String| fs::read_link(format!("/proc/self/fd/{number}"));
    // The descriptor that read the directory is closed by now and has no target. A driver keeps its last few device
    // programs, as it keeps init.
    numbers
        .iter()
        .filter(|number| !target(number).is_ok_and(|to| to.ends_with("anon_inode:bpf-prog")))
        .filter_map(|number| Some(format!("{number} -> {}", target(number).ok()?.display())))
        .collect()
}

/// Every process whose parent is this one, zombies too.
fn children() -> BTreeSet<String> {
    let own = std::process::id().to_string();
    let status = |pid: &str| fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |status: &str, name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let pids = names(Path::new("/proc"));
    let pids = pids
        .iter()
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let children = pids
        .map(|pid| (pid, status(pid)))
        .filter(|(_, status)| field(status, "PPid:") == own);
    children
        .map(|(pid, status)| {
            format!(
                "{pid} {} {}",
                field(&status, "Name:"),
                field(&status, "State:")
            )
        })
        .collect()
}

fn mounts(pid: &str) -> Vec<String> {
    let table = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
    table.lines().map(str::to_owned).collect()
}

/// Processes in any mount namespace that has the rootfs mounted; as an ordinary user only those one may look into.
fn on_rootfs(rootfs: &Path) -> BTreeSet<String> {
    let rootfs = rootfs.display().to_string();
    let pids = names(Path::new("/proc"));
    let pids = pids
        .into_iter()
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    pids.filter(|pid| mounts(pid).iter().any(|line| line.contains(&rootfs)))
        .collect()
}

fn states(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let depth = |path: &Path| {
        path.strip_prefix(root)
            .map_or(0, |below| below.components().count())
    };
    // <root>/execdriver/<driver>/<id>: the levels above stay.
    walk(root, 4, &mut |path, _| {
        if depth(path) >= 3 {
            found.insert(path.display().to_string());
        }
    });
    found
}

/// Calls `visit` with each directory below `dir` and its name.
fn walk(dir: &Path, depth: u32, visit: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let path = entry.path();
            visit(&path, &entry.file_name().to_string_lossy());
            walk(&path, depth - 1, visit);
        }
    }
}
