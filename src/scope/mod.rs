//! One nursery's life: it opens in place, collects its children, cancels, joins, reports.

mod batches;
mod cancel;
mod each;
mod fork;
mod lineage;
mod nest;
mod panics;
mod partial;

pub(crate) use batches::Batches;
pub use cancel::{Cancelled, Reason};
pub(crate) use cancel::{Terms, Token, check};
pub(crate) use fork::{fork, fork_here};
pub use lineage::ChildId;
pub(crate) use lineage::{Origin, Task, tell};
pub(crate) use nest::{Held, Nest};
pub(crate) use panics::{catching, discard};
pub(crate) use partial::{Collect, PartialNest};

pub(crate) use crate::engine::seat::Seat;
pub(crate) use crate::task::record::{Class, Handle, Payload, Rank, Verdict};

use std::panic::resume_unwind;

use crate::engine::frame::Frame;
use crate::engine::limit;
use crate::engine::scope_frame::ScopeFrame;
use crate::platform::lazy::Lazy;
use cancel::Cancel;
use panics::Panics;

/// Calls `f`, which may block and unwind, without this thread's place in its pool.
pub(crate) fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    let result = Frame::with_current(|frame| match frame {
        Some(frame) => frame.block_in_place(|| catching(f)),
        None => catching(f),
    });
    result.unwrap_or_else(|payload| resume_unwind(payload))
}

/// In a process that was forked, on its only thread: see [`Frame::forget_foreign_stack`].
pub(crate) fn forget_foreign_stack() {
    if Frame::forget_foreign_stack() {
        lineage::forget_stack();
        limit::forget_stack();
    }
}

/// What children need of their nursery, wherever they run.
///
/// The frame comes first, so that the engine's address of it is that of the scope: see [`Scope::at`].
#[repr(C)]
pub(crate) struct Scope {
    frame: ScopeFrame,
    cancel: Cancel,
    /// Made by the first panic; most nurseries see none.
    panics: Lazy<Panics>,
}

impl Scope {
    // In place, or it is copied; in a debug build that would cost a deep recursion its stack.
    #[cfg_attr(
        not(debug_assertions),
        allow(clippy::inline_always, reason = "see above")
    )]
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn open(seat: &Seat) -> Self {
        Self {
            frame: ScopeFrame::open(seat),
            cancel: Cancel::new(),
            panics: Lazy::new(),
        }
    }

    /// The nursery that the fork in this entered frame becomes.
    fn open_around(fork: &Frame<'_>) -> Self {
        Self {
            frame: ScopeFrame::open_around(fork),
            cancel: Cancel::of_fork(),
            panics: Lazy::new(),
        }
    }

    fn panics(&self) -> &Panics {
        self.panics.get()
    }
}
