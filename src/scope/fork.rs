//! The two-way fork: a nursery with one child, whose record lies in the caller's frame.
//!
//! Most forks never become a nursery. The frame that links a fork into its thread's stack holds the
//! second closure and a way to make a nursery of it. Only a thread that is asked for work does so,
//! with the outermost fork first. A fork that nobody asked for runs its second closure by a plain
//! call.
//!
//! Both closures run to their ends, even if one panics or something is cancelled: unsafe code may
//! have moved values out of what they share, and rely on both to put them back. So a fork is a
//! nursery to the engine, but cannot be cancelled: it knows only of the nurseries around it.
#![allow(
    unsafe_code,
    reason = "the child borrows from the frame that waits for it"
)]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::panic::resume_unwind;
use std::ptr::{self, NonNull};

use crate::engine::frame::{Frame, Hidden, Shown};
use crate::engine::seat::Seat;
use crate::platform::failpoint::{self, Failpoint};
use crate::scope::panics::{catching, discard};
use crate::scope::{Nest, Scope};
use crate::task::placement::ForkRecord;
use crate::task::record::{Completion, Outcome, Payload, Running, Vtable};

/// A fork in its caller's stack frame.
///
/// INVARIANT: `frame` comes first. While the fork is latent, `side` holds the closure; afterwards
/// it holds a record, and `scope` is there. A fork's scope needs no drop: it never makes
/// [`Node::rare`], which is all that a scope can own.
///
/// [`Node::rare`]: crate::engine::node::Node::rare
#[repr(C)]
struct Fork<'a, F, T> {
    frame: Frame<'a>,
    scope: UnsafeCell<MaybeUninit<Scope>>,
    side: ForkRecord<F, T>,
}

impl<F, T> Fork<'_, F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    const VTABLE: &'static Vtable = &Vtable {
        call: Self::call,
        dispose: Self::dispose,
        drops_values: false,
    };

    /// Runs the second closure, whatever has become of the first.
    ///
    /// # Safety
    ///
    /// The record is a `Record<F, T>`, and this is called once for it.
    unsafe fn call(child: Running, _scope: *const ()) -> Outcome {
        failpoint::reach(Failpoint::ChildStarted);
        // SAFETY: the closure is of this type, and is taken once.
        match catching(|| unsafe { child.take_closure::<F>() }()) {
            // SAFETY: the closure has been moved out, and the result type is `T`.
            Ok(value) => unsafe { child.store(value) },
            // SAFETY: the closure has been moved out.
            Err(payload) => unsafe { child.store_payload(payload) },
        }
    }

    unsafe fn dispose(_child: Running, _scope: *const (), _outcome: Outcome) {
        unreachable!("the fork keeps its handle")
    }

    /// Turns the fork into a nursery with one child.
    ///
    /// # Safety
    ///
    /// `this` is the front of a `Fork<F, T>` that is latent, entered on this thread, and exposed.
    #[cold]
    unsafe fn prepare(this: NonNull<Frame<'static>>) {
        // The pointer gives access to the frame only, so the permission comes from where the whole
        // fork was exposed.
        let fork = ptr::with_exposed_provenance::<Fork<'_, F, T>>(this.addr().get());
        // SAFETY: the caller promises that the fork is there and exposed; it is shared from here
        // on.
        let fork = unsafe { &*fork };
        let scope = Scope::open_around(&fork.frame);
        // SAFETY: nobody looks at it while the fork is latent.
        unsafe { fork.scope.get().cast::<Scope>().write(scope) };
        let scope = fork.scope();
        scope.expose_address();
        // SAFETY: `openly` waits for the child before any of this goes away, and what the
        // closure borrows is borrowed by its caller; the vtable is of these types.
        let child = unsafe { fork.side.publish(Self::VTABLE) };
        fork.frame.become_nursery(&scope.node, child);
    }

    /// The nursery that the fork has become.
    #[inline]
    fn scope(&self) -> &Scope {
        // SAFETY: by the invariant it is there, and it does not change any more.
        unsafe { &*self.scope.get().cast::<Scope>() }
    }

    /// Waits for the second closure of a fork that has become a nursery; this is the innermost frame.
    #[inline(never)]
    fn wait(&self) {
        let scope = self.scope();
        self.frame.seat.wait_for_end(&self.frame, &scope.node);
        scope.pass_on_what_was_told();
    }

    /// What both closures have left, after the wait for a fork that has become a nursery; called
    /// once.
    #[inline(never)]
    fn conclude<RA>(&self, left: Result<RA, Payload>) -> (RA, T) {
        // SAFETY: by the invariant the record is there, and nobody else takes its handle.
        let right = match unsafe { self.side.handle() }.take() {
            Ok(Completion::Done(right)) => Ok(right),
            Ok(Completion::Panicked(payload)) => Err(payload),
            Ok(Completion::Skipped) | Err(_) => unreachable!("it runs, and was waited for"),
        };
        match (left, right) {
            (Ok(left), Ok(right)) => (left, right),
            (left, right) => raise(left, right),
        }
    }
}

/// Runs a fork in the innermost frame, if there is one that is `suitable`, or else `elsewhere`.
#[inline]
pub(crate) fn fork_here<A, B, RA, RB>(
    a: A,
    b: B,
    suitable: impl FnOnce(&Frame<'_>) -> bool,
    elsewhere: impl FnOnce(A, B) -> (RA, RB),
) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    Frame::with_current(|frame| match frame {
        Some(frame) if suitable(frame) => fork_in(frame, a, b),
        _ => out_of_line(|| elsewhere(a, b)),
    })
}

/// Runs a fork on a thread that has no frame. In a pool with a context it opens a nursery, which has one.
pub(crate) fn fork_first<A, B, RA, RB>(seat: &Seat, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    if seat.has_context() {
        return out_of_line(|| {
            Nest::new(seat).run(seat, || {
                fork_here(a, b, |_| true, |_, _| unreachable!("in a body"))
            })
        });
    }
    openly(seat, None, Shows::IfWanted, a, b)
}

#[cold]
#[inline(never)]
fn out_of_line<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Runs `a` here and `b` here or on another thread, in this innermost frame; a panic of either is
/// raised after both. The fork is hidden if it may be.
#[inline]
pub(crate) fn fork_in<A, B, RA, RB>(frame: &Frame<'_>, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    match frame.hide_fork() {
        Some(hidden) => concealed(hidden, a, b),
        None => openly(frame.seat, Some(frame), Shows::IfWanted, a, b),
    }
}

/// Runs a fork whose second closure other threads may take from the first moment on, in the innermost frame.
#[inline]
pub(crate) fn fork_shown<A, B, RA, RB>(frame: &Frame<'_>, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    match frame.hide_dense_fork() {
        Err(Shown) => openly(frame.seat, Some(frame), Shows::AtOnce, a, b),
        Ok(Some(hidden)) => concealed(hidden, a, b),
        Ok(None) => openly(frame.seat, Some(frame), Shows::IfWanted, a, b),
    }
}

/// When a fork shows its second closure to other threads.
#[derive(Clone, Copy)]
enum Shows {
    IfWanted,
    AtOnce,
}

/// Runs `a` and `b` in one stack frame with the locals of both, which is as quick as plain calls.
#[inline(never)]
fn concealed<A, B, RA, RB>(hidden: Hidden<'_>, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB,
{
    hidden.heed_the_stack();
    match catching(a) {
        Ok(left) => match catching(b) {
            Ok(right) => (left, right),
            right => raise(Ok(left), right),
        },
        Err(payload) => second_after_panic(payload, b),
    }
}

/// Calls a closure in a stack frame of its own, which is gone while the other closure runs:
/// otherwise a recursion through one of them would keep the locals of the other at each level.
#[inline(never)]
fn apart<F, R>(closure: F) -> R
where
    F: FnOnce() -> R,
{
    closure()
}

/// Runs `b` after `a`.
#[inline]
fn second<B, RA, RB>(left: Result<RA, Payload>, b: B) -> (RA, RB)
where
    B: FnOnce() -> RB,
{
    match left {
        Ok(left) => match catching(|| apart(b)) {
            Ok(right) => (left, right),
            right => raise(Ok(left), right),
        },
        Err(payload) => second_after_panic(payload, b),
    }
}

/// Runs `b` although `a` has panicked, because unsafe code relies on both.
#[cold]
#[inline(never)]
fn second_after_panic<B, RB>(payload: Payload, b: B) -> !
where
    B: FnOnce() -> RB,
{
    raise::<(), _>(Err(payload), catching(|| apart(b)))
}

/// Runs `a` while other threads may take `b`.
#[inline(never)]
fn openly<A, B, RA, RB>(
    seat: &Seat,
    outer: Option<&Frame<'_>>,
    shows: Shows,
    a: A,
    b: B,
) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    let fork = Fork::<B, RB> {
        // SAFETY: a latent, entered frame of these types is what `prepare` is for.
        frame: unsafe { Frame::fork(seat, outer, Fork::<B, RB>::prepare) },
        scope: UnsafeCell::new(MaybeUninit::uninit()),
        side: ForkRecord::new(b),
    };
    let _address = ptr::from_ref(&fork).expose_provenance();
    let left = fork.frame.occupy(|| {
        failpoint::reach(Failpoint::ForkBegins);
        fork.frame.seat.answer_before_step();
        match shows {
            Shows::IfWanted => fork.frame.show_all_if_coarse(),
            Shows::AtOnce => fork.frame.seat.offer_all(),
        }
        let left = catching(|| apart(a));
        if !fork.frame.is_latent() {
            fork.wait();
        }
        left
    });
    if !fork.frame.is_latent() {
        return fork.conclude(left);
    }
    failpoint::reach(Failpoint::ForkKept);
    // Other threads cannot take this fork any more: what they ask for now must come from the forks
    // around it.
    fork.frame.seat.answer_before_step();
    // SAFETY: latent to the end, so the closure is still there.
    second(left, unsafe { fork.side.take() })
}

/// Raises the first panic, and drops what the other closure has left.
#[cold]
#[inline(never)]
fn raise<RA, RB>(left: Result<RA, Payload>, right: Result<RB, Payload>) -> ! {
    let raised = match (left, right) {
        (Err(payload), right) => {
            discard(right);
            payload
        }
        (left, Err(payload)) => {
            discard(left);
            payload
        }
        (Ok(_), Ok(_)) => unreachable!("nobody has panicked"),
    };
    resume_unwind(raised)
}
