//! The jobs of a pool: bodies of nurseries that no stack waits for.
//!
//! A job that has not begun stands in one queue, in the order in which jobs were submitted, and whoever takes it out
//! decides what becomes of it. How jobs come to workers: see `submitting`.

use std::collections::BTreeMap;

use crate::platform::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::platform::sync::{Arc, Condvar, Mutex, PoisonError, lock};

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
    /// Once the queue is closed, rung whenever a job leaves it or is over.
    bell: Condvar,
    /// How many are waiting.
    len: AtomicUsize,
    running: AtomicUsize,
    /// Whether none has begun for long, and no worker has taken notice of that.
    are_overdue: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    jobs: BTreeMap<Number, Arc<dyn Job>>,
    /// The number of the next job.
    next: u64,
    /// How many jobs workers have taken that are not over.
    taken: usize,
    /// Whether there are no more jobs to come.
    is_closed: bool,
}

impl Jobs {
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            bell: Condvar::new(),
            len: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            are_overdue: AtomicBool::new(false),
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

    /// Notes that no job has begun for long although some are waiting.
    pub(super) fn note_overdue(&self) {
        // ORDERING: Relaxed, here and below: a hint.
        self.are_overdue.store(true, Ordering::Relaxed);
    }

    /// Takes notice: returns whether no job had begun for long when the watcher last looked; true for one caller.
    pub(super) fn take_overdue(&self) -> bool {
        self.are_overdue.load(Ordering::Relaxed) && self.are_overdue.swap(false, Ordering::Relaxed)
    }

    /// Calls `run`, which runs a job and does not unwind.
    pub(crate) fn count<R>(&self, run: impl FnOnce() -> R) -> R {
        self.running.fetch_add(1, Ordering::Relaxed);
        let result = run();
        self.running.fetch_sub(1, Ordering::Relaxed);
        result
    }

    /// Puts a job into the queue; none if there are no more jobs to come.
    pub(super) fn push(&self, job: Arc<dyn Job>) -> Option<Number> {
        let mut waiting = lock(&self.waiting);
        if waiting.is_closed {
            return None;
        }
        let number = Number(waiting.next);
        waiting.next += 1;
        waiting.jobs.insert(number, job);
        self.len.store(waiting.jobs.len(), Ordering::Relaxed);
        Some(number)
    }

    /// Takes the job that was submitted first. When it is over, [`Self::note_over`] is called.
    pub(super) fn take(&self) -> Option<Arc<dyn Job>> {
        self.take_by(|waiting| {
            let (_, job) = waiting.jobs.pop_first()?;
            waiting.taken += 1;
            Some(job)
        })
    }

    /// Notes that a job is over that was the first in the queue.
    pub(super) fn note_over(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.taken -= 1;
        if waiting.is_closed {
            self.bell.notify_all();
        }
    }

    /// Lets no more jobs in; if `waits`, waits until none is in the queue, and all are over that workers have taken.
    pub(super) fn close(&self, waits: bool) {
        let mut waiting = lock(&self.waiting);
        waiting.is_closed = true;
        while waits && (waiting.taken > 0 || !waiting.jobs.is_empty()) {
            let woken = self.bell.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes the job with this number, if it has not begun.
    pub(crate) fn take_back(&self, number: Number) -> Option<Arc<dyn Job>> {
        self.take_by(|waiting| waiting.jobs.remove(&number))
    }

    fn take_by(
        &self,
        take: impl FnOnce(&mut Waiting) -> Option<Arc<dyn Job>>,
    ) -> Option<Arc<dyn Job>> {
        if self.waiting() == 0 {
            return None;
        }
        let mut waiting = lock(&self.waiting);
        let job = take(&mut waiting)?;
        self.len.store(waiting.jobs.len(), Ordering::Relaxed);
        if waiting.is_closed {
            self.bell.notify_all();
        }
        Some(job)
    }
}
