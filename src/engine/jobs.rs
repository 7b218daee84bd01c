//! The jobs of a pool: bodies of nurseries that no stack waits for.
//!
//! A job that has not begun stands in one queue, in the order in which jobs were submitted, and whoever takes it out
//! decides what becomes of it. How jobs come to workers: see `submitting`.

use std::collections::BTreeMap;

use crate::platform::sync::atomic::{AtomicUsize, Ordering};
use crate::platform::sync::{Arc, Mutex, lock};

/// A job, as far as the engine knows it.
pub(crate) trait Job: Send + Sync {
    /// Runs the job, unless it is not wanted any more. It does not unwind.
    fn run(&self);
}

/// The number of a job among the jobs of its pool.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(u64);

/// The jobs of one pool.
pub(crate) struct Jobs {
    waiting: Mutex<Waiting>,
    /// How many are waiting.
    len: AtomicUsize,
    running: AtomicUsize,
}

#[derive(Default)]
struct Waiting {
    jobs: BTreeMap<Number, Arc<dyn Job>>,
    /// The number of the next job.
    next: u64,
}

impl Jobs {
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            len: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
        }
    }

    /// How many jobs have not begun.
    pub(crate) fn waiting(&self) -> usize {
        // ORDERING: Relaxed; ordered by the fences of `idle` and `submitting`.
        self.len.load(Ordering::Relaxed)
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

    pub(super) fn push(&self, job: Arc<dyn Job>) -> Number {
        let mut waiting = lock(&self.waiting);
        let number = Number(waiting.next);
        waiting.next += 1;
        waiting.jobs.insert(number, job);
        self.len.store(waiting.jobs.len(), Ordering::Relaxed);
        number
    }

    /// Takes the job that was submitted first.
    pub(super) fn take(&self) -> Option<Arc<dyn Job>> {
        self.take_by(|jobs| jobs.pop_first().map(|(_, job)| job))
    }

    /// Takes the job with this number, if it has not begun.
    pub(crate) fn take_back(&self, number: Number) -> Option<Arc<dyn Job>> {
        self.take_by(|jobs| jobs.remove(&number))
    }

    fn take_by(
        &self,
        take: impl FnOnce(&mut BTreeMap<Number, Arc<dyn Job>>) -> Option<Arc<dyn Job>>,
    ) -> Option<Arc<dyn Job>> {
        if self.waiting() == 0 {
            return None;
        }
        let mut waiting = lock(&self.waiting);
        let job = take(&mut waiting.jobs)?;
        self.len.store(waiting.jobs.len(), Ordering::Relaxed);
        Some(job)
    }
}
