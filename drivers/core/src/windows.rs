//! The part of a command that only Windows knows.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What only a Windows container has.
///
/// ```
/// use execdriver_core::{Isolation, WindowsCommand};
/// let windows = WindowsCommand { isolation: Isolation::HyperV, ..Default::default() };
/// assert!(windows.layer_paths.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WindowsCommand {
    /// The container was never started before.
    pub first_start: bool,
    /// The computer's name.
    pub hostname: String,
    /// The container's own layer.
    pub layer_folder: PathBuf,
    /// The layers below it, the parent-most first.
    pub layer_paths: Vec<PathBuf>,
    /// By namespaces or in a virtual machine.
    pub isolation: Isolation,
    /// The entry point and the arguments are one escaped command line already.
    pub args_escaped: bool,
    /// Runs in a Hyper-V partition.
    pub hv_partition: bool,
    /// Network endpoints to attach, by id. In the JSON unless empty.
    pub endpoints: Vec<String>,
}

/// How a Windows container is kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// As the driver is set.
    #[default]
    #[serde(rename = "")]
    Unset,
    /// As the driver is set, said aloud.
    Default,
    /// By namespaces of the host's kernel.
    Process,
    /// In a virtual machine.
    HyperV,
}
