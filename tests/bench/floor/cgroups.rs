//! One directory in every mounted hierarchy: made, opened for the child, given device rules, removed.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use crate::{sys, text};

const RULES: [&str; 14] = [
    "c *:* m",
    "b *:* m",
    "c 5:1 rwm",
    "c 4:0 rwm",
    "c 4:1 rwm",
    "c 136:* rwm",
    "c 5:2 rwm",
    "c 10:200 rwm",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 5:0 rwm",
    "c 1:9 rwm",
    "c 1:8 rwm",
];

/// A mounted hierarchy.
#[derive(Debug)]
pub(crate) struct Hierarchy {
    /// Name of its directory: `cpu,cpuacct`.
    pub(crate) name: CString,
    v2: bool,
    devices: bool,
    /// The directory that the containers' directories are made in, with a `/` at the end.
    base: String,
    /// The directory that we are in ourselves.
    outer: String,
    /// That directory where it is our own: a cpuset that fills those in it.
    own_base: Option<CString>,
}

impl Drop for Hierarchy {
    fn drop(&mut self) {
        if let Some(path) = &self.own_base {
            let _ = sys::rmdir(path);
        }
    }
}

/// A container's directories, in the order of the hierarchies.
#[derive(Debug)]
pub(crate) struct Cgroups<'a> {
    hierarchies: &'a [Hierarchy],
    paths: Vec<CString>,
    /// `tasks` of version 1, the directory itself of version 2.
    opened: Vec<OwnedFd>,
}

/// Reads the mounts and our own place in each hierarchy.
pub(crate) fn hierarchies() -> io::Result<Vec<Hierarchy>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let mut found = Vec::new();
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else {
            continue;
        };
        let mut right = right.split(' ');
        let v2 = match right.next() {
            Some("cgroup") => false,
            Some("cgroup2") => true,
            _ => continue,
        };
        let mount = left.split(' ').nth(4).unwrap_or_default();
        let options = right.nth(1).unwrap_or_default();
        let mut controllers: Vec<&str> = options
            .split(',')
            .filter(|o| !matches!(*o, "rw" | "ro" | "xattr"))
            .collect();
        if v2 {
            controllers.clear();
        }
        let controllers = controllers.join(",");
        let place = own.lines().find_map(|line| {
            let (listed, path) = line.split_once(':')?.1.split_once(':')?;
            (listed == controllers).then_some(path)
        });
        let base = format!(
            "{mount}{}/",
            place.unwrap_or_default().trim_end_matches('/')
        );
        let mut hierarchy = Hierarchy {
            name: text(mount.rsplit('/').next().unwrap_or_default().as_bytes())?,
            v2,
            devices: controllers == "devices",
            outer: base.clone(),
            base,
            own_base: None,
        };
        if controllers.split(',').any(|name| name == "cpuset") {
            hierarchy.fill()?;
        }
        found.push(hierarchy);
    }
    Ok(found)
}

impl Hierarchy {
    /// As the driver's own parents are: the kernel gives each new cpuset in them what they have.
    fn fill(&mut self) -> io::Result<()> {
        let path = format!("{}floor-{}", self.base, std::process::id());
        let own = text(path.as_bytes())?;
        sys::mkdir(&own)?;
        self.own_base = Some(own);
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let value = fs::read_to_string(format!("{}{file}", self.base))?;
            write(&format!("{path}/{file}"), &[&value])?;
        }
        write(&format!("{path}/cgroup.clone_children"), &["1"])?;
        self.base = format!("{path}/");
        Ok(())
    }
}

impl<'a> Cgroups<'a> {
    pub(crate) fn make(hierarchies: &'a [Hierarchy], id: &str) -> io::Result<Self> {
        let mut made = Self {
            hierarchies,
            paths: Vec::new(),
            opened: Vec::new(),
        };
        for hierarchy in hierarchies {
            if let Err(error) = made.make_in(hierarchy, id) {
                let _ = made.remove();
                return Err(error);
            }
        }
        Ok(made)
    }

    fn make_in(&mut self, hierarchy: &Hierarchy, id: &str) -> io::Result<()> {
        let path = format!("{}{id}", hierarchy.base);
        let c_path = text(path.as_bytes())?;
        sys::mkdir(&c_path)?;
        self.paths.push(c_path.clone());
        if hierarchy.v2 {
            self.opened.push(sys::open(
                &c_path,
                libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC,
            )?);
            return Ok(());
        }
        if hierarchy.devices {
            write(&format!("{path}/devices.deny"), &["a"])?;
            write(&format!("{path}/devices.allow"), &RULES)?;
        }
        // The child, which has one thread, enters by writing 0 to `tasks`: a write to cgroup.procs waits for RCU.
        let tasks = text(format!("{path}/tasks").as_bytes())?;
        self.opened.push(sys::open(&tasks, libc::O_WRONLY)?);
        Ok(())
    }

    /// `tasks`, the name of the hierarchy, and the container's directory.
    pub(crate) fn v1(&self) -> impl Iterator<Item = (&OwnedFd, &CString, &CString)> {
        let all = self.opened.iter().zip(self.hierarchies).zip(&self.paths);
        all.filter(|((_, hierarchy), _)| !hierarchy.v2)
            .map(|((tasks, hierarchy), path)| (tasks, &hierarchy.name, path))
    }

    pub(crate) fn v2(&self) -> Option<&OwnedFd> {
        let mut all = self.opened.iter().zip(self.hierarchies);
        all.find(|(_, hierarchy)| hierarchy.v2).map(|(dir, _)| dir)
    }

    /// The name of version 2's mount point, and the container's directory.
    pub(crate) fn v2_place(&self) -> Option<(CString, CString)> {
        let mut all = self.hierarchies.iter().zip(&self.paths);
        let (hierarchy, path) = all.find(|(hierarchy, _)| hierarchy.v2)?;
        Some((hierarchy.name.clone(), path.clone()))
    }

    /// The calling thread enters those of version 1, and what it starts is born there.
    pub(crate) fn enter(&self) -> io::Result<()> {
        self.v1()
            .try_for_each(|(tasks, ..)| sys::write(tasks, b"0"))
    }

    /// It goes back to where it came from.
    pub(crate) fn leave(&self) -> io::Result<()> {
        let v1 = self.hierarchies.iter().filter(|hierarchy| !hierarchy.v2);
        v1.map(|hierarchy| format!("{}tasks", hierarchy.outer))
            .try_for_each(|tasks| write(&tasks, &["0"]))
    }

    /// Removes all directories, also when one of them cannot be; an error is returned.
    pub(crate) fn remove(self) -> io::Result<()> {
        drop(self.opened);
        let mut removed = Ok(());
        for path in &self.paths {
            removed = removed.and(sys::rmdir(path));
        }
        removed
    }
}

fn write(path: &str, values: &[&str]) -> io::Result<()> {
    let file = sys::open(&text(path.as_bytes())?, libc::O_WRONLY | libc::O_CLOEXEC)?;
    values
        .iter()
        .try_for_each(|value| sys::write(&file, value.as_bytes()))
}
