//! A summary of failures that are nested in each other, which saves walks through them.
//!
//! Nurseries nest as deep as the program likes, and so do their failures. Each level of nurseries asks about the
//! failures of the level below. With a summary the answer takes the same time at any depth.

use super::{Failure, FailureKind};
use crate::scope::Cancelled;

/// Facts about failures and all failures that are nested in them.
#[derive(Clone, Copy)]
pub(crate) struct Summary {
    /// The number of failures that have no others nested in them.
    pub(crate) leaves: usize,
    /// Whether any failure has others nested in it.
    pub(crate) has_nested: bool,
    pub(crate) has_panic: bool,
    /// Whether there are late errors, at any depth, whatever they meant to the nursery around them.
    pub(crate) has_late: bool,
    /// Whether the failures say no more than that a nursery was cancelled.
    pub(crate) are_cancelled: bool,
    /// Whether all failures are cancellations or late errors.
    pub(crate) are_late_at_most: bool,
    /// Why the nursery was cancelled, if nothing else went wrong.
    pub(crate) cancelled: Option<Cancelled>,
}

impl Summary {
    /// Summarizes failures, of which `cause` is one, and late errors.
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
    /// Summarizes one failure.
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
