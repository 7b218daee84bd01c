//! Pools whose workers run on threads that somebody else starts, one thread for each worker, for good.
//!
//! `compat/rayon-core` needs such pools: its workers have fixed indices, start with the pool, and may be threads that its
//! user has started. A worker by hand is a sleeper from the beginning, as every worker that has not started. If it is
//! roused before its thread comes, it is *awaited*: the thread finds a place and a searcher's mark when it comes, as if the
//! system had taken long to start it. If not, it is asleep when it comes. Both happen under the lock of the workers.
//!
//! Such a worker can be *rung*: see `ring`.

use crate::engine::core::Core;
use crate::engine::frame::Frame;
use crate::engine::hooks;
use crate::engine::seat::{Kind, Seat};
use crate::engine::shared::Slot;
use crate::engine::worker;
use crate::engine::workers::Awaited;
use crate::platform::sync::Arc;
use crate::platform::sync::atomic::Ordering;
use crate::platform::thread;

/// Runs the worker with this index until the pool ends.
pub(crate) fn work(core: &Arc<Core>, index: usize) {
    let (slot, deque) = core.roster.check_in(thread::own_name());
    let seat = Seat::new(Arc::clone(core), Arc::clone(&slot), deque, Kind::Worker);
    seat.forget_place();
    if core.note_arrival(index, &slot) {
        seat.note_place();
    }
    worker::run(&seat, index);
}

impl Core {
    /// Whether somebody else starts this worker.
    pub(super) fn is_by_hand(&self, worker: usize) -> bool {
        self.config.by_hand.is_some() && worker < self.threads()
    }

    /// Awaits the thread of a worker that was roused, if it is by hand; returns its slot, if the thread has just come.
    pub(super) fn await_worker(&self, worker: usize) -> Option<Arc<Slot>> {
        if !self.is_by_hand(worker) {
            return None;
        }
        match self.workers.wait_for(worker) {
            Err(slot) => return Some(slot),
            Ok(Awaited::Now) => _ = self.workers_started.fetch_add(1, Ordering::Relaxed),
            Ok(Awaited::Before) => {}
        }
        None
    }

    /// Notes that the thread of a worker has come; returns whether the worker was roused before.
    fn note_arrival(&self, worker: usize, slot: &Arc<Slot>) -> bool {
        self.workers.arrive(worker, slot, |is_awaited| {
            if !is_awaited {
                self.workers_started.fetch_add(1, Ordering::Relaxed);
            }
            // ORDERING: Relaxed, here and below: under the lock. Somebody may have rung before.
            slot.rung.store(true, Ordering::Relaxed);
            slot.asleep.store(!is_awaited, Ordering::Relaxed);
        })
    }
}

impl Seat {
    /// Calls what a worker calls that was rung.
    #[cold]
    pub(super) fn answer_ring(&self, is_at_rest: bool) {
        if let Some(by_hand) = self.core.config.by_hand {
            hooks::call(|| (by_hand.on_ring)(is_at_rest));
        }
    }

    /// Whether this thread holds something that has not started.
    pub(crate) fn holds_anything(&self) -> bool {
        let holds = |frame: &Frame<'_>| frame.holders().any(|frame| frame.seat.is(self));
        self.shares() || Frame::with_current(|frame| frame.is_some_and(holds))
    }
}
