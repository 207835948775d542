//! The few forms in which the kernel writes its counters: a number, keys with numbers, devices.
//!
//! Nothing here fails: what has another form than expected is left out, since the other counters
//! are worth reading without it.

use std::collections::BTreeMap;

/// A file of one number. `max`, the word for no limit, is none.
pub(super) fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Lines of `key value`.
pub(super) fn keyed(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, number(value)?))
    })
}

/// The same as a table.
pub(super) fn table(text: &str) -> BTreeMap<String, u64> {
    let mut table = BTreeMap::new();
    // One by one: who collects them makes a list before, which grows, each time under the allocator's lock.
    table.extend(keyed(text).map(|(key, value)| (key.to_owned(), value)));
    table
}

/// `8:16` as major and minor number.
pub(super) fn device(word: &str) -> Option<(u64, u64)> {
    let (major, minor) = word.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_newline_and_limits_may_be_a_word() {
        assert_eq!(number("4096\n"), Some(4096));
        assert_eq!(number("18446744073709551615\n"), Some(u64::MAX));
        for odd in [
            "max\n",
            "",
            "-1\n",
            "18446744073709551616\n",
            "1 2\n",
            "0x1",
        ] {
            assert_eq!(number(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn a_line_of_another_form_does_not_hide_the_others() {
        let text = "a 1\n\njunk\nb x\n c 2\nd  3\ne 4 5\nf 6";
        let found: Vec<_> = keyed(text).collect();
        assert_eq!(found, [("a", 1), ("d", 3), ("f", 6)]);
    }

    #[test]
    fn devices_are_two_numbers() {
        assert_eq!(device("259:0"), Some((259, 0)));
        for odd in ["", ":", "8", "8:", "a:b", "8:0:1", "-8:0"] {
            assert_eq!(device(odd), None, "{odd:?}");
        }
    }
}
