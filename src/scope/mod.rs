//! One nursery's life: it opens in place, collects its children, cancels, joins, reports.

mod batches;
mod each;
mod fork;
mod nest;
mod panics;

pub(crate) use batches::Batches;
pub(crate) use fork::{fork, fork_here};
pub(crate) use nest::{Held, Nest};

pub(crate) use crate::engine::seat::Seat;
pub(crate) use crate::task::record::{Class, Handle};

use crate::engine::frame::Frame;
use crate::engine::scope_frame::ScopeFrame;
use crate::platform::lazy::Lazy;
use crate::platform::sync::atomic::{AtomicBool, Ordering};
use panics::Panics;

/// What children need of their nursery, wherever they run.
///
/// The frame comes first, so that the engine's pointer to it is a pointer to the scope.
#[repr(C)]
pub(crate) struct Scope {
    frame: ScopeFrame,
    is_cancelled: AtomicBool,
    /// Made by the first panic; most nurseries see none.
    panics: Lazy<Panics>,
}

impl Scope {
    #[inline]
    fn open(seat: &Seat) -> Self {
        Self {
            frame: ScopeFrame::open(seat),
            is_cancelled: AtomicBool::new(false),
            panics: Lazy::new(),
        }
    }

    /// The nursery that the fork in this entered frame becomes.
    fn open_around(fork: &Frame<'_>) -> Self {
        Self {
            frame: ScopeFrame::open_around(fork),
            is_cancelled: AtomicBool::new(false),
            panics: Lazy::new(),
        }
    }

    fn panics(&self) -> &Panics {
        self.panics.get()
    }

    /// Children not yet started are dropped unrun from now on.
    fn cancel(&self) {
        // ORDERING: Release; partner: `is_cancelled`. What led to the cancellation is seen by
        // whoever acts on it.
        self.is_cancelled.store(true, Ordering::Release);
    }

    #[inline]
    fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Acquire)
    }
}
