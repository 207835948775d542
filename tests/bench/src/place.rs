//! Where the measured containers live: a root file system, a bundle of it for other runtimes, and the built programs.

use crate::Result;
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Where a host keeps what need not outlive it; /run itself is not on a tmpfs everywhere.
const IN_MEMORY: [&str; 2] = ["/run", "/dev/shm"];

/// A directory on a tmpfs that goes at the end.
#[derive(Debug)]
pub(crate) struct Place {
    dir: TempDir,
    /// The workspace's directory.
    pub(crate) workspace: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Result<Self> {
        let in_memory =
            |path: &&&str| statfs(**path).is_ok_and(|fs| fs.filesystem_type() == TMPFS_MAGIC);
        let parent = IN_MEMORY
            .iter()
            .find(in_memory)
            .ok_or("neither /run nor /dev/shm is on a tmpfs")?;
        let dir = tempfile::Builder::new()
            .prefix("execdriver-bench-")
            .tempdir_in(parent)?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = package
            .ancestors()
            .nth(2)
            .ok_or("no workspace around the package")?;
        let place = Self {
            dir,
            workspace: workspace.to_owned(),
        };
        let rootfs = place.rootfs();
        for name in ["bin", "dev", "etc", "proc", "sys", "root"] {
            fs::create_dir_all(rootfs.join(name))?;
        }
        fs::write(rootfs.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
        fs::write(rootfs.join("etc/group"), "root:x:0:\n")?;
        let programs = [
            ("true", floor::TRUE),
            ("pause", floor::PAUSE),
            ("stream", floor::STREAM),
        ];
        for (name, program) in programs {
            let path = rootfs.join("bin").join(name);
            fs::write(&path, program)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        place.bundle_of("true")?;
        place.bundle_of("pause")?;
        Ok(place)
    }

    /// The bundle of other runtimes that runs one of the programs.
    pub(crate) fn bundle(&self, program: &str) -> PathBuf {
        self.dir.path().join(program)
    }

    fn bundle_of(&self, program: &str) -> Result<()> {
        let bundle = self.bundle(program);
        fs::create_dir_all(&bundle)?;
        let config = crate::rows::bundle::config(&self.rootfs(), program)?;
        Ok(fs::write(bundle.join("config.json"), config)?)
    }

    /// A file that is written and read in memory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What becomes `/`.
    pub(crate) fn rootfs(&self) -> PathBuf {
        self.dir.path().join("rootfs")
    }

    /// Where someone keeps state.
    pub(crate) fn state(&self, whose: &str) -> PathBuf {
        self.dir.path().join("state").join(whose)
    }

    /// Builds a release program of the workspace, and says where it is.
    pub(crate) fn build(&self, package: &str, program: &str) -> Result<PathBuf> {
        self.cargo(&["--release", "--package", package, "--bin", program])?;
        Ok(self.target().join("release").join(program))
    }

    /// Builds the OCI runtime as docs/oci.md says, and says where it is.
    pub(crate) fn build_runtime(&self) -> Result<PathBuf> {
        let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        let profile = "runtime";
        let program = "execdriver-oci";
        self.cargo(&[
            "--profile",
            profile,
            "--target",
            &triple,
            "--package",
            program,
        ])
        .map_err(|error| format!("{error}; it needs `rustup target add {triple}`"))?;
        Ok(self.target().join(triple).join(profile).join(program))
    }

    fn cargo(&self, args: &[&str]) -> Result<()> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet"]).args(args);
        match command.current_dir(&self.workspace).status()?.success() {
            true => Ok(()),
            false => Err(format!("cargo could not build: {command:?}").into()),
        }
    }

    fn target(&self) -> PathBuf {
        let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        self.workspace.join(target)
    }
}
