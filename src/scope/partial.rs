//! The nursery behind a partial nursery: it collects what its children leave and nobody joins.
#![allow(unsafe_code, reason = "from a nursery's terms to its collector")]

use std::marker::PhantomData;
use std::ptr;
use std::time::Instant;

use crate::engine::seat::Seat;
use crate::scope::cancel::{CancelReason, Cancelled, Terms};
use crate::scope::lineage::{self, Origin, Spawned, Task, Told};
use crate::scope::nest::{Nest, Policy};
use crate::scope::{Batches, ChildId, Class, Handle, How, Numbers, Payload, Scope, Who};
use crate::task::record::{Completion, Rank};

/// Takes what children leave and nobody joins; called from any thread.
pub(crate) trait Collect<T>: Sync {
    /// Takes what one child has left. If dropping it panics, this calls `fail`, which fails the
    /// nursery and says whether that has cancelled it.
    fn collect(&self, rank: Rank, completion: Completion<T>, fail: impl FnOnce(&Payload) -> bool);
}

/// The terms of a partial nursery, and its collector.
#[repr(C)]
struct Partial<K> {
    terms: Terms,
    collector: K,
}

/// The policy of a partial nursery: the collector `K` takes what children leave.
///
/// INVARIANT: used for children of a nursery that has its terms at the front of a `Partial<K>`.
struct Collected<K>(PhantomData<K>);

impl<K: Collect<T>, T> Policy<T> for Collected<K> {
    const ASKS: bool = false;

    /// Calls the closure, which does not unwind: its spawner has put a catch around the user's
    /// code.
    #[inline]
    fn run(closure: impl FnOnce() -> T) -> Result<T, Payload> {
        Ok(closure())
    }

    /// Hands what the child left to the collector. The siblings know of a failure before the child
    /// counts as ended (law E5).
    #[inline]
    fn dispose(scope: &Scope, rank: Rank, completion: Completion<T>) {
        // SAFETY: by the invariant; `hold` has set a pointer to the whole.
        let partial = unsafe { &*scope.terms_at().cast::<Partial<K>>() };
        let fail = |payload: &Payload| scope.fail_in_destructor(payload);
        partial.collector.collect(rank, completion, fail);
    }
}

/// A nursery with a collector.
///
/// INVARIANT: as for [`Nest`], with [`Self::hold`] in the place of [`Nest::run`].
pub(crate) struct PartialNest<'scope, 'env: 'scope, K> {
    nest: Nest<'scope, 'env>,
    spawned: Spawned,
    partial: Partial<K>,
}

impl<'scope, K> PartialNest<'scope, '_, K> {
    /// A nursery about to open on this seat.
    // Inlined, so that it and its terms are made in place: copies would cost a deep recursion its
    // stack.
    #[cfg_attr(
        not(debug_assertions),
        allow(clippy::inline_always, reason = "see above")
    )]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn new(seat: &Seat, terms: impl FnOnce() -> Terms, collector: K) -> Self {
        let mut new = Self {
            nest: Nest::new(seat),
            spawned: Spawned::none(),
            partial: Partial {
                terms: terms(),
                collector,
            },
        };
        new.partial.terms.is_partial = true;
        new
    }

    /// Runs the body and the children, and returns when the last child has ended.
    pub(crate) fn hold<R>(
        &self,
        seat: &Seat,
        body: impl FnOnce(&Task<'_>) -> R,
    ) -> Result<R, Payload> {
        let partial = ptr::from_ref(&self.partial);
        // SAFETY: the terms come first, and stand beside the nursery, which is over when this returns.
        unsafe { self.nest.scope().set_terms(partial.cast()) };
        self.nest.hold(seat, || {
            let task = Task::body(self.nest.scope(), &self.spawned);
            task.enter(|| body(&task))
        })
    }

    /// Takes the panic of a destructor that belongs to no child in particular, and says whether the
    /// nursery was cancelled for it. Called once the nursery is over.
    pub(crate) fn take_panic(&self) -> Option<(Rank, Payload, bool)> {
        self.nest
            .scope()
            .has_failed()
            .then(|| self.nest.scope().take_panic())?
    }

    pub(crate) fn scope(&self) -> &Scope {
        self.nest.scope()
    }

    pub(crate) fn collector(&self) -> &K {
        &self.partial.collector
    }

    /// Queues a child, whose closure must not unwind.
    #[inline]
    pub(crate) fn spawn<F, T>(&'scope self, class: Class, closure: F) -> Handle<T>
    where
        K: Collect<T>,
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.nest
            .spawn_with::<Collected<K>, _, _>(class, |_| closure)
    }

    /// Queues a child for each item.
    pub(crate) fn spawn_each<I, F, T>(&'scope self, items: I, f: F) -> Box<Batches<'scope, T>>
    where
        K: Collect<T>,
        I: Iterator,
        I::Item: Send + 'scope,
        F: Fn(I::Item) -> T + Send + Sync + 'scope,
        T: Send + 'scope,
    {
        self.nest.spawn_each_as::<Collected<K>, _, _, _>(items, f)
    }

    /// The identity of the next child that this thread spawns.
    #[inline]
    pub(crate) fn origin(&self) -> Origin {
        lineage::origin(self.nest.scope(), &self.spawned)
    }

    /// Runs a child as a task of this nursery.
    #[inline]
    pub(crate) fn as_task<R>(&self, origin: &Origin, run: impl FnOnce(&Task<'_>) -> R) -> R {
        let task = Task::child(self.nest.scope(), origin);
        task.enter(|| run(&task))
    }

    /// Why the nursery is cancelled, if it is.
    #[inline]
    pub(crate) fn cancelled(&self) -> Option<Cancelled> {
        self.nest.scope().cancelled()
    }

    /// Why the nursery is cancelled, if it is. The asking task has been told then.
    #[inline]
    pub(crate) fn ask(&self) -> Option<Cancelled> {
        self.nest.scope().ask(Told::AsFailure)
    }

    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        self.nest.scope().set_deadline(deadline);
    }

    /// Cancels the nursery; true for exactly one caller.
    pub(crate) fn cancel(&self) -> bool {
        self.nest.scope().cancel()
    }

    /// Notes a failure for people to read, if it is the first: of a child, or of the body.
    pub(crate) fn note_failed(&self, child: Option<&ChildId>, how: impl FnOnce() -> How) {
        let who = child.map_or(Who::Body, |child| Who::Child(child.clone()));
        self.nest.scope().note_failed(who, how);
    }

    /// Counts a child that has begun here and is dropped unrun.
    pub(crate) fn note_skipped(&self) {
        self.nest.scope().note_skipped(1);
    }

    /// Notes that a child has panicked; true if that has cancelled the nursery.
    pub(crate) fn note_panicked(&self) -> bool {
        let has_cancelled = self.fail(CancelReason::ChildPanicked);
        self.nest.scope().count_panic();
        has_cancelled
    }

    /// Tells the task around this nursery, which is over, of its cancellation.
    #[cold]
    pub(crate) fn tell(&self, told: Told) {
        lineage::tell(self.nest.scope(), told);
    }

    /// Counts a child that has returned a late error.
    pub(crate) fn note_late(&self) {
        self.nest.scope().count_late();
    }

    pub(crate) fn poll_numbers(&self) -> Numbers {
        self.nest.scope().poll_numbers()
    }

    /// Whether the nursery is cancelled. The caller may ask this again and again.
    pub(crate) fn poll(&self) -> bool {
        self.nest.scope().poll()
    }

    /// Notes that a child or the body has failed; true if that has cancelled the nursery.
    pub(crate) fn fail(&self, reason: CancelReason) -> bool {
        self.nest.scope().fail(reason)
    }
}

impl<K> std::fmt::Debug for PartialNest<'_, '_, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.nest.describe("TryNursery", f)
    }
}
