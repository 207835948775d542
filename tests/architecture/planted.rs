//! Planted violations: each rule is seen to complain once, and to leave its neighbours alone.

use crate::cases;
use crate::rules::{self, Complaint};
use crate::source::{code, has_unsafe};

fn complains(complaints: &[Complaint], word: &str) {
    assert!(
        complaints.iter().any(|complaint| complaint.contains(word)),
        "no {word} in {complaints:?}"
    );
}

fn is_silent(complaints: &[Complaint]) {
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn comments_and_literals_are_no_code() {
    let text = r##"// unsafe
/* unsafe /* unsafe */ */ const A: &str = "unsafe \" unsafe"; const B: &str = r#"un"safe unsafe"#;
const C: char = '"'; const D: &[u8] = br"unsafe"; fn f<'a>(r: &'a str) -> &'a str { r }"##;
    assert!(!has_unsafe(text), "{}", code(text));
    assert!(has_unsafe("fn f() { unsafe { g() } }"));
    assert!(!has_unsafe("#![forbid(unsafe_code)]"));
}

#[test]
fn a_dependency_against_the_arrows_is_named() {
    let native = "[dependencies]\nexecdriver-fake.workspace = true\n";
    complains(
        &rules::manifest_arrows("drivers/native/Cargo.toml", native),
        "execdriver_fake",
    );
    let target = "[target.'cfg(unix)'.dependencies]\nexecdriver = { path = \"../..\" }\n";
    complains(
        &rules::manifest_arrows("drivers/fake/Cargo.toml", target),
        "may not depend on execdriver ",
    );
    let core = "[dev-dependencies]\nexecdriver-conformance.workspace = true\n";
    complains(
        &rules::manifest_arrows("drivers/core/Cargo.toml", core),
        "execdriver_conformance",
    );
    is_silent(&rules::manifest_arrows("drivers/fake/Cargo.toml", core));
    is_silent(&rules::manifest_arrows(
        "drivers/fake/Cargo.toml",
        "[dependencies]\nexecdriver-core.workspace = true\n",
    ));
}

#[test]
fn a_package_without_the_lints_is_named() {
    complains(
        &rules::manifest_lints("x/Cargo.toml", "[package]\nname = \"x\"\n"),
        "lints",
    );
    is_silent(&rules::manifest_lints(
        "x/Cargo.toml",
        "[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n",
    ));
}

#[test]
fn a_use_against_the_arrows_is_named() {
    complains(
        &rules::source_arrows("drivers/core/src/lib.rs", "use execdriver_native::X;"),
        "execdriver_native",
    );
    complains(
        &rules::source_arrows("drivers/native/src/run.rs", "fn f() { execdriver::open() }"),
        "use execdriver",
    );
    complains(
        &rules::source_arrows(
            "drivers/fake/src/lib.rs",
            "use execdriver_conformance::run;",
        ),
        "conformance",
    );
    let tests = "fn f() {}\n#[cfg(test)]\nmod tests {\n    use execdriver_conformance::run;\n}";
    is_silent(&rules::source_arrows("drivers/fake/src/lib.rs", tests));
    is_silent(&rules::source_arrows(
        "drivers/fake/src/lib.rs",
        "// execdriver_native::X\nuse execdriver_core::X;",
    ));
}

#[test]
fn asking_for_the_system_is_named() {
    complains(
        &rules::target_os(
            "drivers/core/src/a.rs",
            "#[cfg(target_os = \"linux\")]\nfn f() {}",
        ),
        "registry",
    );
    complains(
        &rules::target_os("drivers/fake/src/lib.rs", "fn f() -> bool { cfg!(unix) }"),
        "registry",
    );
    is_silent(&rules::target_os(
        "src/registry.rs",
        "#[cfg(target_os = \"linux\")]\nfn f() {}",
    ));
    is_silent(&rules::target_os(
        "src/cli/run.rs",
        "fn f() -> bool { cfg!(unix) }",
    ));
    complains(
        &rules::target_os(
            "src/cli/run.rs",
            "fn f() -> bool { cfg!(target_os = \"linux\") }",
        ),
        "registry",
    );
}

#[test]
fn a_drawer_for_leftovers_is_named() {
    complains(&rules::module_names("src/utils.rs", ""), "utils.rs");
    complains(
        &rules::module_names("drivers/core/src/common/mod.rs", ""),
        "common",
    );
    is_silent(&rules::module_names("drivers/core/src/command.rs", ""));
}

#[test]
fn a_mutable_global_is_named() {
    complains(
        &rules::globals("src/a.rs", "static mut COUNT: u32 = 0;"),
        "COUNT",
    );
    complains(
        &rules::globals("src/a.rs", "pub static ALL: Mutex<Vec<u8>> = x();"),
        "ALL",
    );
    complains(
        &rules::globals(
            "src/a.rs",
            "    static NEXT: AtomicU32 = AtomicU32::new(0);",
        ),
        "NEXT",
    );
    complains(
        &rules::globals("src/a.rs", "static SEEN: Table = Table::new();"),
        "SEEN",
    );
    for kind in ["LazyLock<Mutex<u8>>", "[AtomicU8; 2]", "&RwLock<u8>"] {
        complains(
            &rules::globals("src/a.rs", &format!("static ALL: {kind} = x();")),
            "ALL",
        );
    }
    is_silent(&rules::globals(
        "src/a.rs",
        "static PAGES: Shelf<Vec<u8>> = Shelf::new();",
    ));
    is_silent(&rules::globals(
        "src/a.rs",
        "static ONCE: OnceLock<u8> = OnceLock::new();\nstatic NAMES: [&str; 1] = [\"\"];",
    ));
    is_silent(&rules::globals(
        "src/a.rs",
        "fn f(x: &'static Mutex<u8>) {}",
    ));
}

#[test]
fn meddling_with_the_host_program_is_named() {
    complains(
        &rules::process_wide(
            "drivers/native/src/a.rs",
            "fn f() { libc::sigaction(a, b, c); }",
        ),
        "sigaction",
    );
    complains(
        &rules::process_wide("drivers/core/src/a.rs", "fn f() { waitpid(-1, 0) }"),
        "waitpid(-1",
    );
    complains(
        &rules::process_wide("src/registry.rs", "use signal_hook::iterator;"),
        "signal_hook",
    );
    is_silent(&rules::process_wide(
        "src/cli/run.rs",
        "use signal_hook::iterator;",
    ));
    is_silent(&rules::process_wide(
        "drivers/native/src/a.rs",
        "fn f() { waitpid(pid, None) }",
    ));
}

#[test]
fn unlisted_and_unexplained_unsafe_is_named() {
    let page = "# Security\n`drivers/native/src/no.rs`\n## Unsafe code\n- `drivers/native/src/sys/`: why\n- `a/b.rs`\n## More\n`a/c.rs`";
    let listed = rules::listed_files(page);
    assert_eq!(listed, ["drivers/native/src/sys/", "a/b.rs"]);
    let text = "//! X.\n//! # Safety\nfn f() { unsafe { g() } }";
    complains(
        &rules::unsafe_code("a/c.rs", text, &listed),
        "does not list",
    );
    complains(
        &rules::unsafe_code("a/b.rs", "fn f() { unsafe { g() } }", &listed),
        "# Safety",
    );
    is_silent(&rules::unsafe_code(
        "drivers/native/src/sys/clone.rs",
        text,
        &listed,
    ));
    complains(
        &rules::unsafe_attribute("drivers/core/src/lib.rs", "#![deny(unsafe_code)]"),
        "forbid",
    );
}

#[test]
fn a_file_without_a_job_or_without_an_end_is_named() {
    complains(&rules::shape("a.rs", "use std::fs;"), "begin with");
    complains(
        &rules::shape(
            "a.rs",
            &format!("//! One clear job.\n{}", "x\n".repeat(400)),
        ),
        "401 lines",
    );
    is_silent(&rules::shape("a.rs", "//! One clear job.\n"));
}

#[test]
fn a_path_of_one_machine_is_named() {
    complains(
        &rules::local_paths("a.md", "see /home/ann/x/y", "/home/ann/x"),
        "/home/ann/",
    );
    is_silent(&rules::local_paths("a.md", "see /home/bob", "/home/ann/x"));
}

#[test]
fn an_attack_without_its_test_is_named() {
    let text = "#[test]\nfn cve_1_1_a_b() {}\n#[test]\n#[ignore]\nfn other() {}\nfn no_test() {}";
    let tests = rules::tests(text);
    assert_eq!(tests, ["cve_1_1_a_b", "other"]);
    let page = "| Attack | What | Test |\n|---|---|---|\n| one | x | `cve_1_1_...` |\n| two | x | none: y |\n";
    is_silent(&rules::attacks(page, &tests));
    let page = format!("{page}| three | x | `no_test`, `cve_2_...` |\n| four | x | |\n");
    let complaints = rules::attacks(&page, &tests);
    complains(&complaints, "no test no_test");
    complains(&complaints, "no test cve_2_...");
    complains(&complaints, "four");
    complains(
        &rules::attacks("| one | x | `other` |", &tests),
        "cve_1_1_a_b",
    );
}

#[test]
fn a_case_without_its_test_is_named() {
    let table = |title: &str, count: usize, test: &str| {
        let row = |number| format!("| {number} | name | words | {test} |\n");
        let rows: String = (1..=count).map(row).collect();
        format!("{title}\n\n| # | case | what | tests |\n| --- | --- | --- | --- |\n{rows}\n")
    };
    let page = |cases: usize, test: &str| {
        let defects = table("## Defects of the original", 31, "`contract_a::one`");
        let mended = table("## What the original mended itself", 25, "`a/src/b::rule`");
        table("## Cases", cases, test) + &defects + &mended
    };
    let files = [
        ("tests/contract_a.rs", "#[test]\nfn one() {}"),
        (
            "drivers/a/src/b.rs",
            "x\npub fn rule(subject: &dyn Subject) {}",
        ),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    is_silent(&cases::missing(&page(82, "`contract_a::one`"), &files));
    let later = "the Windows driver's, which is to come";
    is_silent(&cases::missing(&page(82, later), &files));
    complains(&cases::missing(&page(81, later), &files), "1 to 82");
    complains(&cases::missing(&page(82, "none"), &files), "names no test");
    complains(
        &cases::missing(&page(82, "`contract_a::two`"), &files),
        "no test contract_a::two",
    );
}
