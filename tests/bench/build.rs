//! Compiles the freestanding programs of the benchmark, the floor's child and the payloads, as native's build script compiles init.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=freestanding");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return Ok(());
    }
    let out = PathBuf::from(variable("OUT_DIR")?);
    for program in ["child", "true", "pause", "stream", "peak"] {
        compile(program, &out.join(program))?;
    }
    Ok(())
}

fn compile(program: &str, out: &Path) -> Result<(), Box<dyn Error>> {
    let rustc = variable("RUSTC")?;
    let mut linker = OsString::from("linker=");
    linker.push(find_linker(&rustc)?);
    let mut command = Command::new(&rustc);
    command.arg(format!("freestanding/{program}.rs"));
    command.args([
        "--crate-name",
        &format!("floor_{program}"),
        "--crate-type",
        "bin",
        "--edition",
        "2024",
    ]);
    command.arg("--target").arg(variable("TARGET")?);
    for option in [
        "opt-level=s",
        "panic=abort",
        "strip=symbols",
        "codegen-units=1",
        "debug-assertions=off",
        "overflow-checks=off",
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
    command.arg("-C").arg(linker).arg("-o").arg(out);
    command
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    let status = command
        .status()
        .map_err(|error| format!("{}: {error}", rustc.display()))?;
    if !status.success() {
        return Err(format!("compiling {program} failed: {command:?}: {status}").into());
    }
    Ok(())
}

fn find_linker(rustc: &OsString) -> Result<PathBuf, Box<dyn Error>> {
    let printed = Command::new(rustc).args(["--print", "sysroot"]).output()?;
    let sysroot = PathBuf::from(String::from_utf8(printed.stdout)?.trim_end());
    let own = sysroot
        .join("lib/rustlib")
        .join(env::var("HOST")?)
        .join("bin/rust-lld");
    Ok(if own.exists() {
        own
    } else {
        PathBuf::from("ld.lld")
    })
}

fn variable(name: &str) -> Result<OsString, Box<dyn Error>> {
    env::var_os(name).ok_or_else(|| format!("cargo did not set {name}").into())
}
