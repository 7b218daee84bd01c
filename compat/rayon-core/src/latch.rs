//! What a thread waits for that does not compute meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::mailbox::Mailbox;

/// Locks. No user code runs under a lock of this crate, so nobody panics with one held.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number of events that one thread waits for.
pub(crate) struct Latch {
    /// How many have not happened.
    left: AtomicUsize,
    waiter: Waiter,
}

/// Where the waiter sleeps.
enum Waiter {
    /// Any thread.
    Outside(Mutex<()>, Condvar),
    /// A worker: it runs errands meanwhile.
    Worker(Arc<Mailbox>),
}

impl Latch {
    /// A latch for so many events, which the calling thread waits for; for a worker, with its mailbox.
    pub(crate) fn new(events: usize, mailbox: Option<&Arc<Mailbox>>) -> Arc<Self> {
        let waiter = match mailbox {
            None => Waiter::Outside(Mutex::default(), Condvar::new()),
            Some(mailbox) => Waiter::Worker(Arc::clone(mailbox)),
        };
        Arc::new(Self {
            left: AtomicUsize::new(events),
            waiter,
        })
    }

    /// Adds an event, before the last one has happened.
    pub(crate) fn add(&self) {
        // ORDERING: Relaxed: whoever adds is itself one of the events that are waited for.
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that an event has happened.
    pub(crate) fn count_down(&self) {
        // ORDERING: AcqRel: the last one to count down passes on what the others did; partner: the Acquire in `is_over`.
        if self.left.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        match &self.waiter {
            Waiter::Outside(mutex, bell) => {
                // The waiter looks under the lock, so it either sees the zero or is asleep by now.
                drop(lock(mutex));
                bell.notify_all();
            }
            Waiter::Worker(mailbox) => mailbox.wake(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        // ORDERING: Acquire; partner: the release in `count_down`.
        self.left.load(Ordering::Acquire) == 0
    }

    /// Waits until all events have happened. A thread that has a place in a pool of hatchery gives it up meanwhile.
    pub(crate) fn wait(&self) {
        if self.is_over() {
            return;
        }
        hatchery::block_in_place(|| match &self.waiter {
            Waiter::Outside(mutex, bell) => {
                let mut guard = lock(mutex);
                while !self.is_over() {
                    guard = bell.wait(guard).unwrap_or_else(PoisonError::into_inner);
                }
            }
            Waiter::Worker(mailbox) => mailbox.run_errands_until(|| self.is_over()),
        });
    }
}
