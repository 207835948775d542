//! Writes limits: all of them, or none.

use super::error::CgroupError;
use super::limits::{Available, Check, Setting};
use super::{Cgroup, Member, Version};
use crate::at;
use nix::errno::Errno;
use std::ffi::OsStr;
use std::os::fd::AsFd;

/// A file of ours is a few lines, that of a device a line.
const MAX: usize = 1 << 16;

/// What was written, and how to take it back.
#[derive(Debug, Default)]
pub(crate) struct Changed(Vec<Undo>);

#[derive(Debug)]
struct Undo {
    version: Version,
    controller: String,
    file: String,
    values: Vec<String>,
}

impl Cgroup {
    /// What the container's cgroup has for limits.
    pub(crate) fn available(&self) -> Available {
        let v1 = self
            .version_1()
            .flat_map(|member| member.controllers.names().map(str::to_owned));
        let v2 = self.unified().and_then(|member| {
            let text = at::read(member.dir.as_fd(), OsStr::new("cgroup.controllers"), MAX).ok()?;
            String::from_utf8(text).ok()
        });
        let v2 = v2.unwrap_or_default();
        let otherwise = match self.unified() {
            Some(member) => format!(
                "no version 1 hierarchy of it is mounted or ours to use, and cgroup.controllers of {} has {}",
                member.path,
                if v2.trim().is_empty() { "nothing" } else { v2.trim() }
            ),
            None => "its version 1 hierarchy is not mounted (`mount -t cgroup -o NAME cgroup /sys/fs/cgroup/NAME`), or \
                     this user may not make cgroups in it (start the host program as root)"
                .to_owned(),
        };
        Available {
            v1: v1.collect(),
            v2: v2.split_ascii_whitespace().map(str::to_owned).collect(),
            refused: self.refused.clone(),
            otherwise,
        }
    }

    /// Puts limits in force, in their order; a value that another one stands in the way of is
    /// tried again after the rest (memory above the old total of memory and swap, say, or a period
    /// that is too short for the old quota).
    ///
    /// # Errors
    /// The first limit that the kernel refuses; what was written is taken back.
    pub(crate) fn limit(&self, settings: &[Setting]) -> Result<Changed, CgroupError> {
        let mut changed = Changed::default();
        for setting in settings {
            self.check_usage(setting)?;
        }
        let mut todo: Vec<&Setting> = settings.iter().collect();
        while !todo.is_empty() {
            let (mut later, mut first) = (Vec::new(), None);
            let before = todo.len();
            for setting in todo {
                match self.write(setting, &mut changed) {
                    Ok(()) => {}
                    Err(error) if may_pass(&error) => {
                        later.push(setting);
                        first = first.or(Some(error));
                    }
                    Err(error) => return Err(self.take_back(changed, error)),
                }
            }
            todo = later;
            if let Some(error) = first.filter(|_| todo.len() == before) {
                return Err(self.take_back(changed, error));
            }
        }
        Ok(changed)
    }

    /// Brings back what was before [`Cgroup::limit`].
    pub(crate) fn undo(&self, changed: Changed) {
        let mut todo = changed.0;
        loop {
            let before = todo.len();
            let mut left = Vec::new();
            while let Some(undo) = todo.pop() {
                if !self.put_back(&undo) {
                    left.push(undo);
                }
            }
            left.reverse();
            // What is refused now may pass when the rest is back.
            if left.is_empty() || left.len() == before {
                return;
            }
            todo = left;
        }
    }

    fn take_back(&self, changed: Changed, error: CgroupError) -> CgroupError {
        self.undo(changed);
        error
    }

    fn put_back(&self, undo: &Undo) -> bool {
        let Some(member) = self.member(undo.version, &undo.controller) else {
            return true;
        };
        let write = |value: &String| write(member, &undo.file, value).is_ok();
        undo.values.iter().all(write)
    }

    fn member(&self, version: Version, controller: &str) -> Option<&Member> {
        match version {
            Version::V1 => self.controller(controller),
            Version::V2 => self.unified(),
        }
    }

    fn write(&self, setting: &Setting, changed: &mut Changed) -> Result<(), CgroupError> {
        let absent = || CgroupError::NoLimit {
            field: setting.field.clone(),
            reason: setting.absent.to_owned(),
        };
        let member = self
            .member(setting.version, &setting.controller)
            .ok_or_else(absent)?;
        for (file, value) in &setting.files {
            let before = match read(member, file) {
                Err(Errno::ENOENT) => continue,
                before => before.map_err(CgroupError::io("read a limit of", &member.path))?,
            };
            write(member, file, value)
                .map_err(|errno| refused(setting, member, file, value, errno))?;
            changed.0.push(Undo {
                version: setting.version,
                controller: setting.controller.clone(),
                file: file.clone(),
                values: setting.undo(&before),
            });
            return check_written(setting, member, file, value);
        }
        Err(absent())
    }

    /// A limit below what is in use: version 2 would kill for memory, and let the rest be.
    fn check_usage(&self, setting: &Setting) -> Result<(), CgroupError> {
        let Some(member) = self.member(setting.version, &setting.controller) else {
            return Ok(());
        };
        let wanted = setting
            .files
            .first()
            .and_then(|(_, value)| value.parse::<u64>().ok());
        let (Some(wanted), Check::Usage(_) | Check::Memory) = (wanted, &setting.check) else {
            return Ok(());
        };
        let used = match setting.check {
            Check::Usage(file) => number(member, file),
            _ => memory_in_use(member, wanted),
        };
        match used.filter(|used| *used > wanted) {
            Some(used) => Err(CgroupError::BelowUse {
                field: setting.field.clone(),
                wanted,
                used,
            }),
            None => Ok(()),
        }
    }
}

/// The memory of which nothing can be given back, as far as that can be told; page cache is given
/// back here and now, so that a new limit has nothing to kill for.
fn memory_in_use(member: &Member, wanted: u64) -> Option<u64> {
    let current = number(member, "memory.current")?;
    let above = current.checked_sub(wanted).filter(|above| *above > 0);
    let Some(above) = above else {
        return Some(current);
    };
    // Linux 5.19; an answer that not all could be had is seen in the next number.
    if write(member, "memory.reclaim", &above.to_string()) != Err(Errno::ENOENT) {
        return number(member, "memory.current");
    }
    let stat = read(member, "memory.stat").unwrap_or_default();
    let of = |key: &str| {
        let line = stat
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let cache = of("inactive_file") + of("active_file") + of("slab_reclaimable");
    Some(current.saturating_sub(cache))
}

/// Whether another setting may be in the way. On version 1 a total of memory and swap below the
/// memory, on both a quota that is too large for the period.
fn may_pass(error: &CgroupError) -> bool {
    matches!(
        error,
        CgroupError::Limit {
            source: Errno::EINVAL,
            ..
        }
    )
}

fn check_written(
    setting: &Setting,
    member: &Member,
    file: &str,
    value: &str,
) -> Result<(), CgroupError> {
    let found = || read(member, file).map_err(CgroupError::io("read a limit of", &member.path));
    match setting.check {
        Check::ReadBack => {
            let found = found()?.trim().to_owned();
            if found == value {
                return Ok(());
            }
            Err(CgroupError::Bent {
                field: setting.field.clone(),
                wanted: value.to_owned(),
                found,
            })
        }
        // Unlimited reads as the largest number of pages.
        Check::IsLimit
            if found()?
                .trim()
                .parse::<u64>()
                .is_ok_and(|found| found >= 1 << 62) =>
        {
            Err(CgroupError::NoLimit {
                field: setting.field.clone(),
                reason: setting.absent.to_owned(),
            })
        }
        Check::IsLimit | Check::None | Check::UsageRefused(_) | Check::Usage(_) | Check::Memory => {
            Ok(())
        }
    }
}

fn refused(
    setting: &Setting,
    member: &Member,
    file: &str,
    value: &str,
    source: Errno,
) -> CgroupError {
    if let (Check::UsageRefused(usage), Errno::EBUSY) = (&setting.check, source)
        && let (Ok(wanted), Some(used)) = (value.parse(), number(member, usage))
    {
        return CgroupError::BelowUse {
            field: setting.field.clone(),
            wanted,
            used,
        };
    }
    CgroupError::Limit {
        field: setting.field.clone(),
        value: value.to_owned(),
        file: member.path.as_path().join(file),
        source,
    }
}

fn number(member: &Member, file: &str) -> Option<u64> {
    read(member, file).ok()?.trim().parse().ok()
}

fn read(member: &Member, file: &str) -> nix::Result<String> {
    let text = at::read(member.dir.as_fd(), OsStr::new(file), MAX)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// An empty value still takes a write.
fn write(member: &Member, file: &str, value: &str) -> nix::Result<()> {
    let value = if value.is_empty() { "\n" } else { value };
    at::write(member.dir.as_fd(), OsStr::new(file), value.as_bytes())
}
