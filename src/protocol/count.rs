//! How many runs of a nursery exist, in a queue or under way.
//!
//! Each run is one unit. The opener adds a unit before it publishes a run, a foreign spawner before
//! it queues a run; the thread that finishes the run releases the unit. The opener waits for zero
//! before it gives up the frame that this count lies in.
//!
//! 1. While a run exists, the count is positive, so the frame is there.
//! 2. The release that reaches zero is the last access of its thread to the frame: what it needs
//!    afterwards it read before.
//!
//! Model: `models::count_*`.

use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::atomic::{AtomicUsize, Ordering};

pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    pub(crate) fn add(&self, runs: usize) {
        // ORDERING: Relaxed: the run itself is handed over with the ordering of its queue, and
        // the caller keeps the frame alive meanwhile (it is the opener, or holds a unit).
        self.0.fetch_add(runs, Ordering::Relaxed);
        failpoint::reach(Failpoint::CountAdded);
    }

    /// Gives one unit back; true if it was the last. The frame may be gone when this returns.
    pub(crate) fn release(&self) -> bool {
        // ORDERING: Release: all the child did happens before the opener's `is_zero`; the
        // read-modify-writes of other releasers continue the sequence. The last releaser reads
        // nothing of theirs: it wakes the opener. Model: `models::count_last_release_publishes`.
        let is_last = self.0.fetch_sub(1, Ordering::Release) == 1;
        failpoint::reach(if is_last {
            Failpoint::CountZero
        } else {
            Failpoint::CountReleased
        });
        is_last
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.get() == 0
    }

    pub(crate) fn get(&self) -> usize {
        // ORDERING: Acquire; partner: `release`.
        self.0.load(Ordering::Acquire)
    }
}
