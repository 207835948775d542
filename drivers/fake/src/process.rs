//! One running process of the fake: its life, its signals, its pauses.

use crate::script::Script;
use execdriver_core::{ExitReason, ExitStatus, RunOptions, Signal, WindowSize};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A process. Shared between the thread that runs it and those that act on it.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) script: Script,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    killed_by: Option<Signal>,
    input_ended: bool,
    paused_since: Option<Instant>,
    paused_for: Duration,
    size: Option<WindowSize>,
}

impl Process {
    pub(crate) fn new(pid: u32, script: Script) -> Arc<Self> {
        Arc::new(Self {
            pid,
            script,
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Delivers a signal; KILL thaws.
    pub(crate) fn signal(&self, signal: Signal) {
        if !self.script.dies_of(signal) {
            return;
        }
        let mut state = self.lock();
        state.killed_by.get_or_insert(signal);
        if signal == Signal::KILL {
            state.killed_by = Some(signal);
            state.thaw();
        }
        self.changed.notify_all();
    }

    pub(crate) fn killed(&self) -> bool {
        self.lock().killed_by.is_some()
    }

    /// Tells a program that echoes its input that there is no more.
    pub(crate) fn end_input(&self) {
        self.lock().input_ended = true;
        self.changed.notify_all();
    }

    pub(crate) fn pause(&self) {
        self.lock().paused_since.get_or_insert_with(Instant::now);
        self.changed.notify_all();
    }

    pub(crate) fn unpause(&self) {
        self.lock().thaw();
        self.changed.notify_all();
    }

    /// Returns when it may go on, to work or to die.
    pub(crate) fn wait_while_paused(&self) {
        let state = self.lock();
        let paused = |state: &mut State| state.paused_since.is_some();
        drop(self.changed.wait_while(state, paused));
    }

    pub(crate) fn resize(&self, size: WindowSize) {
        self.lock().size = Some(size);
    }

    /// Waits until it ends by its script, by a signal or by the timeout.
    pub(crate) fn wait(&self, started: Instant, options: &RunOptions) -> ExitStatus {
        let mut state = self.lock();
        let mut timed_out = false;
        loop {
            let now = Instant::now();
            let age = now.duration_since(started);
            if !timed_out && options.timeout.is_some_and(|limit| age >= limit) {
                timed_out = true;
                state.killed_by = Some(Signal::KILL);
                state.thaw();
            }
            if state.paused_since.is_none() {
                if let Some(signal) = state.killed_by {
                    return self.ended_by(signal, timed_out, age);
                }
                if self.finished(&state, age) {
                    return self.ended(age);
                }
            }
            let wake = self.next_event(&state, age, options);
            state = self.sleep(state, wake);
        }
    }

    fn finished(&self, state: &State, age: Duration) -> bool {
        if self.script.echo_stdin {
            return state.input_ended;
        }
        let worked = age.saturating_sub(state.paused_for);
        self.script.run_for.is_some_and(|limit| worked >= limit)
    }

    fn next_event(&self, state: &State, age: Duration, options: &RunOptions) -> Option<Duration> {
        let end = match self.script.run_for {
            Some(limit) if state.paused_since.is_none() && !self.script.echo_stdin => {
                Some((limit + state.paused_for).saturating_sub(age))
            }
            _ => None,
        };
        let timeout = options.timeout.map(|limit| limit.saturating_sub(age));
        [end, timeout].into_iter().flatten().min()
    }

    fn sleep<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        wake: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        match wake {
            Some(limit) => {
                let woken = self.changed.wait_timeout(state, limit);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let woken = self.changed.wait(state);
                woken.unwrap_or_else(PoisonError::into_inner)
            }
        }
    }

    fn ended(&self, wall: Duration) -> ExitStatus {
        let mut status = match self.script.signal {
            Some(signal) => ExitStatus::signalled(signal),
            None => ExitStatus::exited(i32::from(self.script.exit_code)),
        };
        self.count(&mut status, wall);
        status
    }

    fn ended_by(&self, signal: Signal, timed_out: bool, wall: Duration) -> ExitStatus {
        let mut status = ExitStatus::signalled(signal);
        status.reason = if timed_out {
            ExitReason::TimedOut
        } else {
            ExitReason::KilledByCaller
        };
        self.count(&mut status, wall);
        status
    }

    fn count(&self, status: &mut ExitStatus, wall: Duration) {
        status.wall = wall;
        status.oom_killed = self.script.oom_killed;
        status.peak_memory = self.script.peak_memory;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn thaw(&mut self) {
        if let Some(since) = self.paused_since.take() {
            self.paused_for += since.elapsed();
        }
    }
}
