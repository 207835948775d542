//! A bundle's `config.json` on its way into the house: paths made absolute, and the devices that every container has.
//!
//! Data to data, as the translation from a command is: nothing of the host is looked at.

use super::{Spec, devices, template};
use crate::mount::clean_path;
use oci_spec::runtime::{self, LinuxDeviceCgroup, Mount};
use std::path::{Path, PathBuf};

impl Spec {
    /// A container from the document of the bundle at `bundle`, an absolute path.
    ///
    /// Relative paths are read as the specification says: the root's and the sources of binds from the bundle, mount
    /// points from `/`. Devices that neither the document nor the specification gives are denied.
    ///
    /// ```
    /// use execdriver_core::Spec;
    /// let document = oci_spec::runtime::Spec::default();
    /// let spec = Spec::from_bundle("web-1", "/srv/web".as_ref(), document);
    /// let root = spec.oci.root().as_ref().map(|root| root.path().clone());
    /// assert_eq!(root, Some("/srv/web/rootfs".into()));
    /// ```
    pub fn from_bundle(id: impl Into<String>, bundle: &Path, mut oci: runtime::Spec) -> Self {
        if let Some(mut root) = oci.root().clone() {
            root.set_path(below(bundle, root.path()));
            oci.set_root(Some(root));
        }
        let mounts = oci.mounts().clone().map(|mounts| {
            let placed = mounts.into_iter().map(|mount| placed(mount, bundle));
            placed.collect()
        });
        oci.set_mounts(mounts);
        device_rules(&mut oci);
        let mut spec = Self::from_oci(id, oci);
        spec.bundle = Some(bundle.to_owned());
        spec
    }

    /// Whether it is a bundle's document: its author knows OCI's words and not those of a command.
    pub fn is_document(&self) -> bool {
        self.bundle.is_some()
    }
}

/// Whether a mount shows something of the host rather than a new file system. OCI goes by the options; many documents
/// say it by the type.
pub fn is_bind(mount: &Mount) -> bool {
    let options = mount.options().as_deref().unwrap_or_default();
    let named = options.iter().any(|word| word == "bind" || word == "rbind");
    named || mount.typ().as_deref() == Some("bind")
}

/// Whether the document brings a `/dev` of its own.
pub(super) fn brings_dev(oci: &runtime::Spec) -> bool {
    let is_dev = |mount: &Mount| clean_path(&mount.destination().to_string_lossy()) == "/dev";
    let mut mounts = oci.mounts().iter().flatten();
    mounts.any(|mount| is_bind(mount) && is_dev(mount))
}

/// `path` from `dir` on in the sense of Linux, whatever the system we run on.
fn below(dir: &Path, path: &Path) -> PathBuf {
    if path.to_string_lossy().starts_with('/') {
        return path.to_owned();
    }
    let mut joined = dir.as_os_str().to_owned();
    if !dir.to_string_lossy().ends_with('/') {
        joined.push("/");
    }
    joined.push(path);
    joined.into()
}

fn placed(mut mount: Mount, bundle: &Path) -> Mount {
    let target = below(Path::new("/"), mount.destination());
    mount.set_destination(target);
    let source = mount.source().clone().filter(|_| is_bind(&mount));
    if let Some(source) = source.filter(|source| !source.as_os_str().is_empty()) {
        mount.set_source(Some(below(bundle, &source)));
    }
    mount
}

/// OCI's default devices may always be used, those of `linux.devices` unless the document has rules of its own, and no
/// others.
fn device_rules(oci: &mut runtime::Spec) {
    let mut linux = oci.linux().clone().unwrap_or_else(|| {
        // The crate's default has namespaces and paths that nobody asked for.
        let mut none = runtime::Linux::default();
        none.set_namespaces(None)
            .set_masked_paths(None)
            .set_readonly_paths(None);
        none
    });
    let mut resources = linux.resources().clone().unwrap_or_default();
    let own = resources.devices().clone().unwrap_or_default();
    let mut rules = vec![devices::everything(false)];
    if own.is_empty() {
        // A pipe is no device to the kernel.
        let listed = linux.devices().iter().flatten();
        let listed = listed.filter(|device| device.typ() != runtime::LinuxDeviceType::P);
        rules.extend(listed.map(use_of));
    }
    rules.extend(own);
    // Last: a document that denies everything means all but these.
    rules.extend(template::default_device_rules().map(devices::rule));
    resources.set_devices(Some(rules));
    linux.set_resources(Some(resources));
    oci.set_linux(Some(linux));
}

fn use_of(device: &runtime::LinuxDevice) -> LinuxDeviceCgroup {
    let mut rule = devices::everything(true);
    let kind = match device.typ() {
        // Unbuffered is another word for a character device: mknod(1).
        runtime::LinuxDeviceType::U => runtime::LinuxDeviceType::C,
        kind => kind,
    };
    rule.set_typ(Some(kind))
        .set_major(Some(device.major()))
        .set_minor(Some(device.minor()));
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(json: &str) -> runtime::Spec {
        serde_json::from_str(json).unwrap()
    }

    fn mounts(json: &str) -> Vec<(String, String)> {
        let json = format!(r#"{{"mounts": {json}}}"#);
        let spec = Spec::from_bundle("c", Path::new("/b"), document(&json));
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let pair = |mount: &Mount| {
            let source = mount.source().clone().unwrap_or_default();
            (text(mount.destination()), text(&source))
        };
        spec.oci.mounts().iter().flatten().map(pair).collect()
    }

    #[test]
    fn config_mounts_relative_destinations_start_at_the_root_and_sources_at_the_bundle() {
        let found = mounts(
            r#"[{"destination": "data", "source": "d", "options": ["rbind"]},
                {"destination": "/abs", "source": "/d", "options": ["bind"]},
                {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]"#,
        );
        let found: Vec<_> = found
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(
            found,
            [("/data", "/b/d"), ("/abs", "/d"), ("/tmp", "tmpfs")]
        );
    }

    #[test]
    fn config_root_a_relative_path_starts_at_the_bundle() {
        for (given, expected) in [("rootfs", "/b/rootfs"), ("/else", "/else")] {
            let json = format!(r#"{{"root": {{"path": {given:?}}}}}"#);
            let spec = Spec::from_bundle("c", Path::new("/b"), document(&json));
            let root = spec.oci.root().as_ref().unwrap();
            assert_eq!(root.path(), Path::new(expected));
        }
    }

    fn rules(linux: &str) -> Vec<String> {
        let json = format!(r#"{{"linux": {linux}}}"#);
        let spec = Spec::from_bundle("c", Path::new("/b"), document(&json));
        let rules = spec.limits().unwrap().devices().clone().unwrap();
        rules.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn config_linux_allowed_devices_are_the_default_ones_and_those_of_the_document() {
        let none = rules("{}");
        assert_eq!(none.first().map(String::as_str), Some("a *:* rwm"));
        assert!(none.contains(&"c 1:3 rwm".to_owned()), "{none:?}");
        assert!(!none.contains(&"c 10:229 rwm".to_owned()));
        let fuse = r#"{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}"#;
        let listed = rules(&format!(r#"{{"devices": [{fuse}]}}"#));
        assert!(listed.contains(&"c 10:229 rwm".to_owned()), "{listed:?}");
        // Rules of the document's own say what may be done with its devices.
        let own = r#""resources": {"devices": [{"allow": false, "access": "rwm"}]}"#;
        let judged = rules(&format!(r#"{{"devices": [{fuse}], {own}}}"#));
        assert!(!judged.contains(&"c 10:229 rwm".to_owned()), "{judged:?}");
        let null = judged.iter().position(|rule| rule == "c 1:3 rwm");
        let deny = judged.iter().rposition(|rule| rule == "a *:* rwm");
        assert!(null > deny, "{judged:?}");
    }

    #[test]
    fn what_the_document_leaves_out_is_not_made_up() {
        let spec = Spec::from_bundle("c", Path::new("/b"), document("{}"));
        let linux = spec.oci.linux().as_ref().unwrap();
        assert!(linux.namespaces().is_none() && linux.masked_paths().is_none());
    }

    #[test]
    fn a_dev_is_the_callers_own_however_the_bind_is_written() {
        for (mount, own) in [
            (
                r#"{"destination": "/dev/", "source": "/dev", "options": ["rbind"]}"#,
                true,
            ),
            (
                r#"{"destination": "/dev", "type": "bind", "source": "/dev"}"#,
                true,
            ),
            (r#"{"destination": "/dev", "type": "tmpfs"}"#, false),
        ] {
            let document = document(&format!(r#"{{"mounts": [{mount}]}}"#));
            let spec = Spec::from_bundle("c", Path::new("/b"), document);
            assert_eq!(spec.fill_dev, !own, "{mount}");
        }
    }
}
