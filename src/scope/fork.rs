//! The two-way fork: a nursery with one child, whose record lies in the caller's frame.
#![allow(
    unsafe_code,
    reason = "the child borrows from the frame that waits for it"
)]

use std::panic::resume_unwind;

use crate::engine::frame::Frame;
use crate::engine::seat::Seat;
use crate::scope::Scope;
use crate::scope::nest::Child;
use crate::scope::panics::{catching, discard};
use crate::task::chunk::ForkChunk;
use crate::task::record::Verdict;

/// Runs `a` here and `b` here or on another thread; a panic of either is raised after both.
pub(crate) fn fork<A, B, RA, RB>(seat: &Seat, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    let scope = Scope::open(seat);
    let chunk = ForkChunk::<B, RB>::new();
    let (left, right) = seat.occupy(|| {
        let frame = Frame::body(seat, &scope.frame);
        frame.enter(|| {
            // SAFETY: `chunk` and `scope` stay in place until the wait below is over, and what
            // `b` borrows is borrowed by our caller; the vtable is of these types.
            let (child, handle) =
                unsafe { chunk.write(scope.frame.owner(), Child::<B, RB>::VTABLE, b) };
            Seat::queue_at_home(&scope.frame, child);
            let left = catching(a);
            if left.is_err() {
                scope.cancel();
            }
            seat.wait_for_end(&frame, &scope.frame);
            (left, handle.take())
        })
    });
    let Ok(right) = right else {
        unreachable!("waited for");
    };
    let raised = match (left, right) {
        (Ok(left), Verdict::Done(right)) => return (left, right),
        (Ok(left), Verdict::Panicked(payload)) => {
            discard(left);
            payload
        }
        (Ok(_), Verdict::Skipped) => unreachable!("only a panic of `a` skips `b`"),
        (Err(payload), right) => {
            discard(right);
            payload
        }
    };
    resume_unwind(raised)
}
