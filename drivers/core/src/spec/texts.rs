//! Lists of texts that are filled again.

/// So much of them is kept, in bytes: a list that was long once need never be so again.
const LARGEST: usize = 16 << 10;

/// Makes a list one of these texts, in the memory that it has as far as that goes.
pub(super) fn refill<S: AsRef<str>>(list: &mut Vec<String>, texts: impl IntoIterator<Item = S>) {
    let mut used = 0;
    for text in texts {
        let text = text.as_ref();
        match list.get_mut(used) {
            Some(known) if known.capacity() >= text.len() => {
                known.clear();
                known.push_str(text);
            }
            Some(known) => *known = text.to_owned(),
            None => list.push(text.to_owned()),
        }
        used += 1;
    }
    list.truncate(used);
}

/// Empties each text and wipes what it was; a long list goes.
pub(super) fn wipe(list: &mut Vec<String>) {
    for text in &mut *list {
        let mut bytes = std::mem::take(text).into_bytes();
        bytes.fill(0);
        bytes.clear();
        // No bytes are a text.
        *text = String::from_utf8(bytes).unwrap_or_default();
    }
    if list.iter().map(String::capacity).sum::<usize>() > LARGEST {
        *list = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_filled_again_in_its_memory() {
        let mut list = Vec::new();
        refill(&mut list, ["one", "two", "three"]);
        assert_eq!(list, ["one", "two", "three"]);
        let first = list[0].as_ptr();
        wipe(&mut list);
        assert_eq!(list, ["", "", ""]);
        refill(&mut list, ["1", "a longer one"]);
        assert_eq!(list, ["1", "a longer one"]);
        assert_eq!(list[0].as_ptr(), first);
        refill(&mut list, ["x".repeat(LARGEST + 1)]);
        wipe(&mut list);
        assert!(list.is_empty());
    }
}
