//! What a nursery has to do with the thread that opened it, and with the thread that asks.
//!
//! A [`Node`] does not know what a seat is: it has the address of its opener's. Other threads read
//! only those fields of the seat that never change.
#![allow(unsafe_code, reason = "follows a nursery to its opener")]

use std::ptr;

use crate::engine::core::Core;
use crate::engine::node::Node;
use crate::engine::seat::Seat;
use crate::engine::shared::SlotRef;
use crate::engine::tally::Counter;
use crate::platform::sync::Arc;
use crate::platform::sync::atomic::Ordering;
use crate::platform::thread;
use crate::task::chunk::Owner;

impl Node {
    /// A nursery that opens now on this seat's thread, in the nursery `parent`.
    #[inline]
    pub(crate) fn open_on(seat: &Seat, parent: *const Node, is_fork: bool) -> Self {
        Self::open(parent, ptr::from_ref(seat).cast(), is_fork)
    }

    /// The seat that it was opened on.
    #[inline]
    fn seat(&self) -> *const Seat {
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
            home.unpark(seat);
        }
    }

    /// Notes that children of this nursery run on this seat's thread from now on.
    pub(crate) fn note_runner(&self, seat: &Seat) {
        let slot = seat.slot.erase().cast_mut();
        // ORDERING: Release; partner: `runner`. It publishes the slot, which was made before: a
        // thread that follows the pointer has perhaps never met this thread. No model: the models
        // have no slots, and ThreadSanitizer reports weaker orderings (`verify/sanitize`).
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

    /// Counts `more` children that a child which was spawned on this thread stands for.
    pub(crate) fn note_more_spawned(&self, seat: &Seat, more: u64) {
        if self.is_home() {
            self.at_home.spawned.add(more);
        } else {
            self.foreign.fetch_add(more, Ordering::Relaxed);
            seat.tally()[Counter::Spawned].add(more);
        }
    }

    /// Adds what has happened at home to the numbers of this seat, its opener's, because the
    /// nursery is over.
    #[inline]
    pub(crate) fn settle(&self, seat: &Seat) {
        // The numbers are read one by one: a wider load would wait for the stores of both.
        let spawned = self.at_home.spawned.get();
        if spawned > 0 {
            seat.tally()[Counter::Spawned].add(spawned);
        }
        let begun = self.at_home.begun.get();
        if begun > 0 {
            seat.tally()[Counter::BegunHere].add(begun);
            if let Some(rare) = self.rare.peek() {
                let skipped = rare.numbers[Counter::SkippedHere].get();
                seat.tally()[Counter::SkippedHere].add(skipped);
            }
        }
    }

    /// Counts children that begin on this seat's thread.
    pub(crate) fn note_begun(&self, seat: &Seat, children: u64) {
        if self.is_on(seat) {
            self.at_home.begun.add(children);
        } else if children > 0 && !self.is_fork() {
            seat.tally()[Counter::BegunElsewhere].add(children);
            self.tally(|numbers| _ = numbers[Counter::BegunElsewhere].add(children));
        }
    }

    /// Counts children that have begun on this seat's thread and are dropped unrun.
    pub(crate) fn note_skipped(&self, seat: &Seat, children: u64) {
        self.tally(|numbers| {
            if self.is_on(seat) {
                numbers[Counter::SkippedHere].add(children);
            } else {
                seat.tally()[Counter::SkippedElsewhere].add(children);
                numbers[Counter::SkippedElsewhere].add(children);
            }
        });
    }

    /// Counts a child that has panicked.
    pub(crate) fn note_panicked(&self, seat: &Seat) {
        self.tally(|numbers| {
            seat.tally()[Counter::Panicked].add(1);
            numbers[Counter::Panicked].add(1);
        });
    }

    /// Counts a child that has returned an error that is a consequence of the cancellation.
    pub(crate) fn note_late(&self, seat: &Seat) {
        self.tally(|numbers| {
            seat.tally()[Counter::Late].add(1);
            numbers[Counter::Late].add(1);
        });
    }
}
