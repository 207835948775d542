//! One case, one container, one verdict.

use crate::cases::Case;
use execdriver::{
    Capture, Command, Driver, Error, ExitReason, ExitStatus, Hooks, Mount, Pipes, Profile,
    Resources, Result, RunOptions, Stdio,
};
use std::fmt;
use std::io::Cursor;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The most output that is looked at.
const OUTPUT_LIMIT: usize = 16 << 20;

/// How programs are judged.
pub(crate) struct Judge {
    /// What runs them.
    pub(crate) driver: Arc<dyn Driver>,
    /// The file system that they see, read-only.
    pub(crate) rootfs: PathBuf,
    /// How long each case may take.
    pub(crate) time: Duration,
    /// How many MiB of memory it may take; without it the machine's are the limit.
    pub(crate) memory: Option<NonZeroU32>,
}

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The output is the expected one.
    Accepted,
    /// The output is another.
    WrongAnswer,
    /// It took too long.
    TimeLimit,
    /// It ran out of memory.
    MemoryLimit,
    /// It wrote too much.
    OutputLimit,
    /// It exited with another code than 0, or died of a signal.
    RuntimeError(i32),
}

impl Judge {
    /// Runs `program` on one case.
    ///
    /// # Errors
    /// The program could not be run at all.
    pub(crate) fn judge(&self, program: &str, case: &Case) -> Result<Verdict> {
        let output = Capture::new(OUTPUT_LIMIT);
        let pipes = Pipes::null()
            .stdin(Stdio::reader(Cursor::new(case.input.clone())))
            .stdout(&output);
        let options = RunOptions::default().timeout(self.time).die_with_host(true);
        let command = self.command(program, &case.name);
        let status = self.driver.run(&command, &options, pipes, &Hooks::none())?;
        Ok(verdict(&status, &output, &case.expected))
    }

    fn command(&self, program: &str, case: &str) -> Command {
        let id: String = case
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let mut command = Command::linux(format!("judge-{id}"), &self.rootfs, program)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .with_linux(|linux| {
                linux.readonly_rootfs = true;
                linux.profile = Profile::Strict;
                // As PID 1 it could send itself any signal in vain, and abort(3) would end by another (pid_namespaces(7)).
                linux.init = true;
            });
        // A host that cannot enforce it refuses to run the program: no verdict without the limit.
        command.resources = self.memory.map(|mib| Resources {
            memory: i64::from(mib.get()) << 20,
            ..Resources::default()
        });
        command
            .mounts
            .push(Mount::tmpfs("/tmp", "mode=1777,size=64m"));
        command
    }
}

fn verdict(status: &ExitStatus, output: &Capture, expected: &[u8]) -> Verdict {
    match status.reason {
        ExitReason::TimedOut => Verdict::TimeLimit,
        _ if status.oom_killed => Verdict::MemoryLimit,
        _ if !status.success() => Verdict::RuntimeError(status.code),
        _ if output.truncated() => Verdict::OutputLimit,
        _ if output.bytes() == expected => Verdict::Accepted,
        _ => Verdict::WrongAnswer,
    }
}

/// Whether an error says that the program itself is at fault, not the judge.
#[allow(dead_code, reason = "shows how errors are told apart by type")]
pub(crate) fn is_the_programs_fault(error: &Error) -> bool {
    matches!(
        error,
        Error::ProgramNotFound { .. } | Error::ProgramNotExecutable { .. }
    )
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::WrongAnswer => f.write_str("wrong answer"),
            Self::TimeLimit => f.write_str("time limit exceeded"),
            Self::MemoryLimit => f.write_str("memory limit exceeded"),
            Self::OutputLimit => f.write_str("output limit exceeded"),
            Self::RuntimeError(code) => write!(f, "runtime error (exit code {code})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use execdriver::Signal;
    use execdriver_fake::{FakeDriver, Script, StartFailure};

    /// A judge whose only program, `solver`, does as the script says.
    fn judged(script: Script) -> Result<Verdict> {
        let judge = Judge {
            driver: Arc::new(FakeDriver::new().script("solver", script)),
            rootfs: "/".into(),
            time: Duration::from_millis(50),
            memory: None,
        };
        let case = Case {
            name: "one.a".into(),
            input: b"6 7".to_vec(),
            expected: b"42\n".to_vec(),
        };
        judge.judge("solver", &case)
    }

    #[test]
    fn the_expected_output_is_accepted_and_another_is_wrong() {
        assert_eq!(judged(Script::prints("42\n")).unwrap(), Verdict::Accepted);
        assert_eq!(
            judged(Script::prints("41\n")).unwrap(),
            Verdict::WrongAnswer
        );
    }

    #[test]
    fn a_failing_program_is_a_runtime_error_whatever_it_wrote() {
        let script = Script::prints("42\n").exit(3);
        assert_eq!(judged(script).unwrap(), Verdict::RuntimeError(3));
        let script = Script {
            signal: Some(Signal::new(11).unwrap()),
            ..Script::default()
        };
        assert_eq!(judged(script).unwrap(), Verdict::RuntimeError(139));
    }

    #[test]
    fn a_program_that_never_ends_exceeds_the_time_limit() {
        assert_eq!(judged(Script::forever()).unwrap(), Verdict::TimeLimit);
    }

    #[test]
    fn a_program_that_was_killed_for_memory_exceeds_the_memory_limit() {
        let script = Script {
            oom_killed: true,
            ..Script::exits(137)
        };
        assert_eq!(judged(script).unwrap(), Verdict::MemoryLimit);
    }

    /// The command that a judge with this limit of memory gives its driver.
    fn command(memory: Option<NonZeroU32>) -> Command {
        let driver = Arc::new(FakeDriver::new().script("solver", Script::prints("")));
        let judge = Judge {
            driver: driver.clone(),
            rootfs: "/".into(),
            time: Duration::from_secs(1),
            memory,
        };
        let case = Case {
            name: "one".into(),
            input: Vec::new(),
            expected: Vec::new(),
        };
        judge.judge("solver", &case).unwrap();
        driver.runs()[0].clone()
    }

    #[test]
    fn a_program_has_the_memory_that_the_judge_gives_it() {
        let limited = command(NonZeroU32::new(64)).resources.unwrap();
        assert_eq!(limited.memory, 64 << 20);
        assert_eq!(command(None).resources, None);
    }

    #[test]
    fn a_program_that_signals_itself_is_not_pid_1_which_the_kernel_would_spare() {
        assert!(command(None).as_linux().unwrap().init);
    }

    #[test]
    fn a_missing_program_is_an_error_of_its_own() {
        let error = judged(Script::fails(StartFailure::ProgramNotFound)).unwrap_err();
        assert!(is_the_programs_fault(&error));
    }
}
