//! Runs that no thread's own deque may hold: spawned from outside, or out of order.
//!
//! Two kinds of sleepers look here: the home of the nursery, which parks for events of its own, and
//! workers, which are woken by [`crate::protocol::idle`]. A thread that adds a run tells both of
//! them afterwards, so neither needs to look at the right moment. Models: `models::injector_*`.

use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::atomic::{AtomicUsize, Ordering};
use crate::platform::sync::{Mutex, lock};
use crate::protocol::queue::{Queue, SWEEP};

/// A list that any thread adds runs to, and takes runs from that it may run.
pub(crate) struct Injector<R> {
    queue: Mutex<Queue<R>>,
    len: AtomicUsize,
}

impl<R> Injector<R> {
    pub(crate) fn new() -> Self {
        Self {
            queue: Mutex::new(Queue::swept_after(SWEEP)),
            len: AtomicUsize::new(0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        // ORDERING: Relaxed; ordered by the fences of `idle`, and by the home's unpark.
        self.len.load(Ordering::Relaxed)
    }

    pub(crate) fn push(&self, run: R) {
        let mut queue = lock(&self.queue);
        queue.push(run);
        self.len.store(queue.len(), Ordering::Relaxed);
    }

    /// Notes that a handle has claimed a child that probably stands here, where no thread takes it
    /// as long as all are busy. Runs that [turn out](Queue::note_claim) to be stale are passed to
    /// `let_go_of`.
    pub(crate) fn note_claim(&self, is_stale: impl Fn(&R) -> bool, let_go_of: impl Fn(R)) {
        if self.len() == 0 {
            return;
        }
        let mut queue = lock(&self.queue);
        let stale = queue.note_claim(is_stale);
        self.len.store(queue.len(), Ordering::Relaxed);
        drop(queue);
        stale.into_iter().for_each(let_go_of);
    }

    /// What `look` says of each run.
    pub(crate) fn each<T>(&self, look: impl Fn(&R) -> T) -> Vec<T> {
        lock(&self.queue).iter().map(look).collect()
    }

    pub(crate) fn has(&self, wanted: impl Fn(&R) -> bool) -> bool {
        self.len() > 0 && lock(&self.queue).has(wanted)
    }

    /// Takes the first run that `wanted` accepts.
    pub(crate) fn take(&self, wanted: impl Fn(&R) -> bool) -> Option<R> {
        if self.len() == 0 {
            return None;
        }
        let mut queue = lock(&self.queue);
        let run = queue.take(wanted)?;
        self.len.store(queue.len(), Ordering::Relaxed);
        drop(queue);
        failpoint::reach(Failpoint::StrayTaken);
        Some(run)
    }
}
