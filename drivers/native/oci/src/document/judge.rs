//! What the specification forbids and no type says.

use oci_spec::runtime::{
    LinuxCpu, LinuxMemory, LinuxPids, LinuxResources, LinuxSeccomp, LinuxSeccompAction as Action,
    Process, Spec,
};

/// Of a whole document.
pub(super) fn config(document: &Spec) -> Result<(), String> {
    version(document.version())?;
    for key in document.annotations().iter().flatten().map(|(key, _)| key) {
        if key.is_empty() {
            return Err("annotations: got an empty key".to_owned());
        }
    }
    match document.process() {
        Some(given) => process(given)?,
        None => return Err("process: got none, expected what to execute".to_owned()),
    }
    for (index, mount) in document.mounts().iter().flatten().enumerate() {
        if mount.uid_mappings().is_some() != mount.gid_mappings().is_some() {
            return Err(format!(
                "mounts[{index}]: got one of uidMappings and gidMappings, expected both or neither"
            ));
        }
    }
    let linux = document.linux().as_ref();
    for (index, namespace) in linux
        .and_then(|linux| linux.namespaces().as_deref())
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        if let Some(path) = namespace.path().as_ref().filter(|path| !path.is_absolute()) {
            return Err(format!(
                "linux.namespaces[{index}].path: got {path:?}, expected an absolute path"
            ));
        }
    }
    if let Some(asked) = linux.and_then(|linux| linux.resources().as_ref()) {
        resources(asked).map_err(|reason| format!("linux.resources.{reason}"))?;
    }
    match linux.and_then(|linux| linux.seccomp().as_ref()) {
        Some(filter) => seccomp(filter),
        None => Ok(()),
    }
}

/// Of a process.
pub(super) fn process(process: &Process) -> Result<(), String> {
    if !process.cwd().is_absolute() {
        return Err(format!(
            "process.cwd: got {:?}, expected an absolute path",
            process.cwd()
        ));
    }
    match process.args().as_deref() {
        Some([program, ..]) if !program.is_empty() => Ok(()),
        _ => Err("process.args: got none, expected a program".to_owned()),
    }
}

/// Of limits, of which -1 is none at all and no other number below zero means anything.
pub(super) fn resources(asked: &LinuxResources) -> Result<(), String> {
    let memory = asked.memory().as_ref();
    let cpu = asked.cpu().as_ref();
    let pids = asked.pids().as_ref();
    let limits = [
        ("memory.limit", memory.and_then(LinuxMemory::limit)),
        (
            "memory.reservation",
            memory.and_then(LinuxMemory::reservation),
        ),
        ("memory.swap", memory.and_then(LinuxMemory::swap)),
        ("cpu.quota", cpu.and_then(LinuxCpu::quota)),
        ("pids.limit", pids.map(LinuxPids::limit)),
    ];
    for (field, limit) in limits {
        if let Some(limit) = limit.filter(|limit| *limit < -1) {
            return Err(format!("{field}: got {limit}, expected -1 or more"));
        }
    }
    Ok(())
}

/// A version of SemVer 2.0.0, of which the first number decides: what a later 1.x has more is ignored as SemVer has it.
fn version(text: &str) -> Result<(), String> {
    let (rest, build) = match text.split_once('+') {
        Some((rest, build)) => (rest, Some(build)),
        None => (text, None),
    };
    let (core, before) = match rest.split_once('-') {
        Some((core, before)) => (core, Some(before)),
        None => (rest, None),
    };
    let numbers: Vec<&str> = core.split('.').collect();
    let known = numbers.len() == 3
        && numbers.iter().all(|text| is_number(text))
        && build.is_none_or(|build| build.split('.').all(is_word))
        && before.is_none_or(|before| {
            let mut words = before.split('.');
            words.all(|word| is_word(word) && (!is_digits(word) || is_number(word)))
        });
    if !known {
        return Err(format!(
            "ociVersion: got {text:?}, expected three numbers like 1.3.0"
        ));
    }
    match numbers.first() {
        Some(&"1") => Ok(()),
        _ => Err(format!("ociVersion: got {text:?}, expected 1.x")),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_number(text: &str) -> bool {
    is_digits(text) && (text == "0" || !text.starts_with('0'))
}

fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.bytes().all(plain)
}

fn seccomp(filter: &LinuxSeccomp) -> Result<(), String> {
    let takes_errno = |action| matches!(action, Action::ScmpActErrno | Action::ScmpActTrace);
    if filter.default_errno_ret().is_some() && !takes_errno(filter.default_action()) {
        return Err(format!(
            "linux.seccomp.defaultErrnoRet: {} takes no error number",
            filter.default_action()
        ));
    }
    for (index, rule) in filter.syscalls().iter().flatten().enumerate() {
        let field = format!("linux.seccomp.syscalls[{index}]");
        if rule.names().is_empty() {
            return Err(format!("{field}.names: got none, expected one or more"));
        }
        if rule.errno_ret().is_some() && !takes_errno(rule.action()) {
            return Err(format!(
                "{field}.errnoRet: {} takes no error number",
                rule.action()
            ));
        }
    }
    let metadata = filter.listener_metadata().as_deref().unwrap_or_default();
    if !metadata.is_empty() && filter.listener_path().is_none() {
        return Err(
            "linux.seccomp.listenerMetadata: got some without linux.seccomp.listenerPath"
                .to_owned(),
        );
    }
    Ok(())
}
