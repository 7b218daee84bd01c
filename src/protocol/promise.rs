//! A promise: a closure that one thread will call, and the value that it leaves for one reader.
//!
//! | stage     | entered by                               | left by                                      |
//! |-----------|------------------------------------------|----------------------------------------------|
//! | *waiting* | whoever makes the promise                | the first to [begin](Promise::begin), or to give up |
//! | *running* | the thread that begins                   | the same thread, when it [ends](Promise::end) |
//! | *over*    | the thread that ends, if the value is wanted | the reader, who takes the value          |
//! | *gone*    | all others                               |                                              |
//!
//! 1. Each change of the stage is one step under the lock. So one thread begins, and the value goes to the reader or
//!    back to the thread that ends, whichever of *end* and *give up* comes first.
//! 2. A reader that polls leaves its waker in the same step in which it finds that the promise is not over. So the
//!    thread that ends finds the waker, or the reader finds the value.
//! 3. A reader that waits notes so in the step in which it finds that the promise is not over. So the thread that ends
//!    either rings, or the reader finds the value.
//! 4. Wakers, closures and values are user code: nothing is called, cloned or dropped under the lock.
//!
//! Models: `models::promise_*`.

use std::mem;
use std::task::Waker;

use crate::platform::sync::{Condvar, Mutex, MutexGuard, PoisonError, lock};

pub(crate) struct Promise<J, T> {
    state: Mutex<State<J, T>>,
    /// Rung when the promise is over, if the reader sleeps.
    bell: Condvar,
}

struct State<J, T> {
    stage: Stage<J, T>,
    /// The reader's waker, if it has polled in vain.
    waker: Option<Waker>,
    /// Whether there is a reader.
    is_wanted: bool,
    /// Whether the reader has slept. To ring for nobody is a system call.
    has_slept: bool,
}

enum Stage<J, T> {
    Waiting(J),
    Running,
    Over(T),
    Gone,
}

/// What the end of a promise leaves to do for the thread that ends it.
pub(crate) enum Ended<T> {
    /// The reader is to be woken, if it has left a waker.
    Wanted(Option<Waker>),
    /// There is no reader any more: the value is to be dropped.
    Unwanted(T),
}

/// What a reader that gives up has to drop.
pub(crate) struct GivenUp<J, T> {
    /// The closure, if nobody has begun.
    pub(crate) closure: Option<J>,
    /// The value, if the promise is over.
    pub(crate) value: Option<T>,
    pub(crate) waker: Option<Waker>,
    /// Whether a thread runs the closure.
    pub(crate) is_running: bool,
}

impl<J, T> Promise<J, T> {
    pub(crate) fn new(closure: J) -> Self {
        Self {
            state: Mutex::new(State {
                stage: Stage::Waiting(closure),
                waker: None,
                is_wanted: true,
                has_slept: false,
            }),
            bell: Condvar::new(),
        }
    }

    /// Takes the closure, for the thread that calls it and then [ends](Self::end) the promise; none if another thread was
    /// first, or the reader has given up.
    pub(crate) fn begin(&self) -> Option<J> {
        let mut state = lock(&self.state);
        match mem::replace(&mut state.stage, Stage::Running) {
            Stage::Waiting(closure) => Some(closure),
            other => {
                state.stage = other;
                None
            }
        }
    }

    /// Leaves the value for the reader, if there is one. The thread that has begun calls this.
    pub(crate) fn end(&self, value: T) -> Ended<T> {
        let mut state = lock(&self.state);
        if !state.is_wanted {
            state.stage = Stage::Gone;
            return Ended::Unwanted(value);
        }
        state.stage = Stage::Over(value);
        let waker = state.waker.take();
        let has_slept = state.has_slept;
        drop(state);
        if has_slept {
            self.bell.notify_all();
        }
        Ended::Wanted(waker)
    }

    /// Whether the value is there.
    pub(crate) fn is_over(&self) -> bool {
        matches!(lock(&self.state).stage, Stage::Over(_))
    }

    /// Takes the value if it is there; if not, the thread that ends the promise gets the waker.
    ///
    /// # Panics
    ///
    /// If the value was taken before.
    pub(crate) fn poll(&self, waker: &Waker) -> Option<T> {
        let mut state = lock(&self.state);
        if !state.is_over() && !state.is_told_by(waker) {
            drop(state);
            let new = waker.clone();
            state = lock(&self.state);
            if !state.is_over() {
                let old = state.waker.replace(new);
                drop(state);
                drop(old);
                return None;
            }
            // It has ended meanwhile, and nobody needs the new one.
            drop(state);
            drop(new);
            state = lock(&self.state);
        }
        state.take()
    }

    /// Waits for the value.
    ///
    /// # Panics
    ///
    /// If the value was taken before.
    pub(crate) fn wait(&self) -> T {
        let mut state = lock(&self.state);
        loop {
            if let Some(value) = state.take() {
                return value;
            }
            state.has_slept = true;
            state = self.wait_on(state);
        }
    }

    fn wait_on<'a>(&self, state: MutexGuard<'a, State<J, T>>) -> MutexGuard<'a, State<J, T>> {
        self.bell
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the wish for the value, and takes the closure away if nobody has begun.
    pub(crate) fn give_up(&self) -> GivenUp<J, T> {
        let mut state = lock(&self.state);
        state.is_wanted = false;
        let waker = state.waker.take();
        let (closure, value, is_running) = match mem::replace(&mut state.stage, Stage::Gone) {
            Stage::Waiting(closure) => (Some(closure), None, false),
            Stage::Over(value) => (None, Some(value), false),
            Stage::Running => {
                state.stage = Stage::Running;
                (None, None, true)
            }
            Stage::Gone => (None, None, false),
        };
        GivenUp {
            closure,
            value,
            waker,
            is_running,
        }
    }

    /// Ends the wish for the value, and lets the closure be called all the same.
    pub(crate) fn detach(&self) -> GivenUp<J, T> {
        let mut state = lock(&self.state);
        state.is_wanted = false;
        let waker = state.waker.take();
        let value = if state.is_over() { state.take() } else { None };
        GivenUp {
            closure: None,
            value,
            waker,
            is_running: false,
        }
    }
}

impl<J, T> State<J, T> {
    fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over(_) | Stage::Gone)
    }

    /// Whether the reader's waker would wake the same as this one.
    fn is_told_by(&self, waker: &Waker) -> bool {
        self.waker.as_ref().is_some_and(|old| old.will_wake(waker))
    }

    fn take(&mut self) -> Option<T> {
        match mem::replace(&mut self.stage, Stage::Gone) {
            Stage::Over(value) => Some(value),
            Stage::Gone => panic!("the value was taken before"),
            other => {
                self.stage = other;
                None
            }
        }
    }
}
