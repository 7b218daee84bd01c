//! The number of cancellations in this process: a nursery that was found not to be cancelled stays
//! so until the number changes.
//!
//! A nursery may be cancelled from outside: by an outer nursery, a token, a deadline. A check need
//! not look there again as long as nothing has been cancelled anywhere.
//!
//! 1. A thread that cancels makes it known first (a flag, or the time that has come), then advances
//!    the number.
//! 2. A thread that checks reads the number, then looks, then notes the number with the answer.
//! 3. So an answer noted with the present number has seen all that has been cancelled before the
//!    number became that.
//! 4. A thread that advances the number for one nursery learns the number before. A nursery that
//!    was clean at that number, and is not inside the cancelled nursery, is clean at the next
//!    number, too: nothing else was cancelled in between.
//!
//! Model: `models::mark_*`.

use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A count of cancellations, from 1 on; it does not wrap, see `tally`.
pub(crate) struct Epoch(AtomicU64);

#[cfg(not(hatchery_loom))]
crate::platform::sync::statics! {
    /// The epoch of this process.
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

    /// Advances the number, because something has been cancelled. Returns the number before.
    pub(crate) fn advance(&self) -> u64 {
        // ORDERING: Release: a thread that reads this number or, by the read-modify-writes of
        // others, a later number sees what has been cancelled.
        let before = self.0.fetch_add(1, Ordering::Release);
        failpoint::reach(Failpoint::EpochAdvanced);
        before
    }
}

/// Something that cancels nurseries, for good.
#[derive(Debug, Default)]
pub(crate) struct Switch(AtomicBool);

impl Switch {
    /// Turns it on; true for exactly one caller.
    pub(crate) fn turn_on(&self, epoch: &Epoch) -> bool {
        // ORDERING: Release; partner: `is_on`. A thread that acts on it sees what led to it.
        let is_first = !self.0.swap(true, Ordering::Release);
        // A caller that is not the first may be ahead of the first.
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
