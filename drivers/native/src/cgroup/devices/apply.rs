//! Puts device rules in force: files of version 1, or a program on the cgroup of version 2.

use super::rule::DeviceRule;
use super::{program, v1};
use crate::at;
use crate::cgroup::{Cgroup, CgroupError};
use crate::sys::bpf::{self, Insn};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Enough for what the verifier says of a thousand rules; beyond it the end is missing.
const LOG_SIZE: usize = 64 << 10;

/// The programs that were loaded last. To load one takes a third of a millisecond, to attach it two
/// microseconds, and most containers of a host have the same rules.
#[derive(Debug, Default)]
pub(crate) struct DevicePrograms {
    /// By their rules: to compile these once more would take a large block of memory. The one that was used last is the last.
    loaded: Mutex<Loaded>,
}

type Loaded = Vec<(Vec<DeviceRule>, Arc<OwnedFd>)>;

/// So many descriptors are kept.
const KEPT: usize = 4;

impl Cgroup {
    /// Denies all devices and then applies the rules in their order. To be called once, before a
    /// process is placed; rules that allow everything take nothing away (privileged).
    ///
    /// # Errors
    /// `InexpressibleDeviceRules` (version 1), `DeviceProgram` (version 2), `Io`; `NotACgroup` when
    /// there is no cgroup that could enforce them ([`Cgroup::has`] tells).
    pub(crate) fn restrict_devices(
        &self,
        rules: &[DeviceRule],
        programs: &DevicePrograms,
    ) -> Result<(), CgroupError> {
        if let Some(member) = self.controller("devices") {
            let failed = CgroupError::io("write a device rule of", &member.path);
            return write_lines(member.dir.as_fd(), &v1::lines(rules)?).map_err(failed);
        }
        let Some(member) = self.unified() else {
            return Err(CgroupError::NotACgroup {
                path: "devices".into(),
            });
        };
        let Some(loaded) = programs.loaded(rules)? else {
            return Ok(());
        };
        bpf::attach_device_program(member.dir.as_fd(), loaded.as_fd())
            .map_err(|errno| CgroupError::device_program("attach", errno, String::new()))
    }
}

impl DevicePrograms {
    /// The program of these rules; `None` when they need none.
    fn loaded(&self, rules: &[DeviceRule]) -> Result<Option<Arc<OwnedFd>>, CgroupError> {
        if let Some(known) = self.known(rules) {
            return Ok(Some(known));
        }
        let Some(program) = program::compile(rules) else {
            return Ok(None);
        };
        let loaded = Arc::new(load(&program)?);
        let mut all = self.lock();
        if all.len() >= KEPT {
            all.remove(0);
        }
        all.push((rules.to_vec(), Arc::clone(&loaded)));
        Ok(Some(loaded))
    }

    fn known(&self, rules: &[DeviceRule]) -> Option<Arc<OwnedFd>> {
        let mut all = self.lock();
        let at = all.iter().position(|(known, _)| known == rules)?;
        all.get_mut(at..)?.rotate_left(1);
        all.last().map(|(_, loaded)| Arc::clone(loaded))
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        // Nothing panics while it is held, and a list of descriptors is never half changed.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why this process may load no device program; `None`: it may. Tried with one that denies all.
pub(crate) fn programs_refused() -> Option<Errno> {
    let program = program::compile(&[])?;
    bpf::load_device_program(&program, &mut []).err()
}

fn load(program: &[Insn]) -> Result<OwnedFd, CgroupError> {
    let first = match bpf::load_device_program(program, &mut []) {
        Ok(loaded) => return Ok(loaded),
        Err(errno) => errno,
    };
    // Once more for the reason; it may even work now.
    let mut log = vec![0; LOG_SIZE];
    bpf::load_device_program(program, &mut log).map_err(|_| {
        let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
        let text = String::from_utf8_lossy(log.get(..end).unwrap_or_default()).into_owned();
        CgroupError::device_program("load", first, text)
    })
}

/// One call a line, one descriptor for neighbours of the same file.
fn write_lines(dir: BorrowedFd<'_>, lines: &[v1::Line]) -> nix::Result<()> {
    // The longest, of two numbers of 32 bits, has 27 bytes.
    let mut text = String::with_capacity(32);
    for same in lines.chunk_by(|a, b| a.allow == b.allow) {
        let Some(first) = same.first() else { continue };
        let name = OsStr::new(first.file());
        let mut file = File::from(at::open_file(dir, name, OFlag::O_WRONLY)?);
        for line in same {
            text.clear();
            write!(text, "{line}").map_err(|_| Errno::EINVAL)?;
            file.write_all(text.as_bytes()).map_err(at::errno)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{Need, skip_unless};

    #[test]
    fn a_loaded_program_serves_all_with_the_same_rules_and_few_are_kept() {
        if skip_unless(&[Need::Root]) || programs_refused().is_some() {
            return;
        }
        let programs = DevicePrograms::default();
        let load = |minor| {
            let rule = DeviceRule::new(true, "c", Some(1), Some(minor), "r").unwrap();
            programs.loaded(&[rule]).unwrap().unwrap()
        };
        let first = load(1);
        for minor in 2..9 {
            load(minor);
            assert!(
                Arc::ptr_eq(&first, &load(1)),
                "used again and again, it stays"
            );
        }
        assert_eq!(programs.lock().len(), KEPT);
    }

    #[test]
    fn what_the_verifier_objects_to_is_in_the_error() {
        if skip_unless(&[Need::Root]) || programs_refused().is_some() {
            return;
        }
        // It ends without an answer.
        let program = program::compile(&[]).unwrap();
        let error = load(&program[..1]).unwrap_err();
        let CgroupError::DeviceProgram { log, .. } = &error else {
            panic!("{error}")
        };
        assert!(!log.is_empty());
        assert!(error.to_string().contains(log.trim()), "{error}");
    }
}
