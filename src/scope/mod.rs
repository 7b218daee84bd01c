//! One nursery's life: it opens in place, collects its children, cancels, joins, reports.

mod batches;
mod cancel;
mod due;
mod each;
mod filling;
mod first;
mod fork;
mod job;
mod lineage;
mod nest;
mod panics;
mod partial;
mod set;
mod stretch;
mod token;
mod visit;

pub(crate) use batches::Batches;
pub use cancel::{CancelReason, Cancelled};
pub(crate) use cancel::{Terms, check, describe};
pub(crate) use first::{How, Who, message_of};
pub(crate) use fork::{fork_first, fork_here, fork_shown};
pub(crate) use job::{Held as HeldJob, install, is_worker_of, wake};
pub use lineage::ChildId;
pub(crate) use lineage::{Origin, Task, Told};
pub(crate) use nest::{Held, Nest};
pub(crate) use panics::{catching, discard};
pub(crate) use partial::{Collect, PartialNest};
pub(crate) use set::{Announcement, Set};
pub(crate) use stretch::{Divide, Folding, fold_here, is_inside};
pub(crate) use token::{Token, Tokens};
pub(crate) use visit::{Host, with_host};

pub(crate) use crate::engine::seat::Seat;
pub(crate) use crate::task::record::{Class, Completion, Handle, Payload, Rank};

use std::panic::resume_unwind;

use std::mem::offset_of;

use crate::engine::frame::Frame;
use crate::engine::limit;
use crate::engine::node::Node;
use crate::engine::polling;
use crate::engine::tally::AtHome;
pub(crate) use crate::engine::tally::Numbers;
use crate::platform::process::AtForks;
use crate::task::private;
use cancel::Cancel;
use panics::Panics;

/// What a thread that forks the process does for it.
pub(crate) const AT_FORKS: AtForks = AtForks {
    before: private::before_fork,
    after: private::after_fork,
    in_child: forget_foreign_stack,
};

/// Calls `f`, which may block and unwind, without this thread's place in its pool.
pub(crate) fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    let result = Frame::with_current(|frame| match frame {
        Some(frame) => frame.block_in_place(|| catching(f)),
        None => catching(f),
    });
    result.unwrap_or_else(|payload| resume_unwind(payload))
}

/// Takes this thread out of other threads' nurseries, in a forked process: see
/// [`Frame::forget_foreign_stack`].
fn forget_foreign_stack() {
    private::after_fork_in_child();
    if Frame::forget_foreign_stack() {
        limit::forget_stack();
    }
}

/// What children need of their nursery, wherever they run.
///
/// The node comes first, so that the engine's address of the node is the address of the scope:
/// see [`Scope::at`].
#[repr(C)]
pub(crate) struct Scope {
    node: Node,
    cancel: Cancel,
}

/// Bytes of a cache line.
const LINE: usize = 64;
/// Whether the invariant of [`Node`] holds. It is about speed only: the smaller pointers of a 32-bit
/// system leave less room between the two.
const ARE_APART: bool = offset_of!(Scope, cancel) + Cancel::PER_CHILD >= size_of::<AtHome>() + LINE;
const _: () = assert!(ARE_APART || cfg!(target_pointer_width = "32"));

impl Scope {
    // Inlined, so that it is made in place and not copied; but in a debug build that would cost a
    // deep recursion its stack.
    #[cfg_attr(
        not(debug_assertions),
        allow(clippy::inline_always, reason = "see above")
    )]
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn open(seat: &Seat) -> Self {
        Self {
            node: Node::open_on(seat, Frame::innermost_nursery(), false),
            cancel: Cancel::new(),
        }
    }

    /// The nursery that the fork in this entered frame becomes.
    fn open_around(fork: &Frame<'_>) -> Self {
        Self {
            node: Node::open_on(fork.seat, fork.enclosing(), true),
            cancel: Cancel::new(),
        }
    }

    /// Counts children that have begun on this thread and are dropped unrun.
    #[cold]
    fn note_skipped(&self, children: u64) {
        Seat::with(self.node.core(), |seat| {
            self.node.note_skipped(seat, children);
        });
    }

    /// Counts children that begin on this thread.
    #[cold]
    fn note_begun(&self, children: u64) {
        Seat::with(self.node.core(), |seat| {
            self.node.note_begun(seat, children);
        });
    }

    /// Counts a child that has panicked.
    #[cold]
    fn count_panic(&self) {
        Seat::with(self.node.core(), |seat| self.node.note_panicked(seat));
    }

    /// Counts a child that has returned an error which is a consequence of the cancellation.
    #[cold]
    fn count_late(&self) {
        Seat::with(self.node.core(), |seat| self.node.note_late(seat));
    }

    /// What has happened in the nursery so far.
    pub(crate) fn numbers(&self) -> Numbers {
        self.node.numbers()
    }

    /// What has happened in the nursery, for a caller that may ask this again and again.
    pub(crate) fn poll_numbers(&self) -> Numbers {
        polling::note_vain_look();
        self.numbers()
    }

    /// The nursery's panics, made by the first; most nurseries see none.
    fn panics(&self) -> &Panics {
        let above = &self.node.rare().above;
        let panics = above.get_or_init(|| Box::new(Panics::default()));
        panics.downcast_ref().expect("nothing else is kept there")
    }
}
