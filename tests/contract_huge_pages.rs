//! Limits of huge pages: in force by their size, changed while it runs, refused where there are none.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
#[path = "contract/host.rs"]
mod host;
mod support;

use contract::{Bench, refused};
use execdriver::{Command, Error, HugepageLimit, LinuxResources, Resources};
use host::{assert_no_trace, cgroups_of};
use support::{Need, skip_unless};

const MIB: i64 = 1 << 20;

fn pages(size: &str, limit: i64) -> Resources {
    Resources {
        linux: Some(LinuxResources {
            hugepage_limits: vec![HugepageLimit {
                page_size: size.to_owned(),
                limit,
            }],
            ..LinuxResources::default()
        }),
        ..Resources::default()
    }
}

/// A size that this machine has, as the kernel's files are named.
fn size() -> Option<&'static str> {
    let dir = std::path::Path::new("/sys/kernel/mm/hugepages");
    let known = [("hugepages-2048kB", "2MB"), ("hugepages-32768kB", "32MB")];
    let mut known = known.into_iter();
    known.find_map(|(name, size)| dir.join(name).exists().then_some(size))
}

/// What the kernel has for the limit, whichever version has the controller.
fn limit(id: &str, size: &str) -> String {
    let files = [
        format!("hugetlb.{size}.max"),
        format!("hugetlb.{size}.limit_in_bytes"),
    ];
    let dirs = cgroups_of(id).into_iter();
    let mut paths = dirs.flat_map(|dir| files.each_ref().map(|file| dir.join(file)));
    let text = paths.find_map(|path| std::fs::read_to_string(path).ok());
    text.unwrap().trim().to_owned()
}

#[test]
fn huge_pages_are_limited_by_their_size_or_refused_with_the_mend() {
    let Some(size) = size() else {
        skip_unless(&[Need::Path("/sys/kernel/mm/hugepages/hugepages-2048kB")]);
        return;
    };
    let bench = Bench::new();
    let command = Command {
        resources: Some(pages(size, 64 * MIB)),
        ..bench.command(&["pause"])
    };
    let capabilities = bench.driver.capabilities();
    if !capabilities.enforces("cgroups", "limits of huge pages") {
        let (error, text) = refused(bench.try_run(&command));
        assert!(matches!(error, Error::Unsupported { .. }), "{text}");
        let field = format!("resources.hugepage_limits[{size:?}]");
        assert!(text.contains(&field), "{text}");
        return assert_no_trace(&bench, &command.id);
    }
    bench.while_running(&command, |_| {
        let id = command.id.as_str();
        let update = |resources: &Resources| bench.driver.update(id, resources);
        assert_eq!(limit(id, size), (64 * MIB).to_string());
        update(&pages(size, 128 * MIB)).unwrap();
        assert_eq!(limit(id, size), (128 * MIB).to_string());
        // With another part that fails nothing is done.
        let mut bad = pages(size, 32 * MIB);
        bad.linux.as_mut().unwrap().cpuset_cpus = "4095".to_owned();
        let (error, text) = refused(update(&bad));
        assert!(matches!(error, Error::InvalidCommand { .. }), "{text}");
        assert_eq!(limit(id, size), (128 * MIB).to_string());
        // A size that no machine has.
        let (error, text) = refused(update(&pages("3MB", MIB)));
        assert!(matches!(error, Error::Unsupported { .. }), "{text}");
        assert!(text.contains("/sys/kernel/mm/hugepages"), "{text}");
        update(&pages(size, -1)).unwrap();
        let none = limit(id, size);
        assert!(none == "max" || none.parse::<u64>().unwrap() > 1 << 62);
        let counted = bench.driver.stats(id).unwrap().cgroup.unwrap();
        assert!(counted.hugetlb_stats.contains_key(size), "{counted:?}");
    });
    assert_no_trace(&bench, &command.id);
}
