//! What there is to know about failures that are nested in each other, without a walk through them.
//!
//! Nurseries nest as deep as the program likes, and so do their failures. Each level asks what those are
//! that it gets from the level below, so an answer must not take as long as they lie deep.

use crate::failure::{Failure, FailureKind};
use crate::scope::Cancelled;

/// What there is to know about failures without a walk through those that are nested in them.
#[derive(Clone, Copy)]
pub(crate) struct Summary {
    /// How many have no others nested in them.
    pub(crate) leaves: usize,
    /// Whether others are nested in them.
    pub(crate) has_nested: bool,
    pub(crate) has_panic: bool,
    /// Whether there are late errors, here or further in. What they meant to the nursery around them does
    /// not matter.
    pub(crate) has_late: bool,
    /// Whether they say no more than that a nursery was cancelled.
    pub(crate) are_cancelled: bool,
    /// The same, or what perhaps followed.
    pub(crate) are_late_at_most: bool,
    /// Why the nursery was cancelled, if that is all that happened.
    pub(crate) cancelled: Option<Cancelled>,
}

impl Summary {
    /// What the failures come to, of which `cause` is one, and late errors.
    pub(crate) fn of<E>(failures: &[Failure<E>], late: &[Failure<E>], cause: &Failure<E>) -> Self {
        let mut of_all = Self {
            leaves: 0,
            has_nested: late.iter().any(|failure| failure.nested().is_some()),
            has_panic: false,
            has_late: !late.is_empty(),
            are_cancelled: true,
            are_late_at_most: true,
            cancelled: None,
        };
        for failure in failures {
            let one = failure.summary();
            of_all.leaves += one.leaves;
            of_all.has_nested |= failure.nested().is_some();
            of_all.has_panic |= one.has_panic;
            of_all.has_late |= one.has_late;
            of_all.are_cancelled &= one.are_cancelled;
            of_all.are_late_at_most &= one.are_late_at_most;
        }
        if of_all.are_cancelled {
            of_all.cancelled = cause.summary().cancelled;
        }
        of_all
    }
}

impl<E> Failure<E> {
    /// The same of one.
    pub(crate) fn summary(&self) -> Summary {
        let cancelled = match self.kind() {
            FailureKind::Nested(failures) => return failures.summary(),
            FailureKind::Cancelled(cancelled) => Some(*cancelled),
            _ => None,
        };
        let is_late = matches!(self.kind(), FailureKind::Late(_));
        Summary {
            leaves: 1,
            has_nested: false,
            has_panic: matches!(self.kind(), FailureKind::Panic(_)),
            has_late: is_late,
            are_cancelled: cancelled.is_some(),
            are_late_at_most: cancelled.is_some() || is_late,
            cancelled,
        }
    }
}
