//! Whether a nursery that opens may have to do something that most programs never ask for.
//!
//! That is asked once for all of it, so that a nursery of a plain program pays for one look.

use crate::platform::sync::atomic::{AtomicUsize, Ordering};
use crate::platform::sync::statics;

statics! {
    /// How many reasons there are in this process.
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
}

/// A reason to look closer, for as long as this lives: a limit, or a pool with a context.
pub(crate) struct Special(());

impl Special {
    pub(crate) fn new() -> Self {
        NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Special {
    fn drop(&mut self) {
        NUMBER.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether there may be a reason that concerns the calling thread.
#[inline]
pub(crate) fn are_there_any() -> bool {
    // ORDERING: Relaxed: a thread came to know of a pool, or runs something of a limited nursery, after the pool or the
    // limit was made.
    NUMBER.load(Ordering::Relaxed) > 0
}
