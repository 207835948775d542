//! The hooks of a bundle that run inside the container's namespaces, and where all others belong.
//!
//! `createContainer` hooks come before the pivot, so that their paths and what they open are the runtime's;
//! `startContainer` hooks come last of all before the program, as its user, with its rights and under its filter. Their
//! state says the pid that they see. The others are the caller's to run: `prestart` and `createRuntime` while init waits
//! before the pivot, `poststart` and `poststop` after it.

use super::steps::{Part, Steps};
use super::text::{c_path, packed};
use super::{Builder, FdSlot, PlanError, netdev};
use crate::wire::{NO_SLOT, Op};
use execdriver_core::Spec;
use oci_spec::runtime::{Hook, Hooks};
use serde_json::json;

/// Whether any hook runs before the root is entered: then the root is where they look for it.
pub(super) fn before_pivot(spec: &Spec) -> bool {
    outside(spec) || !list(spec, CREATE_CONTAINER).is_empty()
}

/// Whether the caller has hooks to run meanwhile.
pub(super) fn outside(spec: &Spec) -> bool {
    let hooks = spec.oci.hooks().as_ref();
    hooks.is_some_and(|hooks| {
        #[allow(deprecated, reason = "documents still have it")]
        let prestart = hooks.prestart();
        let some = |list: &Option<Vec<Hook>>| list.as_ref().is_some_and(|list| !list.is_empty());
        some(prestart) || some(hooks.create_runtime())
    })
}

/// A kind of hooks: its key, and the status of the container meanwhile.
type Kind = (&'static str, &'static str, fn(&Hooks) -> &Option<Vec<Hook>>);
const CREATE_CONTAINER: Kind = ("createContainer", "creating", Hooks::create_container);
const START_CONTAINER: Kind = ("startContainer", "created", Hooks::start_container);

fn list(spec: &Spec, kind: Kind) -> &[Hook] {
    let hooks = spec.oci.hooks().as_ref();
    let list = hooks.and_then(|hooks| kind.2(hooks).as_deref());
    list.unwrap_or_default()
}

/// The slots of the container's output, if that is no terminal.
pub(super) fn output(fds: &[FdSlot]) -> [u16; 2] {
    [FdSlot::Stdout, FdSlot::Stderr].map(|wanted| {
        let found = fds.iter().position(|fd| *fd == wanted);
        let slot = found.and_then(|slot| u16::try_from(slot).ok());
        slot.unwrap_or(NO_SLOT)
    })
}

/// What comes between the mounts and the pivot. Their output goes where the container's will.
pub(super) fn mounted(builder: &mut Builder<'_>, output: [u16; 2]) -> Result<(), PlanError> {
    let spec = builder.spec;
    let steps = builder.steps.at(Part::Tree);
    if outside(spec) || netdev::come_late(spec, builder.namespaces) {
        let words = "wait for the hooks of the runtime and its interfaces";
        steps.push(&Op::ReportMounted {}, words);
    }
    plan(spec, CREATE_CONTAINER, output, steps)
}

/// What comes right before the program. Its streams are in place by then.
pub(super) fn starting(spec: &Spec, steps: &mut Steps) -> Result<(), PlanError> {
    plan(spec, START_CONTAINER, [NO_SLOT; 2], steps)
}

fn plan(spec: &Spec, kind: Kind, output: [u16; 2], steps: &mut Steps) -> Result<(), PlanError> {
    let (name, status, _) = kind;
    let hooks = list(spec, kind);
    if hooks.is_empty() {
        return Ok(());
    }
    let [head, tail] = state(spec, status);
    for (index, hook) in hooks.iter().enumerate() {
        let field = format!("hooks.{name}[{index}]");
        check(&field, hook)?;
        let path = c_path(format_args!("{field}.path"), hook.path())?;
        let argv = match hook.args().as_deref().unwrap_or_default() {
            [] => std::iter::once(&*path).collect(),
            args => packed(format_args!("{field}.args"), args)?,
        };
        let env = hook.env().as_deref().unwrap_or_default();
        let envp = packed(format_args!("{field}.env"), env)?;
        let [stdout, stderr] = output;
        steps.push(
            &Op::Hook {
                path: &path,
                argv: argv.view(),
                envp: envp.view(),
                head: head.as_bytes(),
                tail: tail.as_bytes(),
                timeout: hook
                    .timeout()
                    .map_or(0, |seconds| seconds.unsigned_abs().saturating_mul(1000)),
                stdout,
                stderr,
            },
            format_args!("run the hook {} ({field})", hook.path().display()),
        );
    }
    Ok(())
}

/// Every hook of the document, before anything is made: one that cannot run is found before the others have run.
pub(super) fn judge(spec: &Spec) -> Result<(), PlanError> {
    let Some(hooks) = spec.oci.hooks() else {
        return Ok(());
    };
    #[allow(deprecated, reason = "documents still have it")]
    let kinds = [
        ("prestart", hooks.prestart()),
        ("createRuntime", hooks.create_runtime()),
        ("createContainer", hooks.create_container()),
        ("startContainer", hooks.start_container()),
        ("poststart", hooks.poststart()),
        ("poststop", hooks.poststop()),
    ];
    for (name, list) in kinds {
        for (index, hook) in list.iter().flatten().enumerate() {
            check(&format!("hooks.{name}[{index}]"), hook)?;
        }
    }
    Ok(())
}

fn check(field: &str, hook: &Hook) -> Result<(), PlanError> {
    if !hook.path().is_absolute() {
        let reason = format!("got {:?}, expected an absolute path", hook.path());
        return Err(PlanError::invalid(format!("{field}.path"), reason));
    }
    match hook.timeout() {
        Some(seconds) if seconds <= 0 => {
            let reason = format!("got {seconds}, expected more than 0 seconds");
            Err(PlanError::invalid(format!("{field}.timeout"), reason))
        }
        _ => Ok(()),
    }
}

/// The container's state before and after its pid (runtime.md).
fn state(spec: &Spec, status: &str) -> [String; 2] {
    let bundle = spec.bundle.clone().unwrap_or_default();
    let head = format!(
        r#"{{"ociVersion":{},"id":{},"status":{},"pid":"#,
        json!(spec.oci.version()),
        json!(spec.id),
        json!(status)
    );
    let mut tail = format!(r#","bundle":{}"#, json!(bundle.to_string_lossy()));
    if let Some(annotations) = spec.oci.annotations() {
        tail.push_str(&format!(r#","annotations":{}"#, json!(annotations)));
    }
    tail.push('}');
    [head, tail]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtime_state_is_json_whatever_the_pid() {
        let json = r#"{"ociVersion": "1.3.0", "annotations": {"a\"b": "1"}}"#;
        let spec = Spec::from_bundle("c-1", "/b".as_ref(), serde_json::from_str(json).unwrap());
        let text = state(&spec, "creating").join("42");
        let state: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            state,
            json!({"ociVersion": "1.3.0", "id": "c-1", "status": "creating", "pid": 42, "bundle": "/b",
                   "annotations": {"a\"b": "1"}})
        );
    }
}
