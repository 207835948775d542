//! `features`: what this runtime enforces, as JSON.

use super::failure::{Answer, Failure};

pub(super) fn run() -> Answer {
    let text = serde_json::to_string_pretty(&execdriver_native::oci::features());
    println!(
        "{}",
        text.map_err(|error| Failure::system("features", error))?
    );
    Ok(0)
}
