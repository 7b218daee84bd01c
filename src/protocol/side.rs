//! The queue of runs that may block, and the threads that take them.
//!
//! 1. `ready` counts the threads that will take a run without waiting for anything else: idle or
//!    starting threads. Runs in the queue beyond that are *starved*.
//! 2. To queue a run and to find whether a thread will take it is one step; so is to find the queue
//!    empty and to be ready no more. So nobody counts on a thread that ends.
//! 3. Once it is closed, no thread waits, and runs that are still in the queue are taken by ready
//!    threads.
//!
//! Model: `models::side_*`.

use std::collections::VecDeque;

use crate::platform::sync::{Condvar, Mutex, MutexGuard, lock};
use crate::protocol::queue::Queue;

pub(crate) struct Side<R> {
    /// How many threads there may be at a time.
    most: usize,
    state: Mutex<State<R>>,
    bell: Condvar,
}

pub(crate) struct State<R> {
    queue: Queue<R>,
    ready: usize,
    started: usize,
    living: usize,
    is_closed: bool,
}

/// Which thread will take what was queued.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Taker {
    /// A thread that is there.
    Ready,
    /// A thread that the caller is to start now: the n-th, from one. It counts as ready.
    ToBeStarted(usize),
    /// No thread will.
    Nobody,
}

impl<R> Side<R> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            state: Mutex::new(State {
                // A stale run counts as starved, and waiters look for it in vain.
                queue: Queue::swept_after(1),
                ready: 0,
                started: 0,
                living: 0,
                is_closed: false,
            }),
            bell: Condvar::new(),
        }
    }

    /// Entries queued, threads ready, threads living; for people to read.
    pub(crate) fn snapshot(&self) -> [usize; 3] {
        let state = lock(&self.state);
        [state.queue.len(), state.ready, state.living]
    }

    /// What `look` says of each run in the queue.
    pub(crate) fn each<T>(&self, look: impl Fn(&R) -> T) -> Vec<T> {
        lock(&self.state).queue.iter().map(look).collect()
    }

    /// Whether no thread will take the last run in the queue.
    pub(crate) fn is_starved(&self) -> bool {
        let state = lock(&self.state);
        state.queue.len() > state.ready
    }

    /// Takes the first run that is `wanted`, for a caller that is not one of these threads.
    pub(crate) fn take(&self, wanted: impl Fn(&R) -> bool) -> Option<R> {
        lock(&self.state).queue.take(wanted)
    }

    /// Notes that a handle has claimed a child that may stand in the queue; returns runs that
    /// [turn out](Queue::note_claim) to be stale.
    #[must_use]
    pub(crate) fn note_claim(&self, is_stale: impl Fn(&R) -> bool) -> VecDeque<R> {
        lock(&self.state).queue.note_claim(is_stale)
    }

    /// Queues a run, and says which thread will take it.
    pub(crate) fn submit(&self, run: R) -> Taker {
        let mut state = lock(&self.state);
        state.queue.push(run);
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

    /// Notes that a thread that was to be started is refused. Others may have counted on it.
    pub(crate) fn not_started(&self) {
        let mut state = lock(&self.state);
        state.ready -= 1;
        state.living -= 1;
    }

    /// Returns the next run for the calling thread, which is ready and then no more; none if the
    /// thread is to end. `wait` waits for the bell, and says whether that was long enough.
    pub(crate) fn next<'a>(
        &'a self,
        wait: impl Fn(&Condvar, MutexGuard<'a, State<R>>) -> (MutexGuard<'a, State<R>>, bool),
    ) -> Option<R> {
        let mut state = lock(&self.state);
        loop {
            if let Some(run) = state.queue.pop() {
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

    /// Notes that the calling thread is ready again.
    pub(crate) fn note_ready(&self) {
        lock(&self.state).ready += 1;
    }

    /// Lets every thread end once the queue is empty.
    pub(crate) fn close(&self) {
        lock(&self.state).is_closed = true;
        self.bell.notify_all();
    }

    /// Does what the system does for a thread that has waited for long.
    #[cfg(all(test, hatchery_loom))]
    pub(crate) fn ring_as_time_does(&self) {
        let _state = lock(&self.state);
        self.bell.notify_one();
    }
}
