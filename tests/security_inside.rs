//! What a container's program finds of its host in /proc, /dev and the cgroups.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod contract;
mod support;

use contract::{Bench, chain};
use execdriver::{Command, Mount};
use std::fs;
use std::path::Path;
use support::{Need, is_root, skip_unless};

/// CVE-2019-5736: what the container has as its program is the runtime itself.
#[test]
fn cve_2019_5736_a_program_that_is_a_link_to_its_own_process_is_nothing_of_the_host() {
    let bench = Bench::new();
    let own = std::env::current_exe().unwrap();
    let before = fs::read(&own).unwrap();
    bench.rootfs.symlink("/proc/self/exe", "bin/link");
    bench.rootfs.write("bin/script", "#!/proc/self/exe\n");
    bench.rootfs.mode("bin/script", 0o755);
    for program in ["/bin/link", "/bin/script", "/proc/self/exe"] {
        for init in [false, true] {
            let command = bench.command(&[program, "--version"]);
            let command = command.with_linux(|linux| linux.init = init);
            // Init without its plan, or no program at all; never this test's binary, and never a success.
            match bench.try_run(&command) {
                Ok(outcome) => assert!(!outcome.status.success(), "{program}: {outcome:?}"),
                Err(error) => assert!(error.exit_code() >= 125, "{}", chain(&error)),
            }
        }
    }
    assert!(fs::read(&own).unwrap() == before, "the binary has changed");
    // The init that every later container begins with is still itself.
    assert_eq!(bench.says(&["echo", "well"]), "well\n");
}

/// CVE-2019-5736, from the other side: PID 1 of the container executes the driver's own init.
#[test]
fn cve_2019_5736_the_init_that_stays_cannot_be_opened_for_writing_or_looked_into() {
    let bench = Bench::new();
    let mut paths: Vec<String> = ["exe", "mem", "maps", "root", "cwd", "ns/mnt"]
        .map(String::from)
        .into();
    // The numbers can be listed, and what is behind them not be had.
    paths.extend((0..32).map(|number| format!("fd/{number}")));
    for mode in ["r", "w", "rw"] {
        let mut words = vec!["seq".to_owned()];
        for path in &paths {
            let open = ["open", &format!("/proc/1/{path}"), mode, ","];
            words.extend(open.map(str::to_owned));
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let command = bench.command(&words).with_linux(|linux| linux.init = true);
        let said = bench.run(&command).out;
        let refused = |line: &str| matches!(line, "EACCES" | "EISDIR");
        let (own, descriptors) = said.split_at(said.match_indices('\n').nth(5).unwrap().0);
        assert!(own.lines().all(refused), "{mode}: {said}");
        let refused = |line: &str| line == "ENOENT" || refused(line);
        assert!(descriptors.trim().lines().all(refused), "{mode}: {said}");
        assert_eq!(said.lines().count(), paths.len(), "{mode}: {said}");
    }
    if skip_unless(&[Need::Root]) {
        return;
    }
    // A privileged one may look, and still not write: the memory file is sealed.
    let mut command = bench.command(&[
        "seq",
        "open",
        "/proc/1/exe",
        "w",
        ",",
        "open",
        "/proc/1/exe",
        "rw",
    ]);
    command = command.with_linux(|linux| linux.init = true);
    command.process.privileged = true;
    let said = bench.run(&command).out;
    for line in said.lines() {
        assert!(matches!(line, "EPERM" | "ETXTBSY" | "EACCES"), "{said}");
    }
    assert_eq!(bench.says(&["echo", "well"]), "well\n");
}

/// CVE-2025-31133: what hides a file is the container's own idea of /dev/null.
#[test]
fn cve_2025_31133_a_false_dev_null_hides_no_file_and_shows_none() {
    let masked = ["/proc/kcore", "/proc/keys", "/proc/timer_list"];
    let there = masked.into_iter().filter(|path| Path::new(path).exists());
    let there: Vec<&str> = there.collect();
    let pattern = fs::read("/proc/sys/kernel/core_pattern").unwrap();
    let check = |bench: &Bench, change: &dyn Fn(&mut Command)| {
        for path in &there {
            let mut command = bench.command(&["seq", "write", path, "false", ",", "read", path]);
            change(&mut command);
            let said = match bench.try_run(&command) {
                // Refused is as good.
                Err(_) => continue,
                Ok(outcome) => outcome.out,
            };
            // A device that takes and gives nothing; to an ordinary user's root perhaps not even that.
            let right = matches!(&*said, "ok\n" | "EROFS\n" | "EACCES\n" | "EACCES\nEACCES\n");
            assert!(right, "{path}: {said}");
        }
    };
    let bench = Bench::new();
    bench.rootfs.write("dev/null", "false");
    check(&bench, &|_| {});
    bench.rootfs.symlink("/proc/sysrq-trigger", "dev/null");
    check(&bench, &|_| {});
    // A volume over all of /dev, which the caller may ask for.
    let volume = bench.rootfs.outside();
    fs::write(volume.join("null"), "false").unwrap();
    check(&bench, &|command| {
        command.mounts = vec![Mount::bind(bench.rootfs.outside(), "/dev")];
    });
    assert_eq!(fs::read(volume.join("null")).unwrap(), b"false");
    let now = fs::read("/proc/sys/kernel/core_pattern").unwrap();
    assert_eq!(now, pattern);
}

/// CVE-2025-52565: a link in place of the terminal was mounted on /dev/console, and that before the masks.
#[test]
fn cve_2025_52565_the_console_is_the_containers_own_terminal() {
    let bench = Bench::new();
    let outside = bench.rootfs.outside().join("file");
    fs::write(&outside, "untouched").unwrap();
    bench.rootfs.symlink(&outside, "dev/console");
    bench.rootfs.symlink(bench.rootfs.outside(), "dev/pts");
    let mut command = bench.command(&["seq", "stat", "/dev/console", ",", "tty", ",", "mounts"]);
    command.process.tty = true;
    let said = bench.output(&command).replace('\r', "");
    // Documentation/admin-guide/devices.txt: the slaves of devpts are major 136 to 143.
    let node: Vec<&str> = said.lines().next().unwrap().split(' ').collect();
    assert_eq!((node[0], node[2]), ("c", "136"), "{said}");
    let mounted = said.lines().find(|line| line.contains(" /dev/console "));
    assert!(mounted.unwrap().contains(" - devpts "), "{said}");
    assert!(said.contains("\n0 /dev/"), "{said}");
    assert_eq!(fs::read(outside).unwrap(), b"untouched");
}

/// CVE-2022-0492: a version 1 hierarchy's release_agent runs on the host as root.
#[test]
fn cve_2022_0492_a_container_mounts_no_cgroups_and_names_no_release_agent() {
    let bench = Bench::new();
    let mount = |kind: &str, data: &str| {
        let words = ["mount", "none", "/tmp", kind, "-", data];
        bench.run(&bench.command(&words)).out
    };
    // An ordinary user's root has the capability, in its own namespaces only.
    if is_root() {
        for (kind, data) in [
            ("cgroup", "memory"),
            ("cgroup", "none,name=x"),
            ("cgroup2", ""),
        ] {
            assert_eq!(mount(kind, data), "EPERM\n", "{kind} {data}");
        }
    }
    let hierarchies = fs::read_dir("/sys/fs/cgroup")
        .into_iter()
        .flatten()
        .flatten();
    for name in hierarchies.map(|entry| entry.file_name().into_string().unwrap()) {
        for file in ["release_agent", "notify_on_release", "cgroup.procs"] {
            let path = format!("/sys/fs/cgroup/{name}/{file}");
            let said = bench.run(&bench.command(&["open", &path, "w"])).out;
            assert_ne!(said, "ok\n", "{path}");
        }
    }
}
