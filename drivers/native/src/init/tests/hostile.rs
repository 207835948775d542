//! Images that lay traps: links, wrong file types, planted nodes. The host stays untouched.

use super::*;

fn begun(rootfs: &Rootfs) -> Plan {
    let mut plan = Plan::new(namespaces());
    plan.begin();
    plan.cut_off();
    plan.root(&rootfs.path(), 0);
    plan
}

#[track_caller]
fn empty(rootfs: &Rootfs) {
    assert_eq!(
        fs::read_dir(rootfs.outside()).unwrap().count(),
        0,
        "the host was written to"
    );
}

#[test]
fn a_link_in_the_place_of_proc_is_refused() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    for target in ["/tmp", "../../outside", "sys"] {
        rootfs.symlink(target, "proc");
        let mut plan = begun(&rootfs);
        plan.mount(c"proc", c"/proc", &[], 0);
        assert_eq!(
            plan.launch(None).failed().detail,
            Detail::NotADirectory,
            "{target}"
        );
    }
    fs::remove_file(rootfs.inside("proc")).unwrap();
    rootfs.write("proc", "a file");
    let mut plan = begun(&rootfs);
    plan.mount(c"proc", c"/proc", &[], 0);
    assert_eq!(plan.launch(None).failed().detail, Detail::NotADirectory);
}

#[test]
fn links_out_of_the_image_lead_back_into_it() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let outside = rootfs.outside();
    for dir in ["dev", "etc", "mnt"] {
        rootfs.symlink(&outside, dir);
    }
    // The link is absolute, so inside it names a directory that the image does not have yet.
    rootfs.mkdir(outside.to_str().unwrap().trim_start_matches('/'));
    let mut plan = begun(&rootfs);
    plan.mount(c"tmpfs", c"/dev", &[], 0);
    plan.op(Op::Mkdir {
        path: c"/etc/made",
        mode: 0o700,
    });
    plan.op(Op::Symlink {
        target: c"x",
        path: c"/mnt/link",
    });
    let index = plan.op(Op::Hostname { name: &[b'x'; 65] });
    // The tmpfs covered all three, and the last operation fails on purpose.
    assert_eq!(plan.launch(None).failed().op, index);
    empty(&rootfs);
    assert_eq!(
        fs::read_dir(rootfs.inside(outside.to_str().unwrap()))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_dangling_link_is_not_made_through() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    rootfs.symlink(rootfs.outside().join("new"), "dangling");
    let mut plan = begun(&rootfs);
    plan.op(Op::Mkdir {
        path: c"/dangling/below",
        mode: 0o755,
    });
    assert_eq!(plan.launch(None).failed().errno, libc::ENOTDIR);
    empty(&rootfs);
}

#[test]
fn parent_references_do_not_climb_out() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let mut plan = begun(&rootfs);
    plan.op(Op::Mkdir {
        path: c"/../../outside/x/../../y",
        mode: 0o755,
    });
    plan.launch(None);
    empty(&rootfs);
}

#[test]
fn something_else_in_the_place_of_a_device_is_refused() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let Some(rootfs) = rootfs(USUAL) else { return };
    fn device(path: &CStr) -> Op<'_> {
        Op::Device {
            path,
            kind: libc::S_IFCHR,
            major: 1,
            minor: 3,
            mode: 0o640,
            uid: 7,
            gid: 8,
        }
    }
    for plant in ["file", "link"] {
        if plant == "file" {
            rootfs.write("dev/file", "x");
        } else {
            rootfs.symlink("/dev/null", "dev/link");
        }
        let mut plan = begun(&rootfs);
        let path = c(format!("/dev/{plant}"));
        plan.op(device(&path));
        let failed = plan.launch(None).failed();
        assert!(
            failed.detail == Detail::WrongDevice || failed.errno == libc::ELOOP,
            "{failed:?}"
        );
    }
    let mut plan = begun(&rootfs);
    plan.op(device(c"/dev/node"));
    plan.op(device(c"/dev/node"));
    plan.op(Op::Pivot {});
    let script = "busybox stat -c %F:%a:%u:%g /dev/node";
    let ended = plan.finish(c"0:0", &["/bin/sh", "-c", script], &PATH);
    assert_eq!(ended.ok(), "character special file:640:7:8\n");
}

#[test]
fn a_pts_that_is_no_devpts_gives_no_terminal() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    rootfs.mkdir("dev/pts");
    rootfs.write("dev/pts/ptmx", "x");
    let mut plan = begun(&rootfs);
    plan.op(Op::Terminal {
        rows: 0,
        cols: 0,
        uid: 0,
        gid: 0,
        console: false,
    });
    assert_eq!(plan.launch(None).failed().detail, Detail::NotDevpts);
}

#[test]
fn a_working_directory_through_a_descriptor_of_the_host_is_refused() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    let mut plan = Plan::standard(&rootfs.path(), namespaces());
    let slot = plan.fd(File::open("/etc").unwrap());
    // The socket and its three copies come before the first slot.
    let path = c(format!("/proc/self/fd/{}", 4 + slot));
    let ended = plan.finish_in(c"", &path, &["/bin/sh", "-c", "echo in"], &PATH);
    let failed = ended.failed();
    assert!(
        failed.detail == Detail::CwdOutsideRoot || failed.errno == libc::EACCES,
        "{failed:?}"
    );
}

#[test]
fn a_program_through_a_descriptor_is_not_found() {
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    for fd in 3..12 {
        let plan = Plan::standard(&rootfs.path(), namespaces());
        let program = format!("/proc/self/fd/{fd}/passwd");
        let ended = plan.finish(c"", &[&program], &PATH);
        assert!(ended.failed().errno != 0, "{ended:?}");
    }
}

#[test]
fn targets_swapped_for_links_by_another_thread_never_touch_the_host() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let Some(rootfs) = rootfs(namespaces()) else {
        return;
    };
    rootfs.mkdir("race/real");
    rootfs.symlink(rootfs.outside(), "race/link");
    let (real, link) = (c(rootfs.inside("race/real")), c(rootfs.inside("race/link")));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let here = nix::fcntl::AT_FDCWD;
                let exchange = nix::fcntl::RenameFlags::RENAME_EXCHANGE;
                nix::fcntl::renameat2(here, real.as_c_str(), here, link.as_c_str(), exchange)
                    .unwrap();
            }
        });
        for _ in 0..100 {
            let mut plan = begun(&rootfs);
            plan.mount(c"tmpfs", c"/race/real/a/b", &[], 0);
            plan.op(Op::Mkdir {
                path: c"/race/real/c/d",
                mode: 0o755,
            });
            plan.op(Op::Symlink {
                target: c"x",
                path: c"/race/real/e/f",
            });
            plan.launch(None);
        }
        stop.store(true, Ordering::Relaxed);
    });
    empty(&rootfs);
}
