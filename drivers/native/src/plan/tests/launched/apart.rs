//! Init, combinations, hostile images, and what travels between host and container.

use super::*;
use execdriver_core::Propagation;

#[test]
fn every_combination_of_what_can_be_asked_for_starts() {
    if skips() || skip_unless(&[Need::Overlay]) {
        return;
    }
    let rootfs = rootfs();
    let mapped = rootfs_of(MAP.host_id);
    // An odd step: the bits of what is left out differ.
    let step = if rounds(256) < 256 { 5 } else { 1 };
    for asked in (0..256u32).step_by(step) {
        let has = |bit: u32| asked & 1 << bit != 0;
        let remapped = has(7) && this_host().is_root();
        let root = if remapped { &mapped } else { &rootfs };
        let mut command = shell(
            &root.path(),
            "echo ok > /dev/null && test -r /proc/self/stat && echo ok",
        );
        command.process.privileged = has(0);
        if has(1) {
            command.network = Some(Network::host());
        }
        let linux = linux(&mut command);
        linux.readonly_rootfs = has(2);
        linux.pid = has(3).then(Pid::host);
        linux.ipc = has(4).then(Ipc::host);
        linux.cgroup_namespace = has(5).then(CgroupNamespace::host);
        linux.ephemeral = has(6).then(Ephemeral::default);
        if remapped {
            linux.uid_mappings = vec![MAP];
            linux.gid_mappings = vec![MAP];
        }
        let text = output(&command);
        assert_eq!(text, "ok\n", "{asked:#b}");
    }
}

#[test]
fn parameters_of_its_own_namespaces_are_set() {
    if skips() {
        return;
    }
    let rootfs = rootfs();
    let script = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax";
    let mut command = shell(&rootfs.path(), script);
    let parameters = [("net.ipv4.ip_forward", "1"), ("kernel.msgmax", "4242")];
    linux(&mut command).sysctl = parameters
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    assert_eq!(output(&command), "1\n4242\n");
}

#[test]
fn links_in_an_image_lead_to_nothing_of_the_host() {
    if skips() {
        return;
    }
    for path in ["proc", "sys", "dev", "mnt", "tmp"] {
        let rootfs = rootfs();
        let outside = rootfs.outside();
        let _ = std::fs::remove_dir(rootfs.inside(path));
        rootfs.symlink(outside.to_str().unwrap(), path);
        let mut command = shell(&rootfs.path(), "echo started; touch /mnt/x /tmp/x /dev/x");
        command.mounts = vec![
            Mount::tmpfs("/tmp", ""),
            Mount::tmpfs("/mnt/deep/er", ""),
            Mount::bind("/etc/passwd", "/mnt/file"),
        ];
        let text = output(&command);
        if path == "proc" || path == "sys" {
            let fstype = if path == "sys" { "sysfs" } else { "proc" };
            let words = format!("mount {fstype} on /{path}");
            assert!(text.contains(&words), "{path}: {text}");
        }
        let left = std::fs::read_dir(&outside).unwrap().count();
        assert_eq!(left, 0, "{path}: the host's directory was touched");
    }
}

#[test]
fn a_failed_step_is_described_by_its_words() {
    if skips() {
        return;
    }
    let rootfs = rootfs();
    std::fs::remove_dir(rootfs.inside("dev")).unwrap();
    rootfs.write("dev", "a file");
    let text = output(&shell(&rootfs.path(), "echo started"));
    assert!(text.contains("mount tmpfs on /dev"), "{text}");
}

/// In a mount namespace of its own, so that what it shares is not this machine's.
#[test]
fn propagation() {
    const MARK: &str = "EXECDRIVER_TEST_ROOTFS";
    if skip_unless(&[Need::Root, Need::Busybox, Need::Program("unshare")]) {
        return;
    }
    let Some(rootfs) = std::env::var_os(MARK).map(PathBuf::from) else {
        // Made out here, where nothing is mounted on it when it is removed.
        let rootfs = rootfs();
        let status = std::process::Command::new("unshare")
            .args(["--mount", "--propagation", "private"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "plan::tests::launched::apart::propagation"])
            .env(MARK, rootfs.all())
            .status();
        assert!(status.unwrap().success());
        return;
    };
    let volume = rootfs.join("outside");
    let mount = |args: &[&str]| {
        let status = std::process::Command::new("mount").args(args).status();
        assert!(status.unwrap().success(), "mount {args:?}");
    };
    let source = volume.to_str().unwrap();
    let with = |propagation, script: &str| {
        let mut command = shell(&rootfs.join("rootfs"), script);
        command.process.privileged = true;
        command.mounts = vec![Mount {
            propagation,
            ..Mount::bind(&volume, "/mnt")
        }];
        output(&command)
    };
    let script = "mount -t tmpfs none /mnt/a && echo mounted";
    // On a private mount propagation would be silently nothing.
    let refused = with(Propagation::RShared, script);
    assert!(refused.contains("it is not a shared mount"), "{refused}");
    mount(&["-t", "tmpfs", "none", source]);
    mount(&["--make-shared", source]);
    std::fs::create_dir(volume.join("a")).unwrap();
    let arrived = || {
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        table.contains(&format!(" {source}/a "))
    };
    for propagation in [
        Propagation::Inherited,
        Propagation::Private,
        Propagation::RSlave,
    ] {
        assert_eq!(with(propagation, script), "mounted\n", "{propagation:?}");
        assert!(!arrived(), "{propagation:?}");
    }
    assert_eq!(with(Propagation::RShared, script), "mounted\n");
    assert!(arrived());
}

#[test]
fn init_stays_as_the_first_process() {
    if skips() {
        return;
    }
    let rootfs = rootfs();
    let mut command = shell(&rootfs.path(), "echo $$; exit 3");
    linux(&mut command).init = true;
    // The status comes on the same pipe here: that of exit(3), as wait(2) has it.
    assert_eq!(output(&command), "2\n\0\u{3}\0\0[Exited(3)]");
}
