//! The two-way fork: a nursery with one child, whose record lies in the caller's frame.
//!
//! Most forks never become one. The frame that links a fork into its thread's stack holds the
//! second closure and how to make a nursery of it; only a thread that is asked for work does so,
//! outermost fork first. A fork that nobody asked for runs its second closure by a plain call.
//!
//! Both closures run to their ends, whatever panics in which of them, and whatever is cancelled: unsafe
//! code may have moved values out of what they share, and rely on both to put them back. So a fork is a
//! nursery to the engine, but nothing that can be cancelled: it knows of what lies further out only.
#![allow(
    unsafe_code,
    reason = "the child borrows from the frame that waits for it"
)]

use std::cell::{Cell, OnceCell};
use std::panic::resume_unwind;
use std::ptr::{self, NonNull};

use crate::engine::frame::{ForkFrame, Frame, Hidden};
use crate::engine::seat::Seat;
use crate::platform::point::{self, Point};
use crate::scope::Scope;
use crate::scope::panics::{catching, discard};
use crate::task::chunk::ForkChunk;
use crate::task::record::{Handle, Outcome, Payload, Running, Verdict, Vtable};

/// A fork in its caller's stack frame.
///
/// INVARIANT: `frame` comes first. While it is latent the chunk holds the closure; afterwards it
/// holds a record, and `scope` and `handle` are there.
#[repr(C)]
struct Fork<'a, F, T> {
    frame: ForkFrame<'a>,
    scope: OnceCell<Scope>,
    handle: Cell<Option<Handle<T>>>,
    chunk: ForkChunk<F, T>,
}

impl<F, T> Fork<'_, F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    const VTABLE: &'static Vtable = &Vtable {
        call: Self::call,
        dispose: Self::dispose,
        call_and_dispose: Self::call_and_dispose,
    };

    /// Runs the second closure, whatever has become of the first one.
    ///
    /// # Safety
    ///
    /// The record is a `Record<F, T>`, and this is called once for it.
    unsafe fn call(child: Running, _scope: *const ()) -> Outcome {
        point::reach(Point::ChildStarted);
        // SAFETY: by contract.
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

    unsafe fn call_and_dispose(_child: Running, _scope: *const ()) {
        unreachable!("the fork keeps its handle")
    }

    /// Makes a nursery with one child of it.
    ///
    /// # Safety
    ///
    /// `this` is the front of a `Fork<F, T>` that is latent, entered on this thread, and exposed.
    #[cold]
    unsafe fn prepare(this: NonNull<ForkFrame<'static>>) {
        // The pointer is good for the frame only, so the permission is that of whoever exposed the whole.
        let fork = ptr::with_exposed_provenance::<Fork<'_, F, T>>(this.addr().get());
        // SAFETY: by contract, and it is shared from here on.
        let fork = unsafe { &*fork };
        let scope = fork
            .scope
            .get_or_init(|| Scope::open_around(&fork.frame.frame));
        scope.expose();
        // SAFETY: `fork` below waits for the child before any of this goes away, and what the
        // closure borrows is borrowed by its caller; the vtable is of these types.
        let (child, handle) = unsafe { fork.chunk.publish(scope.frame.owner(), Self::VTABLE) };
        fork.handle.set(Some(handle));
        fork.frame.become_nursery(&scope.frame, child);
    }

    /// Waits for the second closure, if the fork has become a nursery; this is the innermost frame.
    #[inline]
    fn wait(&self, seat: &Seat) {
        if let Some(scope) = self.scope.get() {
            seat.wait_for_end(&self.frame.frame, &scope.frame);
            scope.pass_on_what_was_told();
        }
    }
}

/// Runs `a` here and `b` here or on another thread; a panic of either is raised after both.
#[inline]
pub(crate) fn fork<A, B, RA, RB>(seat: &Seat, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    Frame::with_current(|frame| match frame {
        Some(frame) if frame.seat.is(seat) => fork_in(frame, a, b),
        outer => openly(seat, outer, a, b),
    })
}

/// The same on the innermost frame's seat, if there is one, and as `elsewhere` does otherwise.
#[inline]
pub(crate) fn fork_here<A, B, RA, RB>(
    a: A,
    b: B,
    elsewhere: impl FnOnce(A, B) -> (RA, RB),
) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    Frame::with_current(|frame| match frame {
        Some(frame) => fork_in(frame, a, b),
        None => out_of_line(|| elsewhere(a, b)),
    })
}

#[cold]
#[inline(never)]
fn out_of_line<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// A fork in this innermost frame, hidden if it may be.
#[inline]
fn fork_in<A, B, RA, RB>(frame: &Frame<'_>, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    match frame.hide_fork() {
        Some(hidden) => concealed(hidden, a, b),
        None => openly(frame.seat, Some(frame), a, b),
    }
}

/// Runs `a` and `b`.
#[inline(never)]
fn concealed<A, B, RA, RB>(_hidden: Hidden<'_>, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB,
{
    match catching(a) {
        Ok(left) => match catching(b) {
            Ok(right) => (left, right),
            right => raise(Ok(left), right),
        },
        Err(payload) => second_after_panic(payload, b),
    }
}

/// Calls a closure in a stack frame of its own, which is not there while the other one runs: what
/// recurses through one of the two would keep the locals of the other at each level.
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

/// Runs `b` although `a` has panicked: unsafe code relies on both.
#[cold]
#[inline(never)]
fn second_after_panic<B, RB>(payload: Payload, b: B) -> !
where
    B: FnOnce() -> RB,
{
    raise::<(), _>(Err(payload), catching(|| apart(b)))
}

/// Runs `a` while `b` can be had by others.
#[inline(never)]
fn openly<A, B, RA, RB>(seat: &Seat, outer: Option<&Frame<'_>>, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    let fork = Fork::<B, RB> {
        // SAFETY: a latent, entered frame of these types is what `prepare` is for.
        frame: unsafe { ForkFrame::new(seat, outer, Fork::<B, RB>::prepare) },
        scope: OnceCell::new(),
        handle: Cell::new(None),
        chunk: ForkChunk::new(b),
    };
    let _address = ptr::from_ref(&fork).expose_provenance();
    let left = fork.frame.frame.occupy(|| {
        point::reach(Point::ForkBegins);
        seat.answer_request();
        fork.frame.frame.show_forks();
        let left = catching(|| apart(a));
        fork.wait(seat);
        left
    });
    let Some(handle) = fork.handle.take() else {
        point::reach(Point::ForkKept);
        // This fork is over for others: what they ask for now must come from the ones around it.
        seat.answer_request();
        // SAFETY: latent to the end, so the closure is still there.
        return second(left, unsafe { fork.chunk.take() });
    };
    match (left, handle.take()) {
        (Ok(left), Ok(Verdict::Done(right))) => (left, right),
        (left, Ok(Verdict::Panicked(payload))) => raise(left, Err::<RB, _>(payload)),
        (left, Ok(Verdict::Done(right))) => raise(left, Ok(right)),
        (_, Ok(Verdict::Skipped) | Err(_)) => unreachable!("it runs, and was waited for"),
    }
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
