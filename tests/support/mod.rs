//! What the black-box tests share: the payload, a rootfs around it, the needs of a test, and the baseline of the host.
//!
//! A test file says `mod support;` (another package: `#[path = "../../../tests/support/mod.rs"] mod support;`).
//! Linux only; needs std and tempfile.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects"
)]
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its own part of this"
)]

mod as_user;
mod baseline;
mod bus;
mod needs;
mod payload;
mod rootfs;

pub(crate) use as_user::{USER, rerun, rerun_as_user};
pub(crate) use baseline::{Baseline, alone, among};
pub(crate) use bus::{FakeSystemd, Odd, message};
pub(crate) use needs::{Need, criu, has, is_root, skip_unless};
pub(crate) use payload::{applets, payload};
pub(crate) use rootfs::Rootfs;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// An id that no other test of this machine uses just now: the stem, the process and a count.
pub(crate) fn unique_id(stem: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{stem}-{}-{count}", std::process::id())
}

/// How many times slower than a real machine this one is: `EXECDRIVER_PATIENCE`, which tests/vm/run.sh sets.
pub(crate) fn patience() -> u32 {
    let given = std::env::var("EXECDRIVER_PATIENCE").ok();
    given
        .and_then(|times| times.parse().ok())
        .map_or(1, |times: u32| times.max(1))
}

/// How often to repeat what is repeated only to be sure: fewer times on a slow machine.
pub(crate) fn rounds(times: u32) -> u32 {
    (times / patience()).max(2)
}

/// Waits at most five seconds for something to become true and panics with `what` when it does not.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl FnMut() -> bool) {
    assert!(
        within(Duration::from_secs(30), condition),
        "never came true: {what}"
    );
}

/// Whether something becomes true in this time (longer on a slow machine); asks again and again.
pub(crate) fn within(time: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + time * patience();
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
