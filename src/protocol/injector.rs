//! Runs that no thread's own deque may hold: spawned from outside, or out of order.
//!
//! Two kinds of sleepers look here: the home of the nursery, which parks for events of its own, and
//! workers, which are woken by [`crate::protocol::idle`]. A thread that adds a run tells both of
//! them afterwards, so neither needs to look at the right moment. Models: `models::injector_*`.

use std::collections::VecDeque;

use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::atomic::{AtomicUsize, Ordering};
use crate::platform::sync::{Mutex, lock};

/// Claims worth a sweep: few enough not to hold memory, many enough to share its cost.
const SWEEP: usize = 32;

/// A list that any thread adds runs to, and takes runs from that it may run.
pub(crate) struct Injector<R> {
    queue: Mutex<Queue<R>>,
    len: AtomicUsize,
}

struct Queue<R> {
    runs: VecDeque<R>,
    /// Claims by handles since the runs were last swept.
    claims: usize,
}

impl<R> Injector<R> {
    pub(crate) fn new() -> Self {
        let none = Queue {
            runs: VecDeque::new(),
            claims: 0,
        };
        Self {
            queue: Mutex::new(none),
            len: AtomicUsize::new(0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        // ORDERING: Relaxed; ordered by the fences of `idle`, and by the home's unpark.
        self.len.load(Ordering::Relaxed)
    }

    pub(crate) fn push(&self, run: R) {
        let mut queue = lock(&self.queue);
        queue.runs.push_back(run);
        self.len.store(queue.runs.len(), Ordering::Relaxed);
    }

    /// Notes that a handle has claimed a child that probably stands here, where no thread takes it
    /// as long as all are busy. Once half of the runs may be claimed, runs that `is_stale` accepts
    /// are passed to `let_go_of`.
    pub(crate) fn note_claim(&self, is_stale: impl Fn(&R) -> bool, let_go_of: impl Fn(R)) {
        if self.len() == 0 {
            return;
        }
        let mut queue = lock(&self.queue);
        queue.claims += 1;
        if queue.claims < SWEEP || queue.claims * 2 < queue.runs.len() {
            return;
        }
        queue.claims = 0;
        let (stale, rest) = queue.runs.drain(..).partition(is_stale);
        queue.runs = rest;
        self.len.store(queue.runs.len(), Ordering::Relaxed);
        drop(queue);
        Vec::from(stale).into_iter().for_each(let_go_of);
    }

    /// What `look` says of each run.
    pub(crate) fn each<T>(&self, look: impl Fn(&R) -> T) -> Vec<T> {
        lock(&self.queue).runs.iter().map(look).collect()
    }

    pub(crate) fn has(&self, wanted: impl Fn(&R) -> bool) -> bool {
        self.len() > 0 && lock(&self.queue).runs.iter().any(wanted)
    }

    /// Takes the first run that `wanted` accepts.
    pub(crate) fn take(&self, wanted: impl Fn(&R) -> bool) -> Option<R> {
        if self.len() == 0 {
            return None;
        }
        let mut queue = lock(&self.queue);
        let at = queue.runs.iter().position(wanted)?;
        let run = queue.runs.remove(at);
        self.len.store(queue.runs.len(), Ordering::Relaxed);
        drop(queue);
        failpoint::reach(Failpoint::StrayTaken);
        run
    }
}
