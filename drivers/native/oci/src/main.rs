//! The binary `execdriver-oci`: an OCI runtime over the native driver, one verb a file.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod cli;
#[cfg(target_os = "linux")]
mod document;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    cli::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("execdriver-oci runs containers of Linux, on Linux");
    std::process::ExitCode::FAILURE
}
