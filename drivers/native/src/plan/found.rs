//! What was found at paths of the host, by these paths.

use super::sources::Source;
use nix::errno::Errno;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// What was found by path, in the order of the paths: a list of a few entries is a small block, where a map's first node is a large
/// one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found(Vec<Place>);

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// `None`: it has no other path than the one that was found.
    named: Option<PathBuf>,
    found: Result<Source, Errno>,
}

impl Place {
    fn new(path: Cow<'_, Path>, found: Result<Source, Errno>) -> Self {
        let same = matches!(&found, Ok(source) if source.path == *path);
        let named = (!same).then(|| path.into_owned());
        Self { named, found }
    }

    fn path(&self) -> &Path {
        match (&self.named, &self.found) {
            (Some(named), _) => named,
            (None, Ok(source)) => &source.path,
            // Never: what was not found has its name.
            (None, Err(_)) => Path::new(""),
        }
    }
}

impl Found {
    /// Adds what is at a path, in the place of what was known of it.
    pub(super) fn insert<'a>(
        &mut self,
        path: impl Into<Cow<'a, Path>>,
        found: Result<Source, Errno>,
    ) {
        let path = path.into();
        match self.place(&path) {
            Ok(at) => {
                if let Some(known) = self.0.get_mut(at) {
                    *known = Place::new(path, found);
                }
            }
            Err(at) => self.0.insert(at, Place::new(path, found)),
        }
    }

    /// What is at a path; ENOENT where nothing was looked for.
    pub(super) fn get(&self, path: &Path) -> Result<&Source, Errno> {
        let at = self.place(path).map_err(|_| Errno::ENOENT)?;
        let place = self.0.get(at).ok_or(Errno::ENOENT)?;
        place.found.as_ref().map_err(|errno| *errno)
    }

    /// The file at a path, if one was found.
    pub(super) fn get_mut(&mut self, path: &Path) -> Option<&mut Source> {
        let at = self.place(path).ok()?;
        self.0.get_mut(at)?.found.as_mut().ok()
    }

    fn place(&self, path: &Path) -> Result<usize, usize> {
        self.0.binary_search_by(|known| known.path().cmp(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sources::SourceKind;

    #[test]
    fn a_path_is_found_by_its_name_and_kept_once() {
        let source = |path: &str| Source {
            path: path.into(),
            dev: 1,
            ino: 2,
            kind: SourceKind::Other,
            link: false,
            mount: None,
        };
        let mut found = Found::default();
        found.insert(Path::new("/z"), Ok(source("/z")));
        found.insert(Path::new("/link"), Ok(source("/file")));
        found.insert(Path::new("/a"), Err(Errno::EACCES));
        found.insert(Path::new("/z"), Ok(source("/z")));
        let kept = found.0.iter().map(|place| place.named.as_deref());
        let named = [Some(Path::new("/a")), Some(Path::new("/link")), None];
        assert_eq!(kept.collect::<Vec<_>>(), named);
        assert_eq!(
            found.get(Path::new("/link")).unwrap().path,
            Path::new("/file")
        );
        assert_eq!(found.get(Path::new("//z/")).unwrap().path, Path::new("/z"));
        assert_eq!(found.get(Path::new("/a")), Err(Errno::EACCES));
        assert_eq!(found.get(Path::new("/file")), Err(Errno::ENOENT));
        assert!(found.get_mut(Path::new("/a")).is_none());
    }
}
