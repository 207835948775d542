//! CRIU's log: the line that says why it failed.

/// Errors that CRIU goes on after: it wants more descriptors than the hard limit, in case there are very many files.
const HARMLESS: [&str; 2] = ["rlimit: Can't setup RLIMIT_NOFILE", "Can't keep kdat cache"];

/// The first error, which is the cause of those behind it: its words, and the line of CRIU's source that they are from.
pub(super) fn cause(log: &str) -> Option<String> {
    let errors = log.lines().filter_map(|line| {
        let (_, error) = line.split_once("Error (")?;
        let (place, words) = error.split_once("): ")?;
        Some((place, words.trim()))
    });
    let mut serious =
        errors.filter(|(_, words)| !HARMLESS.iter().any(|one| words.starts_with(one)));
    let (place, words) = serious.next()?;
    Some(format!("{words} ({place})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_that_matters_is_the_cause() {
        let log = "(00.07) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted\n\
                   (00.18) Warn  (criu/x.c:1): something\n\
                   (00.18) Error (criu/files-reg.c:1790): Can't lookup mount=24 for fd=0 path=/dev/null\n\
                   (00.23) Error (criu/cr-dump.c:2111): Dumping FAILED.\n";
        let expected = "Can't lookup mount=24 for fd=0 path=/dev/null (criu/files-reg.c:1790)";
        assert_eq!(cause(log).as_deref(), Some(expected));
        assert_eq!(cause("(00.1) all is well\n"), None);
    }
}
