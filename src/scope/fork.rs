//! The two-way fork: a nursery with one child, whose record lies in the caller's frame.
//!
//! Most forks never become one. The frame that links a fork into its thread's stack holds the
//! second closure and how to make a nursery of it; only a thread that is asked for work does so,
//! outermost fork first. A fork that nobody asked for runs its second closure by a plain call.
#![allow(
    unsafe_code,
    reason = "the child borrows from the frame that waits for it"
)]

use std::cell::{Cell, OnceCell};
use std::panic::resume_unwind;
use std::ptr::{self, NonNull};

use crate::engine::frame::{ForkFrame, Frame};
use crate::engine::seat::Seat;
use crate::platform::point::{self, Point};
use crate::scope::nest::{Child, Total};
use crate::scope::panics::{catching, discard};
use crate::scope::{Reason, Scope};
use crate::task::chunk::ForkChunk;
use crate::task::record::{Handle, Payload, Verdict};

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
        let (child, handle) = unsafe {
            fork.chunk
                .publish(scope.frame.owner(), Child::<F, T, Total>::VTABLE)
        };
        fork.handle.set(Some(handle));
        fork.frame.become_nursery(&scope.frame, child);
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
        Some(frame) if frame.seat.is(seat) => hidden_or(frame, a, b, |a, b| openly(seat, a, b)),
        _ => openly(seat, a, b),
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
        Some(frame) => hidden_or(frame, a, b, elsewhere),
        None => elsewhere(a, b),
    })
}

/// A fork in this innermost frame, hidden if it may be.
#[inline]
fn hidden_or<A, B, RA, RB>(
    frame: &Frame<'_>,
    a: A,
    b: B,
    otherwise: impl FnOnce(A, B) -> (RA, RB),
) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    match frame.hide_fork() {
        Some(_hidden) => second(catching(a), b),
        None => otherwise(a, b),
    }
}

/// Runs `b` after `a`.
#[inline]
fn second<B, RA, RB>(left: Result<RA, Payload>, b: B) -> (RA, RB)
where
    B: FnOnce() -> RB,
{
    match left {
        Ok(left) => match catching(b) {
            Ok(right) => (left, right),
            Err(payload) => raise(Ok(left), Verdict::<RB>::Panicked(payload)),
        },
        Err(payload) => skip(payload, b),
    }
}

/// `a` has panicked, so `b` is dropped unrun.
#[cold]
#[inline(never)]
fn skip<B>(payload: Payload, b: B) -> ! {
    discard(b);
    resume_unwind(payload)
}

/// Runs `a` while `b` can be had by others.
#[inline(never)]
fn openly<A, B, RA, RB>(seat: &Seat, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    let fork = Fork::<B, RB> {
        frame: Frame::with_current(|outer| {
            // SAFETY: a latent, entered frame of these types is what `prepare` is for.
            unsafe { ForkFrame::new(seat, outer, Fork::<B, RB>::prepare) }
        }),
        scope: OnceCell::new(),
        handle: Cell::new(None),
        chunk: ForkChunk::new(b),
    };
    let _address = ptr::from_ref(&fork).expose_provenance();
    let left = fork.frame.frame.occupy(|| {
        point::reach(Point::ForkBegins);
        seat.answer_request();
        fork.frame.frame.show_forks();
        let left = catching(a);
        if let Some(scope) = fork.scope.get() {
            if left.is_err() {
                scope.fail(Reason::BodyPanicked);
            }
            seat.wait_for_end(&fork.frame.frame, &scope.frame);
            scope.pass_on_what_was_told();
        }
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
        (left, Ok(right)) => raise(left, right),
        (_, Err(_)) => unreachable!("waited for"),
    }
}

#[cold]
#[inline(never)]
fn raise<RA, RB>(left: Result<RA, Payload>, right: Verdict<RB>) -> ! {
    let raised = match (left, right) {
        (Ok(left), Verdict::Panicked(payload)) => {
            discard(left);
            payload
        }
        (Ok(_), _) => unreachable!("only a panic of `a` skips `b`"),
        (Err(payload), right) => {
            discard(right);
            payload
        }
    };
    resume_unwind(raised)
}
