//! What a container sees: mounts, devices, masks, the terminal; and what the host does not see.

use super::*;
use crate::wire::TERMINAL_SLOT;

#[test]
fn the_template_is_mounted_with_its_flags() {
    both(|namespaces| {
        let Some(rootfs) = rootfs(namespaces) else {
            return;
        };
        let mounts = inside(&rootfs, namespaces, "busybox cat /proc/self/mounts");
        let line = |target: &str| {
            let found = mounts
                .lines()
                .find(|line| line.split(' ').nth(1) == Some(target));
            found.unwrap_or_else(|| panic!("no {target} in {mounts}"))
        };
        assert!(
            line("/proc").starts_with("proc /proc proc rw,nosuid,nodev,noexec,relatime "),
            "{mounts}"
        );
        assert!(
            line("/dev").starts_with("tmpfs /dev tmpfs rw,nosuid,"),
            "{mounts}"
        );
        assert!(
            line("/dev/pts").contains(" devpts rw,nosuid,noexec,relatime,"),
            "{mounts}"
        );
        assert!(
            line("/dev/mqueue").contains(" mqueue rw,nosuid,nodev,noexec,relatime"),
            "{mounts}"
        );
        assert!(
            line("/sys").contains(" sysfs ro,nosuid,nodev,noexec,relatime"),
            "{mounts}"
        );
        assert!(
            line("/proc/sys").contains(" proc ro,nosuid,nodev,noexec,relatime"),
            "{mounts}"
        );
        assert!(
            !mounts.contains("/tmp/"),
            "the host's tree is visible: {mounts}"
        );
    });
}

#[test]
fn devices_work_and_links_lead_to_them() {
    both(|namespaces| {
        let Some(rootfs) = rootfs(namespaces) else {
            return;
        };
        let script = "echo x > /dev/null && busybox head -c 3 /dev/zero | busybox wc -c && \
            busybox stat -c %A:%t,%T /dev/null /dev/urandom && busybox readlink /dev/ptmx && \
            echo lost > /dev/full 2>/dev/null || echo full";
        let expected = "3\ncrw-rw-rw-:1,3\ncrw-rw-rw-:1,9\npts/ptmx\nfull\n";
        assert_eq!(inside(&rootfs, namespaces, script), expected);
    });
}

#[test]
fn masked_files_are_empty_and_masked_directories_too() {
    both(|namespaces| {
        let Some(rootfs) = rootfs(namespaces) else {
            return;
        };
        rootfs.write("secret/file", "secret");
        rootfs.write("plain", "secret");
        let mut plan = Plan::new(namespaces);
        plan.begin();
        let devices = plan.device_sources();
        plan.cut_off();
        plan.root(&rootfs.path(), 0);
        plan.template(&devices);
        plan.masks();
        plan.op(Op::Mask { path: c"/secret" });
        plan.op(Op::Mask { path: c"/plain" });
        plan.op(Op::Mask {
            path: c"/plain/below",
        });
        plan.op(Op::Mask { path: c"/missing" });
        plan.op(Op::Pivot {});
        let script = "busybox ls /secret /sys/firmware; busybox cat /plain; busybox touch /secret/x 2>&1; \
            echo 0 > /proc/sys/kernel/core_pattern";
        let ended = plan.finish(c"", &["/bin/sh", "-c", script], &PATH);
        assert!(
            ended.output.contains("/secret/x: Read-only file system"),
            "{ended:?}"
        );
        assert!(
            ended.output.contains("core_pattern: Read-only file system"),
            "{ended:?}"
        );
        assert!(!ended.output.contains("secret\n"), "{ended:?}");
        assert_eq!(fs::read(rootfs.inside("plain")).unwrap(), b"secret");
    });
}

#[test]
fn a_bind_is_readonly_or_not_and_its_target_is_made() {
    both(|namespaces| {
        let Some(rootfs) = rootfs(namespaces) else {
            return;
        };
        let volume = rootfs.outside();
        fs::write(volume.join("file"), "content").unwrap();
        std::os::unix::fs::chown(&volume, Some(host_root()), Some(host_root())).unwrap();
        let mut plan = Plan::new(namespaces);
        plan.begin();
        let devices = plan.device_sources();
        let (read, write, file) = (
            plan.source(&volume),
            plan.source(&volume),
            plan.source(&volume.join("file")),
        );
        plan.cut_off();
        plan.root(&rootfs.path(), 0);
        plan.template(&devices);
        plan.bind(read, c"/mnt/deep/read", u64::from(RDONLY));
        plan.bind(write, c"/mnt/write", 0);
        plan.bind(file, c"/etc/deep/file", u64::from(RDONLY));
        plan.op(Op::Pivot {});
        let script = "busybox cat /mnt/deep/read/file /etc/deep/file; echo hi > /mnt/write/new; \
            busybox touch /mnt/deep/read/x 2>&1; busybox touch /etc/deep/file 2>&1; busybox stat -c %a /mnt/deep";
        let ended = plan.finish(c"", &["/bin/sh", "-c", script], &PATH);
        assert!(ended.output.starts_with("contentcontent"), "{ended:?}");
        assert_eq!(
            ended.output.matches("Read-only file system").count(),
            2,
            "{ended:?}"
        );
        assert!(ended.output.ends_with("755\n"), "{ended:?}");
        assert_eq!(fs::read(volume.join("new")).unwrap(), b"hi\n");
    });
}

#[test]
fn a_source_that_changed_since_the_parent_looked_is_refused() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let mut plan = Plan::new(namespaces());
    plan.begin();
    let meta = fs::metadata(rootfs.outside()).unwrap();
    let path = c(rootfs.path());
    let op = plan.op(Op::Source {
        slot: SOURCES,
        path: &path,
        dev: meta.dev(),
        ino: meta.ino(),
        recursive: true,
    });
    let failed = plan.launch(None).failed();
    assert_eq!((failed.op, failed.detail), (op, Detail::SourceChanged));
}

#[test]
fn a_source_through_a_link_is_refused() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    rootfs.symlink(rootfs.outside(), "link");
    let mut plan = Plan::new(namespaces());
    plan.begin();
    plan.source(&rootfs.inside("link"));
    assert_eq!(plan.launch(None).failed().errno, libc::ELOOP);
}

#[test]
fn a_tmpfs_takes_the_mode_of_the_directory_it_covers_when_asked() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    rootfs.mode("run", 0o2711);
    let mut plan = Plan::new(namespaces());
    plan.begin();
    plan.cut_off();
    plan.root(&rootfs.path(), 0);
    for (target, flags) in [(c"/run", crate::wire::MOUNT_INHERIT_MODE), (c"/var", 0)] {
        plan.op(Op::MountFs {
            fstype: c"tmpfs",
            target,
            params: Default::default(),
            attrs: 0,
            flags,
        });
    }
    plan.op(Op::Pivot {});
    let ended = plan.finish(
        c"0:0",
        &["/bin/sh", "-c", "busybox stat -c %a /run /var"],
        &PATH,
    );
    assert_eq!(ended.ok(), "2711\n1777\n");
}

#[test]
fn a_terminal_is_the_console_with_its_size_and_controls_the_session() {
    both(|namespaces| {
        let Some(rootfs) = rootfs(namespaces) else {
            return;
        };
        let mut plan = Plan::new(namespaces);
        plan.begin();
        let devices = plan.device_sources();
        plan.cut_off();
        plan.root(&rootfs.path(), 0);
        plan.template(&devices);
        plan.op(Op::Terminal {
            rows: 33,
            cols: 77,
            uid: 0,
            gid: crate::wire::NO_ID,
            console: true,
        });
        plan.op(Op::Pivot {});
        plan.op(Op::Stdio {
            stdin: TERMINAL_SLOT,
            stdout: TERMINAL_SLOT,
            stderr: TERMINAL_SLOT,
        });
        plan.identity(c"", Strings::EMPTY);
        plan.op(Op::Cwd { path: c"/" });
        plan.op(Op::Reset {
            flags: 0,
            umask: 0o022,
        });
        plan.op(Op::Setsid {
            controlling_terminal: true,
        });
        let script = "busybox tty; busybox stty size; echo there > /dev/tty; busybox stat -c %a /dev/console";
        plan.exec(&["/bin/sh", "-c", script], &PATH);
        let ended = plan.launch(None);
        assert_eq!(
            ended.output, "/dev/console\r\n33 77\r\nthere\r\n600\r\n",
            "{ended:?}"
        );
    });
}

#[test]
fn cgroup_v1_is_mounted_in_the_cgroup_namespace() {
    if skip_unless(&[Need::Root, Need::CgroupV1("memory")]) {
        return;
    }
    let Some(rootfs) = rootfs(USUAL) else { return };
    let mut plan = in_a_cgroup_namespace(&rootfs);
    let attrs = NOSUID | NODEV | NOEXEC;
    plan.mount(c"tmpfs", c"/sys/fs/cgroup", &[(c"mode", c"755")], attrs);
    for (key, target) in [
        (c"memory", c"/sys/fs/cgroup/memory"),
        (c"none", c"/sys/fs/cgroup/systemd"),
    ] {
        let mut params = PackedParams::default();
        params.flag(key);
        if key == c"none" {
            params.string(c"name", c"systemd");
        }
        plan.op(Op::MountFs {
            fstype: c"cgroup",
            target,
            params: params.view(),
            attrs: attrs | RDONLY,
            flags: 0,
        });
    }
    plan.op(Op::Symlink {
        target: c"memory",
        path: c"/sys/fs/cgroup/alias",
    });
    plan.op(Op::RemountReadonly {
        path: c"/sys/fs/cgroup",
    });
    plan.op(Op::Pivot {});
    let script = "busybox grep -c 'memory:/$' /proc/self/cgroup; busybox test -e /sys/fs/cgroup/alias/memory.limit_in_bytes && \
        echo there; busybox mkdir /sys/fs/cgroup/memory/x 2>&1; busybox mkdir /sys/fs/cgroup/x 2>&1";
    let ended = plan.finish(c"", &["/bin/sh", "-c", script], &PATH);
    assert!(ended.output.starts_with("1\nthere\n"), "{ended:?}");
    assert_eq!(
        ended.output.matches("Read-only file system").count(),
        2,
        "{ended:?}"
    );
}

#[test]
fn a_cgroup_that_is_another_by_now_is_not_shown_but_the_namespaces_own() {
    if skip_unless(&[Need::Root, Need::CgroupV1("memory")]) {
        return;
    }
    let Some(rootfs) = rootfs(USUAL) else { return };
    let made = CgroupDir::new("memory", "shown");
    let meta = fs::metadata(&made.0).unwrap();
    for (inode, shown) in [(meta.ino(), "77\n"), (meta.ino() + 1, "")] {
        let mut plan = in_a_cgroup_namespace(&rootfs);
        let mut params = PackedParams::default();
        params.flag(c"memory");
        plan.op(Op::CgroupFs {
            path: &c(&made.0),
            dev: meta.dev(),
            ino: inode,
            fstype: c"cgroup",
            target: c"/mnt",
            params: params.view(),
            attrs: NOSUID | NODEV | NOEXEC | RDONLY,
        });
        plan.op(Op::Pivot {});
        let script = "busybox grep '^77$' /mnt/memory.swappiness; busybox grep -c '/mnt ro,nosuid,nodev,noexec,relatime - cgroup' \
            /proc/self/mountinfo; busybox mkdir /mnt/x 2>&1";
        let ended = plan.finish(c"", &["/bin/sh", "-c", script], &PATH);
        let rest = "1\nmkdir: can't create directory '/mnt/x': Read-only file system\n";
        assert_eq!(ended.output, format!("{shown}{rest}"), "{ended:?}");
    }
}

/// A plan up to the kernel's file systems.
fn in_a_cgroup_namespace(rootfs: &Rootfs) -> Plan {
    let mut plan = Plan::new(USUAL);
    plan.begin();
    plan.op(Op::Unshare {
        flags: libc::CLONE_NEWCGROUP.cast_unsigned(),
    });
    plan.cut_off();
    plan.root(&rootfs.path(), 0);
    plan.template(&[]);
    plan
}

/// A cgroup of version 1 that can be told by its swappiness.
struct CgroupDir(std::path::PathBuf);

impl CgroupDir {
    fn new(controller: &str, name: &str) -> Self {
        let name = format!("execdriver-{name}-{}", std::process::id());
        let made = Self(Path::new("/sys/fs/cgroup").join(controller).join(name));
        fs::create_dir(&made.0).unwrap();
        fs::write(made.0.join("memory.swappiness"), "77").unwrap();
        made
    }
}

impl Drop for CgroupDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn group_5_without_a_map_is_refused_by_devpts() {
    if skip_unless(&[Need::OrdinaryUser]) {
        return;
    }
    let Some(rootfs) = rootfs(USUAL | NEW_USER) else {
        return;
    };
    let mut plan = Plan::new(USUAL | NEW_USER);
    plan.begin();
    plan.cut_off();
    plan.root(&rootfs.path(), 0);
    plan.mount(c"devpts", c"/dev/pts", &[(c"gid", c"5")], 0);
    assert_eq!(plan.launch(None).failed().errno, libc::EINVAL);
}

#[test]
fn nothing_shows_up_in_the_hosts_mount_table() {
    both(|namespaces| {
        let Some(rootfs) = rootfs(namespaces) else {
            return;
        };
        let before = fs::read_to_string("/proc/self/mounts").unwrap();
        inside(&rootfs, namespaces, "echo");
        assert_eq!(fs::read_to_string("/proc/self/mounts").unwrap(), before);
    });
}
