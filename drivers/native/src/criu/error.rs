//! Why CRIU did not do what it was asked.

use nix::errno::Errno;
use std::io;
use std::path::PathBuf;

/// Why a container was not saved or made anew.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CriuError {
    /// It is not there.
    #[error("{} cannot be run: install CRIU 3.15 or later, or name its program with --criu", program.display())]
    Missing {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It is too old.
    #[error("{} is CRIU {major}.{minor}, expected 3.15 or later", program.display())]
    Old {
        program: PathBuf,
        major: u64,
        minor: u64,
    },
    /// It ended, or what it said is no answer.
    #[error("{} gave no answer: {said}", program.display())]
    Mute { program: PathBuf, said: String },
    /// It says itself that it cannot work here.
    #[error("{} does not work on this kernel: {said}", program.display())]
    Unfit { program: PathBuf, said: String },
    /// It tried.
    #[error("criu failed: {cause}; its log is {}", log.display())]
    Failed { cause: String, log: PathBuf },
    /// The kernel does not tell which pages were written to.
    #[error(
        "--pre-dump and --parent-path: the kernel tracks no changes of memory (CONFIG_MEM_SOFT_DIRTY)"
    )]
    NoTracking,
    /// Whoever asked for it wants it no more.
    #[error("criu was ended, as asked")]
    GivenUp,
    /// The same, when everything was written.
    #[error(
        "criu was ended, as asked, when it had saved the container: the files stay, and it may have been ended as well"
    )]
    GivenUpLate,
    /// The host program failed.
    #[error("cannot {step}")]
    System {
        step: String,
        #[source]
        source: Errno,
    },
}

impl CriuError {
    /// For `map_err`.
    pub(crate) fn system(step: impl Into<String>) -> impl FnOnce(Errno) -> Self {
        let step = step.into();
        move |source| Self::System { step, source }
    }
}
