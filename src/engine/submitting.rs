//! How jobs come to workers.
//!
//! A job waits in the queue of its pool (`jobs`) until a worker takes it at the bottom of its stack, or the thread that
//! waits for the job's value runs it. Its nursery has no nursery around it, and the pool's jobs have no order among each other
//! but that they begin in the order in which they were submitted.
//!
//! A worker prefers the children of nurseries that are open: so what has begun comes to its end. But each [`SHARE`]th
//! time it looks for a job first, and so it does at every other of the turns of others (`turns`): so a nursery without an
//! end keeps no job from beginning. If callers have all places for long, the watcher sees to it that one job begins
//! beside them.
//!
//! No job is lost. A thread that submits one wakes a worker as it would for a stray (`idle`). If the system has refused all
//! threads, the thread takes the job back and runs it. The thread that ends the pool first waits for the jobs. If it may
//! be part of a job itself, it does not wait, and runs what is in the queue. Then the queue is closed, and a thread that
//! submits a job runs it.
//!
//! Models: `models::jobs_*`.

use crate::engine::core::Core;
use crate::engine::jobs::{Job, Number};
use crate::engine::seat::Seat;
use crate::engine::tally::Counter;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::Arc;
use crate::platform::thread;

/// One look in this many goes to jobs first.
const SHARE: u32 = 16;

impl Core {
    /// Has a worker run the job, or runs it here if there is none. Returns the number of the job, if it may be waiting.
    pub(crate) fn submit(&self, job: &Arc<dyn Job>) -> Option<Number> {
        if self.is_orphan() {
            // A thread that is not here may hold the lock of the queue.
            job.run();
            return None;
        }
        self.start_watchdog();
        let pushed = self.jobs.push(Arc::clone(job), || self.is_in_job());
        let Some(number) = pushed else {
            job.run();
            return None;
        };
        failpoint::reach(Failpoint::JobSubmitted);
        if !self.begin() {
            self.idle.wake_one(self);
        }
        self.have_worker();
        if !self.has_workers() {
            self.run_job(number);
        }
        Some(number)
    }

    /// Starts a worker, even if no place is free. Otherwise the first worker would start with the next free place; and if the
    /// system refused it then, nobody would be left to run the job. Returns when a worker has started, or it is known that
    /// there will be none. Does not wait for
    /// helpers: see `recruiting`.
    fn have_worker(&self) {
        if self.look_after_job() {
            return;
        }
        while self.workers_started() == 0 && self.has_workers() && !self.is_over() {
            if !self.idle.rouse_one_anyway(self) {
                // Another thread is starting it just now.
                thread::yield_now();
            }
        }
    }

    /// Runs the job with this number here, if it has not begun.
    pub(crate) fn run_job(&self, number: Number) {
        if let Some(job) = self.jobs.take_back(number) {
            job.run();
        }
    }

    /// Runs the jobs that no worker has begun, and what they submit. From then on the pool takes none.
    pub(super) fn run_what_is_left(&self, seat: Option<&Seat>) {
        while let Some(job) = self.jobs.take_or_close() {
            self.run_first(seat, &*job);
        }
    }

    /// Runs a job that was the first in the queue, on a thread that has this seat.
    fn run_first(&self, seat: Option<&Seat>, job: &dyn Job) {
        let was_in_job = seat.map(|seat| seat.is_in_job.replace(true));
        job.run();
        if let (Some(seat), Some(was_in_job)) = (seat, was_in_job) {
            seat.is_in_job.set(was_in_job);
        }
        // In a process that the job has forked, a thread that is not there may hold the lock.
        if !self.is_orphan() {
            self.jobs.note_over();
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
    pub(crate) fn take_job(&self) -> Option<Arc<dyn Job>> {
        self.core.jobs.take()
    }

    /// Runs a job at the bottom of this worker's stack.
    pub(crate) fn run_job(&self, job: &dyn Job) {
        self.tally()[Counter::Jobs].add(1);
        failpoint::reach(Failpoint::JobTaken);
        self.core.run_first(Some(self), job);
    }
}
