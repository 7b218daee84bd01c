//! Deadlines: what the timer sleeps for, and when it is to be woken.
//!
//! 1. The thread looks at the clock and for the first deadline, and says when it will wake up, in
//!    one step. So a caller that adds a deadline either finds that the thread will look in time, or
//!    rings.
//! 2. The thread makes known that deadlines have passed after it has looked at the clock. So a task
//!    that learns of this and looks at the clock finds that they have passed.
//! 3. Without deadlines the thread rests for a while, and retires if there are none then. To find
//!    none and to be there no more is one step; so is to add a deadline and to find whether a
//!    thread is there, or start one. So nobody counts on a thread that has retired.
//! 4. A rest ends by itself, and deadlines that come and go meanwhile ring only if they are
//!    earlier. If the thread sleeps for longer than it rests, the bell rings when the last deadline
//!    is removed. So nurseries that end before their deadlines ring at most once in each rest.
//! 5. While there are no deadlines the thread may be dismissed. It is there no more from that
//!    moment: a deadline that is added before it has noticed starts another thread.
//!
//! Model: `models::timer_*`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::platform::sync::{Condvar, Mutex, MutexGuard, PoisonError, lock};

/// A deadline among equal ones.
pub(crate) type Entry = (Instant, u64);

pub(crate) struct Deadlines {
    /// How long the thread rests before it retires.
    rest: Duration,
    pending: Mutex<Pending>,
    bell: Condvar,
}

pub(crate) struct Pending {
    deadlines: BTreeSet<Entry>,
    /// Tells equal deadlines apart.
    number: u64,
    /// The number of the thread that waits for the deadlines, if one is there.
    thread: Option<u64>,
    /// How many threads have been started.
    started: u64,
    /// When the thread will wake up by itself.
    wakes_at: Option<Instant>,
    /// Whether that is later than a rest would end.
    is_far: bool,
    /// Until when it rests; none while there are deadlines.
    rests_until: Option<Instant>,
}

impl Pending {
    const fn new() -> Self {
        Self {
            deadlines: BTreeSet::new(),
            number: 0,
            thread: None,
            started: 0,
            wakes_at: None,
            is_far: false,
            rests_until: None,
        }
    }

    /// Notes that there is no thread any more.
    fn note_end(&mut self) {
        self.thread = None;
        self.wakes_at = None;
        self.is_far = false;
        self.rests_until = None;
    }

    /// Takes the deadlines that have passed; true if there are any.
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
    pub(crate) const fn new(rest: Duration) -> Self {
        Self {
            rest,
            pending: Mutex::new(Pending::new()),
            bell: Condvar::new(),
        }
    }

    #[cfg(hatchery_loom)]
    pub(crate) fn new(rest: Duration) -> Self {
        Self {
            rest,
            pending: Mutex::new(Pending::new()),
            bell: Condvar::new(),
        }
    }

    /// Adds a deadline, unless there is no thread and `start` cannot start one with its number.
    pub(crate) fn add(&self, deadline: Instant, start: impl FnOnce(u64) -> bool) -> Option<Entry> {
        let mut pending = lock(&self.pending);
        if pending.thread.is_none() {
            let number = pending.started;
            if !start(number) {
                return None;
            }
            pending.started += 1;
            pending.thread = Some(number);
        }
        let entry = (deadline, pending.number);
        pending.number += 1;
        pending.deadlines.insert(entry);
        if pending.wakes_at.is_none_or(|wakes_at| deadline < wakes_at) {
            self.bell.notify_one();
        }
        Some(entry)
    }

    /// Removes a deadline that nobody waits for any more.
    pub(crate) fn remove(&self, entry: &Entry) {
        let mut pending = lock(&self.pending);
        pending.deadlines.remove(entry);
        if pending.is_far && pending.deadlines.is_empty() {
            pending.is_far = false;
            self.bell.notify_one();
        }
    }

    /// Makes the thread end, unless there are deadlines; calls `take` in the same step, also if
    /// there is no thread.
    pub(crate) fn dismiss<T>(&self, take: impl FnOnce() -> T) -> Option<T> {
        let mut pending = lock(&self.pending);
        if !pending.deadlines.is_empty() {
            return None;
        }
        pending.note_end();
        // A thread that was dismissed before may not have noticed yet.
        self.bell.notify_all();
        Some(take())
    }

    /// Locks the deadlines, for the thread that waits for them.
    pub(crate) fn attend(&self) -> MutexGuard<'_, Pending> {
        lock(&self.pending)
    }

    /// Waits until the next deadline may have passed, or an earlier deadline is added. Deadlines
    /// before `now`, which was read under this lock, have been taken. None if the calling thread,
    /// which has this number, is to end.
    pub(crate) fn sleep<'a>(
        &'a self,
        mut pending: MutexGuard<'a, Pending>,
        thread: u64,
        now: Instant,
    ) -> Option<MutexGuard<'a, Pending>> {
        if pending.thread != Some(thread) {
            return None;
        }
        let wakes_at = if let Some(first) = pending.deadlines.first().copied() {
            pending.rests_until = None;
            first.0
        } else {
            let until = *pending.rests_until.get_or_insert(now + self.rest);
            if until <= now {
                pending.note_end();
                return None;
            }
            until
        };
        let time = wakes_at.saturating_duration_since(now);
        pending.wakes_at = Some(wakes_at);
        pending.is_far = time > self.rest;
        let waited = self.bell.wait_timeout(pending, time);
        Some(waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Does what the system does for a thread that waits for a time that has come.
    #[cfg(all(test, hatchery_loom))]
    pub(crate) fn wake_if_it_is_time(&self, now: Instant) {
        let pending = lock(&self.pending);
        if pending.wakes_at.is_some_and(|at| at <= now) {
            self.bell.notify_all();
        }
    }

    /// Makes the thread look at a clock that was moved.
    #[cfg(all(any(test, hatchery_clock), not(hatchery_loom)))]
    pub(crate) fn look_again(&self) {
        let _pending = lock(&self.pending);
        self.bell.notify_one();
    }
}
