//! What children have left that nobody joins, sorted by what follows from it. Any thread may add to
//! it.
//!
//! 1. A child's remains are left before the child counts as ended. So all are there for the thread
//!    that takes them when all children have ended.
//! 2. A failure is left after its nursery was cancelled for it.
//!
//! Model: `models::failures_*`.

use std::mem;

use crate::platform::lazy::Lazy;
use crate::platform::sync::atomic::{AtomicBool, Ordering};
use crate::platform::sync::{Mutex, lock};

/// Takes what is late, if nobody else does.
pub(crate) type OnLate<'a, F> = Box<dyn FnMut(F) + Send + 'a>;

/// What is left: failures `F`, some with the rank `R` of a child.
pub(crate) struct Remains<'a, F, R> {
    /// Made by the first of them: most nurseries have none, and the room for them would be part of each level
    /// of a recursion.
    sorted: Lazy<Mutex<Sorted<'a, F, R>>>,
    /// Whether some child was skipped, or ended because it was told to.
    are_some_cancelled: AtomicBool,
}

/// What is left, sorted by what follows from it.
pub(crate) struct Sorted<'a, F, R> {
    pub(crate) failures: Vec<F>,
    /// Panics of destructors, with the rank of the child whose value it was.
    pub(crate) dropped: Vec<(R, F)>,
    pub(crate) late: Vec<F>,
    pub(crate) on_late: Option<OnLate<'a, F>>,
}

impl<F, R> Default for Sorted<'_, F, R> {
    fn default() -> Self {
        Self {
            failures: Vec::new(),
            dropped: Vec::new(),
            late: Vec::new(),
            on_late: None,
        }
    }
}

impl<'a, F, R> Remains<'a, F, R> {
    pub(crate) fn new() -> Self {
        Self {
            sorted: Lazy::new(),
            are_some_cancelled: AtomicBool::new(false),
        }
    }

    /// Notes that a child was skipped, or ended because it was told to.
    pub(crate) fn note_cancelled(&self) {
        // ORDERING: Relaxed: read when all have ended. If many children are skipped, most find that
        // it is set.
        if !self.are_some_cancelled.load(Ordering::Relaxed) {
            self.are_some_cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// Whether any child was skipped or ended because it was told to; read when all have ended.
    pub(crate) fn are_some_cancelled(&self) -> bool {
        self.are_some_cancelled.load(Ordering::Relaxed)
    }

    /// Adds what a child has left.
    pub(crate) fn add<A>(&self, add: impl FnOnce(&mut Sorted<'a, F, R>) -> A) -> A {
        let sorted = self.sorted.get_or(|| Mutex::new(Sorted::default()));
        add(&mut lock(sorted))
    }

    /// Takes all that was left so far.
    pub(crate) fn take(&self) -> Sorted<'a, F, R> {
        let sorted = self.sorted.peek();
        sorted.map_or_else(Sorted::default, |sorted| mem::take(&mut lock(sorted)))
    }
}
