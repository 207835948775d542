//! The JSON of a profile, in the form of Docker 1.10 (one name a rule, `architectures`) and in today's (`names`, `archMap`,
//! `includes`, `excludes`).

use super::condition::Condition;
use super::{SeccompError, SeccompTarget, words};
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompArg, LinuxSeccompArgBuilder, LinuxSeccompOperator, LinuxSyscall,
};
use serde::Deserialize;

/// The highest error number: the kernel cuts others short.
const MAX_ERRNO: u32 = 4095;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Document {
    default_action: Option<String>,
    default_errno_ret: Option<u32>,
    architectures: Option<Vec<String>>,
    arch_map: Option<Vec<ArchMap>>,
    flags: Option<Vec<String>>,
    listener_path: Option<String>,
    listener_metadata: Option<String>,
    syscalls: Option<Vec<Rule>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ArchMap {
    architecture: String,
    #[serde(default)]
    sub_architectures: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Rule {
    name: Option<String>,
    names: Option<Vec<String>>,
    action: Option<String>,
    errno_ret: Option<u32>,
    args: Option<Vec<Arg>>,
    /// For people.
    #[serde(rename = "comment")]
    _comment: Option<String>,
    includes: Option<Condition>,
    excludes: Option<Condition>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Arg {
    #[serde(default)]
    index: u32,
    #[serde(default)]
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

/// Reads a profile; `None` when it disables the filter.
pub(super) fn read(
    text: &str,
    target: &SeccompTarget,
) -> Result<Option<LinuxSeccomp>, SeccompError> {
    // serde takes a list for an object, and an empty one would disable the filter.
    if !text.trim_start().starts_with('{') {
        return Err(json(&"expected an object"));
    }
    let decoder = &mut serde_json::Deserializer::from_str(text);
    let document: Document =
        serde_path_to_error::deserialize(&mut *decoder).map_err(|error| json(&error))?;
    decoder.end().map_err(|error| json(&error))?;
    document.translate(target)
}

fn json(reason: &dyn std::fmt::Display) -> SeccompError {
    SeccompError::Json {
        reason: reason.to_string(),
    }
}

impl Document {
    fn translate(self, target: &SeccompTarget) -> Result<Option<LinuxSeccomp>, SeccompError> {
        let rules = self.syscalls.unwrap_or_default();
        let default = self.default_action.filter(|word| !word.is_empty());
        let given = |key, value: &Option<String>| match value.as_deref() {
            None | Some("") => Ok(()),
            Some(_) => Err(SeccompError::Listener { key }),
        };
        given("listenerPath", &self.listener_path)?;
        given("listenerMetadata", &self.listener_metadata)?;
        let architectures = architectures(self.architectures, self.arch_map, target)?;
        let default = match default {
            Some(word) => words::action(&word)?,
            None if rules.is_empty() => return Ok(None),
            None => {
                let (place, key) = ("rules", "defaultAction");
                return Err(SeccompError::Missing { place, key });
            }
        };
        errno("defaultErrnoRet", self.default_errno_ret)?;
        let flags = self.flags.unwrap_or_default();
        let flags = flags.iter().map(|word| words::flag(word));
        let flags: Vec<_> = flags.collect::<Result<_, _>>()?;
        let mut calls = Vec::new();
        for rule in rules {
            calls.extend(rule.translate(target)?);
        }
        let mut filter = LinuxSeccomp::default();
        filter
            .set_default_action(default)
            .set_default_errno_ret(self.default_errno_ret)
            .set_architectures(Some(architectures))
            .set_flags(Some(flags).filter(|flags| !flags.is_empty()))
            .set_syscalls(Some(calls));
        Ok(Some(filter))
    }
}

/// The list, or what the map has for the machine. The machine's own is covered anyhow.
fn architectures(
    list: Option<Vec<String>>,
    map: Option<Vec<ArchMap>>,
    target: &SeccompTarget,
) -> Result<Vec<Arch>, SeccompError> {
    let (list, map) = (list.unwrap_or_default(), map.unwrap_or_default());
    if !list.is_empty() && !map.is_empty() {
        let (first, second) = ("architectures", "archMap");
        return Err(SeccompError::Both { first, second });
    }
    let mut arches = Vec::new();
    for word in &list {
        arches.push(words::arch(word)?);
    }
    for entry in &map {
        let subs = entry.sub_architectures.iter().flatten();
        let subs = subs.map(|word| words::arch(word));
        let subs: Vec<Arch> = subs.collect::<Result<_, _>>()?;
        if words::arch(&entry.architecture)? == target.arch {
            arches.push(target.arch);
            arches.extend(subs);
        }
    }
    for arch in &mut arches {
        if *arch == Arch::ScmpArchNative {
            *arch = target.arch;
        }
    }
    Ok(arches)
}

impl Rule {
    /// `None` when it is not for this target. Whatever is wrong in it is an error all the same.
    fn translate(self, target: &SeccompTarget) -> Result<Option<LinuxSyscall>, SeccompError> {
        let place = "a rule";
        let name = self.name.filter(|name| !name.is_empty());
        let names = self.names.unwrap_or_default();
        let names = match (name, names.is_empty()) {
            (Some(name), true) => vec![name],
            (Some(_), false) => {
                let (first, second) = ("name", "names");
                return Err(SeccompError::Both { first, second });
            }
            (None, false) => names,
            (None, true) => {
                return Err(SeccompError::Missing {
                    place,
                    key: "names",
                });
            }
        };
        let key = "action";
        let action = self.action.ok_or(SeccompError::Missing { place, key })?;
        let action = words::action(&action)?;
        errno("errnoRet", self.errno_ret)?;
        let args = self.args.iter().flatten().map(argument);
        let args: Vec<LinuxSeccompArg> = args.collect::<Result<_, _>>()?;
        let excluded = match &self.excludes {
            Some(condition) => condition.excludes(target)?,
            None => false,
        };
        let included = match &self.includes {
            Some(condition) => condition.includes(target)?,
            None => true,
        };
        if excluded || !included {
            return Ok(None);
        }
        let mut call = LinuxSyscall::default();
        call.set_names(names)
            .set_action(action)
            .set_errno_ret(self.errno_ret)
            .set_args(Some(args).filter(|args| !args.is_empty()));
        Ok(Some(call))
    }
}

fn argument(arg: &Arg) -> Result<LinuxSeccompArg, SeccompError> {
    let operator = words::operator(&arg.op)?;
    if arg.index > 5 {
        return Err(SeccompError::Number {
            key: "index",
            given: u64::from(arg.index),
            expected: "0 to 5",
        });
    }
    let two = (operator == LinuxSeccompOperator::ScmpCmpMaskedEq).then_some(arg.value_two);
    Ok(condition(arg.index, operator, arg.value, two))
}

/// A condition on one argument.
pub(super) fn condition(
    index: u32,
    operator: LinuxSeccompOperator,
    value: u64,
    two: Option<u64>,
) -> LinuxSeccompArg {
    let mut builder = LinuxSeccompArgBuilder::default()
        .index(usize::try_from(index).unwrap_or(usize::MAX))
        .value(value)
        .op(operator);
    if let Some(two) = two {
        builder = builder.value_two(two);
    }
    // It fails only when a field without a default is missing, and there is none.
    builder.build().unwrap_or_default()
}

fn errno(key: &'static str, given: Option<u32>) -> Result<(), SeccompError> {
    match given {
        Some(given) if given > MAX_ERRNO => Err(SeccompError::Number {
            key,
            given: u64::from(given),
            expected: "an error number, 0 to 4095",
        }),
        _ => Ok(()),
    }
}
