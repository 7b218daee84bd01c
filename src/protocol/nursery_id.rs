//! Identifies the nursery that a failure belongs to, by a number that is drawn for the nursery's
//! first failure.
//!
//! Model: `models::failures_*`.

use std::num::NonZeroU64;

use crate::platform::sync::atomic::Ordering;
use crate::platform::sync::statics;
use crate::platform::sync::uneventful::AtomicU64;

statics! {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
}

/// A nursery among all there ever were: 64 bits, so no two are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NurseryId(NonZeroU64);

impl NurseryId {
    /// Draws a number that no other nursery has.
    pub(crate) fn next() -> Self {
        // ORDERING: Relaxed, as all here: a number says nothing of other memory.
        let before = DRAWN.fetch_add(1, Ordering::Relaxed);
        Self(NonZeroU64::MIN.saturating_add(before))
    }
}

/// The number of one nursery, which has none before it is asked for.
#[derive(Debug)]
pub(crate) struct LazyNurseryId(AtomicU64);

impl LazyNurseryId {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[cold]
    pub(crate) fn get(&self) -> NurseryId {
        if let Some(drawn) = NonZeroU64::new(self.0.load(Ordering::Relaxed)) {
            return NurseryId(drawn);
        }
        let new = NurseryId::next();
        let first = self
            .0
            .compare_exchange(0, new.0.get(), Ordering::Relaxed, Ordering::Relaxed);
        first.err().and_then(NonZeroU64::new).map_or(new, NurseryId)
    }
}
