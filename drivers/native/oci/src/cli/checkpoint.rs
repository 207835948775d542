//! `checkpoint` and `restore`: a container's processes in files, by CRIU.

use super::failure::{Answer, Failure};
use super::global::Global;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Arguments of both, as clients give them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory of the files.
    #[arg(long, value_name = "DIR")]
    image_path: Option<PathBuf>,
    /// The directory of CRIU's own files.
    #[arg(long, value_name = "DIR")]
    work_path: Option<PathBuf>,
    /// The container's id, and whatever options there are.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    rest: Vec<String>,
}

pub(super) fn run(global: &Global, verb: &str, _args: &Args) -> Answer {
    let criu = global.criu.display();
    let check = Command::new(&global.criu)
        .arg("check")
        .stdin(Stdio::null())
        .output();
    let why = match check {
        Err(error) => format!("{criu} cannot be run: {error}"),
        Ok(output) if !output.status.success() => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.trim().lines().last().unwrap_or("no reason").to_owned();
            format!("{criu} does not work on this kernel: {last}")
        }
        Ok(_) => "not in this version".to_owned(),
    };
    Err(Failure::usage(format!("{verb}: {why}")))
}
