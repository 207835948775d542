//! Figures that must not grow: a page of fixtures/ has them by act and by kind of host.
//!
//! A line is `run 9 400 350`: the act (one word), how many hierarchies of cgroup version 1 the host has, the figures. A `#` begins
//! a comment. A host of another kind is expected to lie on the line between the kinds that the page has.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A page with this many figures a line.
pub(crate) struct Page<const N: usize> {
    name: &'static str,
    /// The tests of one file write the same page.
    written: Mutex<()>,
}

/// The figures of one act, by the hierarchies of the host.
pub(crate) type Known<const N: usize> = BTreeMap<usize, [usize; N]>;

impl<const N: usize> Page<N> {
    /// The page of this name in fixtures/.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self {
            name,
            written: Mutex::new(()),
        }
    }

    /// What is expected of an act on this host. With `EXECDRIVER_WRITE_GOLDEN=1` there is nothing to be judged: what was got is
    /// the expectation from now on.
    pub(crate) fn expected(&self, act: &str, got: [usize; N]) -> Option<[usize; N]> {
        let here = hierarchies();
        println!("{}", line(act, here, got));
        let _written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let text = std::fs::read_to_string(self.path()).unwrap_or_default();
        if std::env::var_os("EXECDRIVER_WRITE_GOLDEN").is_some_and(|value| value == "1") {
            // A virtual machine sees the project read-only; its line was printed.
            let _ = std::fs::write(self.path(), with_line(&text, act, here, got));
            return None;
        }
        Some(between(&figures(&text)[act], here))
    }

    fn path(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures")
            .join(self.name)
    }
}

/// The most that is no growth yet: 3 % above.
pub(crate) fn most(figure: usize) -> usize {
    figure + figure * 3 / 100
}

/// The figures of a page, by act.
pub(crate) fn figures<const N: usize>(text: &str) -> BTreeMap<String, Known<N>> {
    let mut found: BTreeMap<String, Known<N>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let act = words.next().unwrap();
        let numbers: Vec<usize> = words.map(|word| word.parse().unwrap()).collect();
        let [here, figures @ ..] = &numbers[..] else {
            panic!("{line:?}");
        };
        let figures = (*figures).try_into().unwrap_or_else(|_| panic!("{line:?}"));
        found
            .entry(act.to_owned())
            .or_default()
            .insert(*here, figures);
    }
    found
}

/// The figures of a host with this many hierarchies.
pub(crate) fn between<const N: usize>(known: &Known<N>, here: usize) -> [usize; N] {
    let (few, low) = known.first_key_value().unwrap();
    let (many, high) = known.last_key_value().unwrap();
    let span = (many - few).max(1);
    let at = here.clamp(*few, *many) - few;
    std::array::from_fn(|n| (low[n] * (span - at) + high[n] * at) / span)
}

/// The page with this line in place of the one for such a host.
pub(crate) fn with_line<const N: usize>(
    text: &str,
    act: &str,
    here: usize,
    got: [usize; N],
) -> String {
    let start = format!("{act} {here} ");
    let kept = text.lines().filter(|line| !line.starts_with(&start));
    let mut lines: Vec<_> = kept.map(str::to_owned).collect();
    lines.push(line(act, here, got));
    lines.sort();
    lines.join("\n") + "\n"
}

fn line<const N: usize>(act: &str, here: usize, got: [usize; N]) -> String {
    let words = got.map(|figure| format!(" {figure}")).concat();
    format!("{act} {here}{words}")
}

/// Of version 1: a start has a cgroup in each.
fn hierarchies() -> usize {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let version_1 = |line: &&str| line.split(' ').nth(2) == Some("cgroup");
    mounts.lines().filter(version_1).count()
}
