//! The rules: each takes a file's path and text and gives its complaints.

use crate::source::{code, has_unsafe, has_word, in_tests, library_code};

/// One violation, with the file and the rule in words.
pub(crate) type Complaint = String;

/// Every package of ours, as its crate is called in code.
const OURS: [&str; 7] = [
    "execdriver",
    "execdriver_core",
    "execdriver_native",
    "execdriver_windows",
    "execdriver_fake",
    "execdriver_conformance",
    "payload",
];

/// What the package of a file is called, which of ours its code may use, and which its tests may use besides.
fn arrows(
    path: &str,
) -> (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
) {
    let host = &OURS[1..6];
    match path.split('/').collect::<Vec<_>>()[..] {
        ["drivers", "core", ..] => ("execdriver_core", &[], &[]),
        ["drivers", "native", "oci", ..] => ("execdriver_oci", &OURS[1..3], &OURS[1..3]),
        ["drivers", "native", ..] => ("execdriver_native", &OURS[1..2], &OURS[5..6]),
        ["drivers", "windows", ..] => ("execdriver_windows", &OURS[1..2], &OURS[5..6]),
        ["drivers", "fake", ..] => ("execdriver_fake", &OURS[1..2], &OURS[5..6]),
        ["drivers", "conformance", ..] => ("execdriver_conformance", &OURS[1..2], &OURS[4..5]),
        ["fixtures", ..] => ("payload", &[], &[]),
        // A host program as others write it: the host side, the contract, and the fake in its tests.
        ["docs", ..] => ("an example", &OURS[..2], &OURS[4..5]),
        // A host program, too; its yardstick stands beside it.
        ["tests", "bench", ..] => ("the benchmark", &OURS[..2], &[]),
        _ => ("execdriver", host, &[]),
    }
}

/// The dependencies of a manifest follow the arrows.
pub(crate) fn manifest_arrows(path: &str, text: &str) -> Vec<Complaint> {
    let (own, may_use, tests_may_use) = arrows(path);
    let mut complaints = Vec::new();
    let mut section = "";
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
            continue;
        }
        let key = line
            .split(['=', '.', ' '])
            .next()
            .unwrap_or_default()
            .replace('-', "_");
        let is_ours = OURS.contains(&key.as_str());
        let dependency = section.ends_with("dependencies") && !section.starts_with("workspace");
        let for_tests =
            section.ends_with("dev-dependencies") && tests_may_use.contains(&key.as_str());
        if is_ours && dependency && !for_tests && !may_use.contains(&key.as_str()) {
            complaints.push(format!(
                "{path}: {own} may not depend on {key} ([{section}])"
            ));
        }
    }
    complaints
}

/// Every package's manifest takes the lints of the workspace.
pub(crate) fn manifest_lints(path: &str, text: &str) -> Vec<Complaint> {
    let missing = text.contains("[package]") && !text.contains("[lints]\nworkspace = true");
    complain(missing, || {
        format!("{path}: add `[lints] workspace = true`")
    })
}

/// The paths in code follow the arrows.
pub(crate) fn source_arrows(path: &str, text: &str) -> Vec<Complaint> {
    let (own, may_use, tests_may_use) = arrows(path);
    let (library, whole) = (library_code(path, text), code(text));
    let forbidden = OURS
        .iter()
        .filter(|name| **name != own && **name != "payload" && !may_use.contains(name));
    forbidden
        .filter(|name| {
            has_path(
                if tests_may_use.contains(name) {
                    &library
                } else {
                    &whole
                },
                name,
            )
        })
        .map(|name| format!("{path}: {own} may not use {name}"))
        .collect()
}

/// Whether a crate's name begins a path (`name::`, `use name`, `extern crate name`).
fn has_path(code: &str, name: &str) -> bool {
    [
        format!("{name}::"),
        format!("use {name};"),
        format!("use {name} as"),
        format!("extern crate {name}"),
    ]
    .iter()
    .any(|path| {
        code.match_indices(path.as_str()).any(|(at, _)| {
            !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
        })
    })
}

/// `cfg(target_os)` and its like stand only where systems differ on purpose. The command line has a terminal to care
/// for and may ask for the family, never for the system.
pub(crate) fn target_os(path: &str, text: &str) -> Vec<Complaint> {
    let systems = [
        "drivers/native/",
        "drivers/windows/",
        "src/registry.rs",
        "fixtures/payload/",
        "tests/",
    ];
    // What owns a descriptor has another type on Windows.
    let families = ["src/cli/", "drivers/core/src/pipes.rs"];
    let stands_in = |places: &[&str]| places.iter().any(|place| path.starts_with(place));
    if stands_in(&systems) {
        return vec![];
    }
    let code = library_code(path, text);
    let asks_family = ["unix", "windows"].iter().any(|family| {
        let forms = ["cfg(", "cfg!(", "cfg(not(", "cfg!(not(", "cfg_attr("];
        forms
            .iter()
            .any(|form| code.contains(&format!("{form}{family}")))
    });
    let asks = has_word(&code, "target_os") || has_word(&code, "target_family");
    complain(asks || asks_family && !stands_in(&families), || {
        format!("{path}: only drivers and src/registry.rs may ask for the system")
    })
}

/// No module is a drawer for leftovers.
pub(crate) fn module_names(path: &str, _: &str) -> Vec<Complaint> {
    let vague = ["util", "utils", "helper", "helpers", "common", "misc"];
    let found = path
        .split('/')
        .find(|part| vague.contains(&part.trim_end_matches(".rs")));
    found
        .map(|name| format!("{path}: `{name}` says nothing of its job"))
        .into_iter()
        .collect()
}

/// What a global of a library may be: what is written once, and what changes nothing but how fast something is done. Of the latter
/// there are memory that nobody uses just now (native's `shelf.rs`, as the C library's allocator keeps it) and the order in which
/// starts have their turn on the machine's processors (`container/gate.rs`). A program's allocator is one by the language's rule.
const GLOBALS: [&str; 7] = [
    "OnceLock<",
    "LazyLock<",
    "[",
    "&",
    "Shelf<",
    "Gate ",
    "dlmalloc::",
];

/// No mutable globals in library code.
pub(crate) fn globals(path: &str, text: &str) -> Vec<Complaint> {
    // Only tests link the suite, and they count their ids in it.
    if path.starts_with("drivers/conformance/") {
        return vec![];
    }
    let code = library_code(path, text);
    let mutable = |line: &&str| {
        let Some((_, after)) = line.split_once("static ") else {
            return false;
        };
        let kind = after.split_once(':').map_or("", |(_, kind)| kind);
        let known = |one: &&str| kind.trim_start().starts_with(*one);
        let cells = ["Mutex<", "RwLock<", "Cell<", "Atomic"];
        let changes = cells.iter().any(|cell| kind.contains(cell));
        after.starts_with("mut ") || changes || !GLOBALS.iter().any(known)
    };
    let found = code
        .lines()
        .filter(|line| !line.contains("'static "))
        .find(mutable);
    found
        .map(|line| format!("{path}: a mutable global: {}", line.trim()))
        .into_iter()
        .collect()
}

/// No signal handlers, no dispositions and no reaping of others' children in library code. The CLI owns its process,
/// and init is a process of its own.
pub(crate) fn process_wide(path: &str, text: &str) -> Vec<Complaint> {
    // It only reads what its host does with SIGCHLD.
    let reader = "drivers/native/src/sys/sigchld.rs";
    if path == reader
        || path.starts_with("src/cli/")
        || path.starts_with("drivers/native/init/")
        || path.starts_with("docs/")
    {
        return vec![];
    }
    let code = library_code(path, text);
    let words = [
        "signal_hook",
        "sigaction",
        "SigHandler",
        "SIG_IGN",
        "SIG_DFL",
        "PR_SET_CHILD_SUBREAPER",
    ];
    let calls = [
        "libc::signal(",
        "signal::signal(",
        "waitpid(-1",
        "waitpid(None",
        "from_raw(-1)",
        "wait::wait(",
        "P_ALL",
        "Id::All",
    ];
    let word = words.iter().find(|word| has_word(&code, word));
    let found = word.or_else(|| calls.iter().find(|call| code.contains(**call)));
    found
        .map(|found| format!("{path}: `{found}` meddles with the host program"))
        .into_iter()
        .collect()
}

/// The files and directories (with `/` at the end) that the security page lists under its heading about unsafe code.
pub(crate) fn listed_files(page: &str) -> Vec<String> {
    let mut listed = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with('#') {
            inside = line.to_lowercase().contains("unsafe");
        }
        let quoted = line.split('`').skip(1).step_by(2);
        let paths = quoted
            .filter(|word| word.contains('/') && (word.ends_with(".rs") || word.ends_with('/')));
        listed.extend(paths.filter(|_| inside).map(str::to_owned));
    }
    listed
}

/// Whether an entry of the list stands for this file.
pub(crate) fn covers(listed: &str, path: &str) -> bool {
    path == listed || (listed.ends_with('/') && path.starts_with(listed))
}

/// Unsafe code stands only in listed files, and each of these says why it is sound.
pub(crate) fn unsafe_code(path: &str, text: &str, listed: &[String]) -> Vec<Complaint> {
    if !has_unsafe(text) {
        return vec![];
    }
    let known = listed.iter().any(|listed| covers(listed, path));
    let explained =
        in_tests(path) && !path.starts_with("fixtures/") || text.contains("//! # Safety");
    [
        complain(!known, || {
            format!("{path}: unsafe code, but docs/security.md does not list it")
        }),
        complain(!explained, || {
            format!("{path}: unsafe code without a `//! # Safety` paragraph")
        }),
    ]
    .concat()
}

/// A package without unsafe code forbids it; one with some denies it and allows it file by file.
pub(crate) fn unsafe_attribute(path: &str, text: &str) -> Vec<Complaint> {
    let safe = [
        "src/lib.rs",
        "drivers/core/src/lib.rs",
        "drivers/fake/src/lib.rs",
        "drivers/conformance/src/lib.rs",
    ];
    let fenced = ["drivers/native/src/lib.rs", "drivers/windows/src/lib.rs"];
    let wanted = match path {
        _ if safe.contains(&path) => "#![forbid(unsafe_code)]",
        _ if fenced.contains(&path) => "#![deny(unsafe_code)]",
        _ => return vec![],
    };
    complain(!text.contains(wanted), || format!("{path}: add `{wanted}`"))
}

/// A file's first line states its job, and it has at most 400 lines.
pub(crate) fn shape(path: &str, text: &str) -> Vec<Complaint> {
    let first = text.lines().next().unwrap_or_default();
    let lines = text.lines().count();
    [
        complain(!first.starts_with("//! "), || {
            format!("{path}: begin with `//! <its one job>.`")
        }),
        complain(lines > 400, || {
            format!("{path}: {lines} lines are more than 400")
        }),
    ]
    .concat()
}

/// No path of the machine that a text was written on.
pub(crate) fn local_paths(path: &str, text: &str, own: &str) -> Vec<Complaint> {
    let parts: Vec<&str> = own
        .split(['/', '\\'])
        .filter(|part| !part.is_empty())
        .take(2)
        .collect();
    let own = format!("/{}/", parts.join("/"));
    complain(text.contains(&own), || {
        format!("{path}: names {own}, a path of one machine")
    })
}

fn complain(wrong: bool, what: impl Fn() -> Complaint) -> Vec<Complaint> {
    if wrong { vec![what()] } else { vec![] }
}

/// Each test that the security page names is there, each test under a CVE's name is on the page, and no row is without a
/// test or a reason. `tests` are the names of all test functions.
pub(crate) fn attacks(page: &str, tests: &[String]) -> Vec<Complaint> {
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Attack |"))
        .map(|line| line.split(" |").collect())
        .collect();
    let mut complaints = Vec::new();
    let mut named: Vec<&str> = Vec::new();
    for row in &rows {
        let (attack, test) = (row[0], row.get(2).map_or("", |cell| cell.trim()));
        let words: Vec<&str> = test.split('`').skip(1).step_by(2).collect();
        let words: Vec<&str> = words
            .into_iter()
            .filter(|word| {
                word.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.".contains(c))
            })
            .collect();
        if words.is_empty() && !test.starts_with("none: ") {
            complaints.push(format!(
                "docs/security.md: no test and no reason in the row{attack}"
            ));
        }
        named.extend(words);
    }
    let is_there = |word: &str| match word.strip_suffix("...") {
        Some(start) => tests.iter().any(|test| test.starts_with(start)),
        None => tests.iter().any(|test| test == word),
    };
    let missing = named.iter().filter(|word| !is_there(word));
    complaints.extend(missing.map(|word| format!("docs/security.md: there is no test {word}")));
    let on_page = |test: &str| {
        named.iter().any(|word| match word.strip_suffix("...") {
            Some(start) => test.starts_with(start),
            None => test == *word,
        })
    };
    let unnamed = tests
        .iter()
        .filter(|test| test.starts_with("cve_") && !on_page(test));
    complaints
        .extend(unnamed.map(|test| format!("docs/security.md does not name the test {test}")));
    complaints
}

/// The names of a file's test functions.
pub(crate) fn tests(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut attribute = false;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("fn ")
            && attribute
        {
            found.extend(rest.split('(').next().map(str::to_owned));
        }
        attribute =
            line == "#[test]" || (attribute && (line.starts_with("#[") || line.starts_with("//")));
    }
    found
}
