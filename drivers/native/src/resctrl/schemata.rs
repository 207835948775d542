//! The lines of a schemata file: `L3:0=ff;1=f`, a resource and what it gives in each of its domains.

use execdriver_core::{Error, Result};
use oci_spec::runtime::LinuxIntelRdt;
use std::collections::BTreeMap;

/// What a document wants written, line by line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted(Vec<Line>);

#[derive(Debug, PartialEq, Eq)]
struct Line {
    /// The field that it is of.
    field: String,
    text: String,
}

impl Wanted {
    /// Those of the three fields, `schemata` last: it is the one that counts (config-linux.md, intelRdt).
    pub(super) fn of(asked: &LinuxIntelRdt) -> Result<Self> {
        let mut lines = Vec::new();
        let mut add = |field: &str, text: &str| {
            let field = format!("linux.intelRdt.{field}");
            let text = text.trim();
            if domains(text).is_none() {
                let reason = format!("got {text:?}, expected a line like L3:0=ff;1=f");
                return Err(Error::invalid(field, reason));
            }
            lines.push(Line {
                field,
                text: text.to_owned(),
            });
            Ok(())
        };
        let bandwidth = asked.mem_bw_schema().as_deref().unwrap_or_default();
        let cache = asked.l3_cache_schema().as_deref().unwrap_or_default();
        for line in cache.lines().filter(|line| !line.trim().is_empty()) {
            // Its own memory bandwidth is none where the other field says one.
            if bandwidth.is_empty() || !line.trim_start().starts_with("MB:") {
                add("l3CacheSchema", line)?;
            }
        }
        if !bandwidth.is_empty() {
            add("memBwSchema", bandwidth)?;
        }
        for (index, line) in asked.schemata().iter().flatten().enumerate() {
            add(&format!("schemata[{index}]"), line)?;
        }
        Ok(Self(lines))
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// As the kernel takes it.
    pub(super) fn text(&self) -> String {
        self.0
            .iter()
            .map(|line| format!("{}\n", line.text))
            .collect()
    }

    /// Whether a class that is there gives just this: it may be others' too, and is not changed.
    pub(super) fn check(&self, schemata: &str) -> Result<()> {
        let mut have: BTreeMap<&str, BTreeMap<&str, Value<'_>>> = BTreeMap::new();
        have.extend(schemata.lines().filter_map(|line| domains(line.trim())));
        let mut last: BTreeMap<(&str, &str), (&str, Value<'_>)> = BTreeMap::new();
        for line in &self.0 {
            if let Some((resource, domains)) = domains(&line.text) {
                for (domain, value) in domains {
                    last.insert((resource, domain), (&line.field, value));
                }
            }
        }
        for ((resource, domain), (field, value)) in last {
            let found = have.get(resource).and_then(|all| all.get(domain));
            if found != Some(&value) {
                let found = found.map_or("nothing", |found| found.0);
                let reason = format!(
                    "the class that is there has {found} and not {} in domain {domain} of {resource}",
                    value.0
                );
                return Err(Error::invalid(field, reason));
            }
        }
        Ok(())
    }
}

/// A mask in hexadecimal digits, or a number: leading zeros and capitals mean nothing.
#[derive(Debug, Clone, Copy)]
struct Value<'a>(&'a str);

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        let plain = |text: &str| text.trim_start_matches('0').to_ascii_lowercase();
        plain(self.0) == plain(other.0)
    }
}

/// A line's resource and what it gives in each domain.
fn domains(line: &str) -> Option<(&str, BTreeMap<&str, Value<'_>>)> {
    let (resource, rest) = line.split_once(':')?;
    let word =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !resource.split('_').all(word) || line.contains('\n') {
        return None;
    }
    let pairs = rest.split(';').map(|pair| {
        let (domain, value) = pair.split_once('=')?;
        let (domain, value) = (domain.trim(), value.trim());
        (word(domain) && word(value)).then_some((domain, Value(value)))
    });
    pairs.collect::<Option<_>>().map(|pairs| (resource, pairs))
}
