//! What becomes of a partial nursery: what its children left, and what follows from it.
//!
//! The table stands at [`try_nursery`](crate::try_nursery()).

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::failure::{Failure, Failures, Kind, Panic};
use crate::scope::{Cancelled, Collect, Payload, Reason, Verdict, catching};

/// What children have left that nobody has joined.
pub(crate) struct Left<E> {
    left: Mutex<Sorted<E>>,
    /// Whether some child was skipped, or ended because it was told to.
    are_some_cancelled: AtomicBool,
}

/// By what follows from it.
struct Sorted<E> {
    failures: Vec<Failure<E>>,
    late: Vec<Failure<E>>,
}

impl<E> Default for Sorted<E> {
    fn default() -> Self {
        Self {
            failures: Vec::new(),
            late: Vec::new(),
        }
    }
}

impl<E> Left<E> {
    pub(crate) fn new() -> Self {
        Self {
            left: Mutex::default(),
            are_some_cancelled: AtomicBool::new(false),
        }
    }

    fn take(&self) -> Sorted<E> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut left)
    }

    #[cold]
    fn add(&self, failure: Failure<E>) {
        if failure.is_cancellation() {
            // ORDERING: Relaxed: read when all have ended. Mostly it says so already, when a million
            // children are skipped.
            if !self.are_some_cancelled.load(Ordering::Relaxed) {
                self.are_some_cancelled.store(true, Ordering::Relaxed);
            }
            if !failure.is_late() {
                return;
            }
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match failure.is_late() {
            true => left.late.push(failure),
            false => left.failures.push(failure),
        }
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
        let are_some_cancelled = self.are_some_cancelled.load(Ordering::Relaxed);
        let mut left = self.take();
        let own = match body {
            Ok(value) => {
                let was_asked_to = cancelled.filter(|cancelled| {
                    cancelled.reason() != Reason::Requested || cancelled.is_inherited()
                });
                if left.failures.is_empty() && (!are_some_cancelled || was_asked_to.is_none()) {
                    return Ok(value);
                }
                if let Err(payload) = catching(|| drop(value)) {
                    let panic = Kind::Panic(Panic::new(payload, None));
                    left.failures.push(Failure::new(panic));
                }
                None
            }
            Err(own) if own.is_cancellation() => Some(own),
            Err(own) => {
                left.failures.push(own);
                None
            }
        };
        match (own, cancelled) {
            (Some(own), _) if own.is_late() && !left.failures.is_empty() => left.late.push(own),
            (Some(own), Some(cancelled)) if own.is_late() => {
                left.late.push(own);
                left.failures.push(Failure::cancelled(cancelled));
            }
            (Some(own), _) if left.failures.is_empty() => left.failures.push(own),
            (None, Some(cancelled)) if left.failures.is_empty() => {
                left.failures.push(Failure::cancelled(cancelled));
            }
            _ => {}
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
