//! The filters of the two profiles of a command, as rules over the lists of [`super::allowed`].
//!
//! That of `docker` is the contract's, whatever capabilities the container has: `mount(2)` stays closed to one with
//! CAP_SYS_ADMIN, as in Docker 1.10. Today's Docker opens calls with capabilities; its profile is taken as it is
//! (`includes.caps`) by those who want that.

use super::document::condition;
use super::{SeccompPolicy, allowed};
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompOperator as Operator,
    LinuxSyscall,
};

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// Every flag of `clone(2)` that makes a namespace; `CLONE_NEWCGROUP` too, which the original did not know.
const NEW_NAMESPACES: u64 = 0x7e02_0000;

/// What `personality(2)` may be asked for: Linux, Linux of 32 bits, and what it is now.
const PERSONALITIES: [u64; 3] = [0, 8, 0xffff_ffff];

/// Types a character into a terminal's input: CVE-2017-5226.
const TIOCSTI: u64 = 0x5412;
/// Pastes into a virtual console's input: CVE-2023-28100.
const TIOCLINUX: u64 = 0x541c;

/// The filter of profile `docker`, for machines of kind `arch`.
///
/// ```
/// use execdriver_core::spec::docker_profile;
/// use oci_spec::runtime::{Arch, LinuxSeccompAction};
/// let policy = docker_profile(Arch::ScmpArchAarch64);
/// assert_eq!(policy.filter.default_action(), LinuxSeccompAction::ScmpActErrno);
/// ```
pub fn docker_profile(arch: Arch) -> SeccompPolicy {
    let mut calls = vec![rule(allowed::ALLOWED, Action::ScmpActAllow)];
    let mut conditional = |name: &str, index, operator, value, two| {
        let mut call = rule(&[name], Action::ScmpActAllow);
        call.set_args(Some(vec![condition(index, operator, value, two)]));
        calls.push(call);
    };
    conditional(
        "clone",
        0,
        Operator::ScmpCmpMaskedEq,
        NEW_NAMESPACES,
        Some(0),
    );
    for persona in PERSONALITIES {
        conditional("personality", 0, Operator::ScmpCmpEq, persona, None);
    }
    // Its flags lie in memory. The C library falls back to clone.
    let mut clone3 = rule(&["clone3"], Action::ScmpActErrno);
    clone3.set_errno_ret(Some(ENOSYS));
    calls.push(clone3);
    // As the default has it, but named: calls above the highest that is named do not exist.
    calls.push(rule(allowed::DENIED, Action::ScmpActErrno));
    let mut filter = LinuxSeccomp::default();
    filter
        .set_default_action(Action::ScmpActErrno)
        .set_default_errno_ret(Some(EPERM))
        .set_architectures(Some(architectures(arch)))
        .set_syscalls(Some(calls));
    filter.into()
}

/// The filter of profile `strict`: that of `docker` without what types into terminals.
///
/// The numbers of an `ioctl(2)` have 32 bits; what stands above them is not looked at, or it would be a way around
/// (CVE-2019-10063).
pub fn strict_profile(arch: Arch) -> SeccompPolicy {
    let mut policy = docker_profile(arch);
    for request in [TIOCSTI, TIOCLINUX] {
        let mut guard = rule(&["ioctl"], Action::ScmpActErrno);
        let operator = Operator::ScmpCmpMaskedEq;
        let is_it = condition(1, operator, u64::from(u32::MAX), Some(request));
        guard.set_args(Some(vec![is_it]));
        policy.guards.push(guard);
    }
    policy
}

/// Each text has names with spaces between them.
fn rule(names: &[&str], action: Action) -> LinuxSyscall {
    let names = names
        .iter()
        .flat_map(|names| names.split_ascii_whitespace());
    let mut call = LinuxSyscall::default();
    call.set_names(names.map(str::to_owned).collect())
        .set_action(action);
    if action == Action::ScmpActErrno {
        call.set_errno_ret(Some(EPERM));
    }
    call
}

/// The machine's own and those of 32 bits that it executes, too.
fn architectures(arch: Arch) -> Vec<Arch> {
    match arch {
        Arch::ScmpArchX86_64 => vec![arch, Arch::ScmpArchX86, Arch::ScmpArchX32],
        Arch::ScmpArchAarch64 => vec![arch, Arch::ScmpArchArm],
        _ => vec![arch],
    }
}
