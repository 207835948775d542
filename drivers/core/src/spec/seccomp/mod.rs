//! Seccomp profiles as data: Docker's JSON in both of its forms, and the profiles that come with the template.
//!
//! What comes out is the OCI document's `LinuxSeccomp`; which numbers the names have, and the program that the kernel
//! runs, are the driver's.

mod allowed;
mod condition;
mod document;
mod templates;
mod words;

pub use templates::{docker_profile, strict_profile};

use oci_spec::runtime::{Arch, Capabilities, LinuxSeccomp, LinuxSyscall};
use thiserror::Error;

/// What a profile is for: some of its rules depend on it.
///
/// ```
/// use execdriver_core::spec::SeccompTarget;
/// use oci_spec::runtime::{Arch, Capabilities};
/// let target = SeccompTarget {
///     arch: Arch::ScmpArchX86_64,
///     kernel: (6, 1),
///     capabilities: Capabilities::new(),
/// };
/// let profile = r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#;
/// assert!(execdriver_core::spec::seccomp_profile(profile, &target)?.is_some());
/// assert!(execdriver_core::spec::seccomp_profile("{}", &target)?.is_none());
/// # Ok::<(), execdriver_core::spec::SeccompError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeccompTarget {
    /// The machine's own architecture, never `ScmpArchNative`.
    pub arch: Arch,
    /// The kernel's version, major and minor.
    pub kernel: (u32, u32),
    /// The container's bounding set.
    pub capabilities: Capabilities,
}

/// A filter in the OCI words, and what wins over it.
///
/// ```
/// use execdriver_core::spec::strict_profile;
/// use oci_spec::runtime::Arch;
/// let policy = strict_profile(Arch::ScmpArchX86_64);
/// assert_eq!(policy.guards[0].names(), &["ioctl"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeccompPolicy {
    /// The filter. In it a rule without conditions wins over those with some on the same call, as in libseccomp.
    pub filter: LinuxSeccomp,
    /// Rules that are looked at before those of the filter.
    pub guards: Vec<LinuxSyscall>,
}

impl From<LinuxSeccomp> for SeccompPolicy {
    fn from(filter: LinuxSeccomp) -> Self {
        Self {
            filter,
            guards: Vec::new(),
        }
    }
}

/// What is wrong with a profile, in the words of the original.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SeccompError {
    /// It is no JSON, or has keys or values that no profile has.
    #[error("decoding seccomp profile failed: {reason}")]
    Json {
        /// What the decoder said, with the place.
        reason: String,
    },
    /// A word that is none of those that are known there.
    #[error("string {word} is not a valid {kind} for seccomp")]
    Word {
        /// `action`, `operator`, `arch`, `flag`, `capability` or `kernel version`.
        kind: &'static str,
        /// What the profile has.
        word: String,
    },
    /// Two keys that exclude one another.
    #[error(
        "both '{first}' and '{second}' are specified in the seccomp profile, use either of them"
    )]
    Both {
        /// The one.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A number that the kernel does not take.
    #[error("{key} is {given} in the seccomp profile, expected {expected}")]
    Number {
        /// The key.
        key: &'static str,
        /// What the profile has.
        given: u64,
        /// What it may be.
        expected: &'static str,
    },
    /// A key whose absence would change the meaning.
    #[error("the seccomp profile has {place} without '{key}'")]
    Missing {
        /// Where.
        place: &'static str,
        /// The key.
        key: &'static str,
    },
    /// The listener's socket: the descriptor goes to the host program instead.
    #[error(
        "'{key}' is in the seccomp profile, but a listener is handed to the host program (Hooks::on_seccomp_listener)"
    )]
    Listener {
        /// The key.
        key: &'static str,
    },
}

/// Reads a profile in Docker's format, that of 1.10 or today's, for `target`.
///
/// `None` is a profile that disables the filter: one with neither a default action nor rules, such as `{}`.
///
/// # Errors
/// [`SeccompError`]; a profile is taken as a whole or not at all.
pub fn seccomp_profile(
    text: &str,
    target: &SeccompTarget,
) -> Result<Option<LinuxSeccomp>, SeccompError> {
    document::read(text, target)
}

#[cfg(test)]
mod tests;
