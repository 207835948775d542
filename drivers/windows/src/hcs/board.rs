//! Where the service's notices arrive and whoever waits for them reads them.

use super::{Code, service::Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// What a notice said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) code: Code,
    /// A result document, or nothing.
    pub(crate) answer: String,
}

/// The notices of one compute system or process. Its callbacks only ever put a notice down; they never block.
#[derive(Debug, Default)]
pub(crate) struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The last notice of each kind. What has ended stays ended; other kinds are taken by who waits.
    notices: BTreeMap<Kind, Notice>,
    /// Boards that are told of the end and of a lost service too: those of the system's processes.
    followers: Vec<Weak<Board>>,
    /// Kinds that somebody gave up waiting for: the next notice of one is for nobody.
    stale: BTreeSet<Kind>,
    /// Since when there is reason to think that the end will not be told.
    doubt: Option<Instant>,
}

/// What came first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// What was waited for.
    Done(Notice),
    /// The system ended instead.
    Exited(Notice),
    /// The service went away.
    Disconnected,
    /// Nothing within the bound.
    Nothing,
    /// Nothing, long after something that should have brought the end.
    Doubtful,
}

/// How long a notice of the end may take once the end is known or was asked for. The service is known to lose some.
const OVERDUE: Duration = Duration::from_secs(1);

impl Board {
    /// Puts a notice down.
    pub(crate) fn post(&self, kind: Kind, notice: Notice) {
        let mut state = self.lock();
        if state.stale.remove(&kind) {
            return;
        }
        let followers = match kind {
            Kind::SystemExited | Kind::ServiceDisconnect => std::mem::take(&mut state.followers),
            _ => Vec::new(),
        };
        state.notices.insert(kind, notice.clone());
        drop(state);
        self.changed.notify_all();
        for follower in followers.iter().filter_map(Weak::upgrade) {
            if kind == Kind::ServiceDisconnect {
                follower.post(kind, notice.clone());
            } else {
                follower.doubt();
            }
        }
    }

    /// Lets `board` know when this system ends, or the service.
    pub(crate) fn follow(&self, board: &Arc<Self>) {
        let mut state = self.lock();
        state.followers.retain(|known| known.strong_count() > 0);
        state.followers.push(Arc::downgrade(board));
        let ended = state.notices.contains_key(&Kind::SystemExited);
        let lost = state.notices.get(&Kind::ServiceDisconnect).cloned();
        drop(state);
        if ended {
            board.doubt();
        }
        if let Some(notice) = lost {
            board.post(Kind::ServiceDisconnect, notice);
        }
    }

    /// Says that the end should be told any moment now.
    pub(crate) fn doubt(&self) {
        self.lock().doubt.get_or_insert_with(Instant::now);
        self.changed.notify_all();
    }

    /// Takes the reason for doubt away: the process was looked at and runs.
    pub(crate) fn believe(&self) {
        self.lock().doubt = None;
    }

    /// Whether the system or process is known to have ended.
    pub(crate) fn has_ended(&self) -> bool {
        let state = self.lock();
        let ends = [Kind::SystemExited, Kind::ProcessExited];
        ends.iter().any(|kind| state.notices.contains_key(kind))
    }

    /// Says that an operation begins whose end is told by `kind`: what an earlier one is owed does not count.
    pub(crate) fn begin(&self, kind: Kind) {
        self.lock().stale.remove(&kind);
    }

    /// Says that nobody waits for `kind` any more, although it was promised.
    pub(crate) fn give_up(&self, kind: Kind) {
        if !matches!(kind, Kind::SystemExited | Kind::ProcessExited) {
            self.lock().stale.insert(kind);
        }
    }

    /// Waits for a notice of `kind` up to `bound` (`None`: for ever).
    pub(crate) fn wait(&self, kind: Kind, bound: Option<Duration>) -> Arrived {
        let deadline = bound.and_then(|bound| Instant::now().checked_add(bound));
        let mut state = self.lock();
        loop {
            if let Some(arrived) = state.arrived(kind) {
                return arrived;
            }
            let now = Instant::now();
            let overdue = state.doubt.map(|since| since + OVERDUE);
            if overdue.is_some_and(|overdue| overdue <= now) {
                return Arrived::Doubtful;
            }
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Arrived::Nothing;
            }
            let until = [deadline, overdue].into_iter().flatten().min();
            state = match until {
                Some(until) => {
                    let waited = self.changed.wait_timeout(state, until - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = self.changed.wait(state);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn arrived(&mut self, kind: Kind) -> Option<Arrived> {
        let ends = matches!(kind, Kind::SystemExited | Kind::ProcessExited);
        let found = match ends {
            true => self.notices.get(&kind).cloned(),
            false => self.notices.remove(&kind),
        };
        if let Some(notice) = found {
            return Some(Arrived::Done(notice));
        }
        if let Some(notice) = self.notices.get(&Kind::SystemExited) {
            return Some(Arrived::Exited(notice.clone()));
        }
        let lost = self.notices.contains_key(&Kind::ServiceDisconnect);
        lost.then_some(Arrived::Disconnected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(code: u32) -> Notice {
        Notice {
            code: Code::of(code),
            answer: String::new(),
        }
    }

    const SHORT: Option<Duration> = Some(Duration::from_millis(5));

    #[test]
    fn a_notice_that_came_first_is_taken_once_and_an_end_stays() {
        let board = Board::default();
        board.post(Kind::PauseCompleted, notice(0));
        assert_eq!(
            board.wait(Kind::PauseCompleted, None),
            Arrived::Done(notice(0))
        );
        assert_eq!(board.wait(Kind::PauseCompleted, SHORT), Arrived::Nothing);
        board.post(Kind::SystemExited, notice(1));
        for _ in 0..2 {
            assert_eq!(
                board.wait(Kind::SystemExited, None),
                Arrived::Done(notice(1))
            );
        }
        assert_eq!(
            board.wait(Kind::PauseCompleted, None),
            Arrived::Exited(notice(1))
        );
    }

    #[test]
    fn whoever_waits_is_woken_and_a_lost_service_ends_every_wait() {
        let board = Arc::new(Board::default());
        let waiter = Arc::clone(&board);
        let thread = std::thread::spawn(move || waiter.wait(Kind::StartCompleted, None));
        board.post(Kind::ServiceDisconnect, notice(0));
        assert_eq!(thread.join().unwrap(), Arrived::Disconnected);
    }

    #[test]
    fn processes_hear_of_the_end_of_their_system_and_doubt_theirs() {
        let (system, process) = (Board::default(), Arc::new(Board::default()));
        system.follow(&process);
        assert_eq!(process.wait(Kind::ProcessExited, SHORT), Arrived::Nothing);
        system.post(Kind::SystemExited, notice(0));
        assert_eq!(process.wait(Kind::ProcessExited, None), Arrived::Doubtful);
        process.post(Kind::ProcessExited, notice(0));
        assert_eq!(
            process.wait(Kind::ProcessExited, None),
            Arrived::Done(notice(0))
        );
        let late = Arc::new(Board::default());
        system.follow(&late);
        assert_eq!(late.wait(Kind::ProcessExited, None), Arrived::Doubtful);
    }
}
