//! Takes paths apart without copying: parent, last component, prefixes.

use core::ffi::CStr;

/// Longest path that the kernel takes, with its NUL.
pub(crate) const PATH_MAX: usize = 4096;

/// The parent of an absolute path and its last component; `None` for `/`, a trailing slash, `.` and `..`.
pub(crate) fn parent_and_name(path: &CStr) -> Option<(&[u8], &CStr)> {
    let slash = path.to_bytes().iter().rposition(|byte| *byte == b'/')?;
    let name = CStr::from_bytes_with_nul(path.to_bytes_with_nul().get(slash + 1..)?).ok()?;
    let parent = path.to_bytes().get(..slash.max(1))?;
    let proper = !matches!(name.to_bytes(), b"" | b"." | b"..") && parent.first() == Some(&b'/');
    proper.then_some((parent, name))
}

/// Every prefix of an absolute path that ends with a component, the shortest first, each with that component.
pub(crate) fn prefixes(path: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let start = at + path.get(at..)?.iter().position(|byte| *byte != b'/')?;
        let rest = path.get(start..)?;
        at = start
            + rest
                .iter()
                .position(|byte| *byte == b'/')
                .unwrap_or(rest.len());
        Some((path.get(..at)?, path.get(start..at)?))
    })
}

/// Room for a path that must end with NUL.
pub(crate) struct PathBuffer([u8; PATH_MAX]);

impl PathBuffer {
    /// Empty.
    pub(crate) const fn new() -> PathBuffer {
        PathBuffer([0; PATH_MAX])
    }

    /// The parts one behind the other; `None` when they are too long or hold a NUL.
    pub(crate) fn set(&mut self, parts: &[&[u8]]) -> Option<&CStr> {
        let mut end = 0;
        for part in parts {
            self.0.get_mut(end..end + part.len())?.copy_from_slice(part);
            end += part.len();
        }
        *self.0.get_mut(end)? = 0;
        CStr::from_bytes_with_nul(self.0.get(..=end)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_splits_at_its_last_slash() {
        assert_eq!(
            parent_and_name(c"/dev/pts/0"),
            Some((&b"/dev/pts"[..], c"0"))
        );
        assert_eq!(parent_and_name(c"/dev"), Some((&b"/"[..], c"dev")));
    }

    #[test]
    fn what_names_no_entry_does_not_split() {
        for path in [c"/", c"", c"dev", c"/dev/", c"/dev/.", c"/dev/..", c"a/b"] {
            assert_eq!(parent_and_name(path), None, "{path:?}");
        }
    }

    #[test]
    fn prefixes_grow_by_one_component() {
        let all: Vec<_> = prefixes(b"//a/b//c/").collect();
        let expected: [(&[u8], &[u8]); 3] = [(b"//a", b"a"), (b"//a/b", b"b"), (b"//a/b//c", b"c")];
        assert_eq!(all, expected);
        assert_eq!(prefixes(b"/").count(), 0);
        assert_eq!(prefixes(b"").count(), 0);
    }

    #[test]
    fn a_buffer_joins_and_refuses_what_does_not_fit() {
        let mut buffer = PathBuffer::new();
        assert_eq!(buffer.set(&[b"/bin", b"/", b"sh"]), Some(c"/bin/sh"));
        assert_eq!(buffer.set(&[b"a"]), Some(c"a"));
        assert_eq!(buffer.set(&[b"a\0b"]), None);
        assert_eq!(buffer.set(&[&[b'x'; PATH_MAX]]), None);
        assert!(buffer.set(&[&[b'x'; PATH_MAX - 1]]).is_some());
    }
}
