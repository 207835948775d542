//! Paths as text with `/`: cleaned without looking at any file system, the same on every host.

use super::text::{invalid, no_nul};
use crate::Result;
use std::fmt;
use std::path::Path;

/// Resolves `.`, `..` and repeated `/` by the letters alone. The result is absolute, has no
/// slash at its end, and `..` never climbs above `/`.
pub(super) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

/// A cleaned path of the container, if `path` is absolute.
pub(super) fn in_container(field: fmt::Arguments<'_>, path: &str) -> Result<String> {
    no_nul(field, path)?;
    if !path.starts_with('/') {
        return Err(invalid(
            field,
            format!("got {path:?}, expected an absolute path"),
        ));
    }
    Ok(clean(path))
}

/// Checks a path of the Linux host. By its bytes: `Path::is_absolute` asks the compiling host.
pub(super) fn on_host(field: fmt::Arguments<'_>, path: &Path) -> Result<()> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.contains(&0) {
        return Err(invalid(field, format!("got a NUL byte in {path:?}")));
    }
    if bytes.first() != Some(&b'/') {
        return Err(invalid(
            field,
            format!("got {path:?}, expected an absolute path"),
        ));
    }
    Ok(())
}

/// Whether the cleaned `path` is the cleaned `directory` or below it.
pub(super) fn is_in(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// How many directories a cleaned path goes down.
pub(super) fn depth(path: &str) -> usize {
    path.split('/').filter(|part| !part.is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_follows_the_letters_and_never_leaves_the_root() {
        for (path, cleaned) in [
            ("/", "/"),
            ("", "/"),
            ("//a/./b//", "/a/b"),
            ("/a/../b", "/b"),
            ("/../../..", "/"),
            ("../../x", "/x"),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
    }

    #[test]
    fn below_means_whole_names() {
        assert!(is_in("/dev", "/dev"));
        assert!(is_in("/dev/shm", "/dev"));
        assert!(!is_in("/device", "/dev"));
    }

    #[test]
    fn host_paths_are_absolute_by_a_slash_on_every_host() {
        assert!(on_host(format_args!("rootfs"), Path::new("/srv")).is_ok());
        for bad in ["", "srv", "./srv", "/a\0b", "C:\\srv"] {
            assert!(on_host(format_args!("rootfs"), Path::new(bad)).is_err());
        }
    }
}
