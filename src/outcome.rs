//! What becomes of a partial nursery: what its children left, and what follows from it.
//!
//! The table stands at [`try_nursery`](crate::try_nursery()).

use std::mem;
use std::sync::{Mutex, PoisonError};

use crate::failure::{Failure, Failures, Kind, Panic};
use crate::scope::{Cancelled, Collect, Payload, Reason, Verdict, catching};

/// What children have left that nobody has joined.
pub(crate) struct Left<E> {
    left: Mutex<Sorted<E>>,
}

/// By what follows from it.
struct Sorted<E> {
    failures: Vec<Failure<E>>,
    late: Vec<Failure<E>>,
    /// Whether some child was skipped, or ended because it was told to.
    are_some_cancelled: bool,
}

impl<E> Default for Sorted<E> {
    fn default() -> Self {
        Self {
            failures: Vec::new(),
            late: Vec::new(),
            are_some_cancelled: false,
        }
    }
}

impl<E> Sorted<E> {
    fn add(&mut self, failure: Failure<E>) {
        if failure.is_late() {
            self.late.push(failure);
            self.are_some_cancelled = true;
        } else if failure.is_cancellation() {
            self.are_some_cancelled = true;
        } else {
            self.failures.push(failure);
        }
    }
}

impl<E> Left<E> {
    pub(crate) fn new() -> Self {
        Self {
            left: Mutex::default(),
        }
    }

    fn take(&self) -> Sorted<E> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut left)
    }

    #[cold]
    fn add(&self, failure: Failure<E>) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.add(failure);
    }

    /// Adds a panic in a destructor that belongs to no child in particular.
    pub(crate) fn add_panic(&self, payload: Payload) {
        self.add(Failure::new(Kind::Panic(Panic::new(payload, None))));
    }

    /// What follows, now that all have ended.
    pub(crate) fn settle<T>(
        &self,
        body: Result<T, Failure<E>>,
        cancelled: Option<Cancelled>,
    ) -> Result<T, Failures<E>> {
        let mut left = self.take();
        let own = match body {
            Ok(value) => {
                let was_asked_to = cancelled.filter(|cancelled| {
                    cancelled.reason() != Reason::Requested || cancelled.is_inherited()
                });
                if left.failures.is_empty() && (!left.are_some_cancelled || was_asked_to.is_none())
                {
                    return Ok(value);
                }
                if let Err(payload) = catching(|| drop(value)) {
                    left.add(Failure::new(Kind::Panic(Panic::new(payload, None))));
                }
                None
            }
            Err(own) if own.is_cancellation() => Some(own),
            Err(own) => {
                left.failures.push(own);
                None
            }
        };
        if left.failures.is_empty() {
            let own = own.and_then(|own| {
                if own.is_late() {
                    left.late.push(own);
                    return None;
                }
                Some(own)
            });
            let cancelled = cancelled.expect("who was skipped or told was so for a reason");
            left.failures
                .push(own.unwrap_or_else(|| Failure::cancelled(cancelled)));
        } else if let Some(own) = own.filter(Failure::is_late) {
            left.late.push(own);
        }
        Err(Failures::new(left.failures, left.late))
    }
}

impl<T, E: Send> Collect<Result<T, Failure<E>>> for Left<E> {
    fn collect(&self, verdict: Verdict<Result<T, Failure<E>>>) {
        match verdict {
            Verdict::Done(Ok(value)) => {
                if let Err(payload) = catching(|| drop(value)) {
                    self.add_panic(payload);
                }
            }
            Verdict::Done(Err(failure)) => self.add(failure),
            Verdict::Panicked(payload) => self.add_panic(payload),
            Verdict::Skipped => unreachable!("children of a partial nursery ask themselves"),
        }
    }
}
