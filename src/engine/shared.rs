//! What threads share: entries, the slots they are stolen from, and strays.
//!
//! An entry is one unstarted child that left its nursery's private lists. It is counted in its
//! nursery ([`crate::engine::count::Count`]), so the nursery stays open while it exists.
#![allow(unsafe_code, reason = "follows an entry to its open nursery")]

use std::collections::VecDeque;

use crossbeam_deque::{Steal, Stealer};
use crossbeam_utils::CachePadded;

use crate::engine::frame::{Frame, ScopeFrame};
use crate::engine::seat::Seat;
use crate::platform::parker::Parker;
use crate::platform::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use crate::platform::sync::{Arc, Mutex, lock};
use crate::task::record::Queued;

/// One unstarted child in public hands; one unit of its nursery's count.
#[must_use]
pub(crate) struct Entry(Queued);

impl Entry {
    /// Counts a child of `scope` that is about to be shared.
    pub(crate) fn new(scope: &ScopeFrame, child: Queued) -> Self {
        scope.count.add(1);
        Self(child)
    }

    pub(crate) fn scope(&self) -> &ScopeFrame {
        // SAFETY: the count keeps the nursery open while this entry exists.
        unsafe { ScopeFrame::from_owner(self.0.owner()) }
    }

    /// Whether the handle has claimed the child, so that there is nothing left to run.
    pub(crate) fn is_stale(&self) -> bool {
        self.0.is_stale()
    }

    /// Runs the child here, unless its handle has claimed it.
    pub(crate) fn run(self, seat: &Seat) {
        // SAFETY: open until the unit is released below.
        let scope = unsafe { ScopeFrame::from_owner(self.0.owner()) };
        if let Some(child) = self.0.take() {
            Frame::run_child(seat, scope, child);
        }
        scope.release(seat);
    }
}

/// What a thread is doing: for the eyes of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Doing {
    /// Runs user code, or nothing of this pool's.
    Running,
    /// Parked at the end of a nursery or in a join.
    Waiting,
    /// A worker without work.
    Sleeping,
}

/// The side of a seat that other threads see.
pub(crate) struct Slot {
    pub(crate) parker: Parker,
    /// A request to expose private work; set by the hungry, cleared by the owner.
    pub(crate) asked: CachePadded<AtomicBool>,
    /// Set while a worker is enlisted among the sleepers.
    pub(crate) asleep: AtomicBool,
    doing: AtomicU8,
    stealer: Stealer<Entry>,
    owner: Mutex<String>,
}

impl Slot {
    pub(crate) fn new(stealer: Stealer<Entry>, owner: String, asleep: bool) -> Self {
        Self {
            parker: Parker::new(),
            asked: CachePadded::new(AtomicBool::new(true)),
            asleep: AtomicBool::new(asleep),
            doing: AtomicU8::new(Doing::Running as u8),
            stealer,
            owner: Mutex::new(owner),
        }
    }

    pub(crate) fn rename(&self, owner: String) {
        *lock(&self.owner) = owner;
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.stealer.is_empty()
    }

    /// Takes the entry that was shared first.
    pub(crate) fn steal(&self) -> Option<Entry> {
        loop {
            match self.stealer.steal() {
                Steal::Success(entry) => return Some(entry),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    /// Asks the owner to expose something at its next spawn or child.
    pub(crate) fn arm(&self) {
        // ORDERING: Relaxed; ordered by the fences of `idle` (proof, 4).
        if !self.asked.load(Ordering::Relaxed) {
            self.asked.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_doing(&self, doing: Doing) {
        self.doing.store(doing as u8, Ordering::Relaxed);
    }
}

/// The name of a slot, for those who may have to wake its thread.
///
/// INVARIANT: made from a slot of the roster, which lives as long as the pool. It is followed
/// only by threads that have a seat in that pool and thereby keep it alive.
#[derive(Clone, Copy)]
pub(crate) struct SlotRef(*const Slot);

impl SlotRef {
    pub(crate) fn new(slot: &Arc<Slot>) -> Self {
        Self(Arc::as_ptr(slot))
    }

    /// For the header of a chunk, which does not know what a slot is.
    pub(crate) fn erase(self) -> *const () {
        self.0.cast()
    }

    /// # Safety
    ///
    /// `erased` came from [`SlotRef::erase`].
    pub(crate) unsafe fn restore(erased: *const ()) -> Self {
        Self(erased.cast())
    }

    /// Wakes the slot's thread from a wait; `seat` is the caller's, in the same pool.
    pub(crate) fn unpark(self, seat: &Seat) {
        if std::ptr::eq(self.0, seat.slot()) {
            return;
        }
        // SAFETY: `seat` keeps the pool alive, see the invariant.
        unsafe { &*self.0 }.parker.unpark();
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let doing = self.doing.load(Ordering::Relaxed);
        let doing = [Doing::Running, Doing::Waiting, Doing::Sleeping]
            .into_iter()
            .find(|known| *known as u8 == doing);
        f.debug_struct("Thread")
            .field("owner", &*lock(&self.owner))
            .field("doing", &doing)
            .field("shared_children", &self.stealer.len())
            .field("asked", &self.asked.load(Ordering::Relaxed))
            .finish()
    }
}

/// Entries that no thread's own deque may hold: spawned from outside, or out of order.
#[derive(Default)]
pub(crate) struct Strays {
    queue: Mutex<VecDeque<Entry>>,
    len: AtomicUsize,
}

impl Strays {
    pub(crate) fn len(&self) -> usize {
        // ORDERING: Relaxed; ordered by the fences of `idle`, and by the home's unpark.
        self.len.load(Ordering::Relaxed)
    }

    pub(crate) fn push(&self, entry: Entry) {
        let mut queue = lock(&self.queue);
        queue.push_back(entry);
        self.len.store(queue.len(), Ordering::Relaxed);
    }

    /// Takes the first entry that `wanted` accepts.
    pub(crate) fn take(&self, wanted: impl Fn(&Entry) -> bool) -> Option<Entry> {
        if self.len() == 0 {
            return None;
        }
        let mut queue = lock(&self.queue);
        let at = queue.iter().position(wanted)?;
        let entry = queue.remove(at);
        self.len.store(queue.len(), Ordering::Relaxed);
        entry
    }
}
