//! Questions about cleaned paths of a container: see [`clean_path`](crate::mount::clean_path).

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
    fn below_means_whole_names() {
        assert!(is_in("/dev", "/dev"));
        assert!(is_in("/dev/shm", "/dev"));
        assert!(!is_in("/device", "/dev"));
    }

    #[test]
    fn the_root_has_no_depth() {
        assert_eq!(depth("/"), 0);
        assert_eq!(depth("/tmp/tmp2/foo"), 3);
    }
}
