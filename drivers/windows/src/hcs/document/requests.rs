//! What is asked of a container or a process that exists.

use super::{CPU_ALL, Units, process::console};
use execdriver_core::{Result, WindowSize};
use serde_json::json;

/// Tells a process that its input has ended; that our end was closed is not seen inside.
pub(crate) const CLOSE_STDIN: &str =
    r#"{"Operation":"CloseHandle","CloseHandle":{"Handle":"StdIn"}}"#;

/// Sets the size of a process's console.
///
/// # Errors
/// [`Error::InvalidCommand`](execdriver_core::Error::InvalidCommand) for a size that no console has.
pub(crate) fn console_size(size: WindowSize) -> Result<String> {
    let [height, width] = console(size)?;
    Ok(format!(
        r#"{{"Operation":"ConsoleSize","ConsoleSize":{{"Height":{height},"Width":{width}}}}}"#
    ))
}

/// Sends a console event: `CtrlC`, `CtrlBreak`, `CtrlClose`, `CtrlLogOff`, `CtrlShutdown`.
pub(crate) fn signal(event: &str) -> String {
    json!({ "Signal": event }).to_string()
}

/// Asks for properties by name: `Statistics`, `ProcessList`.
pub(crate) fn properties(kind: &str) -> String {
    json!({ "PropertyTypes": [kind] }).to_string()
}

/// Changes the memory of a running container; `None` when none was asked for.
pub(crate) fn memory_update(limits: Units) -> Option<String> {
    let size = Some(limits.memory_mib).filter(|size| *size != 0)?;
    let request = format!(
        r#"{{"ResourcePath":"Container/Memory/SizeInMB","RequestType":"Update","Settings":{size}}}"#
    );
    Some(request)
}

impl Units {
    /// What undoes these changes of the processors, where `before` held; `None` when there are none.
    pub(crate) fn processor_back(self, before: Self) -> Option<String> {
        processor_update(self)?;
        // Without a weight or a cap before, all of the time is a container's.
        let free = Self {
            cpu_maximum: CPU_ALL,
            ..Self::default()
        };
        processor_update(before).or_else(|| processor_update(free))
    }
}

/// Changes the share of the processors of a running container; `None` when none was asked for.
pub(crate) fn processor_update(limits: Units) -> Option<String> {
    let (name, value) = match (limits.cpu_maximum, limits.cpu_weight) {
        (0, 0) => return None,
        (0, weight) => ("Weight", weight),
        (maximum, _) => ("Maximum", maximum),
    };
    let request = format!(
        r#"{{"ResourcePath":"Container/Processor","RequestType":"Update","Settings":{{"{name}":{value}}}}}"#
    );
    Some(request)
}
