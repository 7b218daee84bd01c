//! The outcome of a partial nursery, which follows from what its children left.
//!
//! The table at [`try_nursery`](crate::try_nursery()) lists the outcomes.

use crate::failure::{Failure, FailureKind, Failures, Whose};
use crate::panicked::Panic;
use crate::protocol::nursery_id::LazyNurseryId;
use crate::protocol::remains::{OnLate, Remains};
use crate::scope::{
    CancelReason, Cancelled, ChildId, Collect, Completion, Payload, Rank, catching, discard,
};

/// Failures and values of children that nobody joined.
pub(crate) struct Left<'env, E> {
    remains: Remains<'env, Failure<E>, Rank>,
    /// The number of the nursery, which marks its failures.
    id: LazyNurseryId,
}

impl<'env, E> Left<'env, E> {
    pub(crate) fn new() -> Self {
        Self {
            remains: Remains::new(),
            id: LazyNurseryId::new(),
        }
    }

    /// Names this nursery and a child of it.
    #[cold]
    pub(crate) fn whose(&self, child: Option<ChildId>) -> Whose {
        Whose {
            nursery: self.id.get(),
            child,
        }
    }

    /// Makes the failure that the nursery was cancelled, which belongs to no child.
    #[cold]
    pub(crate) fn cancelled(&self, cancelled: Cancelled) -> Failure<E> {
        Failure::whose(FailureKind::Cancelled(cancelled), self.whose(None))
    }

    /// Makes the failure of a panic in the body, or in a destructor that belongs to no child.
    ///
    /// `has_cancelled` says whether the panic cancelled the nursery.
    #[cold]
    pub(crate) fn panicked(&self, payload: Payload, has_cancelled: bool) -> Failure<E> {
        Failure::whose(
            FailureKind::Panic(Panic::new(payload, None)),
            self.whose(None),
        )
        .which_cancelled(has_cancelled)
    }

    #[cold]
    fn add(&self, failure: Failure<E>) {
        if failure.is_cancellation() {
            self.remains.note_cancelled();
            if !failure.is_late() {
                return;
            }
        }
        let is_late = failure.is_late();
        self.remains.add(|left| match is_late {
            true => left.late.push(failure),
            false => left.failures.push(failure),
        });
    }

    /// Adds a panic of a destructor, to be listed after the child of this rank.
    ///
    /// `has_cancelled` says whether the panic cancelled the nursery.
    #[cold]
    pub(crate) fn add_dropped(&self, rank: Rank, payload: Payload, has_cancelled: bool) {
        let panicked = self.panicked(payload, has_cancelled);
        self.remains.add(|left| left.dropped.push((rank, panicked)));
    }

    /// Sets the function that takes late errors.
    pub(crate) fn set_on_late(&self, on_late: OnLate<'env, Failure<E>>) {
        let old = self.remains.add(|left| left.on_late.replace(on_late));
        drop(old);
    }

    /// The outcome of the nursery, after all children have ended.
    // Out of line: what it needs of the stack would be part of each level of a recursion.
    #[inline(never)]
    pub(crate) fn settle<T>(
        &self,
        body: Result<T, Failure<E>>,
        cancelled: Option<Cancelled>,
    ) -> Result<T, Failures<E>> {
        let are_some_cancelled = self.remains.are_some_cancelled();
        let mut left = self.remains.take();
        let mut on_late = left.on_late.take();
        let (mut of_handler, mut of_value) = (None, None);
        let own = match body {
            Ok(value) => {
                let was_asked_to = cancelled.filter(|cancelled| {
                    cancelled.reason() != CancelReason::Requested || cancelled.is_inherited()
                });
                let has_none_failed = left.failures.is_empty() && left.dropped.is_empty();
                if has_none_failed && (!are_some_cancelled || was_asked_to.is_none()) {
                    of_handler = hand_over(&mut left.late, on_late.take()).err();
                    if of_handler.is_none() {
                        return Ok(value);
                    }
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
        let of_handler = of_handler.or(catching(|| drop(on_late)).err());
        let last = of_handler.into_iter().chain(of_value);
        let last = last.map(|payload| self.panicked(payload, false));
        let last: Vec<_> = dropped.chain(last).collect();
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

/// Hands late errors to the function that takes them, in the order of their children, until it panics.
fn hand_over<E>(
    late: &mut Vec<Failure<E>>,
    on_late: Option<OnLate<'_, Failure<E>>>,
) -> Result<(), Payload> {
    let Some(mut on_late) = on_late else {
        // If their destructors panic, the nursery still returns its value.
        late.drain(..).for_each(Failure::discard);
        return Ok(());
    };
    late.sort_by(|a, b| b.child().cmp(&a.child()));
    let handed = catching(|| {
        while let Some(failure) = late.pop() {
            on_late(failure);
        }
    });
    match handed {
        Ok(()) => catching(|| drop(on_late)),
        Err(payload) => {
            discard(on_late);
            Err(payload)
        }
    }
}

impl<T, E: Send> Collect<Result<T, Failure<E>>> for Left<'_, E> {
    fn collect(
        &self,
        rank: Rank,
        completion: Completion<Result<T, Failure<E>>>,
        fail: impl FnOnce(&Payload) -> bool,
    ) {
        let dropped = match completion {
            Completion::Done(Ok(value)) => catching(|| drop(value)),
            Completion::Done(Err(failure)) => {
                self.add(failure);
                Ok(())
            }
            Completion::Panicked(payload) => Err(payload),
            Completion::Skipped => unreachable!("children of a partial nursery ask themselves"),
        };
        if let Err(payload) = dropped {
            let has_cancelled = fail(&payload);
            self.add_dropped(rank, payload, has_cancelled);
        }
    }
}
