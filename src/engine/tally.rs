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
//!    bits, like others here that only grow (epochs, serials, indices): at a thousand million a
//!    second they wrap after five hundred years.

use crate::platform::sync::atomic::Ordering;
use crate::platform::sync::uneventful::AtomicU64;

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

    /// Starts from zero again; for the writer only.
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

/// What one thread has done in a pool; written by that thread only.
#[derive(Default)]
pub(crate) struct Tally {
    /// Children spawned: into this thread's nurseries that have ended, and into other threads'
    /// nurseries.
    pub(crate) spawned: Own,
    /// Children that have begun at home, in this thread's nurseries that have ended.
    pub(crate) begun: Own,
    /// How many of [`Self::begun`] were dropped unrun.
    pub(crate) skipped_here: Own,
    /// Children of other threads' nurseries that have begun on this thread.
    pub(crate) elsewhere: Own,
    /// How many of [`Self::elsewhere`] were dropped unrun.
    pub(crate) skipped_elsewhere: Own,
    pub(crate) panicked: Own,
    pub(crate) late: Own,
    /// Runs taken from other threads' deques, the leapfrogged ones among them.
    pub(crate) stolen: Own,
    pub(crate) leapfrogged: Own,
    /// Runs given to the strays.
    pub(crate) strays: Own,
    /// Waits that came to park.
    pub(crate) waits: Own,
    /// Requests answered: a sign of life of a thread whose nurseries are all open still.
    pub(crate) answers: Own,
}

impl Tally {
    /// Starts from zero again; for the thread that writes the numbers.
    pub(crate) fn clear(&self) {
        let Self {
            spawned,
            begun,
            skipped_here,
            elsewhere,
            skipped_elsewhere,
            panicked,
            late,
            stolen,
            leapfrogged,
            strays,
            waits,
            answers,
        } = self;
        let children = [spawned, begun, skipped_here, elsewhere, skipped_elsewhere];
        let ends = [panicked, late];
        let moves = [stolen, leapfrogged, strays, waits, answers];
        let all = children.into_iter().chain(ends).chain(moves);
        all.for_each(Own::clear);
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

/// What happens now and then in a nursery, on any thread; in most nurseries it never does.
#[derive(Default)]
pub(crate) struct NowAndThen {
    /// How many of the children that have begun at home were dropped unrun.
    pub(crate) skipped_here: Common,
    pub(crate) skipped_elsewhere: Common,
    pub(crate) panicked: Common,
    pub(crate) late: Common,
    /// Children that have begun on other threads, except in runs that are under way.
    pub(crate) elsewhere: Common,
    pub(crate) stolen: Common,
    pub(crate) leapfrogged: Common,
    pub(crate) strays: Common,
    pub(crate) waits: Common,
}

impl NowAndThen {
    /// The numbers without what the home has counted; `run_here` is how many of the children that
    /// have begun at home were skipped.
    pub(crate) fn get(&self) -> Numbers {
        let skipped_here = self.skipped_here.get();
        let skipped_elsewhere = self.skipped_elsewhere.get();
        Numbers {
            spawned: 0,
            run_here: skipped_here,
            run_elsewhere: self.elsewhere.get().saturating_sub(skipped_elsewhere),
            skipped: skipped_here + skipped_elsewhere,
            panicked: self.panicked.get(),
            late: self.late.get(),
            stolen: self.stolen.get(),
            leapfrogged: self.leapfrogged.get(),
            strays: self.strays.get(),
            waits: self.waits.get(),
            answers: 0,
        }
    }
}

/// The numbers of a nursery, or of a pool's slots together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) spawned: u64,
    pub(crate) run_here: u64,
    pub(crate) run_elsewhere: u64,
    pub(crate) skipped: u64,
    pub(crate) panicked: u64,
    pub(crate) late: u64,
    pub(crate) stolen: u64,
    pub(crate) leapfrogged: u64,
    pub(crate) strays: u64,
    pub(crate) waits: u64,
    pub(crate) answers: u64,
}

impl Numbers {
    /// Adds what some threads of the pool have counted.
    pub(crate) fn with<'a>(self, tallies: impl IntoIterator<Item = &'a Tally>) -> Self {
        let mut all = self;
        for tally in tallies {
            // The parts are read before the whole: what is added to a part in between is in the
            // whole by the time that is read.
            let skipped_here = tally.skipped_here.get();
            let skipped_elsewhere = tally.skipped_elsewhere.get();
            all.skipped += skipped_here + skipped_elsewhere;
            all.run_here += tally.begun.get().saturating_sub(skipped_here);
            all.run_elsewhere += tally.elsewhere.get().saturating_sub(skipped_elsewhere);
            all.spawned += tally.spawned.get();
            all.panicked += tally.panicked.get();
            all.late += tally.late.get();
            all.stolen += tally.stolen.get();
            all.leapfrogged += tally.leapfrogged.get();
            all.strays += tally.strays.get();
            all.waits += tally.waits.get();
            all.answers += tally.answers.get();
        }
        all
    }
}
