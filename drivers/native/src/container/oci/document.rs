//! The bundle's document as the driver takes it.

use super::Create;
use execdriver_core::{Error, Result, Spec};
use oci_spec::runtime::LinuxNamespaceType as Kind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The specification of the container to make.
pub(super) fn specification(create: Create<'_>) -> Result<Spec> {
    if create.document.root().is_none() {
        let reason = "got none, expected the root file system";
        return Err(Error::invalid("root", reason));
    }
    let spec = Spec::from_bundle(create.id, create.bundle, create.document);
    namespaces(&spec)?;
    Ok(spec)
}

/// A path that leads to the runtime's own namespace is as good as none: what would be set in it is the host's.
fn namespaces(spec: &Spec) -> Result<()> {
    let linux = spec.oci.linux().as_ref();
    let listed = linux.and_then(|linux| linux.namespaces().as_deref());
    for (index, namespace) in listed.unwrap_or_default().iter().enumerate() {
        let Some(path) = namespace.path() else {
            continue;
        };
        let field = format!("linux.namespaces[{index}].path");
        let found = path.metadata();
        let found = found.map_err(|error| {
            Error::invalid(field.as_str(), format!("{}: {error}", path.display()))
        })?;
        let (own, set) = match namespace.typ() {
            Kind::Network => ("net", sysctls(spec, "net")),
            Kind::Ipc => ("ipc", sysctls(spec, "kernel") || sysctls(spec, "fs")),
            Kind::Uts => (
                "uts",
                spec.oci.hostname().is_some() || spec.oci.domainname().is_some(),
            ),
            _ => continue,
        };
        let own = Path::new("/proc/thread-self/ns").join(own).metadata();
        let same = own.is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()));
        if same && set {
            let reason = format!(
                "{} is the host's own namespace, in which the document sets something",
                path.display()
            );
            return Err(Error::invalid(field, reason));
        }
    }
    Ok(())
}

fn sysctls(spec: &Spec, first: &str) -> bool {
    let linux = spec.oci.linux().as_ref();
    let all = linux.and_then(|linux| linux.sysctl().as_ref());
    let begins = |key: &String| key.split(['.', '/']).next() == Some(first);
    all.is_some_and(|all| all.keys().any(begins))
}
