//! How one worker, and no other, is had to call a function: it is *rung*.
//!
//! It calls the function when it looks for work, or waits in a nursery. A thread that rings notes it in the worker's slot.
//! Then it rouses the worker if that is among the sleepers, and otherwise unparks it. A worker that goes to sleep looks for
//! a ring after it has joined the sleepers. The lock of the sleepers is between the two, so one of them sees the other.
//!
//! Models: `models::rings_*`.

use crate::engine::core::Core;
use crate::engine::seat::Seat;
use crate::platform::sync::atomic::Ordering;

impl Core {
    /// Has this worker call what workers call that were rung.
    pub(crate) fn ring(&self, worker: usize) {
        let slot = self.workers.slot(worker);
        if let Some(slot) = &slot {
            // ORDERING: Release; partner: the Acquire in `take_ring`. What the worker is rung for comes before.
            slot.rung.store(true, Ordering::Release);
        }
        if !self.idle.rouse_this(worker, self) {
            slot.inspect(|slot| slot.parker.unpark());
        }
    }
}

impl Seat {
    /// Whether this worker was rung and has not answered.
    pub(crate) fn is_rung(&self) -> bool {
        self.slot().rung.load(Ordering::Relaxed)
    }

    /// Takes notice of a ring.
    pub(crate) fn take_ring(&self) -> bool {
        // ORDERING: Acquire; partner: the Release in `ring`.
        self.is_rung() && self.slot().rung.swap(false, Ordering::Acquire)
    }

    /// Rouses this worker again, which has joined the sleepers, if it was rung before.
    pub(crate) fn rouse_if_rung(&self, index: usize) {
        if self.is_rung() {
            self.core.idle.rouse_this(index, &*self.core);
        }
    }
}
