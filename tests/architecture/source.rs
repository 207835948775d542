//! Just enough reading of Rust text: the code without comments, literals and unit tests.

/// The code of a file: comments, strings and characters become blanks, lines stay lines.
pub(crate) fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skip(&chars, at);
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(
                chars[at..end]
                    .iter()
                    .map(|c| if *c == '\n' { '\n' } else { ' ' }),
            );
            at = end;
        }
    }
    code
}

/// The code without the file's unit tests, which stand last in a file or in a file of their own.
pub(crate) fn library_code(path: &str, text: &str) -> String {
    if in_tests(path) {
        return String::new();
    }
    let code = code(text);
    match code
        .find("#[cfg(test)]\nmod ")
        .or_else(|| code.find("#[cfg(all(test"))
    {
        Some(tests) => code[..tests].to_owned(),
        None => code,
    }
}

/// Whether a file is a test as a whole.
pub(crate) fn in_tests(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "fixtures"))
}

/// Whether the word stands in the code as a whole word.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    let outside = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).any(|(at, _)| {
        outside(code[..at].chars().next_back()) && outside(code[at + word.len()..].chars().next())
    })
}

/// Whether a file has unsafe code: blocks, functions, implementations, attributes.
pub(crate) fn has_unsafe(text: &str) -> bool {
    has_word(&code(text), "unsafe")
}

/// Where the comment or literal that begins at `at` ends; `at` itself when there is none.
fn skip(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let before = at.checked_sub(1).map(|before| chars[before]);
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    match rest {
        ['/', '/', ..] => at + rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => at + block_comment(rest),
        ['"', ..] => at + 1 + quoted(&rest[1..], '"'),
        ['r', '"' | '#', ..] if !in_word || before == Some('b') || before == Some('c') => {
            at + raw(rest)
        }
        ['\'', '\\', ..] => at + 1 + quoted(&rest[1..], '\''),
        ['\'', _, '\'', ..] => at + 3,
        _ => at,
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] if depth == 1 => return at + 2,
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length up to and with the closing quote.
fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 0;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a raw string; zero for a raw identifier.
fn raw(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let mut at = 2 + hashes;
    while at < rest.len() {
        if rest[at] == '"'
            && rest[at + 1..]
                .iter()
                .take(hashes)
                .filter(|c| **c == '#')
                .count()
                == hashes
        {
            return at + 1 + hashes;
        }
        at += 1;
    }
    rest.len()
}
