//! Other container runtimes, installed where they are missing: Debian's packages, and youki by cargo.

use crate::Result;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Programs and Debian's packages that have them.
const PACKAGED: [(&str, &str); 3] = [("crun", "crun"), ("runc", "runc"), ("bwrap", "bubblewrap")];

/// The version of youki that the rows are about; what is newer may take other flags.
const YOUKI: &str = "0.7.0";

/// Installs what is missing. Rows of what cannot be had are left out, which the table says, and the reason goes to stderr.
pub(crate) fn install(workspace: &Path) {
    let missing: Vec<&str> = PACKAGED
        .into_iter()
        .filter(|(program, _)| version(program).is_none())
        .map(|(_, package)| package)
        .chain(allocator().is_none().then_some("libjemalloc2"))
        .collect();
    if !missing.is_empty() {
        apt(&missing);
    }
    if !youki_at(workspace).exists()
        && let Err(error) = build_youki(workspace)
    {
        eprintln!("bench: no youki: {error}");
    }
}

/// What is not there, whose rows are left out.
pub(crate) fn missing(workspace: &Path) -> Vec<&'static str> {
    let packaged = PACKAGED.map(|(program, _)| (program, version(program).is_some()));
    let others = [
        ("youki", youki(workspace).is_some()),
        ("libjemalloc2", allocator().is_some()),
    ];
    let all = packaged.into_iter().chain(others);
    all.filter(|(_, there)| !there)
        .map(|(name, _)| name)
        .collect()
}

/// An allocator whose threads share no lock, to be preloaded (ld.so(8)): where Debian's libjemalloc2 has it.
pub(crate) fn allocator() -> Option<PathBuf> {
    let directory = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let path = Path::new(&directory).join("libjemalloc.so.2");
    path.exists().then_some(path)
}

/// The name by which youki is started, if it is there: below the workspace's target directory.
pub(crate) fn youki(workspace: &Path) -> Option<String> {
    let path = youki_at(workspace).to_str()?.to_owned();
    version(&path).map(|_| path)
}

/// The first line that a program prints of itself, `None` where it is not installed.
pub(crate) fn version(program: &str) -> Option<String> {
    let printed = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(printed.stdout).ok()?;
    Some(text.lines().next()?.replace(" version", ""))
}

fn youki_at(workspace: &Path) -> PathBuf {
    workspace.join("target/peers/bin/youki")
}

/// With cgroups of both versions and seccomp, and nothing else; its seccomp is libseccomp's.
fn build_youki(workspace: &Path) -> Result<()> {
    if !Path::new("/usr/include/seccomp.h").exists() {
        apt(&["libseccomp-dev", "pkg-config"]);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["install", "youki", "--version", YOUKI, "--locked"]);
    command.args(["--no-default-features", "--features", "v1,v2,seccomp"]);
    command.arg("--root").arg(workspace.join("target/peers"));
    // Its own directory: cargo holds a lock on the workspace's while it runs this program.
    command.env("CARGO_TARGET_DIR", workspace.join("target/peers/build"));
    finish(command)
}

fn apt(packages: &[&str]) {
    let mut command = Command::new("apt-get");
    command.args(["install", "-q", "-y", "--no-install-recommends"]);
    command
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    if let Err(error) = finish(command) {
        eprintln!("bench: without {}: {error}", packages.join(", "));
    }
}

fn finish(mut command: Command) -> Result<()> {
    let status = command.stdout(Stdio::null()).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{status}: {command:?}").into()),
    }
}
