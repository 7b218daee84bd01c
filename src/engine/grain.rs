//! Whether what happens again and again takes long each time, at a fraction of the price of a clock.

use std::cell::Cell;
use std::time::Duration;

use crate::platform::clock::{self, Tick};
use crate::platform::sync::atomic::Ordering;
use crate::platform::sync::hints::AtomicBool;

/// One event in this many is timed: it takes 25 ns to read the clock.
pub(crate) const TIMED: u32 = 8;
/// From this time on an event is coarse: it is worth the 0.1 us that showing a fork costs. The time
/// is much longer than it takes to get back what was taken, because the thread waits for that, too:
/// with 5 us, a tree of 1023 nodes that was shown once went on being shown, and took 10 ns per node
/// instead of 5.
pub(crate) const COARSE: Duration = Duration::from_micros(50);

/// Whether events are coarse, as far as the events say that were timed last.
pub(crate) struct Grain(AtomicBool);

impl Grain {
    /// The grain of events of which none has been timed.
    pub(crate) fn new(are_coarse: bool) -> Self {
        Self(AtomicBool::new(are_coarse))
    }

    #[inline]
    pub(crate) fn is_coarse(&self) -> bool {
        // ORDERING: Relaxed: a hint.
        self.0.load(Ordering::Relaxed)
    }

    /// Notes how long some events took.
    pub(crate) fn note(&self, took: Duration, events: u32) {
        let is_coarse = took / events >= COARSE;
        if is_coarse != self.is_coarse() {
            self.0.store(is_coarse, Ordering::Relaxed);
        }
    }
}

/// The grain of an event that repeats on one thread.
pub(crate) struct Rhythm {
    grain: Grain,
    left: Cell<u32>,
    last: Cell<Option<Tick>>,
}

impl Rhythm {
    pub(crate) fn new() -> Self {
        Self {
            // Whether they are is known after a few events.
            grain: Grain::new(true),
            left: Cell::new(TIMED),
            last: Cell::new(None),
        }
    }

    /// Notes that the event happens now; returns whether it is coarse, perhaps because of a pause
    /// before it.
    #[inline]
    pub(crate) fn is_coarse(&self) -> bool {
        let left = self.left.get() - 1;
        self.left.set(left);
        if left == 0 {
            self.note(clock::tick());
        }
        self.grain.is_coarse()
    }

    #[cold]
    #[inline(never)]
    fn note(&self, now: Tick) {
        self.left.set(TIMED);
        let last = self.last.replace(Some(now));
        self.grain
            .note(last.map_or(Duration::ZERO, |last| now - last), TIMED);
    }
}
