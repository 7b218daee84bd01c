//! Whether what happens again and again takes long each time.

use std::cell::Cell;
use std::time::Duration;

use crate::platform::clock::{self, Tick};
use crate::platform::sync::atomic::Ordering;
use crate::platform::sync::hints::AtomicBool;

/// Of coarse forks, and of batches, one in this many is timed: it takes 25 ns to read the clock.
pub(crate) const TIMED: u32 = 8;
/// While forks are not coarse, one in this many is counted and timed: a fork that nobody takes costs 6 ns.
const FINE: u32 = 64;
/// From this time on an event is coarse: it is worth the 0.1 us that showing a fork costs. The time
/// is much longer than it takes to get back what was taken, because the thread waits for that, too:
/// with 5 us, a tree of 1023 nodes that was shown once went on being shown, and took 10 ns per node
/// instead of 5.
pub(crate) const COARSE: Duration = Duration::from_micros(50);

/// From this time on a step is long: showing all that a thread holds and getting it back takes much less. With 10 us,
/// 64 cores lose a tenth of `flat:10000` by `spawn` in the laboratory; with 50 us, 16 cores lose a seventh of
/// `phases:100`.
const LONG: Duration = Duration::from_micros(20);

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
    /// How many events are left until the next that counts: each if they are coarse, one in [`FINE`] if not.
    left: Cell<u32>,
    /// How many events were counted since the clock was read.
    untimed: Cell<u32>,
    /// The last time that the clock was read.
    last: Cell<Option<Tick>>,
}

impl Rhythm {
    pub(crate) fn new() -> Self {
        Self {
            // Until something is known of them.
            grain: Grain::new(true),
            left: Cell::new(1),
            untimed: Cell::new(0),
            last: Cell::new(None),
        }
    }

    /// Notes that the event happens now; returns whether it is coarse, perhaps because of a pause before it. While
    /// events are not coarse, it looks at one in [`FINE`] only.
    #[inline]
    pub(crate) fn is_coarse(&self) -> bool {
        let left = self.left.get() - 1;
        self.left.set(left);
        left == 0 && self.count()
    }

    #[cold]
    #[inline(never)]
    fn count(&self) -> bool {
        let events = self.untimed.get() + self.stride();
        if events < TIMED {
            self.untimed.set(events);
        } else {
            self.untimed.set(0);
            let now = clock::tick();
            if let Some(last) = self.last.replace(Some(now)) {
                self.grain.note(now - last, events);
            }
        }
        self.left.set(self.stride());
        self.grain.is_coarse()
    }

    /// How many events pass from one that counts to the next.
    fn stride(&self) -> u32 {
        if self.grain.is_coarse() { 1 } else { FINE }
    }
}

/// How many events in a row are timed together to know whether they are dense.
const ROW: u32 = 8;
/// Events are dense if less time than this passes from one to the next: showing a fork and getting it back takes 0.13 us.
const DENSE: Duration = Duration::from_micros(1);

/// Whether an event repeats on one thread in so short a time that nothing should be done for each.
pub(crate) struct Density {
    /// How many events are left until the clock is read.
    left: Cell<u32>,
    last: Cell<Option<Tick>>,
    is_dense: Cell<bool>,
}

impl Density {
    pub(crate) fn new() -> Self {
        Self {
            left: Cell::new(ROW),
            last: Cell::new(None),
            is_dense: Cell::new(false),
        }
    }

    /// Notes that the event happens now; returns whether it is one of many. One in [`ROW`] is not.
    #[inline]
    pub(crate) fn is_one_of_many(&self) -> bool {
        let left = self.left.get() - 1;
        self.left.set(left);
        if left == 0 {
            self.read_clock();
            return false;
        }
        self.is_dense.get()
    }

    #[cold]
    #[inline(never)]
    fn read_clock(&self) {
        let now = clock::tick();
        let last = self.last.replace(Some(now));
        self.is_dense
            .set(last.is_some_and(|last| now - last < DENSE * ROW));
        self.left.set(ROW);
    }
}

/// The steps of one thread. A step goes from the beginning of a child, fork or stretch of items to the next time that
/// the thread answers a request. If the thread runs out of work and waits, that is part of the step. While a request
/// stands and the thread shows something, each step is timed, by two looks at the clock.
pub(crate) struct Steps {
    /// When the present step has begun, if it is timed.
    begun: Cell<Option<Tick>>,
    /// Whether the last step that was timed was long; true if none was.
    are_long: Cell<bool>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self {
            begun: Cell::new(None),
            are_long: Cell::new(true),
        }
    }

    /// Whether the last step that was timed was long, or none was.
    pub(crate) fn are_long(&self) -> bool {
        self.are_long.get()
    }

    /// Begins a step that is timed.
    pub(crate) fn begin(&self) {
        self.begun.set(Some(clock::tick()));
    }

    /// Ends the present step; returns whether it was timed and was long.
    pub(crate) fn end(&self) -> bool {
        let Some(begun) = self.begun.take() else {
            return false;
        };
        self.are_long.set(clock::tick() - begun >= LONG);
        self.are_long()
    }
}

/// How long a thread looks in vain whether something is over before it lends its place. If more time than this passes
/// between two looks, the thread has done something else.
const VAIN: Duration = Duration::from_millis(1);

/// Looks in a row that were in vain.
#[derive(Clone, Copy)]
pub(crate) struct VainLooks {
    first: Tick,
    last: Tick,
}

impl VainLooks {
    /// What is known after one more look, which is now.
    pub(crate) fn after(before: Option<Self>) -> Self {
        let now = clock::tick();
        let first = before
            .filter(|before| now - before.last < VAIN)
            .map_or(now, |before| before.first);
        Self { first, last: now }
    }

    /// Whether the thread has looked for long.
    pub(crate) fn are_many(self) -> bool {
        self.last - self.first >= VAIN
    }
}
