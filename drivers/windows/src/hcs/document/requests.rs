//! What is asked of a container or a process that exists.

use super::{Units, process::console};
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

/// Changes the processor weight of a running container; `None` when none was asked for.
pub(crate) fn processor_update(limits: Units) -> Option<String> {
    let weight = Some(limits.cpu_weight).filter(|weight| *weight != 0)?;
    let request = format!(
        r#"{{"ResourcePath":"Container/Processor","RequestType":"Update","Settings":{{"Weight":{weight}}}}}"#
    );
    Some(request)
}
