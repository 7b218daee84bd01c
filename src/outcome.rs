//! What becomes of a partial nursery: what its children left, and what follows from it.
//!
//! The table stands at [`try_nursery`](crate::try_nursery()).

use std::mem;

use crate::failure::{Failure, Failures, Kind, Whose};
use crate::panicked::Panic;
use crate::platform::sync::atomic::{AtomicBool, Ordering};
use crate::platform::sync::{Mutex, lock};
use crate::scope::{Cancelled, ChildId, Collect, Payload, Rank, Reason, Verdict, catching};
use crate::serial::LazySerial;

/// What children have left that nobody has joined.
pub(crate) struct Left<E> {
    left: Mutex<Sorted<E>>,
    /// Whether some child was skipped, or ended because it was told to.
    are_some_cancelled: AtomicBool,
    /// The nursery's, for whose failures they are.
    serial: LazySerial,
}

/// By what follows from it.
struct Sorted<E> {
    failures: Vec<Failure<E>>,
    /// Panics of destructors, with the place of the child whose value it was.
    dropped: Vec<(Rank, Failure<E>)>,
    late: Vec<Failure<E>>,
}

impl<E> Default for Sorted<E> {
    fn default() -> Self {
        Self {
            failures: Vec::new(),
            dropped: Vec::new(),
            late: Vec::new(),
        }
    }
}

impl<E> Left<E> {
    pub(crate) fn new() -> Self {
        Self {
            left: Mutex::default(),
            are_some_cancelled: AtomicBool::new(false),
            serial: LazySerial::new(),
        }
    }

    /// That it is of this nursery, and of which child.
    #[cold]
    pub(crate) fn whose(&self, child: Option<ChildId>) -> Whose {
        Whose {
            nursery: self.serial.get(),
            child,
        }
    }

    /// That the nursery was cancelled, which is no child's failure.
    #[cold]
    pub(crate) fn cancelled(&self, cancelled: Cancelled) -> Failure<E> {
        Failure::whose(Kind::Cancelled(cancelled), self.whose(None))
    }

    /// A panic of the body, or in a destructor that belongs to no child in particular.
    #[cold]
    pub(crate) fn panicked(&self, payload: Payload) -> Failure<E> {
        Failure::whose(Kind::Panic(Panic::new(payload, None)), self.whose(None))
    }

    fn take(&self) -> Sorted<E> {
        let mut left = lock(&self.left);
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
        let mut left = lock(&self.left);
        match failure.is_late() {
            true => left.late.push(failure),
            false => left.failures.push(failure),
        }
    }

    /// Adds a panic of a destructor after the child in that place.
    #[cold]
    pub(crate) fn add_dropped(&self, rank: Rank, payload: Payload) {
        let panicked = self.panicked(payload);
        let mut left = lock(&self.left);
        left.dropped.push((rank, panicked));
    }

    /// What follows, now that all have ended.
    pub(crate) fn settle<T>(
        &self,
        body: Result<T, Failure<E>>,
        cancelled: Option<Cancelled>,
    ) -> Result<T, Failures<E>> {
        let are_some_cancelled = self.are_some_cancelled.load(Ordering::Relaxed);
        let mut left = self.take();
        let mut of_value = None;
        let own = match body {
            Ok(value) => {
                let was_asked_to = cancelled.filter(|cancelled| {
                    cancelled.reason() != Reason::Requested || cancelled.is_inherited()
                });
                let has_none_failed = left.failures.is_empty() && left.dropped.is_empty();
                if has_none_failed && (!are_some_cancelled || was_asked_to.is_none()) {
                    // Their destructors are not to take the value along.
                    left.late.into_iter().for_each(Failure::discard);
                    return Ok(value);
                }
                of_value = catching(|| drop(value)).err();
                None
            }
            Err(own) if own.is_cancellation() => Some(own),
            Err(own) => {
                left.failures.push(own);
                None
            }
        };
        left.dropped.sort_by_key(|dropped| dropped.0);
        let dropped = left.dropped.into_iter().map(|dropped| dropped.1);
        let of_value = of_value.map(|payload| self.panicked(payload));
        let last: Vec<_> = dropped.chain(of_value).collect();
        let has_none_failed = left.failures.is_empty() && last.is_empty();
        match (own, cancelled) {
            (Some(own), _) if own.is_late() && !has_none_failed => left.late.push(own),
            (Some(own), Some(cancelled)) if own.is_late() => {
                left.late.push(own);
                left.failures.push(self.cancelled(cancelled));
            }
            (Some(own), _) if has_none_failed => left.failures.push(own),
            (None, Some(cancelled)) if has_none_failed => {
                left.failures.push(self.cancelled(cancelled));
            }
            _ => {}
        }
        Err(Failures::new(left.failures, last, left.late))
    }
}

impl<T, E: Send> Collect<Result<T, Failure<E>>> for Left<E> {
    fn collect(&self, rank: Rank, verdict: Verdict<Result<T, Failure<E>>>) -> bool {
        let dropped = match verdict {
            Verdict::Done(Ok(value)) => catching(|| drop(value)),
            Verdict::Done(Err(failure)) => {
                self.add(failure);
                Ok(())
            }
            Verdict::Panicked(payload) => Err(payload),
            Verdict::Skipped => unreachable!("children of a partial nursery ask themselves"),
        };
        match dropped {
            Ok(()) => true,
            Err(payload) => {
                self.add_dropped(rank, payload);
                false
            }
        }
    }
}
