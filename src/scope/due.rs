//! A nursery's own deadline, which can be moved while the nursery is open.
//!
//! 1. Whoever finds that it has passed says so under the lock, and then it is not moved any more. Whoever
//!    moves it looks for that, too. So a nursery that was found to be cancelled stays cancelled, and one
//!    whose deadline has passed unseen is.
//! 2. Whoever moves it does so under the lock, and then advances the epoch: to those who check it is like
//!    a token that was switched (`epoch`), so an answer that was found before is not relied on afterwards.
//! 3. The timer waits for the new one before it forgets the old one. If it wakes up for the old one all
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
    fn passed(&mut self) -> Option<Instant> {
        self.has_passed |= self.at.is_some_and(|at| at <= clock::now());
        self.at.filter(|_| self.has_passed)
    }
}

impl Due {
    /// Moves it, or takes it away; false if it has passed. The epoch is the caller's to advance.
    pub(super) fn set(&self, at: Option<Instant>) -> bool {
        // It may start a thread.
        let watch = at.and_then(Watch::start);
        let mut present = lock(&self.present);
        let is_moved = present.passed().is_none();
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

    fn present<R>(&self, look: impl FnOnce(&mut Present) -> R) -> Option<R> {
        let is_any = self.is_any.load(Ordering::Relaxed);
        is_any.then(|| look(&mut lock(&self.present)))
    }

    pub(super) fn at(&self) -> Option<Instant> {
        self.present(|present| present.at)?
    }

    /// When it was, if it has passed.
    pub(super) fn passed(&self) -> Option<Instant> {
        let passed = self.present(Present::passed)?;
        if passed.is_some() {
            point::reach(Point::DeadlinePassed);
        }
        passed
    }

    /// Whether it takes a look at the clock to know.
    pub(super) fn is_unwatched(&self) -> bool {
        let is_unwatched = |present: &mut Present| present.at.is_some() && present.watch.is_none();
        self.present(is_unwatched).unwrap_or(false)
    }
}
