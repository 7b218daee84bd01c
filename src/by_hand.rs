//! Pools worked by hand, for `compat/rayon-core`. It is no part of the public surface, and may change at any time.

use crate::engine::by_hand;
use crate::engine::core::{ByHand, Core};
use crate::engine::frame::Frame;
use crate::engine::worker;
use crate::platform::sync::Arc;
use crate::pool::{Pool, PoolBuilder};
use crate::scope::{self, Seat};

/// Like [`join`](crate::join()), but other threads may take the second closure from the first moment on. It costs more.
#[inline]
pub fn join_shown<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    Frame::with_current(|frame| match frame {
        Some(frame) => scope::fork_shown(frame, a, b),
        None => crate::join(a, b),
    })
}

/// The workers of a pool by hand.
#[derive(Clone, Debug)]
pub struct Hand {
    core: Arc<Core>,
}

/// Has the pool start no workers. For each index from `first` to the number of threads, somebody calls [`Hand::work`], once.
/// A worker that was [rung](Hand::ring) calls `on_ring`, with whether it was looking for work and not waiting in a nursery.
pub fn workers_by_hand(mut builder: PoolBuilder, first: usize, on_ring: fn(bool)) -> PoolBuilder {
    builder.by_hand = Some(ByHand { first, on_ring });
    builder
}

impl Hand {
    /// The workers of this pool.
    #[must_use]
    pub fn of(pool: &Pool) -> Self {
        Self {
            core: Arc::clone(pool.core()),
        }
    }

    /// Runs the worker with this index on the calling thread until the pool ends.
    pub fn work(&self, index: usize) {
        by_hand::work(&self.core, index);
    }

    /// Has the worker with this index call `on_ring`, and no other worker, sooner or later.
    pub fn ring(&self, index: usize) {
        self.core.ring(index);
    }

    /// Runs something that has not started on top of what the calling thread runs, whatever it belongs to; false if
    /// there is nothing. `is_local` says that only what this thread holds will do. A nursery of the pool is around it.
    #[must_use]
    pub fn run_one(&self, is_local: bool) -> bool {
        Seat::with(&self.core, |seat| worker::run_one(seat, is_local))
    }

    /// Whether the calling thread holds something of this pool that has not started.
    #[must_use]
    pub fn holds_anything(&self) -> bool {
        Seat::with(&self.core, Seat::holds_anything)
    }
}
