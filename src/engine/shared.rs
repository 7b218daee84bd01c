//! What threads share: runs, and the slots they are stolen from.
//!
//! A run is a number of consecutive unstarted children that left the private lists of their
//! nursery. The run is counted in the nursery ([`crate::protocol::count::Count`]), which stays open
//! while the run exists.
#![allow(unsafe_code, reason = "follows a run to its open nursery")]

use std::ops::Range;
use std::ptr::NonNull;

use crossbeam_utils::CachePadded;

use crate::engine::node::Node;
use crate::engine::report::{Desk, Id};
use crate::engine::tally::Tally;
use crate::platform::activity::Activity;
use crate::platform::deque::{Steal, Stealer};
use crate::platform::parker::Parker;
use crate::platform::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use crate::platform::sync::{Arc, Mutex, hints, lock};
use crate::protocol::requests::Requests;
use crate::task::list::PendingList;
use crate::task::private::PrivateRef;

/// Unstarted children of one nursery that left its private lists; one unit of its count.
#[must_use]
pub(crate) struct Run {
    scope: *const Node,
    pub(crate) children: PendingList,
}

// SAFETY: the children are shared, and the pointer is followed under the count only.
unsafe impl Send for Run {}

impl Run {
    /// Makes a run of children of `scope` that are about to be shared, and counts it in the
    /// nursery. `number` is the number of the run, see `Seat::next_run_number`.
    pub(crate) fn new(scope: &Node, children: PendingList, number: u8) -> Self {
        children.share(number);
        scope.count.add(1);
        Self { scope, children }
    }

    /// Shares what is left of a run, under the same unit of the count.
    pub(crate) fn again(scope: &Node, children: PendingList) -> Self {
        children.share(0);
        Self { scope, children }
    }

    pub(crate) fn scope(&self) -> &Node {
        // SAFETY: the count keeps the nursery open while this run exists.
        unsafe { &*self.scope }
    }

    /// Calls `f` with the run and its nursery, which is open until `f` releases the run's unit of the
    /// count or passes it on: the last thing that `f` does with the nursery.
    pub(crate) fn with_nursery<R>(self, f: impl FnOnce(Self, &Node) -> R) -> R {
        // SAFETY: the count keeps the nursery open, as long as `f` needs it.
        let scope = unsafe { &*self.scope };
        f(self, scope)
    }

    pub(crate) fn len(&self) -> u32 {
        self.children.len()
    }

    /// Whether handles have claimed all of the children.
    pub(crate) fn is_stale(&self) -> bool {
        self.children.is_stale()
    }

    /// The numbers that its children had in the list they were cut from.
    pub(crate) fn numbers(&self) -> Range<u32> {
        self.children.begin()..self.children.end()
    }

    /// Splits off the children before this number as a run of their own.
    pub(crate) fn split_before(&self, number: u32) -> Self {
        self.scope().count.add(1);
        Self {
            scope: self.scope,
            children: self.children.split_oldest(self.children.len_before(number)),
        }
    }

    /// The same run, as if it had been cut in front of this number.
    pub(crate) fn renumbered(self, number: u32) -> Self {
        self.children.renumber(number);
        self
    }
}

/// What a thread is doing, for people to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Doing {
    /// Runs user code.
    Running,
    /// Parked at the end of a nursery or in a join.
    Waiting,
    /// In a call that lends its place to others.
    Blocking,
    /// A worker without work.
    Sleeping,
    /// The thread has nothing open in this pool.
    Away,
}

impl Doing {
    const ALL: [Self; 5] = [
        Self::Running,
        Self::Waiting,
        Self::Blocking,
        Self::Sleeping,
        Self::Away,
    ];
}

/// The owner of a slot, for the watcher.
#[derive(Clone, Copy)]
pub(crate) struct ThreadRef {
    pub(crate) private: PrivateRef,
    pub(crate) activity: Activity,
    pub(crate) is_worker: bool,
}

/// Whether a thread has a place in its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Place {
    None,
    Held,
    /// It is counted as having none, and does not know yet: it takes one again when it comes back to the pool.
    Lent,
}

/// The number that stands for no stolen runs. In tests it is close to where it wraps.
const NONE_STOLEN: u32 = if cfg!(test) { u32::MAX - 9 } else { 0 };

/// The side of a seat that other threads see.
pub(crate) struct Slot {
    pub(crate) parker: Parker,
    /// What threads without work want of the owner.
    pub(crate) requests: Requests<Slot>,
    /// Children in the deque.
    public: hints::AtomicU32,
    /// Runs stolen from the deque so far; wraps in a long life, which `share::is_between`
    /// allows for.
    stolen: hints::AtomicU32,
    /// Set while a worker that has started is among the sleepers.
    pub(crate) asleep: AtomicBool,
    /// Set while a worker has not answered a ring: see `by_hand`.
    pub(crate) rung: AtomicBool,
    doing: hints::AtomicU8,
    stealer: Stealer<Run>,
    owner: Mutex<String>,
    /// What the owner has done.
    pub(crate) tally: CachePadded<Tally>,
    /// Where others ask what the owner has open.
    pub(crate) desk: Desk,
    /// The owner's thread, while there is one. It does not end while this is locked.
    pub(crate) thread: Mutex<Option<ThreadRef>>,
    /// Whether the owner has a place: see [`Slot::lend`].
    place: AtomicU8,
    /// The nursery of the children that the owner has taken last, and the child, if it was only
    /// one; null if there is none.
    taken: [hints::AtomicPtr<()>; 2],
}

impl Slot {
    pub(crate) fn new(stealer: Stealer<Run>, owner: String) -> Self {
        Self {
            parker: Parker::new(),
            requests: Requests::new(),
            public: hints::AtomicU32::new(0),
            stolen: hints::AtomicU32::new(NONE_STOLEN),
            asleep: AtomicBool::new(false),
            rung: AtomicBool::new(false),
            doing: hints::AtomicU8::new(Doing::Away as u8),
            stealer,
            owner: Mutex::new(owner),
            tally: CachePadded::default(),
            desk: Desk::default(),
            thread: Mutex::new(None),
            place: AtomicU8::new(Place::None as u8),
            taken: Default::default(),
        }
    }

    pub(crate) fn rename(&self, owner: String) {
        *lock(&self.owner) = owner;
    }

    pub(crate) fn owner(&self) -> String {
        lock(&self.owner).clone()
    }

    pub(crate) fn doing(&self) -> Doing {
        let doing = self.doing.load(Ordering::Relaxed);
        let known = Doing::ALL.into_iter().find(|known| *known as u8 == doing);
        known.expect("set by `set_doing`")
    }

    /// Calls `f`, which runs children of a nursery that were taken, and notes the nursery
    /// meanwhile, and the child, if it is only one.
    pub(crate) fn take_along<R>(&self, scope: Id, only: Option<Id>, f: impl FnOnce() -> R) -> R {
        // ORDERING: Relaxed, here and below: this is for people to read.
        let before = self.taken.each_ref().map(|at| at.load(Ordering::Relaxed));
        let now = [Some(scope), only].map(Id::erase);
        let set = |to: [*mut (); 2]| {
            let cells = self.taken.iter().zip(to);
            cells.for_each(|(cell, to)| cell.store(to, Ordering::Relaxed));
        };
        set(now);
        let result = f();
        set(before);
        result
    }

    /// The nursery of the children that the owner has taken last, and the child, if it was only
    /// one.
    pub(crate) fn at(&self) -> Option<(Id, Option<Id>)> {
        let [scope, only] = self.taken.each_ref().map(|at| at.load(Ordering::Relaxed));
        Id::some(scope).map(|scope| (scope, Id::some(only)))
    }

    /// Whether the owner has a place, as far as it knows.
    #[inline]
    pub(crate) fn has_place(&self) -> bool {
        self.place.load(Ordering::Relaxed) != Place::None as u8
    }

    /// Whether the owner has a place that nobody has lent.
    pub(crate) fn holds_place(&self) -> bool {
        self.place.load(Ordering::Relaxed) == Place::Held as u8
    }

    /// Whether the owner's place is lent.
    pub(crate) fn has_lent(&self) -> bool {
        self.place.load(Ordering::Relaxed) == Place::Lent as u8
    }

    /// Notes whether the owner has a place from now on; returns what was so before. The owner calls this.
    pub(crate) fn set_place(&self, place: Place) -> Place {
        // ORDERING: Relaxed: what counts is who comes first, the owner or the thread that lends.
        match self.place.swap(place as u8, Ordering::Relaxed) {
            0 => Place::None,
            1 => Place::Held,
            _ => Place::Lent,
        }
    }

    /// Notes that the owner's place is lent; false if it has none, or others were first. The caller gives it up for the owner.
    #[must_use]
    pub(crate) fn lend(&self) -> bool {
        let [held, lent] = [Place::Held, Place::Lent].map(|place| place as u8);
        // ORDERING: Relaxed as in `set_place`.
        self.place
            .compare_exchange(held, lent, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.stealer.is_empty()
    }

    /// Takes the waiter that asked last, which has to be woken.
    pub(crate) fn take_asker(&self) -> Option<&Slot> {
        let waiter = self.requests.take_asker();
        // SAFETY: slots live as long as their pool, and this one is of the same pool.
        waiter.map(|waiter: NonNull<Slot>| unsafe { waiter.as_ref() })
    }

    /// Takes the run that was shared first.
    pub(crate) fn steal(&self) -> Option<Run> {
        loop {
            match self.stealer.steal() {
                Steal::Success(run) => {
                    self.note_taken(&run);
                    self.stolen.fetch_add(1, Ordering::Relaxed);
                    return Some(run);
                }
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    /// How many children are in the deque.
    pub(crate) fn public(&self) -> u32 {
        // ORDERING: Relaxed, here and below: it says what is worth doing, not what may be done.
        self.public.load(Ordering::Relaxed)
    }

    /// How many runs were stolen from the deque so far.
    pub(crate) fn stolen(&self) -> u32 {
        self.stolen.load(Ordering::Relaxed)
    }

    /// Counts a run that is about to be pushed to the deque.
    pub(crate) fn note_pushed(&self, run: &Run) {
        self.public.fetch_add(run.len(), Ordering::Relaxed);
    }

    /// Counts a run that was taken from the deque.
    pub(crate) fn note_taken(&self, run: &Run) {
        self.public.fetch_sub(run.len(), Ordering::Relaxed);
    }

    pub(crate) fn set_doing(&self, doing: Doing) {
        self.doing.store(doing as u8, Ordering::Relaxed);
    }
}

/// A reference to a slot, for threads that may have to wake its owner.
///
/// INVARIANT: made from a slot of the roster, which lives as long as the pool. It is followed
/// only by threads that have a seat in that pool and thereby keep it alive: `own` is the slot of that seat.
#[derive(Clone, Copy)]
pub(crate) struct SlotRef(*const Slot);

impl SlotRef {
    pub(crate) fn new(slot: &Arc<Slot>) -> Self {
        Self(Arc::as_ptr(slot))
    }

    /// Restores what [`SlotRef::erase`] gave, or nothing from null.
    ///
    /// # Safety
    ///
    /// `erased` came from [`SlotRef::erase`], or is null.
    pub(crate) unsafe fn restore_some(erased: *const ()) -> Option<Self> {
        (!erased.is_null()).then(|| Self(erased.cast()))
    }

    /// Erases the type, for the header of a chunk, which does not know what a slot is.
    pub(crate) fn erase(self) -> *const () {
        self.0.cast()
    }

    /// Restores what [`SlotRef::erase`] gave.
    ///
    /// # Safety
    ///
    /// `erased` came from [`SlotRef::erase`].
    pub(crate) unsafe fn restore(erased: *const ()) -> Self {
        Self(erased.cast())
    }

    /// Calls `f` with the slot; `own` is the caller's, in the same pool.
    pub(crate) fn with<R>(self, _own: &Slot, f: impl FnOnce(&Slot) -> R) -> R {
        // SAFETY: the caller's seat keeps the pool alive, see the invariant.
        f(unsafe { &*self.0 })
    }

    /// Wakes the slot's thread from a wait, unless it is the calling thread, which looks again
    /// before it parks. `own` is the caller's, in the same pool.
    pub(crate) fn unpark(self, own: &Slot) {
        if !std::ptr::eq(self.0, own) {
            self.leave_token(own);
        }
    }

    /// Leaves a token for the slot's thread, even if it is the calling thread: for what the caller
    /// may have done between its last look and parking.
    pub(crate) fn leave_token(self, _own: &Slot) {
        // SAFETY: the caller's seat keeps the pool alive, see the invariant.
        unsafe { &*self.0 }.parker.unpark();
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Thread")
            .field("owner", &self.owner())
            .field("doing", &self.doing())
            .field("shared_runs", &self.stealer.len())
            .field("asked", &self.requests.are_made())
            .finish()
    }
}
