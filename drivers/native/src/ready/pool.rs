//! A pool: a bounded number of things of some kinds, and the thread that makes them.

use crate::stdio::SignalsBlocked;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

#[cfg(test)]
mod tests;

/// Bytes of the thread's stack: it has a few frames.
const STACK: usize = 128 << 10;

/// After so many that could not be made, one behind the other, none will be.
const FAILURES: u32 = 16;

/// Makes one of a kind; `None` where it cannot be had now.
pub(crate) type Make<K, T> = Box<dyn FnMut(&K) -> Option<T>>;

/// Called by the thread; `None` where nothing can be made ever.
type Begin<K, T> = Arc<dyn Fn() -> Option<Make<K, T>> + Send + Sync>;

/// Things of the kinds `K`. Dropped, it ends its thread and lets go of all.
pub(crate) struct Pool<K, T> {
    name: &'static str,
    size: usize,
    begin: Begin<K, T>,
    shared: Arc<Shared<K, T>>,
    maker: Mutex<Option<JoinHandle<()>>>,
    /// Whose the thread is, 0 before there is one: a process that was forked off this one has the value, but neither the thread
    /// nor, alone, the things; and a lock may be that of a thread which it has not.
    process: AtomicU32,
}

struct Shared<K, T> {
    state: Mutex<State<K, T>>,
    changed: Condvar,
}

struct State<K, T> {
    /// The oldest first.
    ready: Vec<(K, T)>,
    /// What is to be made.
    orders: Vec<K>,
    /// One is being made.
    making: bool,
    /// What was not there when it was asked for last; none before the first.
    missed: Option<K>,
    /// What nobody asked for lately: the thread lets go of it, which may take a while.
    surplus: Vec<T>,
    /// The thread may work.
    working: bool,
    /// No more are to be made, or can be.
    closed: bool,
}

/// What the thread does next.
enum Task<K, T> {
    Make(K),
    LetGo(T),
    End,
}

impl<K: Clone + Send + 'static, T: Send + 'static> Pool<K, T> {
    /// Keeps up to `size`, made by a thread of this name.
    pub(crate) fn new(
        name: &'static str,
        size: usize,
        begin: impl Fn() -> Option<Make<K, T>> + Send + Sync + 'static,
    ) -> Self {
        let state = State {
            ready: Vec::with_capacity(size + 1),
            orders: Vec::with_capacity(size),
            making: false,
            missed: None,
            surplus: Vec::new(),
            working: false,
            closed: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        Self {
            name,
            size,
            shared,
            begin: Arc::new(begin),
            maker: Mutex::default(),
            process: AtomicU32::new(0),
        }
    }

    /// One that suits, which nobody else has or had; `None`, and the container makes its own. What was given is ordered again, and as
    /// many as are wanting. What was not there is ordered when it is missed twice running, as what is asked for once never comes back, and the very first as often
    /// as the pool is large.
    pub(crate) fn take(
        &self,
        suits: impl Fn(&K) -> bool,
        kind: impl FnOnce() -> Option<K>,
    ) -> Option<T> {
        if !self.has_maker() {
            return None;
        }
        let mut state = self.shared.lock();
        let found = state.ready.iter().position(|(kind, _)| suits(kind));
        if let Some(at) = found {
            let (kind, taken) = state.ready.remove(at);
            state.fill(&kind, self.size);
            return Some(taken);
        }
        let kind = kind()?;
        let times = match &state.missed {
            None => self.size,
            Some(missed) => usize::from(suits(missed)),
        };
        for _ in 0..times {
            state.order(kind.clone(), self.size);
        }
        state.missed = Some(kind);
        None
    }

    /// Takes back what was given and not used.
    pub(crate) fn give_back(&self, kind: K, thing: T) {
        let mut state = self.shared.lock();
        state.ready.push((kind, thing));
        state.make_room(self.size);
    }

    /// Hands over what is of no use any more, for the thread to let go of; gives it back where that would be too much, or nobody is
    /// there to do it.
    pub(crate) fn let_go(&self, thing: T) -> Option<T> {
        if self.process.load(Ordering::Acquire) != std::process::id() {
            return Some(thing);
        }
        let mut state = self.shared.lock();
        if state.closed || state.surplus.len() >= self.size {
            return Some(thing);
        }
        state.surplus.push(thing);
        None
    }

    /// Lets the thread make what was ordered: when a start is over, so that it takes none of its time.
    /// What others have ordered is made, too, though they be under way.
    pub(crate) fn restock(&self) {
        if self.process.load(Ordering::Acquire) != std::process::id() {
            return;
        }
        let mut state = self.shared.lock();
        if state.has_work() {
            state.working = true;
            drop(state);
            self.shared.changed.notify_all();
        }
    }

    /// Whether there is a thread, and it is this process's.
    fn has_maker(&self) -> bool {
        let process = std::process::id();
        match self.process.load(Ordering::Acquire) {
            0 => self.begin(process),
            other => other == process,
        }
    }

    fn begin(&self, process: u32) -> bool {
        let mut maker = self.maker.lock().unwrap_or_else(PoisonError::into_inner);
        if maker.is_some() {
            return true;
        }
        // Without a thread there is no pool: every container makes its own.
        let Ok(_signals) = SignalsBlocked::new() else {
            return false;
        };
        let (shared, size, begin) = (Arc::clone(&self.shared), self.size, Arc::clone(&self.begin));
        let thread = std::thread::Builder::new()
            .name(self.name.to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let working = Working(&shared);
                if let Some(make) = begin() {
                    working.0.work(make, size);
                }
            });
        *maker = thread.ok();
        if maker.is_some() {
            self.process.store(process, Ordering::Release);
        }
        maker.is_some()
    }
}

/// However the thread ends, nobody orders anything of it any more.
struct Working<'a, K, T>(&'a Shared<K, T>);

impl<K, T> Drop for Working<'_, K, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<K, T> Drop for Pool<K, T> {
    fn drop(&mut self) {
        let maker = self.maker.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = maker.take()
            && *self.process.get_mut() == std::process::id()
        {
            self.shared.close();
            // It ends when what it is making is made, or what it lets go of gone: milliseconds, or what these have for patience.
            let _ = thread.join();
        }
    }
}

impl<K, T> fmt::Debug for Pool<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.name).field("size", &self.size).finish()
    }
}

impl<K, T> State<K, T> {
    /// What was asked for is wanted again. Where all places are taken, what lies there longest makes room.
    fn order(&mut self, kind: K, size: usize) {
        if self.orders.len() < size {
            self.orders.push(kind);
        }
        self.make_room(size);
    }

    /// One of this kind is wanted, and what else has a place: of what could not be made when it was ordered.
    fn fill(&mut self, kind: &K, size: usize)
    where
        K: Clone,
    {
        while self.all() < size {
            self.orders.push(kind.clone());
        }
    }

    fn make_room(&mut self, size: usize) {
        while self.all() > size && !self.ready.is_empty() {
            let (_, surplus) = self.ready.remove(0);
            self.surplus.push(surplus);
        }
    }

    /// What is there, and what will be.
    fn all(&self) -> usize {
        self.ready.len() + self.orders.len() + usize::from(self.making)
    }

    fn has_work(&self) -> bool {
        !(self.orders.is_empty() && self.surplus.is_empty())
    }

    fn next(&mut self) -> Task<K, T> {
        if self.closed {
            Task::End
        } else if let Some(thing) = self.surplus.pop() {
            Task::LetGo(thing)
        } else {
            self.making = true;
            Task::Make(self.orders.remove(0))
        }
    }
}

impl<K, T> Shared<K, T> {
    fn lock(&self) -> MutexGuard<'_, State<K, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Until the pool goes, or nothing can be made however often it is asked for.
    fn work(&self, mut make: Make<K, T>, size: usize) {
        let mut failures = 0;
        while failures < FAILURES {
            match self.next() {
                Task::End => return,
                Task::LetGo(surplus) => drop(surplus),
                Task::Make(kind) => {
                    let made = make(&kind);
                    // It is ordered again by the next who asks for it.
                    failures = if made.is_some() { 0 } else { failures + 1 };
                    let mut state = self.lock();
                    state.making = false;
                    state.ready.extend(made.map(|made| (kind, made)));
                    state.make_room(size);
                }
            }
        }
    }

    fn next(&self) -> Task<K, T> {
        let rests = |state: &mut State<K, T>| {
            state.working &= state.has_work();
            !state.closed && !state.working
        };
        let state = self.changed.wait_while(self.lock(), rests);
        state.unwrap_or_else(PoisonError::into_inner).next()
    }
}
