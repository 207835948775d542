//! docs/contract.md against the tests: every number has its row, and every test that a row names exists.

use crate::rules::Complaint;

/// The sections of the page, and how many rows each has.
const SECTIONS: [(&str, usize); 3] = [
    ("## Cases", 82),
    ("## Defects of the original", 31),
    ("## What the original mended itself", 25),
];

/// Instead of tests, where there is no driver yet.
const LATER: &str = "the Windows driver's, which is to come";

/// `files` are the sources, as (path, text).
pub(crate) fn missing(page: &str, files: &[(String, String)]) -> Vec<Complaint> {
    let sections = SECTIONS.iter();
    sections
        .flat_map(|(title, count)| {
            let rows = rows(page, title);
            let numbers: Vec<Option<usize>> =
                rows.iter().map(|row| row.first()?.parse().ok()).collect();
            let wrong = numbers != (1..=*count).map(Some).collect::<Vec<_>>();
            let wrong =
                wrong.then(|| format!("{title}: expected the numbers 1 to {count}, each once"));
            let without = rows.into_iter().flat_map(|row| tests(title, &row, files));
            wrong.into_iter().chain(without).collect::<Vec<_>>()
        })
        .collect()
}

/// The cells of each row of the table below `title`, the head left out.
fn rows<'a>(page: &'a str, title: &str) -> Vec<Vec<&'a str>> {
    let lines = page.lines().skip_while(|line| *line != title).skip(1);
    let section = lines.take_while(|line| !line.starts_with('#'));
    let table = section.filter(|line| line.starts_with('|')).skip(2);
    table
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

fn tests(title: &str, row: &[&str], files: &[(String, String)]) -> Vec<Complaint> {
    let (number, last) = (row[0], *row.last().unwrap_or(&""));
    let named: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
    if named.is_empty() && last != LATER {
        return vec![format!("{title} {number}: it names no test")];
    }
    let unknown = named.into_iter().filter(|test| !exists(test, files));
    unknown
        .map(|test| format!("{title} {number}: there is no test {test}"))
        .collect()
}

fn exists(test: &str, files: &[(String, String)]) -> bool {
    let Some((file, name)) = test.split_once("::") else {
        return false;
    };
    let path = match file.contains('/') {
        true => format!("drivers/{file}.rs"),
        false => format!("tests/{file}.rs"),
    };
    // A rule of the conformance suite takes the driver under test.
    let heads = [format!("\nfn {name}()"), format!("\npub fn {name}(subject")];
    let mut files = files.iter().filter(|(found, _)| *found == path);
    files.any(|(_, text)| heads.iter().any(|head| text.contains(head.as_str())))
}
