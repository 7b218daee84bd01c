//! Where the pointers of a nursery lead: to the nursery around it, to the seat it was opened on, and to the
//! thread that runs its children.
//!
//! A [`Node`] does not know what a seat is: it has an address. Other threads than the opener read
//! only those fields of the seat that never change.
#![allow(unsafe_code, reason = "follows the pointers of a nursery")]

use std::ptr;

use crate::engine::core::Core;
use crate::engine::node::Node;
use crate::engine::seat::Seat;
use crate::engine::shared::SlotRef;
use crate::platform::sync::Arc;
use crate::platform::sync::atomic::Ordering;
use crate::platform::thread;
use crate::task::chunk::Owner;

// SAFETY: the pointers are only compared, or followed to what is `Sync` under the arguments
// given there; the limiter is set before other threads come, and the parent while there are none.
unsafe impl Sync for Node {}

/// A nursery and its ancestors.
pub(super) struct Outwards<'a>(Option<&'a Node>);

impl<'a> Iterator for Outwards<'a> {
    type Item = &'a Node;

    fn next(&mut self) -> Option<Self::Item> {
        let scope = self.0?;
        self.0 = scope.parent();
        Some(scope)
    }
}

impl Node {
    /// A nursery that opens now on this seat's thread, in the nursery `parent`.
    #[inline]
    pub(crate) fn open_on(seat: &Seat, parent: *const Node, is_fork: bool) -> Self {
        Self::open(parent, ptr::from_ref(seat).cast(), is_fork)
    }

    /// The seat that it was opened on.
    #[inline]
    fn seat(&self) -> *const Seat {
        self.witness.note_look();
        self.opener.cast()
    }

    /// The pool it was opened on.
    #[inline]
    pub(crate) fn core(&self) -> &Arc<Core> {
        // SAFETY: the opener's seat outlives the nurseries opened on it, and `core` never changes.
        unsafe { &(*self.seat()).core }
    }

    /// Whether this thread opened it.
    #[inline]
    pub(crate) fn is_home(&self) -> bool {
        // SAFETY: the opener's seat outlives the nurseries opened on it, and `thread` never
        // changes.
        let thread = unsafe { (*self.seat()).thread };
        thread == thread::token()
    }

    /// Whether it was opened on this seat.
    #[inline]
    pub(crate) fn is_on(&self, seat: &Seat) -> bool {
        ptr::eq(self.seat(), seat)
    }

    /// The slot of the thread that opened it.
    #[inline]
    pub(crate) fn home(&self) -> SlotRef {
        // SAFETY: the opener's seat outlives the nurseries opened on it, and `slot` never changes.
        unsafe { (*self.seat()).slot }
    }

    /// Gives one unit of the count back, and wakes the opener if it was the last.
    pub(crate) fn release(&self, seat: &Seat) {
        let home = self.home();
        // The frame may be gone after the release.
        if self.count.release() {
            home.unpark(seat.slot());
        }
    }

    /// Notes that children of this nursery run on this seat's thread from now on.
    pub(crate) fn note_runner(&self, seat: &Seat) {
        let slot = seat.slot.erase().cast_mut();
        // ORDERING: Release; partner: `runner`. It publishes the slot, which was made before: a
        // thread that follows the pointer has perhaps never met this thread. No model: models make
        // all slots before the threads. ThreadSanitizer reports weaker orderings (`verify/sanitizers/run`).
        self.runner.store(slot, Ordering::Release);
    }

    /// The slot of the thread that last took children of this nursery.
    pub(crate) fn runner(&self) -> Option<SlotRef> {
        // ORDERING: Acquire; partner: `note_runner`. No model, as there.
        let slot = self.runner.load(Ordering::Acquire);
        // SAFETY: null, or stored by `note_runner`.
        unsafe { SlotRef::restore_some(slot) }
    }

    /// Cuts this nursery off from its parent if another thread has opened the parent, which is then
    /// gone. This is for a forked process, on its only thread, which has opened this nursery.
    pub(crate) fn forget_foreign_parent(&self) {
        if self.parent().is_some_and(|parent| !parent.is_home()) {
            self.parent.set(ptr::null());
        }
    }

    /// The owner that chunks made on the opener's thread carry.
    pub(crate) fn owner(&self) -> Owner {
        self.owner_for(self.home())
    }

    /// The owner that chunks made for another spawner carry.
    pub(crate) fn owner_for(&self, spawner: SlotRef) -> Owner {
        Owner {
            scope: ptr::from_ref(self).cast(),
            spawner: spawner.erase(),
        }
    }

    /// Whether this is `ancestor`, or was opened below it.
    pub(crate) fn is_within(&self, ancestor: &Node) -> bool {
        self.outwards().any(|scope| ptr::eq(scope, ancestor))
    }

    /// This nursery and its ancestors, which are open as long as it is.
    pub(super) fn outwards(&self) -> Outwards<'_> {
        Outwards(Some(self))
    }

    /// The nursery in whose body or child this one was opened.
    pub(crate) fn parent(&self) -> Option<&Self> {
        // SAFETY: a nursery ends before the body or child it was opened in.
        unsafe { self.parent.get().as_ref() }
    }
}
