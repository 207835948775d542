//! Where the mounts of a saved container come from when it is made anew.

use crate::criu::SavedMount;
use crate::state::CgroupRecord;
use oci_spec::runtime::Spec;
use std::path::{Path, PathBuf};

/// The path of the host that is bound there; none when neither the document nor the container's cgroups say.
pub(super) fn source(
    mount: &SavedMount,
    document: &Spec,
    bundle: &Path,
    cgroup: Option<&CgroupRecord>,
) -> Option<PathBuf> {
    if !mount.cgroup.is_empty() {
        return cgroup.and_then(|cgroup| hierarchy(&mount.cgroup, cgroup));
    }
    bound(&mount.point, document, bundle).or_else(|| own(mount, document))
}

/// The document's bind mount there, or the innermost one above it: a recursive one brings those below along.
fn bound(point: &str, document: &Spec, bundle: &Path) -> Option<PathBuf> {
    let mounts = document.mounts().as_deref().unwrap_or_default().iter();
    let binds = mounts.filter(|mount| {
        let words = mount.options().as_deref().unwrap_or_default();
        let bind = words.iter().any(|word| word == "bind" || word == "rbind");
        bind || mount.typ().as_deref() == Some("bind")
    });
    let below = binds.filter_map(|mount| {
        let destination = Path::new("/").join(mount.destination());
        let rest = Path::new(point).strip_prefix(&destination).ok()?;
        let source = bundle.join(mount.source().as_ref()?);
        let depth = destination.components().count();
        // Joining nothing would put a slash behind a file.
        let source = if rest.as_os_str().is_empty() {
            source
        } else {
            source.join(rest)
        };
        Some((depth, source))
    });
    let mut below: Vec<(usize, PathBuf)> = below.collect();
    // Of two at one place the later is on top.
    below.sort_by_key(|(depth, _)| *depth);
    below.pop().map(|(_, source)| source)
}

/// What the runtime itself has put there: the host's null over a masked file, devices.
fn own(mount: &SavedMount, document: &Spec) -> Option<PathBuf> {
    let linux = document.linux().as_ref()?;
    let point = Path::new(&mount.point);
    let masked = linux.masked_paths().as_deref().unwrap_or_default();
    if masked.iter().any(|path| Path::new(path) == point) && mount.root == "/null" {
        return Some(PathBuf::from("/dev/null"));
    }
    let devices = linux.devices().as_deref().unwrap_or_default();
    let device = devices.iter().any(|device| device.path() == point);
    let usual = ["null", "zero", "full", "random", "urandom", "tty"];
    let usual = usual
        .iter()
        .any(|name| point == Path::new("/dev").join(name));
    (device || usual).then(|| point.to_owned())
}

/// The container's cgroup in the hierarchy that has these options.
fn hierarchy(options: &[String], cgroup: &CgroupRecord) -> Option<PathBuf> {
    let mut all = cgroup.hierarchies.iter();
    let found = all.find(|one| {
        let named = !one.controllers.is_empty();
        let has = |name| options.iter().any(|option| option == name);
        named && one.controllers.names().all(has)
    });
    let unified = || cgroup.hierarchies.iter().find(|one| one.version == 2);
    let found = found.or_else(|| unified().filter(|_| !options.iter().any(|o| is_controller(o))));
    found.map(|one| PathBuf::from(&one.path))
}

/// Whether an option of a cgroup mount names a hierarchy of version 1.
fn is_controller(option: &str) -> bool {
    !matches!(
        option,
        "rw" | "ro" | "nsdelegate" | "memory_recursiveprot" | "memory_localevents"
    ) && !option.starts_with("favordynmods")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::HierarchyRecord;

    fn document() -> Spec {
        let text = r#"{"ociVersion":"1.0.2","root":{"path":"rootfs"},
            "mounts":[{"destination":"/data","type":"none","source":"/host/data","options":["rbind","ro"]},
                {"destination":"/data/in","type":"bind","source":"other"},
                {"destination":"/tmp","type":"tmpfs","source":"tmpfs"}],
            "linux":{"maskedPaths":["/proc/keys"],"devices":[{"path":"/dev/fuse","type":"c","major":10,"minor":229}]}}"#;
        serde_json::from_str(text).unwrap()
    }

    fn at(point: &str, root: &str) -> Option<String> {
        let mount = SavedMount {
            key: "m0".to_owned(),
            point: point.to_owned(),
            cgroup: Vec::new(),
            root: root.to_owned(),
        };
        let found = source(&mount, &document(), Path::new("/b"), None);
        found.map(|path| path.to_string_lossy().into_owned())
    }

    #[test]
    fn the_innermost_bind_mount_of_the_document_is_the_source() {
        assert_eq!(at("/data", "/x").as_deref(), Some("/host/data"));
        assert_eq!(
            at("/data/below/it", "/x").as_deref(),
            Some("/host/data/below/it")
        );
        assert_eq!(at("/data/in", "/x").as_deref(), Some("/b/other"));
        assert_eq!(at("/database", "/x"), None);
        assert_eq!(at("/tmp/x", "/x"), None);
    }

    #[test]
    fn what_the_runtime_puts_there_needs_no_document() {
        assert_eq!(at("/proc/keys", "/null").as_deref(), Some("/dev/null"));
        assert_eq!(at("/proc/keys", "/zero"), None);
        assert_eq!(at("/dev/fuse", "/fuse").as_deref(), Some("/dev/fuse"));
        assert_eq!(at("/dev/zero", "/zero").as_deref(), Some("/dev/zero"));
        assert_eq!(at("/dev/sda", "/sda"), None);
    }

    #[test]
    fn a_cgroup_mount_is_the_new_containers_cgroup_of_that_hierarchy() {
        let one = |version, controllers: &[&str], path: &str| HierarchyRecord {
            version,
            controllers: controllers.join(",").as_str().into(),
            path: path.to_owned().into(),
            dev: 0,
            ino: 0,
        };
        let cgroup = CgroupRecord {
            hierarchies: vec![
                one(1, &["cpu", "cpuacct"], "/s/cpu/x"),
                one(1, &["name=systemd"], "/s/systemd/x"),
                one(2, &[], "/s/unified/x"),
            ],
            ..CgroupRecord::default()
        };
        let find = |options: &[&str]| {
            let options: Vec<String> = options.iter().map(|name| (*name).to_owned()).collect();
            hierarchy(&options, &cgroup).map(|path| path.to_string_lossy().into_owned())
        };
        assert_eq!(find(&["rw", "cpu", "cpuacct"]).as_deref(), Some("/s/cpu/x"));
        assert_eq!(
            find(&["rw", "name=systemd"]).as_deref(),
            Some("/s/systemd/x")
        );
        assert_eq!(find(&["rw", "nsdelegate"]).as_deref(), Some("/s/unified/x"));
        assert_eq!(find(&["rw", "memory"]), None);
    }
}
