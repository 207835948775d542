//! `checkpoint`: saves a container's processes in files, by CRIU.

use super::failure::{Answer, Failure};
use super::global::Global;
use super::images::Images;
use super::log;
use execdriver_native::oci::Checkpoint;
use std::path::PathBuf;

/// Arguments of `checkpoint`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    images: Images,
    /// Let the container go on; else it is gone.
    #[arg(long)]
    leave_running: bool,
    /// Save only memory, for a checkpoint that follows; the container goes on.
    #[arg(long)]
    pre_dump: bool,
    /// The files of an earlier --pre-dump, as seen from the directory of the new ones.
    #[arg(long, value_name = "DIR")]
    parent_path: Option<PathBuf>,
    /// Send the memory to a page server of CRIU's.
    #[arg(long, value_name = "ADDRESS:PORT")]
    page_server: Option<String>,
    /// Only with --lazy-pages, which is not done by this runtime.
    #[arg(long, value_name = "NUMBER")]
    status_fd: Option<i32>,
    /// The container's id.
    id: String,
}

pub(super) fn run(global: &Global, args: Args) -> Answer {
    let page_server = args.page_server.as_deref().map(server).transpose()?;
    let checkpoint = Checkpoint {
        criu: args.images.criued(global)?,
        leave_running: args.leave_running,
        pre_dump: args.pre_dump,
        parent: args.parent_path,
        page_server,
    };
    if args.status_fd.is_some() {
        return Err(Failure::usage(
            "--status-fd: only with --lazy-pages, which is not done",
        ));
    }
    let warnings = global.open()?.checkpoint(&args.id, &checkpoint)?;
    log::warnings(global, &warnings);
    Ok(0)
}

fn server(text: &str) -> Result<(String, u16), Failure> {
    let parts = text.rsplit_once(':');
    let parts = parts.and_then(|(address, port)| Some((address.to_owned(), port.parse().ok()?)));
    let parts = parts.filter(|(address, port)| !address.is_empty() && *port != 0);
    parts.ok_or_else(|| {
        Failure::usage(format!(
            "--page-server: got {text:?}, expected ADDRESS:PORT"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_server_has_an_address_and_a_port() {
        assert_eq!(
            server("127.0.0.1:99").unwrap(),
            ("127.0.0.1".to_owned(), 99)
        );
        for wrong in ["", "host", ":1", "host:", "host:0", "host:65536"] {
            assert!(server(wrong).unwrap_err().message.contains("--page-server"));
        }
    }
}
