//! Compiles init, the freestanding program in `init/`, for the target and leaves it in `OUT_DIR` to be embedded.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=init");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return Ok(());
    }
    let arch = env::var("CARGO_CFG_TARGET_ARCH")?;
    if !matches!(arch.as_str(), "x86_64" | "aarch64") {
        return Err(
            format!("init knows the system calls of x86_64 and aarch64, not of {arch}").into(),
        );
    }
    compile(&PathBuf::from(variable("OUT_DIR")?).join("init"))
}

/// Calls rustc itself: the program has neither libc nor start files, and its profile must not follow the host's
/// (an unoptimised or instrumented init would not run).
fn compile(out: &Path) -> Result<(), Box<dyn Error>> {
    let rustc = variable("RUSTC")?;
    let linker = find_linker(&rustc)?;
    let mut command = Command::new(&rustc);
    command.args([
        "init/main.rs",
        "--crate-name",
        "init",
        "--crate-type",
        "bin",
        "--edition",
        "2024",
    ]);
    command.arg("--target").arg(variable("TARGET")?);
    // Position dependent, so that nothing is left to relocate before the first instruction runs.
    for option in [
        "opt-level=s",
        "panic=abort",
        "strip=symbols",
        "codegen-units=1",
        "debug-assertions=off",
        "overflow-checks=off",
        "force-unwind-tables=no",
        "relocation-model=static",
        "target-feature=+crt-static",
        "linker-flavor=ld.lld",
        "link-self-contained=no",
        "default-linker-libraries=no",
        "link-arg=-nostdlib",
        "link-arg=-static",
        "link-arg=--no-dynamic-linker",
        "link-arg=-zmax-page-size=4096",
    ] {
        command.args(["-C", option]);
    }
    let mut linker_option = OsString::from("linker=");
    linker_option.push(&linker);
    command.arg("-C").arg(linker_option).arg("-o").arg(out);
    // The wrapped build may carry flags (coverage, sanitizers) that need a runtime.
    command
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    let status = command
        .status()
        .map_err(|error| format!("{}: {error}", rustc.display()))?;
    if !status.success() {
        return Err(format!("compiling init failed: {command:?}: {status}").into());
    }
    Ok(())
}

/// The toolchain's own rust-lld, which links for every architecture; distributions that leave it out have `ld.lld`.
fn find_linker(rustc: &OsString) -> Result<PathBuf, Box<dyn Error>> {
    let printed = Command::new(rustc).args(["--print", "sysroot"]).output()?;
    let sysroot = PathBuf::from(String::from_utf8(printed.stdout)?.trim_end());
    let host = env::var("HOST")?;
    let own = sysroot.join("lib/rustlib").join(host).join("bin/rust-lld");
    Ok(if own.exists() {
        own
    } else {
        PathBuf::from("ld.lld")
    })
}

fn variable(name: &str) -> Result<OsString, Box<dyn Error>> {
    env::var_os(name).ok_or_else(|| format!("cargo did not set {name}").into())
}
