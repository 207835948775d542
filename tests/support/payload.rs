//! Finds the static payload binary, or builds it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The payload's binary: `EXECDRIVER_PAYLOAD` when it is set (tests/run.sh does that), else built now by cargo into
/// `target/payload`, which is quick when it is fresh.
pub(crate) fn payload() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("EXECDRIVER_PAYLOAD") {
        Some(given) => PathBuf::from(given),
        None => build(),
    })
}

/// The names that the payload answers to.
pub(crate) fn applets() -> Vec<String> {
    let output = Command::new(payload())
        .arg("applets")
        .output()
        .expect("the payload runs on the host");
    String::from_utf8(output.stdout)
        .expect("names are ASCII")
        .lines()
        .map(str::to_owned)
        .collect()
}

fn build() -> PathBuf {
    let root = workspace();
    let target_dir =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target_dir = root.join(target_dir).join("payload");
    let triple = triple();
    let binary = target_dir.join(&triple).join("release/payload");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "payload",
            "--target",
            &triple,
            "--target-dir",
        ])
        .arg(&target_dir)
        .current_dir(&root)
        // The variable of cargo's own that would win over RUSTFLAGS.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .status();
    let built = built.is_ok_and(|status| status.success());
    assert!(
        built || binary.exists(),
        "cargo builds the payload for {triple} in {}",
        target_dir.display()
    );
    binary
}

/// musl where rustc has it, else the glibc target, which links as static when it is asked to.
fn triple() -> String {
    let musl = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let libraries = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", &musl])
        .output();
    match libraries {
        Ok(found) if Path::new(String::from_utf8_lossy(&found.stdout).trim()).is_dir() => musl,
        _ => musl.replace("musl", "gnu"),
    }
}

/// The workspace's directory, whichever of its packages the test belongs to.
fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package
        .ancestors()
        .find(|dir| dir.join("fixtures/payload").is_dir());
    root.expect("the package lies in the workspace")
        .to_path_buf()
}
