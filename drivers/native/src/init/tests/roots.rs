//! The root of a container: the host's own, a read-only one, one under an overlay, and when it is refused.

use super::*;
use crate::wire::{ROOT_READONLY, ROOT_READONLY_BELOW};

#[test]
fn a_root_before_the_host_is_cut_off_is_refused() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let mut plan = Plan::new(namespaces());
    plan.begin();
    plan.root(&rootfs.path(), 0);
    assert_eq!(plan.launch(None).failed().errno, libc::EPERM);
}

#[test]
fn a_readonly_root_can_still_be_furnished() {
    both(|namespaces| {
        let Some(rootfs) = rootfs(namespaces) else {
            return;
        };
        let mut plan = Plan::new(namespaces);
        plan.begin();
        let devices = plan.device_sources();
        let volume = plan.source(&rootfs.outside());
        plan.cut_off();
        plan.root(&rootfs.path(), ROOT_READONLY_BELOW);
        plan.template(&devices);
        plan.bind(volume, c"/made/here", 0);
        plan.op(Op::Pivot {});
        plan.op(Op::RemountReadonly { path: c"/dev" });
        plan.op(Op::RemountReadonly { path: c"/" });
        let script = "for f in /x /etc/x /dev/x /sys/x; do busybox touch $f 2>&1; done; busybox touch /made/here/x; \
            echo x > /dev/null && echo fine";
        let ended = plan.finish(c"", &["/bin/sh", "-c", script], &PATH);
        let refused = ended.output.matches("Read-only file system").count();
        // In a user namespace the volume is not ours.
        assert!(refused == 4 && ended.output.contains("fine"), "{ended:?}");
    });
}

#[test]
fn the_hosts_own_root_can_be_the_root() {
    both(|namespaces| {
        if rootfs(namespaces).is_none() {
            return;
        }
        let mut plan = Plan::new(namespaces);
        plan.begin();
        let devices = plan.device_sources();
        plan.cut_off();
        plan.root(Path::new("/"), ROOT_READONLY);
        plan.template(&devices);
        plan.mount(c"tmpfs", c"/tmp", &[], NOSUID | NODEV);
        plan.masks();
        plan.op(Op::Pivot {});
        let script = "busybox touch /x 2>&1; busybox touch /tmp/x && busybox ls /tmp; busybox test -e /dev/null && \
            busybox ls /proc | busybox grep -c '^[0-9]*$'; busybox cat /etc/hostname > /dev/null && echo host";
        let ended = plan.finish(c"0:0", &["/bin/sh", "-c", script], &["PATH=/bin"]);
        assert!(
            ended.output.contains("/x: Read-only file system"),
            "{ended:?}"
        );
        assert!(
            ended.output.contains("\nx\n") && ended.output.ends_with("host\n"),
            "{ended:?}"
        );
    });
}

#[test]
fn an_overlay_takes_the_writes_and_is_bounded() {
    both(|namespaces| {
        if skip_unless(&[Need::Overlay]) {
            return;
        }
        let Some(rootfs) = rootfs(namespaces) else {
            return;
        };
        rootfs.mode("", 0o751);
        let mut plan = Plan::new(namespaces);
        plan.begin();
        let devices = plan.device_sources();
        plan.cut_off();
        let (path, meta) = (c(rootfs.path()), fs::metadata(rootfs.path()).unwrap());
        plan.op(Op::Overlay {
            lower: &path,
            dev: meta.dev(),
            ino: meta.ino(),
            size: 1 << 20,
            inodes: 100,
            userxattr: namespaces & NEW_USER != 0,
        });
        plan.template(&devices);
        plan.masks();
        plan.op(Op::Pivot {});
        let script = "busybox stat -c %a /; busybox touch /x /etc/new && busybox rm /etc/group && busybox ls /etc; \
            busybox dd if=/dev/zero of=/big bs=64k count=32 2>&1 | busybox grep -c 'No space left'";
        let ended = plan.finish(c"", &["/bin/sh", "-c", script], &PATH);
        assert_eq!(ended.output, "751\nnew\npasswd\n1\n", "{ended:?}");
        assert!(!rootfs.inside("x").exists() && rootfs.inside("etc/group").exists());
    });
}

#[test]
fn the_hosts_own_root_can_lie_under_an_overlay() {
    both(|namespaces| {
        if skip_unless(&[Need::Overlay]) || rootfs(namespaces).is_none() {
            return;
        }
        let mut plan = Plan::new(namespaces);
        plan.begin();
        let devices = plan.device_sources();
        plan.cut_off();
        let meta = fs::metadata("/").unwrap();
        plan.op(Op::Overlay {
            lower: c"/",
            dev: meta.dev(),
            ino: meta.ino(),
            size: 1 << 20,
            inodes: 100,
            userxattr: namespaces & NEW_USER != 0,
        });
        plan.template(&devices);
        plan.op(Op::Pivot {});
        let script = "busybox cat /etc/passwd > /dev/null && echo read; busybox touch /of-the-container && echo written";
        let ended = plan.finish(c"0:0", &["/bin/sh", "-c", script], &["PATH=/bin"]);
        if namespaces & NEW_USER == 0 {
            assert_eq!(ended.output, "read\nwritten\n", "{ended:?}");
        } else {
            // The mounts below / are locked to it, and overlayfs may not look under them.
            assert_eq!(ended.failed().errno, libc::EINVAL);
        }
        assert!(!Path::new("/of-the-container").exists());
    });
}
