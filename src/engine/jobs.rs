//! The jobs of a pool: bodies of nurseries that no stack waits for.
//!
//! A job that has not begun stands in one queue, in the order in which jobs were submitted, and the thread that takes it
//! out decides what becomes of it. How jobs come to workers: see `submitting`.
//!
//! The queue closes in two steps. At first it takes only what jobs submit themselves, so that a chain of jobs in which
//! each submits the next one comes to its end on workers. Once no job waits or runs, it takes none.

use crate::platform::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::platform::sync::{Arc, Condvar, Mutex, PoisonError, lock};
use crate::protocol::line::Line;

/// A job, as far as the engine knows it.
pub(crate) trait Job: Send + Sync {
    /// Runs the job, unless it is not wanted any more. It does not unwind.
    fn run(&self);
}

/// The number of a job among the jobs of its pool.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(u64);

/// The jobs of one pool.
pub(crate) struct Jobs {
    waiting: Mutex<Waiting>,
    /// Once the pool ends, rung whenever a job leaves the queue or is over.
    bell: Condvar,
    /// How many are waiting.
    len: AtomicUsize,
    running: AtomicUsize,
    /// Whether none has begun for long, and no worker has taken notice of that.
    are_overdue: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    jobs: Line<Arc<dyn Job>>,
    /// The number of the next job.
    next: u64,
    /// How many jobs were taken from the front that are not over.
    taken: usize,
    door: Door,
}

/// Whose jobs the queue takes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Door {
    #[default]
    Open,
    /// Those of jobs: the pool ends.
    Jobs,
    Closed,
}

impl Waiting {
    fn is_done(&self) -> bool {
        self.taken == 0 && self.jobs.is_empty()
    }

    fn take_first(&mut self) -> Option<Arc<dyn Job>> {
        let (_, job) = self.jobs.pop()?;
        self.taken += 1;
        Some(job)
    }
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

    /// Puts a job into the queue; none if the queue does not take it. While the pool ends it takes jobs only if
    /// a job submits them.
    pub(super) fn push(
        &self,
        job: Arc<dyn Job>,
        is_in_job: impl FnOnce() -> bool,
    ) -> Option<Number> {
        let mut waiting = lock(&self.waiting);
        let takes = match waiting.door {
            Door::Open => true,
            Door::Jobs => is_in_job(),
            Door::Closed => false,
        };
        if !takes {
            return None;
        }
        let number = waiting.next;
        waiting.next += 1;
        waiting.jobs.push(number, job);
        self.len.store(waiting.jobs.len(), Ordering::Relaxed);
        Some(Number(number))
    }

    /// Takes the job that was submitted first. When it is over, [`Self::note_over`] is called.
    pub(super) fn take(&self) -> Option<Arc<dyn Job>> {
        self.take_by(Waiting::take_first)
    }

    /// Notes that a job is over that was the first in the queue.
    pub(super) fn note_over(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.taken -= 1;
        self.ring_at_the_end(&waiting);
    }

    /// From now on takes only what jobs submit; if `waits`, waits until none is in the queue or runs, and
    /// takes none from then on.
    pub(super) fn close(&self, waits: bool) {
        let mut waiting = lock(&self.waiting);
        if waiting.door == Door::Open {
            waiting.door = Door::Jobs;
        }
        if !waits {
            return;
        }
        while !waiting.is_done() {
            let woken = self.bell.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
        waiting.door = Door::Closed;
    }

    /// Takes the job that was submitted first as [`Self::take`] does; if there is none, takes no job from now on.
    pub(super) fn take_or_close(&self) -> Option<Arc<dyn Job>> {
        let mut waiting = lock(&self.waiting);
        let job = waiting.take_first();
        if job.is_none() {
            waiting.door = Door::Closed;
        }
        self.note_taken(&waiting);
        job
    }

    /// Takes the job with this number, if it has not begun.
    pub(crate) fn take_back(&self, number: Number) -> Option<Arc<dyn Job>> {
        self.take_by(|waiting| waiting.jobs.remove(number.0))
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
        self.note_taken(&waiting);
        Some(job)
    }

    /// Notes that a job may have left the queue.
    fn note_taken(&self, waiting: &Waiting) {
        self.len.store(waiting.jobs.len(), Ordering::Relaxed);
        self.ring_at_the_end(waiting);
    }

    fn ring_at_the_end(&self, waiting: &Waiting) {
        if waiting.door != Door::Open {
            self.bell.notify_all();
        }
    }
}
