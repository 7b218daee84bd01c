//! A fixed number of permits, and the line of items that wait for one.
//!
//! 1. To find no permit and to stand in line is one step; so is to give a permit back and to let
//!    the first in line go. So nothing stands in line while a permit is left.
//! 2. An item that is let go has no permit yet: it asks again, and may be overtaken. If it will not
//!    ask, the thread that knows this [lets the next item go](Permits::let_go).
//! 3. A thread that would take a permit later, and does not wait for its turn,
//!    [enlists](Waiters::is_left_for) before it looks for the last time. A thread that gives a
//!    permit back looks for enlisted threads afterwards. Both go through the lock of the permits in
//!    between.
//!
//! Models: `models::permits_*` and `limits_*`.

use std::collections::VecDeque;
use std::mem;

use crate::platform::sync::atomic::{AtomicBool, Ordering};
use crate::platform::sync::{Mutex, lock};
use crate::protocol::queue::{Queue, SWEEP};

pub(crate) struct Permits<T> {
    most: usize,
    state: Mutex<State<T>>,
}

struct State<T> {
    taken: usize,
    line: Queue<T>,
}

impl<T> Permits<T> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            state: Mutex::new(State {
                taken: 0,
                line: Queue::swept_after(SWEEP),
            }),
        }
    }

    /// Takes a permit if one is left.
    pub(crate) fn take(&self) -> bool {
        let mut state = lock(&self.state);
        let is_left = state.taken < self.most;
        state.taken += usize::from(is_left);
        is_left
    }

    /// Whether a permit is left.
    pub(crate) fn is_left(&self) -> bool {
        lock(&self.state).taken < self.most
    }

    /// Takes a permit for `item` and gives the item back, or makes it stand in line.
    pub(crate) fn take_or_stand_in_line(&self, item: T) -> Option<T> {
        let mut state = lock(&self.state);
        if state.taken < self.most {
            state.taken += 1;
            return Some(item);
        }
        state.line.push(item);
        None
    }

    /// Notes that a handle has claimed a child that may stand in line; returns items that
    /// [turn out](Queue::note_claim) to be stale.
    #[must_use]
    pub(crate) fn note_claim(&self, is_stale: impl Fn(&T) -> bool) -> VecDeque<T> {
        lock(&self.state).line.note_claim(is_stale)
    }

    /// Gives a permit back; returns the first item in line, which leaves it.
    #[must_use]
    pub(crate) fn give_back(&self) -> Option<T> {
        let mut state = lock(&self.state);
        state.taken -= 1;
        state.line.pop()
    }

    /// Lets the first item in line go, if a permit is left.
    #[must_use]
    pub(crate) fn let_go(&self) -> Option<T> {
        let mut state = lock(&self.state);
        if state.taken == self.most {
            return None;
        }
        state.line.pop()
    }

    /// Takes the first item that is `wanted` out of the line.
    pub(crate) fn take_out(&self, wanted: impl Fn(&T) -> bool) -> Option<T> {
        lock(&self.state).line.take(wanted)
    }

    /// Whether an item that is `wanted` stands in line.
    pub(crate) fn has(&self, wanted: impl Fn(&T) -> bool) -> bool {
        lock(&self.state).line.has(wanted)
    }
}

/// The threads to wake once a permit is given back.
pub(crate) struct Waiters<W> {
    all: Mutex<Vec<W>>,
    are_some: AtomicBool,
}

impl<W> Waiters<W> {
    pub(crate) fn new() -> Self {
        Self {
            all: Mutex::new(Vec::new()),
            are_some: AtomicBool::new(false),
        }
    }

    /// Whether a permit is left. In any case `who` is enlisted, to be woken when a permit is given
    /// back, unless an entry that `is_same` is enlisted already.
    pub(crate) fn is_left_for<T>(
        &self,
        permits: &Permits<T>,
        is_same: impl Fn(&W) -> bool,
        who: impl FnOnce() -> W,
    ) -> bool {
        let mut all = lock(&self.all);
        if !all.iter().any(is_same) {
            all.push(who());
        }
        drop(all);
        // ORDERING: Relaxed; ordered by the lock of the permits, which both sides take: see 3. Model:
        // `models::limits_whoever_wants_one_is_told`.
        self.are_some.store(true, Ordering::Relaxed);
        permits.is_left()
    }

    /// Takes all enlisted threads, which the caller has to wake: it has given a permit back.
    #[inline]
    pub(crate) fn take(&self) -> Vec<W> {
        // ORDERING: Relaxed, as above.
        if self.are_some.load(Ordering::Relaxed) {
            self.take_all()
        } else {
            Vec::new()
        }
    }

    #[cold]
    fn take_all(&self) -> Vec<W> {
        self.are_some.store(false, Ordering::Relaxed);
        mem::take(&mut *lock(&self.all))
    }
}
