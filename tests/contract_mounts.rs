//! What a container sees of the host's files: volumes, tmpfs, their order and propagation; a bad root file system.
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
use execdriver::{Command, Device, Error, Mount, Propagation};
use host::{host_tmpfs, in_own_mounts, mount_options};
use std::fs;
use support::{Need, eventually, skip_unless};

fn with(mut command: Command, mounts: impl IntoIterator<Item = Mount>) -> Command {
    command.mounts.extend(mounts);
    command
}

#[test]
fn tmpfs() {
    let bench = Bench::new();
    let run = || Mount::tmpfs("/run", "");
    let table = bench.output(&with(bench.command(&["mounts"]), [run()]));
    let (options, _) = mount_options(&table, "/run").unwrap();
    for word in ["rw", "nosuid", "noexec", "nodev"] {
        assert!(options.split(',').any(|option| option == word), "{options}");
    }
    let (_, error) = refused(bench.try_run(&with(
        bench.command(&["true"]),
        [Mount::tmpfs("/run", "foobar")],
    )));
    assert!(error.contains("\"foobar\""), "{error}");
    let twice = [run(), Mount::bind(bench.rootfs.outside(), "/run/")];
    let (error, text) = refused(bench.try_run(&with(bench.command(&["true"]), twice)));
    assert!(matches!(error, Error::InvalidCommand { .. }), "{text}");
    assert!(text.contains("/run"), "{text}");
}

#[test]
fn defect_19_tmpfs_options_keep_the_safe_ones_and_the_mode_and_hide_no_volume() {
    let bench = Bench::new();
    // The directory exists and has another mode.
    bench.rootfs.mode("run", 0o755);
    fs::write(bench.rootfs.outside().join("seen"), "seen").unwrap();
    let mounts = || {
        [
            Mount::bind(bench.rootfs.outside(), "/run/volume"),
            Mount::tmpfs("/run", "size=64k,mode=700"),
        ]
    };
    let words = [
        "seq",
        "stat",
        "/run",
        ",",
        "read",
        "/run/volume/seen",
        ",",
        "echo",
        ",",
        "mounts",
    ];
    let said = bench.output(&with(bench.command(&words), mounts()));
    assert!(said.starts_with("d 0700 "), "{said}");
    assert!(said.contains("\nseen\n"), "{said}");
    let (options, system) = mount_options(&said, "/run").unwrap();
    for word in ["nosuid", "noexec", "nodev"] {
        assert!(options.split(',').any(|option| option == word), "{options}");
    }
    assert!(system.contains("size=64k"), "{system}");
}

#[test]
fn ro_volume() {
    let bench = Bench::new();
    let volume = || [Mount::read_only(bench.rootfs.outside(), "/vol")];
    fs::write(bench.rootfs.outside().join("file"), "here").unwrap();
    let words = ["seq", "touch", "/vol/x", ",", "read", "/vol/file"];
    let said = bench.output(&with(bench.command(&words), volume()));
    assert_eq!(said, "EROFS\nhere");
    assert!(!bench.rootfs.outside().join("x").exists());
    if skip_unless(&[Need::Root]) {
        return;
    }
    in_own_mounts("ro_volume", || {
        let bench = Bench::new();
        let nested = bench.rootfs.outside().join("nested");
        host_tmpfs(&nested, "--make-private");
        fs::write(nested.join("file"), "nested").unwrap();
        let words = [
            "seq",
            "read",
            "/vol/nested/file",
            ",",
            "echo",
            ",",
            "touch",
            "/vol/nested/x",
        ];
        let volume = Mount::read_only(bench.rootfs.outside(), "/vol");
        let outcome = bench.run(&with(bench.command(&words), [volume]));
        assert_eq!(outcome.out, "nested\nEROFS\n");
    });
}

#[test]
fn mount_forbidden() {
    let bench = Bench::new();
    for place in ["/", "/proc", "/proc//sys", "/./proc/../proc/self", "//"] {
        let volume = [Mount::bind(bench.rootfs.outside(), place)];
        let (error, text) = refused(bench.try_run(&with(bench.command(&["true"]), volume)));
        assert!(
            matches!(error, Error::InvalidCommand { .. }),
            "{place}: {text}"
        );
        assert!(text.contains("mounts[0].destination"), "{text}");
    }
    let relative = [Mount::bind(bench.rootfs.outside(), "vol")];
    refused(bench.try_run(&with(bench.command(&["true"]), relative)));
    fs::write(bench.rootfs.outside().join("mine"), "").unwrap();
    let volume = [Mount::bind(bench.rootfs.outside(), "/sys/fs/cgroup")];
    let said = bench.output(&with(bench.command(&["ls", "/sys/fs/cgroup"]), volume));
    assert_eq!(said, "mine\n");
}

#[test]
fn mount_order() {
    let bench = Bench::new();
    let volume = |name: &str| {
        let dir = bench.rootfs.outside().join(name);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join(name), "").unwrap();
        dir
    };
    let mounts = [
        Mount::bind(volume("inner"), "/tmp/tmp2/foo"),
        Mount::bind(volume("middle"), "/tmp/foo"),
        Mount::bind(volume("outer"), "/tmp"),
    ];
    let words = [
        "seq",
        "stat",
        "/tmp/outer",
        "/tmp/foo/middle",
        "/tmp/tmp2/foo/inner",
    ];
    let outcome = bench.run(&with(bench.command(&words), mounts));
    assert_eq!(outcome.status.code, 0, "{outcome:?}");
    assert_eq!(outcome.out.lines().count(), 3, "{outcome:?}");
}

#[test]
fn a_missing_source_is_an_error_that_names_it() {
    let bench = Bench::new();
    let gone = bench.rootfs.outside().join("no-such-thing");
    let command = with(bench.command(&["true"]), [Mount::bind(gone, "/mnt")]);
    let (error, text) = refused(bench.try_run(&command));
    assert_eq!(error.exit_code(), 125);
    assert!(text.contains("no-such-thing"), "{text}");
}

#[test]
fn propagation() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    in_own_mounts("propagation", || {
        let bench = Bench::new();
        let source = bench.rootfs.outside().join("shared");
        let volume = |propagation| Mount {
            propagation,
            ..Mount::bind(&source, "/vol")
        };
        let on_host = |place: &str| {
            let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
            mount_options(&table, &source.join(place).to_string_lossy()).is_some()
        };

        host_tmpfs(&source, "--make-private");
        for refused_one in [Propagation::RShared, Propagation::Slave] {
            let command = with(bench.command(&["true"]), [volume(refused_one)]);
            let (_, text) = refused(bench.try_run(&command));
            assert!(text.contains("mounts[0].mountpropagation"), "{text}");
        }

        host_tmpfs(&source, "--make-shared");
        fs::create_dir(source.join("by-container")).unwrap();
        let words = [
            "seq",
            "mount",
            "none",
            "/vol/by-container",
            "tmpfs",
            ",",
            "pause",
        ];
        let command = with(bench.command(&words), [volume(Propagation::RShared)]);
        let command = command.with_linux(|linux| {
            linux.cap_add = vec!["SYS_ADMIN".to_owned()];
            linux.seccomp_profile = "unconfined".to_owned();
        });
        bench.while_running(&command, |_| {
            eventually("the container's mount is on the host", || {
                on_host("by-container")
            });
        });

        fs::create_dir(source.join("by-host")).unwrap();
        fs::create_dir(source.join("again")).unwrap();
        let words = [
            "seq",
            "waitfile",
            "/vol/by-host/file",
            ",",
            "mount",
            "none",
            "/vol/again",
            "tmpfs",
            ",",
            "pause",
        ];
        let command = with(bench.command(&words), [volume(Propagation::RSlave)]);
        let command = command.with_linux(|linux| {
            linux.cap_add = vec!["SYS_ADMIN".to_owned()];
            linux.seccomp_profile = "unconfined".to_owned();
        });
        let (outcome, ()) = bench.during(&command, execdriver::Pipes::null(), |_| {
            host_tmpfs(&source.join("by-host"), "--make-private");
            fs::write(source.join("by-host/file"), "").unwrap();
            eventually("the container has mounted", || {
                let table = bench.exec(&command.id, &["mounts"]).out;
                mount_options(&table, "/vol/again").is_some()
            });
            assert!(!on_host("again"), "a slave's mount is on the host");
        });
        assert_eq!(outcome.out, "ok\n");
    });
}

#[test]
fn rootfs_bad() {
    let bench = Bench::new();
    let link = bench.rootfs.outside().join("link");
    std::os::unix::fs::symlink(bench.rootfs.path(), &link).unwrap();
    let file = bench.rootfs.outside().join("file");
    fs::write(&file, "").unwrap();
    let missing = bench.rootfs.outside().join("missing");
    for bad in [link, file, missing, "relative".into(), "".into()] {
        let command = Command {
            rootfs: bad.clone(),
            ..bench.command(&["true"])
        };
        let (error, text) = refused(bench.try_run(&command));
        assert_eq!(error.exit_code(), 125, "{bad:?}: {text}");
        host::assert_no_trace(&bench, &command.id);
    }
}

#[test]
fn defect_20_a_dev_of_the_callers_own_stays_as_it_is_and_devices_are_usable() {
    let bench = Bench::new();
    let dev = bench.rootfs.outside().join("dev");
    fs::create_dir(&dev).unwrap();
    fs::write(dev.join("mine"), "").unwrap();
    let command = with(bench.command(&["ls", "/dev"]), [Mount::bind(&dev, "/dev")]);
    assert_eq!(bench.output(&command), "mine\n");
    let names = fs::read_dir(&dev).unwrap().flatten();
    let names: Vec<_> = names.map(|entry| entry.file_name()).collect();
    assert_eq!(
        names,
        ["mine"],
        "something was made in the host's directory"
    );

    if skip_unless(&[Need::Root, Need::Path("/dev/fuse")]) {
        return;
    }
    let mut command = bench.command(&["stat", "/dev/mapped", "/dev/fuse"]);
    command.process.privileged = true;
    let command = command.with_linux(|linux| {
        linux.autocreated_devices = vec![Device::node("/dev/mapped", 1, 5)];
    });
    let said = bench.output(&command);
    assert!(said.starts_with("c 0666 1 5 "), "{said}");
    assert!(!said.contains("c 0000"), "{said}");
}
