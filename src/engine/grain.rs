//! How long something takes that happens again and again, at a fraction of the price of a clock.

use std::cell::Cell;
use std::time::Duration;

use crate::platform::clock::{self, Tick};

/// One event in this many reads the clock, which takes 25 ns here.
const TIMED: u32 = 8;
/// From this time on an event is coarse: it is worth the 0.1 us that showing a fork costs. The time
/// is much longer than it takes to get back what was taken, because the thread waits for that, too:
/// with 5 us, a tree of 1023 nodes that was shown once went on being shown, and took 10 ns per node
/// instead of 5.
const COARSE: Duration = Duration::from_micros(50);

/// Whether an event that repeats on one thread is coarse.
pub(crate) struct Grain {
    left: Cell<u32>,
    last: Cell<Option<Tick>>,
    /// Whether the events that were timed last were coarse, perhaps because of a pause between
    /// them.
    were_coarse: Cell<bool>,
}

impl Grain {
    pub(crate) fn new() -> Self {
        Self {
            left: Cell::new(TIMED),
            last: Cell::new(None),
            were_coarse: Cell::new(true),
        }
    }

    /// Notes that the event happens now; returns whether it is coarse.
    #[inline]
    pub(crate) fn are_coarse(&self) -> bool {
        let left = self.left.get() - 1;
        self.left.set(left);
        if left == 0 {
            self.note(clock::tick());
        }
        self.were_coarse.get()
    }

    #[cold]
    #[inline(never)]
    fn note(&self, now: Tick) {
        self.left.set(TIMED);
        let took = self.last.replace(Some(now)).map(|last| now - last);
        let are_coarse = took.is_some_and(|took| took / TIMED >= COARSE);
        self.were_coarse.set(are_coarse);
    }
}
