//! Counts what has happened so far, for each thread's slot and for each nursery.
//!
//! Counting must cost next to nothing. So what happens for each child is counted in one place, the
//! child's nursery, by the thread that opened the nursery; the sums are added to that thread's slot
//! when the nursery ends. Other threads add what they run of a nursery once per run, before the
//! run's unit of the count is released: once the count is zero, the numbers include all children
//! that were shared.
//!
//! 1. A child *begins* when a thread has won the right to run it; it is counted before it runs.
//! 2. A child that is dropped unrun has begun like any other, and is *skipped* as well: so the
//!    number of children that ran is the difference, and the common case need not know which of the
//!    two it is.
//! 3. The numbers of a nursery and of a pool only grow. When a thread gives its slot back, the
//!    numbers of the slot are added to a sum of all slots that were given back. The numbers have 64
//!    bits, like others here that only grow (epochs, ids of nurseries, indices): at a thousand million a
//!    second they wrap after five hundred years.

use std::array;
use std::ops::{Index, IndexMut};

use crate::platform::sync::atomic::Ordering;
use crate::platform::sync::hints::AtomicU64;

/// A number that one thread writes at a time, and any may read.
#[derive(Default)]
pub(crate) struct Own(AtomicU64);

impl Own {
    #[inline]
    pub(crate) fn add(&self, more: u64) {
        // ORDERING: Relaxed, and no read-modify-write: there is one writer. A thread that sees a
        // completion sees what the writer did before it, and this is no more than a number.
        let now = self.0.load(Ordering::Relaxed);
        self.0.store(now.wrapping_add(more), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Starts from zero again; called by the writer.
    fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A number that any thread adds to.
#[derive(Default)]
pub(crate) struct Common(AtomicU64);

impl Common {
    /// Adds to the number, and returns what it was before.
    pub(crate) fn add(&self, more: u64) -> u64 {
        // ORDERING: Relaxed: it is no more than a number, as above.
        self.0.fetch_add(more, Ordering::Relaxed)
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is counted.
///
/// A part comes before its whole, and is read first: what is added to both in between is part of the whole by
/// the time that the whole is read. The watchdog takes every change of a counter for progress.
#[derive(Clone, Copy)]
pub(crate) enum Counter {
    /// Children dropped unrun on the thread that opened their nursery.
    SkippedHere,
    /// Children dropped unrun on other threads.
    SkippedElsewhere,
    Panicked,
    Late,
    /// Children that have begun on the thread that opened their nursery, which counts them when it ends.
    BegunHere,
    /// Children that have begun on other threads.
    BegunElsewhere,
    /// Children spawned. A thread counts what it has spawned into its own nursery when the nursery ends.
    Spawned,
    /// Runs that a waiting thread has taken from the deque of the thread that ran its nursery's children.
    StolenWhileWaiting,
    /// Runs taken from other threads' deques.
    Stolen,
    /// Runs put into the pool's common queue.
    Injected,
    /// Waits that came to park.
    Parked,
    /// Jobs that a worker has taken.
    Jobs,
    /// Requests answered at spawns.
    AnswersAtSpawns,
    /// Requests answered: a sign of life of a thread whose nurseries are all open still. It is the last
    /// counter: [`COUNTERS`] goes by it.
    Answers,
}

const COUNTERS: usize = Counter::Answers as usize + 1;

/// A number for each counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters<N>([N; COUNTERS]);

/// What one thread has done in a pool; written by that thread only.
pub(crate) type Tally = Counters<Own>;

/// What happens in a nursery now and then, on any thread: most nurseries need none of it.
pub(crate) type NowAndThen = Counters<Common>;

/// The numbers of a nursery, or of a pool's slots together.
pub(crate) type Numbers = Counters<u64>;

impl<N> Index<Counter> for Counters<N> {
    type Output = N;

    #[inline]
    fn index(&self, counter: Counter) -> &N {
        &self.0[counter as usize]
    }
}

impl<N> IndexMut<Counter> for Counters<N> {
    fn index_mut(&mut self, counter: Counter) -> &mut N {
        &mut self.0[counter as usize]
    }
}

impl Tally {
    /// Starts from zero again; called by the thread that writes it.
    pub(crate) fn clear(&self) {
        self.0.iter().for_each(Own::clear);
    }
}

impl NowAndThen {
    pub(crate) fn get(&self) -> Numbers {
        Counters(array::from_fn(|at| self.0[at].get()))
    }
}

impl Numbers {
    /// These, and what some threads of the pool have counted.
    pub(crate) fn with<'a>(mut self, tallies: impl IntoIterator<Item = &'a Tally>) -> Self {
        for tally in tallies {
            for (sum, own) in self.0.iter_mut().zip(&tally.0) {
                *sum += own.get();
            }
        }
        self
    }

    /// A number that changes when children begin or threads begin to wait, but not when threads only spawn.
    pub(crate) fn begun(&self) -> u64 {
        let answers = self[Counter::Answers].saturating_sub(self[Counter::AnswersAtSpawns]);
        answers
            + self[Counter::BegunHere]
            + self[Counter::BegunElsewhere]
            + self[Counter::Parked]
            + self[Counter::Jobs]
    }

    /// Children dropped unrun, on any thread.
    pub(crate) fn skipped(&self) -> u64 {
        self[Counter::SkippedHere] + self[Counter::SkippedElsewhere]
    }
}

/// What happens often in a nursery; only its home writes it.
#[derive(Default)]
pub(crate) struct AtHome {
    /// Children that the home has spawned.
    pub(crate) spawned: Own,
    /// Children that have begun at home.
    pub(crate) begun: Own,
}
