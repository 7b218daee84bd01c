//! Jobs: bodies of nurseries that no stack waits for.
//!
//! A job waits in a queue of its pool until a worker takes it at the bottom of its stack, or the thread that waits for
//! the job's value runs it. Its nursery has no nursery around it, and the pool's jobs have no order among each other
//! but that they begin in the order in which they were submitted.
//!
//! A worker prefers the children of nurseries that are open: so what has begun comes to its end. But each [`SHARE`]th
//! time it looks for a job first, and so it does at each of the turns of others (`turns`): so a nursery without an end
//! keeps no job from beginning.
//!
//! No job is lost. A thread that submits one wakes a worker as it would for a stray (`Injector`, `Idle`). If there is no
//! worker, because the pool has ended or the system has refused all threads, the thread takes the job back and runs it.
//! What is in the queue when the pool's threads have ended is run by the thread that ends the pool.

use crate::engine::core::Core;
use crate::engine::seat::Seat;
use crate::engine::tally::Counter;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::Arc;
use crate::platform::sync::atomic::{AtomicUsize, Ordering, fence};
use crate::protocol::injector::Injector;

/// One look in this many goes to jobs first.
const SHARE: u32 = 16;

/// A job, as far as the engine knows it.
pub(crate) trait Job: Send + Sync {
    /// Runs the job, unless another thread has begun it or it is not wanted any more. It does not unwind.
    fn run(&self);

    /// Whether there is nothing to run any more.
    fn is_stale(&self) -> bool;
}

/// The jobs of one pool.
pub(crate) struct Jobs {
    waiting: Injector<Arc<dyn Job>>,
    running: AtomicUsize,
}

impl Jobs {
    pub(super) fn new() -> Self {
        Self {
            waiting: Injector::new(),
            running: AtomicUsize::new(0),
        }
    }

    /// How many jobs have not begun; jobs that are not wanted any more may be among them.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
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

    fn take(&self) -> Option<Arc<dyn Job>> {
        self.waiting.take(|_| true)
    }
}

impl Core {
    /// Has a worker run the job, or runs it here if there is none.
    pub(crate) fn submit(self: &Arc<Self>, job: &Arc<dyn Job>) {
        if self.is_orphan() {
            // A thread that is not here may hold the lock of the queue.
            return job.run();
        }
        self.start_watchdog();
        self.jobs.waiting.push(Arc::clone(job));
        failpoint::reach(Failpoint::JobSubmitted);
        if !self.begin() {
            self.idle.wake_one(&**self);
        }
        // ORDERING: SeqCst fence between putting the job there and looking whether the pool has ended; partner: the
        // fence in `run_what_is_left`. Model: `models::jobs_at_the_end`.
        fence(Ordering::SeqCst);
        if self.is_shut_down() || !self.has_workers() {
            drop(self.jobs.waiting.take(|other| Arc::ptr_eq(other, job)));
            job.run();
        }
    }

    /// Notes that a job has been begun or given up by a thread that has not taken it out of the queue.
    pub(crate) fn note_stale_job(&self) {
        if !self.is_orphan() {
            self.jobs.waiting.note_claim(|job| job.is_stale(), drop);
        }
    }

    /// Runs the jobs that no worker has begun, when the workers have ended.
    pub(super) fn run_what_is_left(&self) {
        // ORDERING: SeqCst fence between the end of the pool and the look at the queue; partner: the fence in `submit`.
        // A job that this does not see is run by the thread that submits it. Model: `models::jobs_at_the_end`.
        fence(Ordering::SeqCst);
        while let Some(job) = self.jobs.take() {
            job.run();
        }
    }
}

impl Seat {
    /// Whether this look for something to do goes to jobs first.
    pub(super) fn is_for_jobs(&self) -> bool {
        let looks = self.looks.get().wrapping_add(1);
        self.looks.set(looks);
        looks % SHARE == 0
    }

    /// Takes the job that was submitted first.
    pub(super) fn take_job(&self) -> Option<Arc<dyn Job>> {
        self.core.jobs.take()
    }

    /// Runs a job at the bottom of this worker's stack.
    pub(super) fn run_job(&self, job: &dyn Job) {
        self.tally()[Counter::Jobs].add(1);
        failpoint::reach(Failpoint::JobTaken);
        job.run();
    }
}
