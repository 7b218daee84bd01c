//! How a child ended.

pub(crate) use crate::platform::payload::{Payload, lose};

/// How a child ended, with what it left in its slot.
pub(crate) enum Verdict<T> {
    /// The value it returned.
    Done(T),
    /// What it, or a destructor of something it owned, panicked with.
    Panicked(Payload),
    /// Nothing: it was dropped unrun.
    Skipped,
}
