//! The jobs of a pool: bodies of nurseries that no stack waits for.
//!
//! How a job comes to a worker: see `submitting`.

use crate::platform::sync::Arc;
use crate::platform::sync::atomic::{AtomicUsize, Ordering};
use crate::protocol::injector::Injector;

/// A job, as far as the engine knows it.
pub(crate) trait Job: Send + Sync {
    /// Runs the job, unless another thread has begun it or it is not wanted any more. It does not unwind.
    fn run(&self);

    /// Whether there is nothing to run any more.
    fn is_stale(&self) -> bool;
}

/// The jobs of one pool.
pub(crate) struct Jobs {
    /// In the order in which they were submitted.
    queue: Injector<Arc<dyn Job>>,
    running: AtomicUsize,
}

impl Jobs {
    pub(super) fn new() -> Self {
        Self {
            queue: Injector::new(),
            running: AtomicUsize::new(0),
        }
    }

    /// How many jobs have not begun; jobs that are not wanted any more may be among them.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many jobs have begun and not ended.
    pub(crate) fn running(&self) -> usize {
        // ORDERING: Relaxed, here and below: for people to read.
        self.running.load(Ordering::Relaxed)
    }

    /// Calls `run`, which runs a job and does not unwind.
    pub(crate) fn count<R>(&self, run: impl FnOnce() -> R) -> R {
        self.running.fetch_add(1, Ordering::Relaxed);
        let result = run();
        self.running.fetch_sub(1, Ordering::Relaxed);
        result
    }

    pub(super) fn push(&self, job: Arc<dyn Job>) {
        self.queue.push(job);
    }

    /// Takes the job that was submitted first.
    pub(super) fn take(&self) -> Option<Arc<dyn Job>> {
        self.queue.take(|_| true)
    }

    /// Takes this job out of the queue, if it is still there.
    pub(super) fn take_back(&self, job: &Arc<dyn Job>) {
        drop(self.queue.take(|other| Arc::ptr_eq(other, job)));
    }

    /// Notes that a job that is probably in the queue has been begun or given up.
    pub(super) fn note_stale(&self) {
        self.queue.note_claim(|job| job.is_stale(), drop);
    }
}
