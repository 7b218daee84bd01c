//! The number of cancellations in this process: a nursery that was found not to be cancelled is so
//! until the number changes.
//!
//! What may cancel a nursery lies outside of it, too: nurseries further out, a token, a deadline.
//! A check need not look there again as long as nothing has been cancelled anywhere.
//!
//! 1. Whoever cancels makes it known first (a flag, or the time that has come), then advances.
//! 2. Whoever checks reads the number, then looks, then notes the number with the answer.
//! 3. So an answer noted with the present number has seen all that has been cancelled before the
//!    number became that.
//! 4. Whoever advances the number for one nursery learns which number that was before. What was clean at
//!    that one is clean at the next, too, if it is not inside that nursery: nothing else was cancelled in
//!    between.
//!
//! Model: `models::mark_*`.

use crate::platform::point::{self, Point};
use crate::platform::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A count of cancellations, from 1 on; it does not wrap, see `tally`.
pub(crate) struct Epoch(AtomicU64);

#[cfg(not(hatchery_loom))]
crate::platform::sync::statics! {
    /// That of this process.
    pub(crate) static EPOCH: Epoch = Epoch(AtomicU64::new(1));
}

impl Epoch {
    #[cfg(any(hatchery_loom, test))]
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(1))
    }

    /// The present number.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        // ORDERING: Acquire; partner: `advance`.
        self.0.load(Ordering::Acquire)
    }

    /// Something has been cancelled. Returns the number before.
    pub(crate) fn advance(&self) -> u64 {
        // ORDERING: Release: what has been cancelled is seen by whoever reads this number or, by
        // the read-modify-writes of others, a later one.
        let before = self.0.fetch_add(1, Ordering::Release);
        point::reach(Point::EpochAdvanced);
        before
    }
}

/// Something that cancels nurseries, for good.
#[derive(Debug, Default)]
pub(crate) struct Switch(AtomicBool);

impl Switch {
    /// True for exactly one caller.
    pub(crate) fn turn_on(&self, epoch: &Epoch) -> bool {
        // ORDERING: Release; partner: `is_on`. What led to it is seen by whoever acts on it.
        let is_first = !self.0.swap(true, Ordering::Release);
        // Whoever is not the first may be ahead of the one who is.
        epoch.advance();
        is_first
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// When something was last found not to be cancelled.
pub(crate) struct CleanAt(AtomicU64);

impl CleanAt {
    #[inline]
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline]
    pub(crate) fn is(&self, epoch: u64) -> bool {
        // ORDERING: Relaxed: the reader has acquired the same number itself.
        self.0.load(Ordering::Relaxed) == epoch
    }

    pub(crate) fn set(&self, epoch: u64) {
        self.0.store(epoch, Ordering::Relaxed);
    }
}
