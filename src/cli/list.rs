//! `execdriver list`: the containers under this root.

use crate::failure::Failure;
use crate::global::Global;
use crate::output::{self, Format};
use execdriver::ContainerInfo;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Print only the ids
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) fn main(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    let containers = global.open()?.list()?;
    if args.quiet {
        let ids: String = containers.iter().map(|c| format!("{}\n", c.id)).collect();
        return output::print(&ids);
    }
    match args.format {
        Format::Json => output::json(&Value::Array(containers.iter().map(as_json).collect())),
        Format::Table => {
            let rows: Vec<_> = containers.iter().map(as_row).collect();
            output::table(&["ID", "STATE", "PID", "AGE", "COMMAND"], &rows)
        }
    }
}

fn as_json(container: &ContainerInfo) -> Value {
    json!({
        "id": container.id,
        "state": container.state.to_string(),
        "pid": container.pid,
        "started_unix_ms": container.started_unix_ms,
        "command": container.command,
    })
}

fn as_row(container: &ContainerInfo) -> Vec<String> {
    let started = UNIX_EPOCH + Duration::from_millis(container.started_unix_ms);
    let age = SystemTime::now()
        .duration_since(started)
        .unwrap_or_default();
    vec![
        container.id.clone(),
        container.state.to_string(),
        container
            .pid
            .map_or_else(|| "-".into(), |pid| pid.to_string()),
        age_text(age),
        output::visible(&container.command.join(" ")),
    ]
}

/// The age in its largest unit: `5s`, `3m`, `7h`, `2d`.
fn age_text(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}
