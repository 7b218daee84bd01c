//! What a cancellation in hatchery does to rayon's iterators.
//!
//! A `join` runs both of its closures, whatever happens: unsafe code may rely on that, and rayon's own sort does. So no
//! cancellation ends a `join`. But the drivers of rayon's iterators fork only where they may also drop both halves: they do
//! so when a consumer is full. There a cancelled nursery unwinds.

use std::any::type_name;

/// Unwinds if the nursery around is cancelled, and this closure is a half of one of rayon's iterators.
#[inline]
pub(crate) fn stop_if_it_may<A>() {
    if type_name::<A>().starts_with("rayon::iter::plumbing::bridge_") {
        if let Err(cancelled) = hatchery::checkpoint() {
            cancelled.unwind();
        }
    }
}
