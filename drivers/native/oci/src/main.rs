//! The binary `execdriver-oci`: an OCI runtime over the native driver, one verb a file.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod cli;
#[cfg(target_os = "linux")]
mod document;

/// The allocator of musl makes 270 system calls in a `run`, this one a dozen.
#[cfg(all(target_os = "linux", target_env = "musl"))]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    cli::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("execdriver-oci runs containers of Linux, on Linux");
    std::process::ExitCode::FAILURE
}
