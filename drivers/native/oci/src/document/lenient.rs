//! Where the specification asks for a warning and not for an error, and where the crate spells a word in another way.

use serde_json::Value;
use std::str::FromStr;

const SETS: [&str; 5] = [
    "bounding",
    "effective",
    "inheritable",
    "permitted",
    "ambient",
];

/// The crate's words are made from the names of its variants.
const SPELLINGS: [(&str, &str); 2] = [
    ("SCHED_FLAG_RESET_ON_FORK", "SCHED_RESET_ON_FORK"),
    ("SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_D_L_OVERRUN"),
];

/// Of a whole document.
pub(super) fn config(value: &mut Value) -> Vec<String> {
    let namespaces = value.pointer_mut("/linux/namespaces");
    for namespace in namespaces
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        // As Go programs write what they have not.
        if namespace.get("path").and_then(Value::as_str) == Some("") {
            namespace["path"] = Value::Null;
        }
    }
    match value.get_mut("process") {
        Some(inner) => process(inner, "process"),
        None => Vec::new(),
    }
}

/// Leaves unknown capabilities out; a sentence for each.
pub(super) fn process(value: &mut Value, path: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    for set in SETS {
        let list = value.pointer_mut(&format!("/capabilities/{set}"));
        let Some(list) = list.and_then(Value::as_array_mut) else {
            continue;
        };
        list.retain(|name| match name.as_str() {
            Some(name) if !is_known(name) => {
                warnings.push(format!(
                    "{path}.capabilities.{set}: {name:?} is no capability, and is left out"
                ));
                false
            }
            _ => true,
        });
    }
    let flags = value.pointer_mut("/scheduler/flags");
    for flag in flags.and_then(Value::as_array_mut).into_iter().flatten() {
        let spelled = SPELLINGS
            .iter()
            .find(|(word, _)| flag.as_str() == Some(word));
        if let Some((_, spelling)) = spelled {
            *flag = Value::from(*spelling);
        }
    }
    warnings
}

fn is_known(name: &str) -> bool {
    let quoted = Value::from(name);
    let known: Result<oci_spec::runtime::Capability, _> = serde_json::from_value(quoted);
    known.is_ok() || oci_spec::runtime::Capability::from_str(name).is_ok()
}
