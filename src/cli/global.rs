//! The options that every verb shares, and the driver that they name.

use crate::failure::Failure;
use clap::Args;
use execdriver::{Driver, Options, Registry};
use std::path::PathBuf;
use std::sync::Arc;

/// Options of every verb.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Where containers keep their state [default: /run/execdriver as root, else a directory
    /// of your own below $XDG_RUNTIME_DIR or the temporary directory]
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "DIR"
    )]
    root: Option<PathBuf>,
    /// The driver to use (see `execdriver drivers`)
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "NAME"
    )]
    driver: Option<String>,
    /// An option for the driver; may be given several times
    #[arg(
        long = "exec-opt",
        global = true,
        help_heading = "Global options",
        value_name = "KEY=VALUE"
    )]
    exec_opts: Vec<String>,
}

impl Global {
    /// Opens the driver that the command line names.
    pub(crate) fn open(&self) -> Result<Arc<dyn Driver>, Failure> {
        let registry = Registry::with_builtin();
        let options = Options::parse(&self.exec_opts).map_err(Failure::usage)?;
        let root = match &self.root {
            Some(root) => root.clone(),
            None => crate::state_root::default_root()?,
        };
        let opened = match &self.driver {
            Some(name) => registry.open(name, &root, options),
            None => registry.open_default(&root, options),
        };
        opened.map_err(Failure::from)
    }
}
