//! The way of one process of the fake: PreStart, start, Start, output, end, PostStop.

use crate::process::Process;
use crate::script::StartFailure;
use crate::streams::Outputs;
use execdriver_core::{
    Error, ExitStatus, HookContext, HookStage, Hooks, OomEvent, Pipes, ProcessConfig, Result,
    RunOptions, Signal, Terminal, WindowSize,
};
use std::sync::Arc;
use std::time::Instant;

/// Whose life it is.
pub(crate) struct Life<'a> {
    pub(crate) id: &'a str,
    pub(crate) exec_id: Option<&'a str>,
    pub(crate) config: &'a ProcessConfig,
    pub(crate) process: &'a Arc<Process>,
    pub(crate) options: &'a RunOptions,
    pub(crate) hooks: &'a Hooks<'a>,
}

impl Life<'_> {
    /// Lives it. `running` is called when the program was "executed", `gone` after its end and
    /// before PostStop.
    pub(crate) fn live(
        &self,
        pipes: Pipes,
        running: impl FnOnce(),
        gone: impl FnOnce(),
    ) -> Result<ExitStatus> {
        let started = Instant::now();
        let outcome = self.until_the_end(pipes, started, running);
        gone();
        let mut context = self.context(HookStage::PostStop);
        context.pid = 0;
        context.terminal = None;
        let errors = self.hooks.run_post_stop(&context);
        outcome.map(|mut status| {
            status.post_stop_errors = errors;
            status
        })
    }

    fn until_the_end(
        &self,
        pipes: Pipes,
        started: Instant,
        running: impl FnOnce(),
    ) -> Result<ExitStatus> {
        self.hooks
            .run_pre_start(&self.context(HookStage::PreStart))?;
        if self.process.killed() {
            let id = self.id.to_owned();
            return Err(Error::Aborted { id });
        }
        if let Some(failure) = &self.process.script.start_failure {
            return Err(self.start_error(failure));
        }
        running();
        let (send, oom) = crossbeam_channel::bounded(1);
        let mut context = self.context(HookStage::Start);
        context.terminal = Some(Arc::new(FakeTerminal(Arc::clone(self.process))));
        context.oom = oom;
        if self.process.script.oom_killed {
            // The channel is bounded and may be ignored.
            let _ = send.try_send(OomEvent::new(1));
        }
        self.hooks
            .run_start(&context)
            .inspect_err(|_| self.process.signal(Signal::KILL))?;
        let tty = self.config.tty;
        let (mut outputs, input) = Outputs::open(pipes, tty, self.options.output_cap);
        let said = outputs.say(self.process, tty);
        let echoed = match self.process.script.echo_stdin {
            true => said.and_then(|()| outputs.echo(self.process, input)),
            false => said,
        };
        if echoed.is_err() {
            self.process.end_input();
        }
        let mut status = self.process.wait(started, self.options);
        status.output_truncated = outputs.truncated();
        echoed.map(|()| status).map_err(|source| Error::Driver {
            driver: "fake".into(),
            operation: "deliver the output".into(),
            source: Some(source),
        })
    }

    fn context(&self, stage: HookStage) -> HookContext<'_> {
        let mut context = HookContext::new(stage, self.id, self.config, self.process.pid);
        context.exec_id = self.exec_id;
        context
    }

    fn start_error(&self, failure: &StartFailure) -> Error {
        let program = self.config.entrypoint.clone();
        match failure {
            StartFailure::ProgramNotFound => Error::ProgramNotFound {
                program,
                source: None,
            },
            StartFailure::ProgramNotExecutable => Error::ProgramNotExecutable {
                program,
                source: None,
            },
            StartFailure::Setup(step) => Error::Setup {
                step: step.clone(),
                source: None,
            },
        }
    }
}

/// Remembers the last size.
#[derive(Debug)]
struct FakeTerminal(Arc<Process>);

impl Terminal for FakeTerminal {
    fn resize(&self, size: WindowSize) -> Result<()> {
        self.0.resize(size);
        Ok(())
    }

    fn close(&self) -> Result<()> {
        Ok(())
    }
}
