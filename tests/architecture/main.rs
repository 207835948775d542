//! Keeps the house as docs/architecture.md describes it: the arrows between packages and what must never be.
//!
//! Each rule is a function from text to complaints, so each is seen to complain about a planted violation too.
#![allow(clippy::expect_used, reason = "a test says what it expects")]

mod cases;
mod planted;
mod rules;
mod source;

use rules::Complaint;
use std::fs;
use std::path::{Path, PathBuf};

/// Every tracked kind of text below the workspace, as (path from the workspace with `/`, content), sorted.
fn files(extension: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(root, &mut found);
    let mut files: Vec<(String, String)> = found
        .iter()
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .filter_map(|path| Some((name(root, path), fs::read_to_string(path).ok()?)))
        .collect();
    files.sort();
    assert!(
        !files.is_empty(),
        "no .{extension} file in {}",
        root.display()
    );
    files
}

fn name(root: &Path, path: &Path) -> String {
    let below = path
        .strip_prefix(root)
        .expect("it was found below the root");
    let parts: Vec<_> = below
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
}

fn collect(dir: &Path, found: &mut Vec<PathBuf>) {
    let skipped =
        |name: &str| name == "target" || name == "fuzz" || (name.starts_with('.') && name != ".ci");
    for entry in fs::read_dir(dir)
        .expect("the workspace can be read")
        .flatten()
    {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !skipped(&entry.file_name().to_string_lossy()) => {
                collect(&entry.path(), found)
            }
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

fn check(extension: &str, rule: impl Fn(&str, &str) -> Vec<Complaint>) {
    let complaints: Vec<Complaint> = files(extension)
        .iter()
        .flat_map(|(path, text)| rule(path, text))
        .collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn manifests_keep_the_arrows_between_packages() {
    check("toml", |path, text| {
        if path.ends_with("Cargo.toml") {
            rules::manifest_arrows(path, text)
        } else {
            vec![]
        }
    });
}

#[test]
fn every_package_takes_the_workspace_lints() {
    check("toml", |path, text| {
        if path.ends_with("Cargo.toml") {
            rules::manifest_lints(path, text)
        } else {
            vec![]
        }
    });
}

#[test]
fn sources_keep_the_arrows_between_packages() {
    check("rs", rules::source_arrows);
}

#[test]
fn only_drivers_and_the_registry_ask_which_system_this_is() {
    check("rs", rules::target_os);
}

#[test]
fn every_module_has_a_name_that_says_its_job() {
    check("rs", rules::module_names);
}

#[test]
fn libraries_have_no_mutable_globals() {
    check("rs", rules::globals);
}

#[test]
fn libraries_leave_the_signals_and_children_of_their_host_alone() {
    check("rs", rules::process_wide);
}

#[test]
fn unsafe_stands_only_in_the_files_that_the_security_page_lists() {
    let listed = rules::listed_files(&security_page());
    check("rs", |path, text| rules::unsafe_code(path, text, &listed));
}

#[test]
fn the_security_page_lists_no_file_without_unsafe() {
    let sources = files("rs");
    let complaints: Vec<Complaint> = rules::listed_files(&security_page())
        .iter()
        .filter(|listed| {
            !sources
                .iter()
                .any(|(path, text)| rules::covers(listed, path) && source::has_unsafe(text))
        })
        .map(|listed| format!("docs/security.md lists {listed}, where no unsafe is"))
        .collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn every_attack_on_the_security_page_has_its_test() {
    let tests: Vec<String> = files("rs")
        .iter()
        .flat_map(|(_, text)| rules::tests(text))
        .collect();
    let complaints = rules::attacks(&security_page(), &tests);
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn packages_without_unsafe_forbid_it() {
    check("rs", rules::unsafe_attribute);
}

#[test]
fn every_source_begins_with_its_one_job_and_ends_in_time() {
    check("rs", rules::shape);
}

#[test]
fn no_text_names_the_directory_that_it_was_written_in() {
    let own = env!("CARGO_MANIFEST_DIR");
    for extension in ["rs", "toml", "md", "sh"] {
        check(extension, |path, text| rules::local_paths(path, text, own));
    }
}

#[test]
fn every_case_of_the_contract_has_the_tests_that_its_page_names() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/contract.md");
    let page = fs::read_to_string(page).expect("docs/contract.md lists the cases");
    let complaints = cases::missing(&page, &files("rs"));
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn security_page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    fs::read_to_string(page).expect("docs/security.md lists the files with unsafe code")
}
