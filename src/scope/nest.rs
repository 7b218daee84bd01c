//! Opening, spawning, running, joining.
#![allow(
    unsafe_code,
    reason = "the one place where a child's lifetime and types are erased"
)]

use std::alloc::Layout;
use std::fmt;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, needs_drop};
use std::ptr;

use crate::engine::frame::{Frame, Stage};
use crate::engine::node::Node;
use crate::engine::polling;
use crate::engine::seat::Seat;
use crate::engine::tally::Counter;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::trace;
use crate::scope::panics::catching;
use crate::scope::{CancelReason, Scope, Terms, message_of};
use crate::task::arena::Arena;
use crate::task::placement::{self, Room};
use crate::task::record::{
    Class, Completion, Handle, Outcome, Payload, Queued, Rank, Record, Running, Vtable,
};

/// One open nursery: what its children see, and the memory of the children that its opener spawns.
///
/// `'scope` is invariant, as in [`std::thread::Scope`]: it can be neither shrunk nor grown, so a
/// child borrows nothing that ends before the nursery does.
///
/// INVARIANT: the arena is used by the opener's thread only; the maker of a nest calls
/// [`Nest::run`] before the nest goes away or moves.
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
    // Inlined, so that it is made in place and not copied; but in a debug build that would cost a
    // deep recursion its stack.
    #[cfg_attr(
        not(debug_assertions),
        allow(clippy::inline_always, reason = "see above")
    )]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn new(seat: &Seat) -> Self {
        Self {
            scope: Scope::open(seat),
            arena: Arena::new(),
            scope_lifetime: PhantomData,
            env_lifetime: PhantomData,
        }
    }

    /// Runs the body and the children, returns when the last child has ended, and raises what has
    /// panicked.
    #[inline]
    pub(crate) fn run<R>(&self, seat: &Seat, body: impl FnOnce() -> R) -> R {
        self.scope.conclude(self.hold(seat, body))
    }

    /// Runs the nursery on these terms: see [`Self::run`].
    pub(crate) fn run_on<R>(&self, seat: &Seat, terms: &Terms, body: impl FnOnce() -> R) -> R {
        // SAFETY: the borrow lasts until the nursery is over.
        unsafe { self.scope.set_terms(terms) };
        self.scope.conclude(self.hold(seat, body))
    }

    /// Runs the body and the children, and returns when the last child has ended.
    #[inline]
    pub(super) fn hold<R>(&self, seat: &Seat, body: impl FnOnce() -> R) -> Result<R, Payload> {
        let scope = &self.scope;
        scope.expose_address();
        let _span = trace::nursery(|| scope.terms()?.name.as_deref());
        let stage = Stage::body(seat, &scope.node);
        if !seat.prepare(&scope.node) {
            stage.frame.keep_nothing();
        }
        stage.set().occupy(|| {
            failpoint::reach(Failpoint::NurseryOpened);
            let result = catching(body);
            if let Err(payload) = &result {
                scope.note_panic_of_body(payload);
                scope.fail(CancelReason::BodyPanicked);
            }
            failpoint::reach(Failpoint::NurseryClosing);
            seat.wait_for_end(&stage.frame, &scope.node);
            failpoint::reach(Failpoint::NurseryClosed);
            scope.node.sum_up(seat);
            result
        })
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn node(&self) -> &Node {
        &self.scope.node
    }

    /// Queues a child.
    #[inline]
    pub(crate) fn spawn<F, T>(&'scope self, class: Class, closure: F) -> Handle<T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_with::<Total, _, _>(class, |_| closure)
    }

    /// Queues a child whose closure is made from its rank.
    #[inline]
    pub(super) fn spawn_with<P, F, T>(
        &'scope self,
        class: Class,
        closure: impl FnOnce(Rank) -> F,
    ) -> Handle<T>
    where
        P: Policy<T>,
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        Frame::with_current(|frame| match frame {
            Some(frame) if class == Class::Compute && frame.is_home_of(self.node()) => {
                // SAFETY: it is this thread.
                let (child, handle) = unsafe { self.write_at_home::<P, _, _>(class, closure) };
                frame.queue(child);
                handle
            }
            _ => self.spawn_elsewhere::<P, _, _>(class, closure),
        })
    }

    /// Writes the record of a child, and counts it.
    ///
    /// # Safety
    ///
    /// The calling thread has opened the nursery.
    #[allow(clippy::inline_always, reason = "a few stores")]
    #[inline(always)]
    unsafe fn write_at_home<P, F, T>(
        &'scope self,
        class: Class,
        closure: impl FnOnce(Rank) -> F,
    ) -> (Queued, Handle<T>)
    where
        P: Policy<T>,
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let vtable = Typed::<F, T, P>::VTABLE;
        debug_assert!(self.node().is_home());
        // SAFETY: the caller promises that this is the opener's thread.
        let room = unsafe { self.room_at_home(Layout::new::<Record<F, T>>(), class) };
        // SAFETY: the room is for a record of this layout. `run` waits for every child, so the scope and all that lives
        // for `'scope` outlives the record; the vtable is of these types.
        let written = unsafe { placement::write_record(room, vtable, closure) };
        self.node().at_home.spawned.add(1);
        written
    }

    /// Room for the record of a child that is spawned at home.
    ///
    /// # Safety
    ///
    /// The calling thread has opened the nursery.
    #[inline]
    unsafe fn room_at_home(&self, record: Layout, class: Class) -> Room {
        // SAFETY: the caller promises that the arena is this thread's. The nursery outlives its children.
        unsafe { self.arena.room(|| self.node().owner(), class, record) }
    }

    /// Queues a child from anywhere.
    #[inline(never)]
    fn spawn_elsewhere<P, F, T>(
        &'scope self,
        class: Class,
        closure: impl FnOnce(Rank) -> F,
    ) -> Handle<T>
    where
        P: Policy<T>,
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let (child, handle) = self.write::<P, _, _>(class, closure);
        queue(self.node(), class, child);
        handle
    }

    /// Writes the record of a child, wherever it is spawned, and counts it.
    pub(super) fn write<P, F, T>(
        &'scope self,
        class: Class,
        closure: impl FnOnce(Rank) -> F,
    ) -> (Queued, Handle<T>)
    where
        P: Policy<T>,
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let room = self.room(Layout::new::<Record<F, T>>(), class);
        // SAFETY: the room is for a record of this layout; the rest as in `write_at_home`.
        unsafe { placement::write_record(room, Typed::<F, T, P>::VTABLE, closure) }
    }

    /// Room for the record of a child, wherever it is spawned; counts the child.
    #[inline(never)]
    fn room(&self, record: Layout, class: Class) -> Room {
        let scope = self.node();
        if scope.is_home() {
            scope.at_home.spawned.add(1);
            // SAFETY: it is the opener's thread.
            return unsafe { self.room_at_home(record, class) };
        }
        Seat::with(scope.core(), |seat| {
            let owner = scope.owner_for(seat.slot);
            let sequence = scope.foreign_sequence();
            seat.tally()[Counter::Spawned].add(1);
            Room::single(owner, sequence, class, record)
        })
    }
}

impl fmt::Debug for Nest<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe("Nursery", f)
    }
}

impl Nest<'_, '_> {
    /// Writes the debug text of a nursery of this kind.
    pub(super) fn describe(&self, kind: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(kind)
            .field(
                "name",
                &self.scope.terms().and_then(|terms| terms.name.as_deref()),
            )
            .field("pool", &self.scope.node.core().name())
            .field("shared_runs", &self.scope.node.count.get())
            .field("cancelled", &self.scope.cancelled())
            .finish()
    }
}

/// Queues a child that was written, from anywhere.
#[inline(never)]
fn queue(scope: &Node, class: Class, child: Queued) {
    match class {
        Class::Compute => Seat::queue(scope, child),
        Class::Blocking => Seat::with(scope.core(), |seat| seat.queue_blocking(scope, child)),
    }
}

/// How a child is run, and what becomes of it if nobody joins it.
pub(super) trait Policy<T> {
    /// Whether a child is dropped unrun if its nursery skips children; if not, the child asks by
    /// itself.
    const ASKS: bool;

    /// Calls the child's closure.
    fn run(closure: impl FnOnce() -> T) -> Result<T, Payload>;

    /// Takes what the child has left.
    fn dispose(scope: &Scope, rank: Rank, completion: Completion<T>);
}

/// The policy of a total nursery: the value of a child is dropped, its panic is raised.
pub(super) struct Total;

impl<T> Policy<T> for Total {
    const ASKS: bool = true;

    #[inline]
    fn run(closure: impl FnOnce() -> T) -> Result<T, Payload> {
        catching(closure)
    }

    fn dispose(scope: &Scope, rank: Rank, completion: Completion<T>) {
        scope.dispose(rank, completion);
    }
}

/// The types of one child, erased into a vtable.
pub(super) struct Typed<F, T, P>(PhantomData<(F, T, P)>);

impl<F, T, P> Typed<F, T, P>
where
    F: FnOnce() -> T + Send,
    T: Send,
    P: Policy<T>,
{
    pub(super) const VTABLE: &'static Vtable = &Vtable {
        call: Self::call,
        dispose: dispose::<T, P>,
        drops_values: needs_drop::<T>(),
    };

    /// Runs the child, or drops it unrun if its nursery has been cancelled.
    ///
    /// # Safety
    ///
    /// The record is a `Record<F, T>` of the open scope that `owner` names, and this is called once
    /// for it.
    unsafe fn call(child: Running, owner: *const ()) -> Outcome {
        // SAFETY: the caller promises that the scope is open.
        let scope = unsafe { of_owner(owner) };
        if P::ASKS && scope.is_cancelled() {
            // SAFETY: the closure is an `F`, and is moved out once, here or below.
            return unsafe { scope.skip(child, Self::drop_unrun) };
        }
        failpoint::reach(Failpoint::ChildStarted);
        // SAFETY: a child runs once. The closure is moved to where it is called, and nowhere in
        // between.
        match P::run(|| unsafe { child.take_closure::<F>() }()) {
            // SAFETY: the closure has been moved out, and the result type is `T`.
            Ok(value) => unsafe { child.store(value) },
            Err(payload) => scope.panicked(&child, payload),
        }
    }

    /// Drops the closure of a child.
    ///
    /// # Safety
    ///
    /// The record is a `Record<F, T>`, and its closure has not been moved out.
    unsafe fn drop_unrun(child: Running) {
        // SAFETY: the caller promises the same.
        drop(unsafe { child.take_closure::<F>() });
    }
}

/// Takes what a child left, because nobody joins it.
///
/// # Safety
///
/// As [`Typed::call`], which has answered `outcome`.
unsafe fn dispose<T, P: Policy<T>>(child: Running, owner: *const (), outcome: Outcome) {
    // SAFETY: the caller promises that the scope is open.
    let scope = unsafe { of_owner(owner) };
    // SAFETY: `call` has answered `outcome`, and the result type is `T`.
    let completion = unsafe { child.take::<T>(outcome) };
    P::dispose(scope, child.rank(), completion);
}

impl Scope {
    /// Drops an unstarted child of a cancelled nursery unrun.
    ///
    /// # Safety
    ///
    /// `drop_closure` may be called on the child, and nobody else moves its closure out.
    #[cold]
    #[inline(never)]
    unsafe fn skip(&self, child: Running, drop_closure: unsafe fn(Running)) -> Outcome {
        failpoint::reach(Failpoint::ChildSkipped);
        self.note_skipped(1);
        // SAFETY: the caller promises the same.
        match catching(|| unsafe { drop_closure(child.again()) }) {
            Ok(()) => Outcome::Skipped,
            Err(payload) => {
                self.note_known_skip();
                self.panicked(&child, payload)
            }
        }
    }

    /// Keeps the payload of a child's panic; the nursery knows of the panic before it is published
    /// (law E5).
    #[cold]
    #[inline(never)]
    fn panicked(&self, child: &Running, payload: Payload) -> Outcome {
        failpoint::reach(Failpoint::ChildPanicked);
        self.note_panic(message_of(&*payload));
        // SAFETY: the callers have moved the closure out.
        unsafe { child.store_payload(payload) }
    }
}

/// The nursery that a chunk belongs to.
///
/// # Safety
///
/// `owner` is what a chunk carries, and its nursery stays open during `'a`.
#[inline]
unsafe fn of_owner<'a>(owner: *const ()) -> &'a Scope {
    // SAFETY: what was put there is the frame of the scope, its first field.
    unsafe { Scope::at(owner.cast()) }
}

/// The right to a child's value that its spawner holds: it is joined, or given up when it is
/// dropped.
pub(crate) struct Held<T>(Handle<T>);

impl<T> Held<T> {
    #[inline]
    pub(crate) fn new(handle: Handle<T>) -> Self {
        Self(handle)
    }

    /// Waits for the child and takes its value, or raises its panic.
    #[allow(
        clippy::inline_always,
        reason = "the common case is a few dozen instructions"
    )]
    #[inline(always)]
    pub(crate) fn join(self) -> T {
        let held = ManuallyDrop::new(self);
        // SAFETY: `held` is not used any more.
        let handle = unsafe { ptr::read(&raw const held.0) };
        let next = Frame::run_next_here(handle.untyped());
        match next {
            // SAFETY: the child ran alone, and a child that a body's own thread joins in the body
            // lies in the arena.
            Some(Outcome::Done) => unsafe { handle.take_value() },
            next => join_out_of_line(handle, next),
        }
    }

    pub(super) fn handle(&self) -> &Handle<T> {
        &self.0
    }

    pub(crate) fn is_finished(&self) -> bool {
        let is_finished = self.0.outcome().is_some();
        if is_finished {
            polling::note_find();
        } else {
            polling::note_vain_look();
        }
        is_finished
    }
}

impl<T> Drop for Held<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `self` is not used any more.
        abandon(unsafe { ptr::read(&raw const self.0) });
    }
}

#[inline(never)]
fn join_out_of_line<T>(handle: Handle<T>, outcome: Option<Outcome>) -> T {
    // SAFETY: a handle does not outlive its nursery.
    let scope = unsafe { of_owner(handle.owner()) };
    let completion = match outcome {
        // SAFETY: it ran alone.
        Some(outcome) => unsafe { handle.take_alone(outcome) },
        // Usually the child has ended on another thread.
        None => handle.take().unwrap_or_else(join_completion),
    };
    match completion {
        Completion::Done(value) => value,
        completion => scope.resolve(completion),
    }
}

/// Waits for a child and takes what it left.
pub(super) fn join_completion<T>(handle: Handle<T>) -> Completion<T> {
    Begun::of(handle).wait()
}

/// A child whose join has begun: the child has run here alone, or is to be waited for.
///
/// Most of the stack that a join needs is for what the child left. Two steps keep it out of the frames
/// below a child that runs in the first step.
#[must_use]
pub(super) struct Begun<T> {
    handle: Handle<T>,
    /// How the child ended. INVARIANT: it ran alone.
    alone: Option<Outcome>,
}

impl<T> Begun<T> {
    /// Runs the child if it is the next one here.
    #[inline]
    pub(super) fn of(handle: Handle<T>) -> Self {
        let next = || run_next(handle.untyped());
        let alone = Frame::run_next_here(handle.untyped()).or_else(next);
        Self { handle, alone }
    }

    /// Waits for the child if it has not run, and takes what it left.
    #[inline]
    pub(super) fn wait(self) -> Completion<T> {
        match self.alone {
            // SAFETY: by the invariant.
            Some(outcome) => unsafe { self.handle.take_alone(outcome) },
            None => {
                // SAFETY: a handle does not outlive its nursery.
                let scope = unsafe { of_owner(self.handle.owner()) };
                wait(scope, self.handle)
            }
        }
    }
}

/// Runs the child if it is the next one in this thread's innermost frame, wherever that is.
#[inline(never)]
fn run_next(child: &Handle<()>) -> Option<Outcome> {
    Frame::with_current(|frame| {
        let frame = frame.filter(|frame| frame.seat.is_active())?;
        frame.run_next(child)
    })
}

#[inline(never)]
fn wait<T>(scope: &Scope, handle: Handle<T>) -> Completion<T> {
    wait_for(scope, handle.untyped());
    match handle.take() {
        Ok(completion) => completion,
        Err(_) => unreachable!("waited for"),
    }
}

/// Waits until the child has ended.
#[inline(never)]
fn wait_for(scope: &Scope, child: &Handle<()>) {
    if child.outcome().is_none() {
        Seat::with(scope.node.core(), |seat| {
            seat.occupy(|| seat.wait_for_child(&scope.node, child));
        });
    }
}

/// Waits until one of several children of `scope` has ended.
pub(super) fn wait_for_any<'a, T: 'a, I>(scope: &Scope, children: &impl Fn() -> I)
where
    I: Iterator<Item = &'a Handle<T>>,
{
    Seat::with(scope.node.core(), |seat| {
        seat.occupy(|| seat.wait_for_any(&scope.node, children));
    });
}

/// Gives an unjoined child up.
#[inline]
pub(crate) fn abandon<T>(handle: Handle<T>) {
    if let Err(handle) = handle.abandon_in_private() {
        handle.abandon();
    }
}
