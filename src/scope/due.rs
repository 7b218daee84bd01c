//! A nursery's own deadline, which can be moved while the nursery is open.
//!
//! 1. Whoever finds that it has passed says so under the lock, and then it is not moved any more. Whoever
//!    moves it looks for that, too. So a nursery that was found to be cancelled stays cancelled, and one
//!    whose deadline has passed unseen is.
//! 2. Whoever moves it does so under the lock, and then advances the epoch: to those who check it is like
//!    a token that was switched (`epoch`), so an answer that was found before is not relied on afterwards.
//! 3. Whoever finds that the nursery is cancelled by a deadline further out puts that one in the place of
//!    its own, for good: what cancelled the nursery is what it is late by.
//! 4. No clock is looked at under the lock, and no thread is started: a process that is forked meanwhile
//!    would find the lock taken for ever. So whoever looks may say under the lock what was true before.
//! 5. The timer waits for the new one before it forgets the old one. If it wakes up for the old one all
//!    the same, it has the epoch advance once more than anybody needs.
//!
//! Model: `models::mark_a_deadline_that_was_moved_is_seen`.

use std::time::Instant;

use crate::engine::timer::Watch;
use crate::platform::clock;
use crate::platform::point::{self, Point};
use crate::platform::sync::atomic::{AtomicBool, Ordering};
use crate::platform::sync::{Mutex, lock};

#[derive(Default)]
pub(super) struct Due {
    /// Whether there ever was one. Most nurseries have none, and take no lock to know.
    is_any: AtomicBool,
    present: Mutex<Present>,
}

#[derive(Default)]
struct Present {
    at: Option<Instant>,
    /// The timer's knowledge of it; there is none if no thread could be had.
    watch: Option<Watch>,
    has_passed: bool,
}

impl Present {
    /// When it was, if it has passed by `now`, or before that for somebody else.
    fn passed(&mut self, now: Option<Instant>) -> Option<Instant> {
        self.has_passed |= self.at.is_some_and(|at| now.is_some_and(|now| at <= now));
        self.over()
    }

    fn over(&self) -> Option<Instant> {
        self.at.filter(|_| self.has_passed)
    }
}

/// What time it is, if there is a clock.
fn now() -> Option<Instant> {
    clock::IS_THERE.then(clock::now)
}

impl Due {
    /// Moves it, or takes it away; false if it has passed. The epoch is the caller's to advance.
    pub(super) fn set(&self, at: Option<Instant>) -> bool {
        // It may start a thread.
        let watch = at.and_then(Watch::start);
        let now = now();
        let mut present = lock(&self.present);
        let is_moved = present.passed(now).is_none();
        let old = if is_moved {
            present.at = at;
            std::mem::replace(&mut present.watch, watch)
        } else {
            watch
        };
        drop(present);
        drop(old);
        // ORDERING: Relaxed: children come after, or the epoch advances for it.
        self.is_any.store(true, Ordering::Relaxed);
        is_moved
    }

    /// The nursery is cancelled by a deadline further out, which was then.
    pub(super) fn end(&self, then: Instant) {
        let mut present = lock(&self.present);
        present.at = Some(then);
        present.has_passed = true;
        drop(present);
        // ORDERING: Relaxed: who does not see it yet asks further out.
        self.is_any.store(true, Ordering::Relaxed);
    }

    fn is_any(&self) -> bool {
        self.is_any.load(Ordering::Relaxed)
    }

    /// When it was, if anybody has found that it has passed.
    pub(super) fn over(&self) -> Option<Instant> {
        self.is_any().then(|| lock(&self.present).over())?
    }

    /// When it was, if it has passed.
    pub(super) fn passed(&self) -> Option<Instant> {
        if !self.is_any() {
            return None;
        }
        let now = now();
        let passed = lock(&self.present).passed(now);
        if passed.is_some() {
            point::reach(Point::DeadlinePassed);
        }
        passed
    }

    /// Whether it takes a look at the clock to know.
    pub(super) fn is_unwatched(&self) -> bool {
        let is_unwatched = |present: &Present| present.at.is_some() && present.watch.is_none();
        self.is_any() && is_unwatched(&lock(&self.present))
    }
}
