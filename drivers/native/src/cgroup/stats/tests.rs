//! The readers on recorded directories, plain ones as the kernel's look.

use super::*;
use crate::at;
use crate::cgroup::Cgroup;
use std::fs;
use std::path::Path;

fn write(dir: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(dir).unwrap();
    for (name, text) in files {
        fs::write(dir.join(name), text).unwrap();
    }
}

fn member(path: &Path, version: Version, controllers: &[&str]) -> Member {
    Member {
        version,
        controllers: controllers.join(",").as_str().into(),
        path: path.to_string_lossy().into_owned().into(),
        dir: at::open_root(path).unwrap(),
        identity: (0, 0),
    }
}

fn cgroup(members: Vec<Member>) -> Cgroup {
    Cgroup {
        members,
        made_parents: Vec::new(),
        refused: Vec::new(),
        unit: None,
        placeholder: None,
    }
}

const PRESSURE: &str = "some avg10=1.50 avg60=0.00 avg300=0.00 total=9\n\
                        full avg10=0.00 avg60=0.00 avg300=0.00 total=4\n";

#[test]
fn version_2_is_read_with_the_least_limit_of_all_parents() {
    let temporary = tempfile::tempdir().unwrap();
    let (outer, inner) = (temporary.path().join("a"), temporary.path().join("a/b"));
    write(&outer, &[("memory.max", "1000\n")]);
    write(
        &inner,
        &[
            ("cgroup.controllers", "cpu io memory pids hugetlb\n"),
            ("cpu.stat", "usage_usec 7\nuser_usec 4\nsystem_usec 3\n"),
            ("cpu.pressure", PRESSURE),
            ("memory.pressure", PRESSURE),
            ("io.pressure", PRESSURE),
            ("memory.current", "600\n"),
            ("memory.peak", "800\n"),
            ("memory.max", "max\n"),
            ("memory.swap.current", "50\n"),
            ("memory.swap.events", "high 0\nmax 2\nfail 1\n"),
            ("memory.stat", "anon 100\nfile 300\nkernel 20\n"),
            ("memory.events", "low 0\nhigh 0\nmax 6\noom 1\noom_kill 1\n"),
            (
                "io.stat",
                "8:0 rbytes=5 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n",
            ),
            ("pids.current", "3\n"),
            ("pids.max", "max\n"),
            ("pids.peak", "5\n"),
            ("hugetlb.2MB.current", "2097152\n"),
            ("hugetlb.2MB.events", "max 8\n"),
        ],
    );
    let cgroup = cgroup(vec![member(&inner, Version::V2, &[])]);
    let usage = cgroup.usage(&mut Files::default(), &["2MB".into(), "1GB".into()]);
    let stats = &usage.stats;
    assert_eq!(usage.memory_limit, Some(1000));
    assert_eq!(stats.cpu_stats.cpu_usage.total_usage, 7000);
    let psi = [
        stats.cpu_stats.psi,
        stats.memory_stats.psi,
        stats.blkio_stats.psi,
    ];
    assert!(
        psi.iter()
            .all(|one| (one.some.total, one.full.total) == (9, 4))
    );
    let memory = &stats.memory_stats;
    let of = |data: MemoryData| (data.usage, data.max_usage, data.failcnt);
    assert_eq!(of(memory.usage), (600, 800, 6));
    assert_eq!(of(memory.swap_usage), (650, 0, 2));
    assert_eq!(of(memory.kernel_usage), (20, 0, 0));
    assert_eq!((memory.cache, memory.events.oom_kill), (300, 1));
    let pids = stats.pids_stats;
    assert_eq!((pids.current, pids.limit, pids.peak), (3, 0, 5));
    assert_eq!(stats.blkio_stats.io_service_bytes_recursive[0].value, 5);
    assert_eq!(stats.hugetlb_stats.len(), 1);
    assert_eq!(stats.hugetlb_stats["2MB"].failcnt, 8);

    fs::write(inner.join("memory.max"), "900\n").unwrap();
    assert_eq!(
        cgroup.usage(&mut Files::default(), &[]).memory_limit,
        Some(900)
    );
    fs::write(outer.join("memory.max"), "max\n").unwrap();
    fs::write(inner.join("memory.max"), "max\n").unwrap();
    assert_eq!(cgroup.usage(&mut Files::default(), &[]).memory_limit, None);
}

#[test]
fn version_1_is_read_from_each_hierarchy_and_counts_before_version_2() {
    let temporary = tempfile::tempdir().unwrap();
    let at = |name: &str| temporary.path().join(name);
    write(
        &at("unified"),
        &[("cpu.stat", "usage_usec 1\n"), ("cpu.pressure", PRESSURE)],
    );
    write(
        &at("cpu"),
        &[
            ("cpuacct.usage_percpu", "20 30 \n"),
            ("cpuacct.stat", "user 1\nsystem 2\n"),
            (
                "cpu.stat",
                "nr_periods 4\nnr_throttled 0\nthrottled_time 0\n",
            ),
        ],
    );
    write(
        &at("memory"),
        &[
            ("memory.usage_in_bytes", "100\n"),
            ("memory.max_usage_in_bytes", "200\n"),
            ("memory.failcnt", "3\n"),
            ("memory.kmem.usage_in_bytes", "10\n"),
            ("memory.stat", "cache 60\nhierarchical_memory_limit 4096\n"),
            (
                "memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
            ),
        ],
    );
    let count = |file: &str| format!("blkio.{file}_recursive");
    write(
        &at("blkio"),
        &[
            (
                &count("throttle.io_service_bytes"),
                "8:0 Read 7\n8:0 Total 7\nTotal 7\n",
            ),
            (&count("throttle.io_serviced"), "Total 0\n"),
            (&count("bfq.io_serviced"), "8:0 Read 1\nTotal 1\n"),
        ],
    );
    let v1 = |name: &str, controllers| member(&at(name), Version::V1, controllers);
    let cgroup = cgroup(vec![
        v1("cpu", &["cpu", "cpuacct"]),
        v1("memory", &["memory"]),
        v1("blkio", &["blkio"]),
        member(&at("unified"), Version::V2, &[]),
    ]);
    let usage = cgroup.usage(&mut Files::default(), &["2MB".into()]);
    let stats = &usage.stats;
    assert_eq!(usage.memory_limit, Some(4096));
    assert_eq!(stats.cpu_stats.cpu_usage.percpu_usage, [20, 30]);
    assert_eq!(stats.cpu_stats.cpu_usage.total_usage, 50);
    assert_eq!(stats.cpu_stats.throttling_data.periods, 4);
    assert_eq!(stats.cpu_stats.psi.some.total, 9);
    let memory = &stats.memory_stats;
    assert_eq!((memory.usage.usage, memory.usage.max_usage), (100, 200));
    assert_eq!((memory.usage.failcnt, memory.kernel_usage.usage), (3, 10));
    assert_eq!(memory.swap_usage, MemoryData::default());
    assert_eq!((memory.cache, memory.events.oom_kill), (60, 1));
    assert_eq!(stats.blkio_stats.io_service_bytes_recursive.len(), 2);
    assert_eq!(stats.blkio_stats.io_serviced_recursive.len(), 1);
    assert!(stats.hugetlb_stats.is_empty());
}

#[test]
fn what_cannot_be_read_is_left_out_and_a_long_file_is_read_whole() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("memory");
    let lines: String = (0..5000).map(|n| format!("key{n} {n}\n")).collect();
    write(&dir, &[("memory.stat", &lines)]);
    fs::write(dir.join("memory.usage_in_bytes"), b"\xff\xfe\n").unwrap();
    fs::create_dir(dir.join("memory.failcnt")).unwrap();
    std::os::unix::fs::symlink("memory.stat", dir.join("memory.oom_control")).unwrap();
    let cgroup = cgroup(vec![member(&dir, Version::V1, &["memory"])]);
    let usage = cgroup.usage(&mut Files::default(), &[]);
    let memory = &usage.stats.memory_stats;
    assert_eq!(memory.stats.len(), 5000);
    assert_eq!(memory.usage, MemoryData::default());
    assert_eq!(memory.events, execdriver_core::MemoryEvents::default());
    assert_eq!(usage.memory_limit, None);
}

#[test]
fn page_sizes_have_the_names_of_the_controller() {
    assert_eq!(huge_page_size("hugepages-64kB").as_deref(), Some("64KB"));
    assert_eq!(huge_page_size("hugepages-2048kB").as_deref(), Some("2MB"));
    assert_eq!(
        huge_page_size("hugepages-1048576kB").as_deref(),
        Some("1GB")
    );
    assert_eq!(huge_page_size("hugepages-x"), None);
}
