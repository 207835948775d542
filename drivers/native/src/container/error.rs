//! The private errors of this driver in the words of the contract.

use super::covered;
use crate::NativeDriver;
use crate::cgroup::CgroupError;
use crate::launch::{LaunchError, ProcessError, ProcfsError, StepFailure};
use crate::plan::{Plan, is_mapped};
use crate::state::StateError;
use crate::sys::spawn::SpawnError;
use crate::wire::{Detail, Op, Strings};
use execdriver_core::{BoxError, Error};
use nix::errno::Errno;
use std::ffi::CStr;

/// `value` of a report about the primary group: see [`Detail`].
const PRIMARY_GROUP: u64 = u64::MAX;

/// What only CAP_SYS_RESOURCE may: setrlimit(2), proc_pid_oom_score_adj(5).
const RAISING: &str = "takes CAP_SYS_RESOURCE to exceed";
pub(super) const LESS_OOM: &str =
    "only CAP_SYS_RESOURCE, which the host program lacks, goes below what was set with it";
/// Where root is forbidden to clone it is a sandbox around us, where others are it may be a setting, too.
const DENIED: &str = "start the first process, whose namespaces are denied to the host program (`execdriver doctor` \
                      tells by what, and the mend)";
const NO_PROCESS: &str = "no further process may be made: the start takes two, so give it a pids_limit of 2 or \
                          more, or raise those of the cgroups above and the user's RLIMIT_NPROC";

/// A failure of the driver itself while it did `operation`.
pub(super) fn driver(operation: impl Into<String>, source: impl Into<BoxError>) -> Error {
    Error::Driver {
        driver: NativeDriver::NAME.to_owned(),
        operation: operation.into(),
        source: Some(source.into()),
    }
}

/// A process that cannot be acted on; for `map_err`.
pub(super) fn process(operation: &'static str) -> impl FnOnce(ProcessError) -> Error {
    move |error| driver(operation, error)
}

/// A step of the set-up that failed; for `map_err`.
pub(super) fn setup<E: Into<BoxError>>(step: &str) -> impl FnOnce(E) -> Error {
    let step = step.to_owned();
    move |error| Error::Setup {
        step,
        source: Some(error.into()),
    }
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        match error {
            StateError::InvalidId { id } => {
                let reason = format!("got {id:?}, expected letters, digits, _ and -");
                Error::invalid("id", reason)
            }
            StateError::NotFound { id, .. } => Error::NotFound { id },
            StateError::AlreadyExists { path } => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                // An exec's record is `exec-<id>.json`.
                let id = name.strip_prefix("exec-").unwrap_or(&name);
                let id = id.strip_suffix(".json").unwrap_or(id).to_owned();
                Error::AlreadyExists { id }
            }
            StateError::LockTimeout { .. } => Error::Timeout {
                operation: error.to_string(),
            },
            StateError::Create { .. }
            | StateError::Untrusted { .. }
            | StateError::Io { .. }
            | StateError::Corrupt { .. }
            | StateError::Version { .. }
            | StateError::ForeignPidNamespace { .. } => driver("use the state on disk", error),
        }
    }
}

impl From<CgroupError> for Error {
    fn from(error: CgroupError) -> Self {
        match error {
            CgroupError::InvalidPath { path, reason } => {
                Error::invalid("cgroup_parent", format!("{path:?}: {reason}"))
            }
            CgroupError::Unavailable { .. }
            | CgroupError::NoLimit { .. }
            | CgroupError::InexpressibleDeviceRules => {
                Error::unsupported(NativeDriver::NAME, error.to_string())
            }
            CgroupError::Limit {
                ref field, source, ..
            } if is_about_the_value(source)
                || (source == Errno::EACCES && field.starts_with("resources.cpuset")) =>
            {
                Error::invalid(field, format!("{error}: {}", why(field, source)))
            }
            CgroupError::Bent {
                field,
                wanted,
                found,
            } => Error::invalid(
                field,
                format!("got {wanted}, of which the kernel makes {found}"),
            ),
            CgroupError::BelowUse {
                field,
                wanted,
                used,
            } => {
                let reason = format!("got {wanted}, below the {used} that the container uses");
                Error::invalid(field, reason)
            }
            CgroupError::Limit { .. } => driver("set the container's limits", error),
            CgroupError::InUse { .. }
            | CgroupError::NotACgroup { .. }
            | CgroupError::Io { .. }
            | CgroupError::DeviceProgram { .. }
            | CgroupError::Systemd { .. }
            | CgroupError::Placeholder { .. }
            | CgroupError::Crowded { .. }
            | CgroupError::Survivors { .. } => driver("use the container's cgroup", error),
        }
    }
}

/// What the kernel's answer to a value means; strerror(3) speaks of mathematics.
fn why(field: &str, answer: Errno) -> &'static str {
    match answer {
        _ if field.starts_with("resources.cpuset") => {
            "this machine, or the cgroup above, has no such processor or memory node"
        }
        Errno::ERANGE => "it is out of the kernel's range",
        other => other.desc(),
    }
}

/// The kernel's words for a value that it does not take, or not here: a device that is not there,
/// a processor that the machine or the parent cgroup has not, a weight without its scheduler.
fn is_about_the_value(errno: Errno) -> bool {
    use Errno::{EBUSY, EINVAL, ENODEV, ENOSPC, ENXIO, EOPNOTSUPP, ERANGE};
    [EBUSY, EINVAL, ENODEV, ENOSPC, ENXIO, EOPNOTSUPP, ERANGE].contains(&errno)
}

/// A failed launch of the program `program` by `plan`.
pub(super) fn launch(error: LaunchError, plan: &Plan, program: &str) -> Error {
    if error.is_timeout() {
        let operation = format!("start of {program:?} within the timeout");
        return Error::Timeout { operation };
    }
    match error {
        // Our own error, which went through the launch as that of a callback.
        LaunchError::PreStart(cause) | LaunchError::Place(cause) | LaunchError::Listener(cause) => {
            match cause.downcast::<Error>() {
                Ok(own) => *own,
                Err(cause) => setup("place the first process")(cause),
            }
        }
        LaunchError::Step {
            index,
            words,
            cause,
        } => step(plan, index, words, cause, program),
        LaunchError::Left { .. } => driver("end a failed start", error),
        LaunchError::EndedEarly { exit: Some(exit) } if exit.end.is_by(libc::SIGSYS) => {
            forbidden(program, error)
        }
        LaunchError::OomScore {
            value,
            source:
                ProcfsError::File {
                    source: Errno::EACCES | Errno::EPERM,
                    ..
                },
        } => {
            let reason = format!("got {value}: {LESS_OOM}");
            Error::invalid("oom_score_adj", reason)
        }
        LaunchError::Spawn(SpawnError::Clone(Errno::EPERM)) => setup(DENIED)(error),
        LaunchError::Program(_)
        | LaunchError::Spawn(_)
        | LaunchError::Channel(_)
        | LaunchError::Procfs(_)
        | LaunchError::IdMap(_)
        | LaunchError::OomScore { .. }
        | LaunchError::EndedEarly { .. }
        | LaunchError::DidNotWait => setup("start the first process")(error),
    }
}

/// An operation that failed in init. Those that are the caller's fault name the caller's field.
fn step(plan: &Plan, index: u32, words: String, cause: StepFailure, program: &str) -> Error {
    let position = usize::try_from(index).ok();
    let op = position.and_then(|index| plan.steps.get(index)?.op());
    let invalid = |field: &str| Error::invalid(field, format!("{words}: {cause}"));
    match (op, cause.detail) {
        (Some(Op::Identity { user, groups, .. }), detail) if is_about_accounts(detail) => {
            account(user, groups, cause)
        }
        // The kernel's words for an id that the user namespace does not map: setresuid(2).
        (Some(op @ Op::Identity { .. }), Detail::None) if cause.errno == Some(Errno::EINVAL) => {
            if let Some((index, gid)) = foreign_group(&op, plan) {
                let reason = format!("got {gid}: it is not in the container's id map");
                return Error::invalid(format!("group_add[{index}]"), reason);
            }
            let mut reason = "the container's user namespace has no such user or group".to_owned();
            if let Some(maps) = &plan.id_maps {
                reason = format!("{reason}: {maps}");
            }
            Error::invalid("process_config.user", format!("{words}: {reason}"))
        }
        (_, Detail::Filter | Detail::NotExecuted) => late_step(false, words, cause, program),
        (Some(Op::Exec { .. } | Op::Hold { .. }), _) => late_step(true, words, cause, program),
        (Some(Op::Cwd { .. }), Detail::CwdOutsideRoot) => invalid("working_dir"),
        (Some(Op::Rlimit { .. }), _) if cause.errno == Some(Errno::EPERM) => {
            let reason =
                format!("{words}: above the hard limit of the host program, which {RAISING}");
            Error::invalid("resources.rlimits", reason)
        }
        (Some(Op::Fork {} | Op::Pid1 { .. }), _) if cause.errno == Some(Errno::EAGAIN) => {
            setup(&format!("{words}: {NO_PROCESS}"))(cause)
        }
        (Some(Op::MountFs { fstype, .. }), _)
            if fstype == c"proc" && cause.errno == Some(Errno::EPERM) =>
        {
            let words = match covered::reason() {
                Some(reason) => format!("{words}: {reason}"),
                None => words,
            };
            setup(&words)(cause)
        }
        // The mounts below a tree are locked together with it in a user namespace.
        (Some(Op::Overlay { .. }), _)
            if cause.errno == Some(Errno::EINVAL) && plan.id_maps.is_some() =>
        {
            let reason =
                "in a user namespace the kernel takes no tree that has further mounts in it";
            Error::unsupported(NativeDriver::NAME, format!("ephemeral: {words}: {reason}"))
        }
        (Some(op), _) => match confinement_field(&op, &cause) {
            Some(field) => invalid(field),
            None => setup(&words)(cause),
        },
        _ => setup(&words)(cause),
    }
}

/// An operation that failed after everything was set up, `executes`: the last one.
pub(super) fn late_step(executes: bool, words: String, cause: StepFailure, program: &str) -> Error {
    match cause.detail {
        Detail::Filter => setup("load the seccomp filter")(cause),
        Detail::NotExecuted if cause.killed_by() == Some(libc::SIGSYS) => forbidden(program, cause),
        Detail::NotExecuted => setup(&format!("execute {program}"))(cause),
        _ if executes => execution(program, cause),
        _ => setup(&words)(cause),
    }
}

/// The caller's field, where the kernel's answer is about what it says.
fn confinement_field(op: &Op<'_>, cause: &StepFailure) -> Option<&'static str> {
    match (op, cause.detail, cause.errno) {
        (Op::LandlockPath { .. }, ..) => Some("landlock"),
        // No such profile, or a context that the policy does not have.
        (Op::ExecLabel { value, .. }, _, Some(Errno::ENOENT | Errno::EINVAL)) => {
            Some(match value.starts_with(b"exec ") {
                true => "apparmor_profile",
                false => "process_label",
            })
        }
        // security_context_str_to_sid of what the policy does not have; all else in it is ours.
        (Op::MountFs { params, .. }, _, Some(Errno::EINVAL))
            if params.iter().any(|(key, _)| key == c"context") =>
        {
            Some("mount_label")
        }
        // A clock before its beginning or far in the future.
        (Op::TimeOffsets { .. }, _, Some(Errno::ERANGE)) => Some("time_offsets"),
        (Op::Affinity { .. }, Detail::OtherProcessors, _)
        | (Op::Affinity { .. }, _, Some(Errno::EINVAL)) => Some("attributes.cpus"),
        (Op::MemoryPolicy { .. }, _, Some(Errno::EINVAL)) => Some("attributes.memory_policy"),
        (Op::Scheduler { .. }, _, Some(Errno::EINVAL)) => Some("attributes.scheduler"),
        _ => None,
    }
}

/// Init was killed under the filter, before the program was executed: SIGSYS is what a filter sends.
fn forbidden(program: &str, source: impl Into<BoxError>) -> Error {
    let step =
        format!("execute {program} under the seccomp filter, which must allow execve and sendmsg");
    setup(&step)(source)
}

/// The first additional group, of those by number, that the user namespace does not map.
fn foreign_group(op: &Op<'_>, plan: &Plan) -> Option<(usize, u32)> {
    let Op::Identity { groups, .. } = op else {
        return None;
    };
    let maps = plan.id_maps.as_ref()?;
    let numbers = groups
        .iter()
        .enumerate()
        .filter_map(|(index, group)| Some((index, group.to_str().ok()?.parse().ok()?)));
    numbers
        .into_iter()
        .find(|(_, gid)| !is_mapped(&maps.gids, *gid))
}

fn is_about_accounts(detail: Detail) -> bool {
    use Detail::{GroupNotFound, IdOutOfRange, UserNotFound};
    matches!(detail, UserNotFound | GroupNotFound | IdOutOfRange)
}

/// A user or a group that the container does not know, by the caller's word for it.
fn account(user: &CStr, groups: Strings<'_>, cause: StepFailure) -> Error {
    let user = user.to_string_lossy();
    let (name, group) = user.split_once(':').unwrap_or((&user, ""));
    let extra = usize::try_from(cause.value)
        .ok()
        .and_then(|index| Some((index, groups.iter().nth(index)?)));
    match extra {
        Some((index, group)) => Error::invalid(
            format!("group_add[{index}]"),
            format!("got {:?}: {cause}", group.to_string_lossy()),
        ),
        None => {
            let its_group = cause.value == PRIMARY_GROUP && !group.is_empty();
            let got = if its_group { group } else { name };
            Error::invalid("process_config.user", format!("got {got:?}: {cause}"))
        }
    }
}

/// The kernel's refusal to execute a program, as shells tell it apart: 127 or 126.
fn execution(program: &str, cause: StepFailure) -> Error {
    let program = program.to_owned();
    let missing = matches!(cause.detail, Detail::NotInPath | Detail::InterpreterMissing)
        || matches!(cause.errno, Some(Errno::ENOENT | Errno::ENOTDIR));
    let source: Option<BoxError> = Some(cause.into());
    if missing {
        Error::ProgramNotFound { program, source }
    } else {
        Error::ProgramNotExecutable { program, source }
    }
}
