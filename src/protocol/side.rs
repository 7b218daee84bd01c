//! The queue of what may block, and the threads that come for it.
//!
//! 1. `ready` counts the threads that will come without waiting for anything: idle or starting ones.
//!    What is queued beyond that is *starved*.
//! 2. To queue something and to find whether a thread will come for it is one step; so is to find the
//!    queue empty and to be ready no more. So nobody counts on a thread that ends.
//! 3. Once it is closed, nobody waits, and what is queued still is taken by whoever is ready.
//!
//! Model: `models::side_*`.

use std::collections::VecDeque;

use crate::platform::sync::{Condvar, Mutex, MutexGuard, lock};

pub(crate) struct Side<R> {
    /// Threads at a time.
    most: usize,
    state: Mutex<State<R>>,
    bell: Condvar,
}

pub(crate) struct State<R> {
    queue: VecDeque<R>,
    ready: usize,
    started: usize,
    living: usize,
    /// Claims by handles since the queue was last swept.
    claims: usize,
    is_closed: bool,
}

/// Who will come for what was queued.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Taker {
    /// A thread that is there.
    Ready,
    /// One that the caller is to start now: the n-th, from one. It counts as ready.
    ToBeStarted(usize),
    /// Nobody.
    Nobody,
}

impl<R> Side<R> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            state: Mutex::new(State {
                queue: VecDeque::new(),
                ready: 0,
                started: 0,
                living: 0,
                claims: 0,
                is_closed: false,
            }),
            bell: Condvar::new(),
        }
    }

    /// Entries queued, threads ready, threads living: for the eyes of people.
    pub(crate) fn snapshot(&self) -> [usize; 3] {
        let state = lock(&self.state);
        [state.queue.len(), state.ready, state.living]
    }

    /// Calls `f` with all that is queued.
    pub(crate) fn read<T>(&self, f: impl FnOnce(&VecDeque<R>) -> T) -> T {
        f(&lock(&self.state).queue)
    }

    /// Whether no thread will come for the last in the queue.
    pub(crate) fn is_starved(&self) -> bool {
        let state = lock(&self.state);
        state.queue.len() > state.ready
    }

    /// Takes the first that is `wanted`, for somebody who is no thread of this.
    pub(crate) fn take(&self, wanted: impl Fn(&R) -> bool) -> Option<R> {
        let mut state = lock(&self.state);
        let at = state.queue.iter().position(wanted)?;
        state.queue.remove(at)
    }

    /// Something in the queue may be stale now. Once half of the queue may be, all that `is_stale` is taken
    /// out.
    pub(crate) fn note_claim(&self, is_stale: impl Fn(&R) -> bool) -> VecDeque<R> {
        let mut state = lock(&self.state);
        state.claims += 1;
        if state.claims * 2 < state.queue.len() {
            return VecDeque::new();
        }
        state.claims = 0;
        let (stale, rest) = state.queue.drain(..).partition(is_stale);
        state.queue = rest;
        stale
    }

    /// Queues something.
    pub(crate) fn submit(&self, run: R) -> Taker {
        let mut state = lock(&self.state);
        state.queue.push_back(run);
        if state.queue.len() <= state.ready {
            drop(state);
            self.bell.notify_one();
            return Taker::Ready;
        }
        if state.living < self.most && !state.is_closed {
            state.ready += 1;
            state.living += 1;
            state.started += 1;
            return Taker::ToBeStarted(state.started);
        }
        Taker::Nobody
    }

    /// A thread that was to be started is not to be had. Others may have counted on it.
    pub(crate) fn not_started(&self) {
        let mut state = lock(&self.state);
        state.ready -= 1;
        state.living -= 1;
    }

    /// The next one for the calling thread, which is ready and then no more; none if it is to end. `wait`
    /// waits for the bell, and says whether that was long enough.
    pub(crate) fn next<'a>(
        &'a self,
        wait: impl Fn(&Condvar, MutexGuard<'a, State<R>>) -> (MutexGuard<'a, State<R>>, bool),
    ) -> Option<R> {
        let mut state = lock(&self.state);
        loop {
            if let Some(run) = state.queue.pop_front() {
                state.ready -= 1;
                return Some(run);
            }
            let mut is_over = state.is_closed;
            if !is_over {
                let was_long_enough;
                (state, was_long_enough) = wait(&self.bell, state);
                is_over = was_long_enough && state.queue.is_empty();
            }
            if is_over {
                state.ready -= 1;
                state.living -= 1;
                return None;
            }
        }
    }

    /// The calling thread is ready again.
    pub(crate) fn note_ready(&self) {
        lock(&self.state).ready += 1;
    }

    /// Lets every thread end once the queue is empty.
    pub(crate) fn close(&self) {
        lock(&self.state).is_closed = true;
        self.bell.notify_all();
    }

    /// What the system does for a thread that has waited for long.
    #[cfg(all(test, hatchery_loom))]
    pub(crate) fn ring_as_time_does(&self) {
        let _state = lock(&self.state);
        self.bell.notify_one();
    }
}
