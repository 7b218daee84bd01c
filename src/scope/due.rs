//! A nursery's own deadline, which can be moved while the nursery is open.
//!
//! 1. A thread that finds that the deadline has passed says so under the lock, and then the
//!    deadline is not moved any more. A thread that moves the deadline looks for that, too. So a
//!    nursery that was found to be cancelled stays cancelled, and a nursery is cancelled even if
//!    its deadline has passed unseen.
//! 2. A thread moves the deadline under the lock, and then advances the epoch. To threads that
//!    check, this is like a token that was switched (`epoch`), so they do not rely on an answer
//!    from before.
//! 3. A thread that finds that the nursery is cancelled by the deadline of an outer nursery puts
//!    that deadline in the place of the nursery's own, for good: lateness is measured from the
//!    deadline that cancelled the nursery.
//! 4. A thread that moves the deadline reads the clock under the lock. If it had read an earlier
//!    time, that time could be before a deadline that another thread has set meanwhile, and a
//!    deadline that has passed would be moved. A thread that only looks reads the clock before
//!    it takes the lock.
//! 5. No thread is started under the lock: a process that is forked meanwhile would find the lock
//!    taken for ever.
//! 6. The timer waits for the new deadline before it forgets the old one. If it wakes up for the
//!    old one all the same, it advances the epoch once more than anybody needs.
//!
//! Model: `models::mark_a_deadline_that_was_moved_is_seen`.

use std::time::Instant;

use crate::engine::timer::Watch;
use crate::platform::clock;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::lazy::Lazy;
use crate::platform::sync::{Mutex, lock};

#[derive(Default)]
pub(super) struct Due {
    /// Made by the first deadline. Most nurseries have none: they take no lock to know, and the room for
    /// it is no part of each level of a recursion.
    present: Lazy<Mutex<Present>>,
}

#[derive(Default)]
struct Present {
    at: Option<Instant>,
    /// The timer's knowledge of the deadline; none if no thread could be had.
    watch: Option<Watch>,
    has_passed: bool,
}

impl Present {
    /// The deadline, if it has passed by `now`, or if another thread has found so before.
    fn passed(&mut self, now: Option<Instant>) -> Option<Instant> {
        self.has_passed |= self.at.is_some_and(|at| now.is_some_and(|now| at <= now));
        self.over()
    }

    fn over(&self) -> Option<Instant> {
        self.at.filter(|_| self.has_passed)
    }
}

/// The present time, if there is a clock.
fn now() -> Option<Instant> {
    clock::IS_THERE.then(clock::now)
}

impl Due {
    /// Moves the deadline, or takes it away; false if it has passed. The caller advances the epoch.
    pub(super) fn set(&self, at: Option<Instant>) -> bool {
        // It may start a thread.
        let watch = at.and_then(Watch::start);
        let mut present = lock(self.present.get());
        let is_moved = present.passed(now()).is_none();
        let old = if is_moved {
            present.at = at;
            std::mem::replace(&mut present.watch, watch)
        } else {
            watch
        };
        drop(present);
        drop(old);
        is_moved
    }

    /// Notes that the nursery is cancelled by the deadline of an outer nursery, which was `then`.
    pub(super) fn end(&self, then: Instant) {
        let mut present = lock(self.present.get());
        present.at = Some(then);
        present.has_passed = true;
    }

    /// The deadline, if any thread has found that it has passed.
    pub(super) fn over(&self) -> Option<Instant> {
        lock(self.present.peek()?).over()
    }

    /// The deadline, if it has passed.
    pub(super) fn passed(&self) -> Option<Instant> {
        let present = self.present.peek()?;
        let now = now();
        let passed = lock(present).passed(now);
        if passed.is_some() {
            failpoint::reach(Failpoint::DeadlinePassed);
        }
        passed
    }

    /// Whether only a look at the clock can tell if the deadline has passed.
    pub(super) fn is_unwatched(&self) -> bool {
        let is_unwatched = |present: &Present| present.at.is_some() && present.watch.is_none();
        let present = self.present.peek();
        present.is_some_and(|present| is_unwatched(&lock(present)))
    }
}
