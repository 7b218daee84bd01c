//! Errands: what one particular worker has to run, and no other.
//!
//! They are the shares of a broadcast, and jobs that descend from what the worker waits for in another pool. A worker runs
//! them when it looks for work, and on top of whatever it waits for. It comes to them by a ring if it sleeps in the pool,
//! see `hatchery::by_hand`; if it waits for a [latch](crate::latch), it sleeps at the mailbox itself.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::latch::lock;

/// Runs on one worker. It does not unwind.
pub(crate) type Errand = Box<dyn FnOnce() + Send>;

/// The errands of one worker.
#[derive(Default)]
pub(crate) struct Mailbox {
    errands: Mutex<VecDeque<Errand>>,
    bell: Condvar,
}

impl Mailbox {
    /// Adds an errand behind the others. The caller rings afterwards.
    pub(crate) fn put(&self, errand: Errand) {
        lock(&self.errands).push_back(errand);
        self.bell.notify_all();
    }

    /// Has the worker look at what it waits for, if it sleeps here.
    pub(crate) fn wake(&self) {
        // It looks under the lock.
        drop(lock(&self.errands));
        self.bell.notify_all();
    }

    /// Runs the errand that has waited longest; false if there is none. Only the mailbox's own worker calls this.
    pub(crate) fn run_one(&self) -> bool {
        let errand = lock(&self.errands).pop_front();
        errand.map(|errand| errand()).is_some()
    }

    /// Runs errands, and sleeps when there are none, until something is over.
    pub(crate) fn run_errands_until(&self, is_over: impl Fn() -> bool) {
        loop {
            let errand = {
                let mut errands = lock(&self.errands);
                loop {
                    if is_over() {
                        return;
                    }
                    match errands.pop_front() {
                        Some(errand) => break errand,
                        None => {
                            let woken = self.bell.wait(errands);
                            errands = woken.unwrap_or_else(PoisonError::into_inner);
                        }
                    }
                }
            };
            errand();
        }
    }
}
