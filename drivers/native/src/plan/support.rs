//! What a document may ask for that this driver does not do: each is an error that names it.
//!
//! A requested control that is not enforced must never pass in silence. Every field of the OCI
//! document is either planned elsewhere or refused here; annotations alone are free text.

use super::PlanError;
use execdriver_core::Spec;
use oci_spec::runtime::{Hooks, Process};

/// Fails on the first thing that is not done.
pub(super) fn check(spec: &Spec) -> Result<(), PlanError> {
    let mut refused = Refused::default();
    document(spec, &mut refused);
    if let Some(linux) = spec.oci.linux() {
        refused.refuse(
            !spec.is_document() && linux.intel_rdt().is_some(),
            "linux.intelRdt",
        );
    }
    if let Some(process) = spec.oci.process() {
        process_part(process, &mut refused);
    }
    match refused.0.into_iter().next() {
        Some(what) => Err(PlanError::Unsupported(what)),
        None => Ok(()),
    }
}

/// What of a process is not done; for an exec too.
pub(super) fn check_process(process: &Process) -> Result<(), PlanError> {
    let mut refused = Refused::default();
    process_part(process, &mut refused);
    match refused.0.into_iter().next() {
        Some(what) => Err(PlanError::Unsupported(what)),
        None => Ok(()),
    }
}

#[derive(Default)]
struct Refused(Vec<String>);

impl Refused {
    fn refuse(&mut self, asked: bool, what: &str) {
        if asked {
            self.0.push(format!("{what} (not in this version)"));
        }
    }
}

fn document(spec: &Spec, refused: &mut Refused) {
    let oci = &spec.oci;
    let version = oci.version();
    if !version.is_empty() && !version.starts_with("1.") {
        refused
            .0
            .push(format!("ociVersion {version:?} (expected 1.x)"));
    }
    refused.refuse(
        !spec.is_document() && oci.hooks().as_ref().is_some_and(has_hooks),
        "hooks of the document",
    );
    refused.refuse(oci.solaris().is_some(), "the document's solaris part");
    refused.refuse(oci.windows().is_some(), "the document's windows part");
    refused.refuse(oci.vm().is_some(), "the document's vm part");
    refused.refuse(oci.zos().is_some(), "the document's zos part");
}

fn has_hooks(hooks: &Hooks) -> bool {
    #[allow(deprecated, reason = "documents still have it")]
    let prestart = hooks.prestart();
    [
        prestart,
        hooks.create_runtime(),
        hooks.create_container(),
        hooks.start_container(),
        hooks.poststart(),
        hooks.poststop(),
    ]
    .into_iter()
    .flatten()
    .any(|hooks| !hooks.is_empty())
}

fn process_part(process: &Process, refused: &mut Refused) {
    let some = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    refused.refuse(some(process.command_line()), "process.commandLine");
    refused.refuse(some(process.user().username()), "process.user.username");
}
