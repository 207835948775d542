//! Born in a cgroup, or moved there.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::launch::{Early, launch};
use crate::support::{Need, skip_unless, unique_id};
use crate::wire::Op;

use super::filter::without_clone3;
use super::support::printing;

/// A cgroup of this test's own in the version 2 hierarchy, which may stand beside others.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new() -> Option<Cgroup> {
        let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
        let root = roots
            .into_iter()
            .find(|root| Path::new(root).join("cgroup.controllers").exists())?;
        let path = Path::new(root).join(unique_id("execdriver-launch"));
        std::fs::create_dir(&path).ok()?;
        Some(Cgroup(path))
    }

    fn assert_launch_lands_inside(&self, begin: &[Op], early: bool) {
        let dir = File::open(&self.0).unwrap();
        let (mut plan, output) = printing(begin, "cat /proc/self/cgroup");
        let mut request = plan.launch();
        request.cgroup = Some(dir.as_fd());
        if early {
            // None without clone3.
            request.early = Early::begin(request.cgroup, &[]).unwrap();
        }
        let started = launch(request).unwrap();
        let text = output.text(plan);
        started.process.reap().unwrap();
        let name = self.0.file_name().unwrap().to_str().unwrap();
        let line = text.lines().find(|line| line.starts_with("0::")).unwrap();
        assert!(line.ends_with(&format!("/{name}")), "{text}");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        std::fs::remove_dir(&self.0).unwrap();
    }
}

#[test]
fn a_process_is_born_in_its_cgroup_or_moved_there_where_clone3_is_missing() {
    if skip_unless(&[Need::Root]) {
        return;
    }
    let Some(cgroup) = Cgroup::new() else {
        skip_unless(&[Need::CgroupV2]);
        return;
    };
    let lands = || {
        cgroup.assert_launch_lands_inside(&[Op::ReportNs {}], false);
        cgroup.assert_launch_lands_inside(&[Op::ReportNs {}], true);
        // An exec, which waits once.
        cgroup.assert_launch_lands_inside(&[Op::Fork {}], false);
    };
    lands();
    without_clone3(lands);
}
