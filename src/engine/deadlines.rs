//! Deadlines that are waited for: what the timer sleeps for, and when it is to be woken.
//!
//! 1. The thread looks at the clock and for the first deadline, and says when it will wake up, in one step.
//!    So whoever adds one finds that the thread will look in time, or rings.
//! 2. It makes known that deadlines have passed after it has looked at the clock. So whoever learns of
//!    that and looks at the clock finds that they have.
//!
//! Model: `models::timer_*`.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::platform::sync::{Condvar, Mutex, MutexGuard, PoisonError, lock};

/// A deadline among equal ones.
pub(crate) type Entry = (Instant, u64);

pub(crate) struct Deadlines {
    pending: Mutex<Pending>,
    bell: Condvar,
}

pub(crate) struct Pending {
    deadlines: BTreeSet<Entry>,
    /// Tells equal ones apart.
    number: u64,
    /// Whether there is a thread that waits for them.
    is_running: bool,
    /// When the thread will wake up by itself, if it will.
    wakes_at: Option<Instant>,
}

impl Pending {
    const fn new() -> Self {
        Self {
            deadlines: BTreeSet::new(),
            number: 0,
            is_running: false,
            wakes_at: None,
        }
    }

    /// Takes those that have passed; true if there are any.
    pub(crate) fn take_passed(&mut self, now: Instant) -> bool {
        let mut has_passed = false;
        while self.deadlines.first().is_some_and(|first| first.0 <= now) {
            self.deadlines.pop_first();
            has_passed = true;
        }
        has_passed
    }
}

impl Deadlines {
    #[cfg(not(hatchery_loom))]
    pub(crate) const fn new() -> Self {
        Self {
            pending: Mutex::new(Pending::new()),
            bell: Condvar::new(),
        }
    }

    #[cfg(hatchery_loom)]
    pub(crate) fn new() -> Self {
        Self {
            pending: Mutex::new(Pending::new()),
            bell: Condvar::new(),
        }
    }

    /// Adds one, unless there is no thread and `start` cannot have one.
    pub(crate) fn add(&self, deadline: Instant, start: impl FnOnce() -> bool) -> Option<Entry> {
        let mut pending = lock(&self.pending);
        if !pending.is_running {
            pending.is_running = start();
            if !pending.is_running {
                return None;
            }
        }
        let entry = (deadline, pending.number);
        pending.number += 1;
        pending.deadlines.insert(entry);
        if pending.wakes_at.is_none_or(|wakes_at| deadline < wakes_at) {
            self.bell.notify_one();
        }
        Some(entry)
    }

    /// Nobody waits for it any more.
    pub(crate) fn remove(&self, entry: &Entry) {
        lock(&self.pending).deadlines.remove(entry);
    }

    /// For the thread that waits for them.
    pub(crate) fn attend(&self) -> MutexGuard<'_, Pending> {
        lock(&self.pending)
    }

    /// Waits until the next one may have passed, or an earlier one is added. Those before `now`, which it
    /// became under this lock, are taken.
    pub(crate) fn sleep<'a>(
        &'a self,
        mut pending: MutexGuard<'a, Pending>,
        now: Instant,
    ) -> MutexGuard<'a, Pending> {
        pending.wakes_at = pending.deadlines.first().map(|first| first.0);
        let relock = PoisonError::into_inner;
        match pending.wakes_at {
            None => self.bell.wait(pending).unwrap_or_else(relock),
            Some(at) => {
                let wait = self
                    .bell
                    .wait_timeout(pending, at.saturating_duration_since(now));
                wait.unwrap_or_else(|error| error.into_inner()).0
            }
        }
    }

    /// What the system does for a thread that waits for a time that has come.
    #[cfg(all(test, hatchery_loom))]
    pub(crate) fn wake_if_it_is_time(&self, now: Instant) {
        let pending = lock(&self.pending);
        if pending.wakes_at.is_some_and(|at| at <= now) {
            self.bell.notify_one();
        }
    }

    /// Has the thread look at a clock that was moved.
    #[cfg(all(any(test, hatchery_clock), not(hatchery_loom)))]
    pub(crate) fn look_again(&self) {
        let _pending = lock(&self.pending);
        self.bell.notify_one();
    }
}
