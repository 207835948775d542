//! The race harness: a thread that exchanges two paths as fast as it can, and tripwires on the host meanwhile.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use crate::support::patience;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// How many starts a race lasts: `count` (fewer on a slow machine), and with EXECDRIVER_SOAK=1 ten times as many.
pub(crate) fn starts(count: usize) -> usize {
    let soak = std::env::var_os("EXECDRIVER_SOAK").is_some_and(|value| value == "1");
    if soak {
        count * 10
    } else {
        count.div_ceil(patience() as usize)
    }
}

/// Exchanges two paths (a directory or file, and a link) again and again until it is dropped.
pub(crate) struct Racer {
    stop: Arc<(AtomicBool, AtomicU64)>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Racer {
    /// `seed` decides how long each of the two stays; 0: as short as can be.
    pub(crate) fn start(one: PathBuf, other: PathBuf, seed: u64) -> Self {
        let stop = Arc::new((AtomicBool::new(false), AtomicU64::new(0)));
        let shared = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut random = seed;
            while !shared.0.load(Ordering::Relaxed) {
                let flags = RenameFlags::RENAME_EXCHANGE;
                renameat2(AT_FDCWD, &one, AT_FDCWD, &other, flags).expect("both are ours");
                shared.1.fetch_add(1, Ordering::Relaxed);
                // Marsaglia's xorshift.
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                for _ in 0..random % 4096 {
                    std::hint::spin_loop();
                }
            }
            if shared.1.load(Ordering::Relaxed) % 2 == 1 {
                // As they were.
                let flags = RenameFlags::RENAME_EXCHANGE;
                renameat2(AT_FDCWD, &one, AT_FDCWD, &other, flags).expect("both are ours");
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// Whether it has exchanged them so often that it was a race, or ended: where threads share a processor it may come late.
    pub(crate) fn has_raced(&self) -> bool {
        let thread = self.thread.as_ref();
        self.exchanged() > 10 || thread.is_none_or(thread::JoinHandle::is_finished)
    }

    fn exchanged(&self) -> u64 {
        self.stop.1.load(Ordering::Relaxed)
    }
}

impl Drop for Racer {
    fn drop(&mut self) {
        self.stop.0.store(true, Ordering::Relaxed);
        let raced = self.thread.take().map(thread::JoinHandle::join);
        if !thread::panicking() {
            assert!(matches!(raced, Some(Ok(()))), "the racer ended early");
            assert!(self.exchanged() > 10, "nobody raced");
        }
    }
}

/// What of the host must stay as it is.
pub(crate) struct Tripwires {
    inotify: Inotify,
    empty: Vec<PathBuf>,
    same: Vec<(PathBuf, Vec<u8>)>,
    mounts: String,
}

impl Tripwires {
    /// Files of the kernel's that attacks write to.
    const KERNEL: [&str; 4] = [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/sysrq",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/net/ipv4/ip_forward",
    ];

    /// Directories that are to stay empty, and files that are to stay the same, besides the kernel's.
    pub(crate) fn set(empty: &[&Path], same: &[&Path]) -> Self {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
            .expect("the host has inotify");
        let changes = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE;
        let kernel = Self::KERNEL.iter().map(Path::new);
        let files: Vec<&Path> = kernel
            .filter(|path| path.exists())
            .chain(same.iter().copied())
            .collect();
        for path in empty.iter().chain(&files) {
            inotify
                .add_watch(*path, changes)
                .expect("it can be watched");
        }
        let same = files
            .iter()
            .map(|path| (path.to_path_buf(), fs::read(path).expect("it can be read")));
        Self {
            inotify,
            empty: empty.iter().map(|path| path.to_path_buf()).collect(),
            same: same.collect(),
            mounts: mounts(),
        }
    }

    /// # Panics
    /// Names what has changed.
    #[track_caller]
    pub(crate) fn assert_untouched(&self) {
        // EAGAIN: nothing happened.
        if let Ok(events) = self.inotify.read_events() {
            panic!("the host was touched: {events:?}");
        }
        for dir in &self.empty {
            let found: Vec<_> = fs::read_dir(dir)
                .expect("our own directory")
                .flatten()
                .collect();
            assert!(found.is_empty(), "{found:?}");
        }
        for (path, content) in &self.same {
            assert!(
                fs::read(path).is_ok_and(|now| now == *content),
                "{path:?} has changed"
            );
        }
        // Others may mount meanwhile; below our directories nobody does.
        let ours = |line: &&str| {
            self.empty
                .iter()
                .any(|dir| line.contains(&*dir.to_string_lossy()))
        };
        let now = mounts();
        let (before, now): (Vec<&str>, Vec<&str>) = (
            self.mounts.lines().filter(ours).collect(),
            now.lines().filter(ours).collect(),
        );
        assert_eq!(before, now, "the host's mounts");
    }
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").expect("the host has procfs")
}
