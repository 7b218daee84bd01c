//! Opening, spawning, running, joining.
#![allow(
    unsafe_code,
    reason = "the one place where a child's lifetime and types are erased"
)]

use std::fmt;
use std::marker::PhantomData;

use crate::engine::frame::{Frame, ScopeFrame};
use crate::engine::seat::Seat;
use crate::engine::shared::SlotRef;
use crate::scope::Scope;
use crate::scope::panics::catching;
use crate::task::arena::Arena;
use crate::task::chunk;
use crate::task::record::{
    Class, Ended, Handle, Outcome, Queued, Rank, Record, Running, Verdict, Vtable,
};

/// One open nursery: what its children see, and the memory of those that its opener spawns.
///
/// `'scope` is invariant, as in [`std::thread::Scope`]: it can be neither shrunk nor grown, so a
/// child borrows nothing that ends before the nursery does.
///
/// INVARIANT: the arena is used by the opener's thread only; whoever makes a nest calls
/// [`Nest::run`] before it goes away or moves.
pub(crate) struct Nest<'scope, 'env: 'scope> {
    scope: Scope,
    arena: Arena,
    scope_lifetime: PhantomData<&'scope mut &'scope ()>,
    env_lifetime: PhantomData<&'env mut &'env ()>,
}

// SAFETY: `Scope` is shared safely, and the arena is used behind `is_home` only.
unsafe impl Sync for Nest<'_, '_> {}
// SAFETY: a nest does not move while it is open, and nobody else gets one by value.
unsafe impl Send for Nest<'_, '_> {}

impl<'scope> Nest<'scope, '_> {
    /// A nursery about to open on this seat.
    pub(crate) fn new(seat: &Seat) -> Self {
        Self {
            scope: Scope::open(seat),
            arena: Arena::new(),
            scope_lifetime: PhantomData,
            env_lifetime: PhantomData,
        }
    }

    /// Runs the body and the children, and returns when the last child has ended.
    pub(crate) fn run<R>(&self, seat: &Seat, body: impl FnOnce() -> R) -> R {
        let scope = &self.scope;
        let result = seat.occupy(|| {
            let frame = Frame::body(seat, &scope.frame);
            frame.enter(|| {
                let result = catching(body);
                if result.is_err() {
                    scope.cancel();
                }
                seat.wait_for_end(&frame, &scope.frame);
                result
            })
        });
        scope.conclude(result)
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn frame(&self) -> &ScopeFrame {
        &self.scope.frame
    }

    /// Queues a child.
    #[inline]
    pub(crate) fn spawn<F, T>(&'scope self, class: Class, closure: F) -> Handle<T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_with(class, |_| closure)
    }

    /// Queues a child that knows where it stands.
    #[inline]
    pub(super) fn spawn_with<F, T>(
        &'scope self,
        class: Class,
        closure: impl FnOnce(Rank) -> F,
    ) -> Handle<T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let scope = &self.scope.frame;
        let vtable = Child::<F, T>::VTABLE;
        let (child, handle) = if scope.is_home() {
            // SAFETY: the home thread is the opener's. `run` waits for every child, so the scope
            // and all that lives for `'scope` outlives the record; the vtable is of these types.
            unsafe { self.arena.write(scope.owner(), class, vtable, closure) }
        } else {
            self.write_abroad(class, vtable, closure)
        };
        match class {
            Class::Compute => Seat::queue(scope, child),
            Class::Blocking => Seat::with(scope.core(), |seat| seat.queue_blocking(scope, child)),
        }
        handle
    }

    #[inline(never)]
    fn write_abroad<F, T>(
        &'scope self,
        class: Class,
        vtable: &'static Vtable,
        closure: impl FnOnce(Rank) -> F,
    ) -> (Queued, Handle<T>) {
        let scope = &self.scope.frame;
        Seat::with(scope.core(), |seat| {
            let owner = scope.owner_for(seat.slot);
            let sequence = scope.foreign_sequence();
            // SAFETY: as in `spawn_with`.
            unsafe { chunk::single(owner, sequence, class, vtable, closure) }
        })
    }
}

impl fmt::Debug for Nest<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nursery")
            .field("pool", &self.scope.frame.core().name())
            .field("children_in_public_hands", &self.scope.frame.count.get())
            .field("is_cancelled", &self.scope.is_cancelled())
            .finish()
    }
}

/// The types of one child, erased into a vtable.
pub(super) struct Child<F, T>(PhantomData<(F, T)>);

impl<F, T> Child<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    pub(super) const VTABLE: &'static Vtable = &Record::<F, T>::vtable(Self::run, Self::call);

    /// Runs the child, or drops it unrun if its nursery has been cancelled.
    ///
    /// # Safety
    ///
    /// The record is a `Record<F, T>` that a scope owns, and this is called once for it.
    #[inline]
    unsafe fn verdict(child: &Running) -> (&Scope, Verdict<T>) {
        // SAFETY: the scope is open until this child has ended.
        let scope = unsafe { of_owner(child.owner()) };
        // SAFETY: a child runs once, and this is where.
        let closure: F = unsafe { child.take_closure() };
        let verdict = if scope.is_cancelled() {
            catching(|| drop(closure)).map(|()| Verdict::Skipped)
        } else {
            catching(closure).map(Verdict::Done)
        };
        let verdict = verdict.unwrap_or_else(|payload| {
            // Before the outcome is published (law E5).
            scope.note_panic();
            Verdict::Panicked(payload)
        });
        (scope, verdict)
    }

    /// # Safety
    ///
    /// As [`Self::verdict`].
    unsafe fn call(child: &Running) -> Outcome {
        // SAFETY: by contract.
        let (_, verdict) = unsafe { Self::verdict(child) };
        // SAFETY: the closure has been moved out, and the result type is `T`.
        unsafe { child.store(verdict) }
    }

    /// # Safety
    ///
    /// As [`Self::verdict`].
    unsafe fn run(child: Running) {
        // SAFETY: by contract.
        let (scope, verdict) = unsafe { Self::verdict(&child) };
        // The borrow of `child` ends here; the scope stays open for what follows.
        let scope: *const Scope = scope;
        // SAFETY: as above.
        let scope = unsafe { &*scope };
        let rank = child.rank();
        // SAFETY: the closure has been moved out, and the result type is `T`.
        match unsafe { child.finish::<T>(verdict) } {
            Ended::Left => {}
            Ended::Abandoned(verdict) => scope.dispose(rank, verdict),
            Ended::Wake(spawner) => {
                // SAFETY: chunks carry what `ScopeFrame::owner` put there.
                let spawner = unsafe { SlotRef::restore(spawner) };
                Frame::with_current(|frame| {
                    let seat = frame.expect("children run in a frame").seat;
                    spawner.unpark(seat);
                });
            }
        }
    }
}

/// The nursery a chunk belongs to.
///
/// # Safety
///
/// `owner` is what a chunk carries, and its nursery stays open during `'a`.
#[inline]
unsafe fn of_owner<'a>(owner: *const ()) -> &'a Scope {
    // SAFETY: the frame that was put there is the scope's first field.
    unsafe { &*owner.cast::<Scope>() }
}

/// Waits for a child and takes its value, or raises its panic.
#[inline]
pub(crate) fn join<T>(handle: Handle<T>) -> T {
    // SAFETY: a handle does not outlive its nursery.
    let scope = unsafe { of_owner(handle.owner()) };
    match join_verdict(handle) {
        Verdict::Done(value) => value,
        verdict => scope.resolve(verdict),
    }
}

/// Waits for a child and takes what it left.
#[inline]
pub(super) fn join_verdict<T>(handle: Handle<T>) -> Verdict<T> {
    // SAFETY: as above.
    let scope = unsafe { of_owner(handle.owner()) };
    match Seat::run_if_alone(&scope.frame, handle) {
        Ok(verdict) => verdict,
        Err(handle) => wait(scope, handle),
    }
}

#[inline(never)]
fn wait<T>(scope: &Scope, handle: Handle<T>) -> Verdict<T> {
    let handle = match handle.take() {
        Ok(verdict) => return verdict,
        Err(handle) => handle,
    };
    Seat::with(scope.frame.core(), |seat| {
        seat.occupy(|| seat.wait_for_child(&scope.frame, &handle));
    });
    match handle.take() {
        Ok(verdict) => verdict,
        Err(_) => unreachable!("waited for"),
    }
}

/// Waits until one of several children of `scope` has ended.
pub(super) fn wait_for_any<'a, T: 'a, I>(scope: &Scope, children: &impl Fn() -> I)
where
    I: Iterator<Item = &'a Handle<T>>,
{
    Seat::with(scope.frame.core(), |seat| {
        seat.occupy(|| seat.wait_for_any(&scope.frame, children));
    });
}

/// Gives an unjoined child up.
pub(crate) fn abandon<T>(handle: Handle<T>) {
    // SAFETY: a handle does not outlive its nursery.
    let scope = unsafe { of_owner(handle.owner()) };
    let rank = handle.rank();
    if let Some(verdict) = handle.abandon() {
        scope.dispose(rank, verdict);
    }
}
