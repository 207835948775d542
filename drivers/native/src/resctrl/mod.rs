//! Classes of service and monitoring groups of Intel's resource director: `linux.intelRdt` by the files of resctrl.
//!
//! ```text
//! decide: document, what is there -> Class (nothing is touched)
//! enter:  the class's directory, its schemata, the first process; the rest of the container is born into it
//! remove: with the container, what carries its id
//! ```
//! The files are those of the kernel's filesystems/resctrl.rst. A class that the document names may be others' too: it stays.

mod schemata;

use execdriver_core::{Error, Result};
use oci_spec::runtime::LinuxIntelRdt;
use schemata::Wanted;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the kernel has it mounted.
#[derive(Debug, Clone)]
pub(crate) struct Resctrl {
    root: PathBuf,
}

/// What of it is a container's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClassRecord {
    /// The directory of its class of service.
    directory: String,
    /// Whether the class goes with the container.
    own: bool,
    /// The directory of its monitoring group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    monitor: Option<String>,
}

/// What a document asks for, held against what is there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Class {
    record: ClassRecord,
    /// What is written to its schemata.
    schemata: String,
    /// Whether its directory has to be made.
    missing: bool,
}

/// A class that was entered; dropped before it is kept, what was made for it goes.
#[derive(Debug)]
pub(crate) struct Entered {
    made: Vec<PathBuf>,
}

/// A class that was changed.
#[derive(Debug)]
pub(crate) struct Changed {
    schemata: PathBuf,
    before: String,
}

/// A thread that is in a class so that what it starts is born there.
#[derive(Debug)]
pub(crate) struct Visit {
    back: PathBuf,
}

const FIELD: &str = "linux.intelRdt";

impl Resctrl {
    /// Where it is, if it is mounted.
    pub(crate) fn find() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo").ok()?;
        let root = mounts.lines().find_map(|line| {
            let (place, kind) = line.split_once(" - ")?;
            let path = place.split(' ').nth(4)?;
            kind.starts_with("resctrl ").then(|| PathBuf::from(path))
        });
        root.map(|root| Self { root })
    }

    /// Whether it counts what the caches and the memory give to a group.
    pub(crate) fn monitors(&self) -> bool {
        self.root.join("info/L3_MON").is_dir()
    }

    /// Judges what is asked for; touches nothing.
    ///
    /// # Errors
    /// The field, and what is wrong with it here.
    pub(crate) fn decide(&self, id: &str, asked: &LinuxIntelRdt) -> Result<Class> {
        let named = asked.clos_id().as_deref().filter(|name| !name.is_empty());
        let directory = self.directory(named.unwrap_or(id))?;
        let wanted = Wanted::of(asked)?;
        let missing = !directory.is_dir();
        match (named, missing) {
            (None, false) => {
                let reason = format!("{} is there already", directory.display());
                return Err(Error::invalid(FIELD, reason));
            }
            (Some(_), true) if wanted.is_none() => {
                let reason = format!(
                    "there is no {}, and no schemata to make it with",
                    directory.display()
                );
                return Err(Error::invalid(format!("{FIELD}.closID"), reason));
            }
            (Some(_), false) if !wanted.is_none() => {
                wanted.check(&read(&directory.join("schemata"))?)?
            }
            _ => {}
        }
        let monitor = self.monitor(id, &directory, asked)?;
        Ok(Class {
            schemata: if named.is_none() || missing {
                wanted.text()
            } else {
                String::new()
            },
            missing,
            record: ClassRecord {
                directory: directory.to_string_lossy().into_owned(),
                own: named.is_none(),
                monitor,
            },
        })
    }

    /// `/` is the class of all others; any other name is a directory of the root, and none of the kernel's own.
    fn directory(&self, name: &str) -> Result<PathBuf> {
        if name == "/" {
            return Ok(self.root.clone());
        }
        let taken = [".", "..", "info", "mon_groups", "mon_data"].contains(&name);
        if taken || name.contains(['/', '\n', '\0']) {
            let reason = format!("got {name:?}, expected the name of a class");
            return Err(Error::invalid(format!("{FIELD}.closID"), reason));
        }
        Ok(self.root.join(name))
    }

    fn monitor(&self, id: &str, directory: &Path, asked: &LinuxIntelRdt) -> Result<Option<String>> {
        #[allow(deprecated, reason = "documents still have them")]
        let old = [
            ("enableCMT", asked.enable_cmt()),
            ("enableMBM", asked.enable_mbm()),
        ];
        let fields = [("enableMonitoring", asked.enable_monitoring())].into_iter();
        let Some((field, _)) = fields.chain(old).find(|(_, asked)| **asked == Some(true)) else {
            return Ok(None);
        };
        if !self.monitors() {
            let operation = format!("{FIELD}.{field} on a processor that monitors nothing");
            return Err(Error::unsupported("native", operation));
        }
        let group = directory.join("mon_groups").join(id);
        if group.exists() {
            let reason = format!("{} is there already", group.display());
            return Err(Error::invalid(format!("{FIELD}.{field}"), reason));
        }
        Ok(Some(group.to_string_lossy().into_owned()))
    }

    /// What the kernel says of the last write that it refused.
    fn told(&self, error: io::Error) -> io::Error {
        let status = fs::read_to_string(self.root.join("info/last_cmd_status"));
        match status.as_deref().map(str::trim) {
            Ok("ok" | "") | Err(_) => error,
            Ok(words) => io::Error::new(error.kind(), format!("{error} ({words})")),
        }
    }
}

impl Class {
    /// What is written down before anything is made.
    pub(crate) fn record(&self) -> &ClassRecord {
        &self.record
    }

    /// Makes what is missing and puts the process into it.
    ///
    /// # Errors
    /// Which file, and what the kernel said; what was made is gone.
    pub(crate) fn enter(&self, resctrl: &Resctrl, pid: i32) -> Result<Entered> {
        let mut entered = Entered { made: Vec::new() };
        let directory = Path::new(&self.record.directory);
        let written = |path: PathBuf, text: &str| {
            let failed = |error| setup(format!("write {}", path.display()), resctrl.told(error));
            fs::write(&path, text).map_err(failed)
        };
        if self.missing {
            entered.make(directory, resctrl)?;
        }
        if !self.schemata.is_empty() {
            written(directory.join("schemata"), &self.schemata)?;
        }
        written(directory.join("tasks"), &format!("{pid}\n"))?;
        if let Some(monitor) = &self.record.monitor {
            let monitor = Path::new(monitor);
            entered.make(monitor, resctrl)?;
            written(monitor.join("tasks"), &format!("{pid}\n"))?;
        }
        Ok(entered)
    }
}

impl ClassRecord {
    /// Removes what goes with the container.
    ///
    /// # Errors
    /// Which directory stays, and why.
    pub(crate) fn remove(&self) -> Result<()> {
        let own = self.own.then_some(&self.directory);
        for directory in self.monitor.iter().chain(own) {
            match fs::remove_dir(directory) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(setup(format!("remove {directory}"), error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Gives other shares, where the class is the container's alone.
    ///
    /// # Errors
    /// The field that is wrong, or what the kernel said; nothing is changed then.
    pub(crate) fn change(&self, resctrl: &Resctrl, asked: &LinuxIntelRdt) -> Result<Changed> {
        let wanted = Wanted::of(asked)?;
        if !self.own {
            let reason = format!(
                "{} is named by config.json, may be others' too, and is not changed",
                self.directory
            );
            return Err(Error::invalid(FIELD, reason));
        }
        let schemata = Path::new(&self.directory).join("schemata");
        let before = read(&schemata)?;
        let failed = |error| setup(format!("write {}", schemata.display()), resctrl.told(error));
        fs::write(&schemata, wanted.text()).map_err(failed)?;
        Ok(Changed { schemata, before })
    }

    /// Takes the calling thread into the class until the result is dropped.
    ///
    /// # Errors
    /// Which file, and what the kernel said.
    pub(crate) fn visit(&self) -> Result<Visit> {
        let thread = nix::unistd::gettid().to_string();
        let visit = Visit { back: home() };
        for directory in std::iter::once(&self.directory).chain(&self.monitor) {
            let tasks = Path::new(directory).join("tasks");
            let failed = |error| setup(format!("write {}", tasks.display()), error);
            fs::write(&tasks, &thread).map_err(failed)?;
        }
        Ok(visit)
    }
}

impl Entered {
    fn make(&mut self, directory: &Path, resctrl: &Resctrl) -> Result<()> {
        let failed = |error| setup(format!("make {}", directory.display()), resctrl.told(error));
        fs::create_dir(directory).map_err(failed)?;
        self.made.push(directory.to_owned());
        Ok(())
    }

    /// It stays for as long as its container.
    pub(crate) fn keep(mut self) {
        self.made.clear();
    }
}

impl Changed {
    /// Gives the shares that were before.
    pub(crate) fn undo(self) {
        // Something else failed and is told.
        let _ = fs::write(self.schemata, self.before);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        for directory in self.made.iter().rev() {
            // Something else failed and is told.
            let _ = fs::remove_dir(directory);
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        // A thread that stays in the class counts for it and has its share, no more.
        let _ = fs::write(self.back.join("tasks"), nix::unistd::gettid().to_string());
    }
}

/// The group of the calling thread, as proc_cpu_resctrl_groups(5) has it: `res:/class` and `mon:group`.
fn home() -> PathBuf {
    let root = Resctrl::find().map(|found| found.root).unwrap_or_default();
    let groups = fs::read_to_string("/proc/thread-self/cpu_resctrl_groups").unwrap_or_default();
    let named = |key: &str| {
        let mut lines = groups.lines();
        lines.find_map(|line| {
            line.strip_prefix(key)
                .map(|name| name.trim_matches('/').to_owned())
        })
    };
    let class = named("res:").map_or(root.clone(), |class| root.join(class));
    match named("mon:").filter(|group| !group.is_empty()) {
        Some(group) => class.join("mon_groups").join(group),
        None => class,
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| setup(format!("read {}", path.display()), error))
}

fn setup(step: String, error: io::Error) -> Error {
    Error::Setup {
        step: format!("{step} ({FIELD})"),
        source: Some(Box::new(error)),
    }
}

#[cfg(test)]
mod tests;
