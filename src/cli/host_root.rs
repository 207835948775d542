//! `run` without `--rootfs`: the host's own `/`, seen read-only, and what is private on it.

use crate::container::{ContainerArgs, invalid};
use crate::failure::Failure;
use crate::values;
use execdriver::{Command, LinuxCommand, Mount, Profile};
use std::path::Path;

impl ContainerArgs {
    /// The host's own `/`, read-only, with private /tmp and /run, and the current directory.
    pub(crate) fn host_root(
        &self,
        command: &mut Command,
        linux: &mut LinuxCommand,
        workdir: Option<String>,
    ) -> Result<(), Failure> {
        let cwd = std::env::current_dir()
            .map_err(|error| invalid("current directory", values::reason(&error)))?;
        let not_unicode = || invalid("current directory", format!("{cwd:?} is not Unicode"));
        let here = cwd.to_str().ok_or_else(not_unicode)?.to_owned();
        // What an ephemeral layer takes is thrown away: it may be written.
        linux.readonly_rootfs = linux.readonly_rootfs || linux.ephemeral.is_none();
        // The strict profile knows no privileged containers.
        let default = match self.privileged {
            true => Profile::Docker,
            false => Profile::Strict,
        };
        linux.profile = self.profile.unwrap_or(default);
        let taken = |path: &str, mounts: &[Mount]| mounts.iter().any(|m| m.destination == path);
        for (path, options) in [("/tmp", "mode=1777,size=1g"), ("/run", "mode=755,size=64m")] {
            if Path::new(path).is_dir() && !taken(path, &command.mounts) {
                command.mounts.push(Mount::tmpfs(path, options));
            }
        }
        // The current directory may lie below /tmp or /run, which are private now: mount it again.
        if self.rw && !may_be_shown(&here, true) {
            return Err(invalid("rw", format!("{here} cannot be made writable")));
        }
        if may_be_shown(&here, self.rw) && !taken(&here, &command.mounts) {
            let mount = Mount::bind(&cwd, &here);
            command.mounts.push(Mount {
                writable: self.rw,
                ..mount
            });
        }
        command.working_dir = workdir.unwrap_or(here);
        Ok(())
    }
}

/// Whether the host's directory is mounted at its place again, on the read-only `/` and the private
/// directories. It never is over one that has to stay private.
fn may_be_shown(dir: &str, writable: bool) -> bool {
    let below = |parent: &str| Path::new(dir).starts_with(parent);
    match dir {
        "/" => false,
        "/tmp" | "/run" => writable,
        "/dev/shm" => false,
        _ => below("/dev/shm") || !["/dev", "/proc", "/sys"].into_iter().any(below),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private_inside_is_never_covered_by_the_current_directory() {
        for dir in [
            "/",
            "/dev",
            "/dev/net",
            "/dev/shm",
            "/proc",
            "/proc/1",
            "/sys/fs/cgroup",
        ] {
            assert!(!may_be_shown(dir, true), "{dir}");
        }
        for dir in [
            "/home/me",
            "/tmp/x",
            "/run/user/9",
            "/dev/shm/x",
            "/development",
        ] {
            assert!(may_be_shown(dir, false), "{dir}");
        }
        assert!(may_be_shown("/tmp", true) && !may_be_shown("/tmp", false));
    }
}
