//! Kernels without mount_setattr(2), played by a filter: read-only is still read-only, or nothing starts.

use super::*;
use crate::wire::{ROOT_READONLY, ROOT_READONLY_BELOW};

/// A filter that answers ENOSYS to one system call.
fn without_call(number: i64) -> Vec<u8> {
    let word = |code: u16, jumps: [u8; 2], value: u32| {
        [&code.to_le_bytes()[..], &jumps, &value.to_le_bytes()].concat()
    };
    let number = u32::try_from(number).unwrap();
    let errno = 0x0005_0000 | libc::ENOSYS.cast_unsigned();
    [
        word(0x20, [0, 0], 0),
        word(0x15, [0, 1], number),
        word(0x06, [0, 0], errno),
        word(0x06, [0, 0], 0x7fff_0000),
    ]
    .concat()
}

#[test]
fn a_kernel_without_mount_setattr_still_makes_readonly_what_is_asked() {
    both(|namespaces| {
        let Some(rootfs) = rootfs(namespaces) else {
            return;
        };
        let volume = rootfs.outside();
        fs::write(volume.join("file"), "content").unwrap();
        std::os::unix::fs::chown(&volume, Some(host_root()), Some(host_root())).unwrap();
        let mut plan = Plan::new(namespaces);
        plan.begin();
        plan.op(Op::Seccomp {
            flags: 0,
            program: &without_call(libc::SYS_mount_setattr),
        });
        let devices = plan.device_sources();
        let (read, write) = (plan.source(&volume), plan.source(&volume));
        let file = plan.source(&volume.join("file"));
        plan.cut_off();
        plan.root(&rootfs.path(), ROOT_READONLY_BELOW);
        plan.template(&devices);
        plan.bind(read, c"/read", u64::from(RDONLY | NOEXEC));
        plan.op(Op::Bind {
            slot: write,
            target: c"/write",
            attr_set: 0,
            attr_clr: 0,
            propagation: MS_REC_PRIVATE,
            flags: BIND_CREATE,
        });
        plan.bind(file, c"/file", u64::from(RDONLY));
        plan.masks();
        plan.op(Op::Pivot {});
        plan.op(Op::RemountReadonly { path: c"/" });
        let script = "for f in /x /read/x /file /proc/sys/kernel/core_pattern; do busybox touch $f 2>&1; done; \
            busybox touch /write/x && echo written; busybox grep -E ' /(read|proc/sys) ' /proc/self/mounts";
        let ended = plan.finish(c"", &["/bin/sh", "-c", script], &PATH);
        assert_eq!(
            ended.output.matches("Read-only file system").count(),
            4,
            "{ended:?}"
        );
        assert!(ended.output.contains("written\n"), "{ended:?}");
        assert!(
            ended
                .output
                .contains("proc ro,nosuid,nodev,noexec,relatime"),
            "{ended:?}"
        );
        assert!(
            ended.output.contains("/read ext4 ro,noexec") || ended.output.contains("noexec"),
            "{ended:?}"
        );
    });
}

#[test]
fn a_kernel_without_mount_setattr_refuses_a_readonly_tree_with_mounts_below() {
    if rootfs(namespaces()).is_none() {
        return;
    }
    let mut plan = Plan::new(namespaces());
    plan.begin();
    plan.op(Op::Seccomp {
        flags: 0,
        program: &without_call(libc::SYS_mount_setattr),
    });
    plan.cut_off();
    let op = plan.root(Path::new("/"), ROOT_READONLY);
    let failed = plan.launch(None).failed();
    assert_eq!((failed.op, failed.errno), (op, libc::ENOSYS));
}
