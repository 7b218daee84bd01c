//! How a child ended.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// Drops a payload; one that panics itself is leaked rather than chased.
pub(crate) fn lose(payload: Payload) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(again);
    }
}

/// How a child ended, with what it left in its slot.
pub(crate) enum Verdict<T> {
    /// The value it returned.
    Done(T),
    /// What it, or a destructor of something it owned, panicked with.
    Panicked(Payload),
    /// Nothing: it was dropped unrun.
    Skipped,
}
