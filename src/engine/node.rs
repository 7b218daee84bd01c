//! A nursery, as far as the engine knows it: a count, a home, a parent.
#![allow(
    unsafe_code,
    reason = "follows a nursery to its opener and its ancestors"
)]

use std::any::Any;
use std::cell::Cell;
use std::ptr;

use crate::engine::core::Core;
use crate::engine::frame::Frame;
use crate::engine::limit::{self, Limiter};
use crate::engine::seat::Seat;
use crate::engine::shared::SlotRef;
use crate::engine::tally::{AtHome, Counter, NowAndThen, Numbers};
use crate::platform::lazy::Lazy;
use crate::platform::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::platform::sync::{Arc, OnceLock};
use crate::platform::thread;
use crate::protocol::count::Count;
use crate::task::chunk::Owner;

/// All the engine knows of a nursery.
///
/// INVARIANT: what its home writes for every child comes first, and what other threads read for every
/// child is a cache line away, behind this struct.
#[repr(C)]
pub(crate) struct Node {
    /// Written by the home for every child.
    pub(crate) at_home: AtHome,
    /// The nursery in whose body or child this one was opened. INVARIANT: it changes only while its process
    /// has one thread.
    parent: Cell<*const Node>,
    /// Its own limit, if it has one.
    limiter: Cell<*const Limiter>,
    /// The opener's seat; others read its fields that never change.
    seat: *const Seat,
    /// Made by the first event that most nurseries never see.
    rare: Lazy<Rare>,
    /// How many runs of this nursery exist.
    pub(crate) count: Count,
    /// The slot of the thread that last took children: a hint where they are.
    runner: AtomicPtr<()>,
    /// Children spawned on other threads than the opener's.
    foreign: AtomicU64,
    /// Whether this nursery was a fork. The second closure of a fork is not counted as a child, so
    /// the nursery needs nothing rare, and allocates nothing.
    is_fork: bool,
}

/// What few nurseries need.
#[derive(Default)]
pub(crate) struct Rare {
    numbers: NowAndThen,
    /// What the layer above keeps here.
    pub(crate) above: OnceLock<Box<dyn Any + Send + Sync>>,
}

// SAFETY: the pointers are only compared, or followed to what is `Sync` under the arguments
// given there; the limiter is set before other threads come, and the parent while there are none.
unsafe impl Sync for Node {}

impl Node {
    /// A nursery that opens now on this seat's thread.
    #[inline]
    pub(crate) fn open(seat: &Seat) -> Self {
        let parent = Frame::with_current(|frame| frame.map_or(ptr::null(), Frame::enclosing));
        Self::below(parent, seat, false)
    }

    /// The nursery that a latent fork becomes.
    pub(crate) fn open_around(fork: &Frame<'_>) -> Self {
        Self::below(fork.enclosing(), fork.seat, true)
    }

    #[inline]
    fn below(parent: *const Node, seat: &Seat, is_fork: bool) -> Self {
        Self {
            at_home: AtHome::default(),
            parent: Cell::new(parent),
            limiter: Cell::new(ptr::null()),
            seat,
            rare: Lazy::new(),
            count: Count::new(),
            runner: AtomicPtr::new(ptr::null_mut()),
            foreign: AtomicU64::new(0),
            is_fork,
        }
    }

    /// The limit that holds in this nursery: its own, or an outer nursery's.
    #[inline]
    pub(crate) fn limiter(&self) -> Option<&Limiter> {
        // Most programs have none, and need not look for it.
        if limit::are_there_any() {
            self.find_limiter()
        } else {
            None
        }
    }

    #[cold]
    fn find_limiter(&self) -> Option<&Limiter> {
        // SAFETY: the limiter belongs to this nursery or to an outer one, and these are open.
        self.outwards()
            .find_map(|scope| unsafe { scope.limiter.get().as_ref() })
            .filter(|limiter| limiter.is_in_force())
    }

    /// Sets its own limit.
    ///
    /// # Safety
    ///
    /// `limiter` outlives the nursery, and the body has not begun.
    pub(crate) unsafe fn set_limiter(&self, limiter: &Limiter) {
        limiter.set_outer(self.limiter().map_or(ptr::null(), ptr::from_ref));
        self.limiter.set(limiter);
    }

    /// Whether its limit lets this thread run what the nursery spawns.
    pub(crate) fn is_permitted(&self) -> bool {
        self.limiter().is_none_or(Limiter::is_held)
    }

    /// The pool it was opened on.
    #[inline]
    pub(crate) fn core(&self) -> &Arc<Core> {
        // SAFETY: the opener's seat outlives the nurseries opened on it, and `core` never changes.
        unsafe { &(*self.seat).core }
    }

    /// Whether this thread opened it.
    #[inline]
    pub(crate) fn is_home(&self) -> bool {
        // SAFETY: the opener's seat outlives the nurseries opened on it, and `thread` never
        // changes.
        let thread = unsafe { (*self.seat).thread };
        thread == thread::token()
    }

    /// Whether it was opened on this seat.
    #[inline]
    pub(crate) fn is_on(&self, seat: &Seat) -> bool {
        ptr::eq(self.seat, seat)
    }

    /// The slot of the thread that opened it.
    #[inline]
    pub(crate) fn home(&self) -> SlotRef {
        // SAFETY: the opener's seat outlives the nurseries opened on it, and `slot` never changes.
        unsafe { (*self.seat).slot }
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

    /// Forgets the runner, because what that thread holds is not this nursery's.
    pub(crate) fn forget_runner(&self) {
        self.runner.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// Whether this is `ancestor`, or was opened below it.
    pub(crate) fn is_within(&self, ancestor: &Node) -> bool {
        self.outwards().any(|scope| ptr::eq(scope, ancestor))
    }

    /// This nursery and its ancestors, which are open as long as it is.
    fn outwards(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |scope| scope.parent())
    }

    /// The nursery in whose body or child this one was opened.
    pub(crate) fn parent(&self) -> Option<&Self> {
        // SAFETY: a nursery ends before the body or child it was opened in.
        unsafe { self.parent.get().as_ref() }
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

    /// Returns a number for a child spawned elsewhere, behind all numbers of children that the
    /// opener spawned.
    pub(crate) fn foreign_sequence(&self) -> u64 {
        // ORDERING: Relaxed: only uniqueness matters.
        (1 << 63) | self.foreign.fetch_add(1, Ordering::Relaxed)
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

    /// Whether this nursery was a fork.
    pub(crate) fn is_fork(&self) -> bool {
        self.is_fork
    }

    /// What few nurseries need.
    pub(crate) fn rare(&self) -> &Rare {
        self.rare.get()
    }

    /// Counts something that does not happen in most nurseries. A fork counts nothing, because
    /// nobody asks for its numbers.
    pub(crate) fn tally(&self, count: impl FnOnce(&NowAndThen)) {
        if !self.is_fork {
            count(&self.rare.get().numbers);
        }
    }

    /// Counts children that begin on this seat's thread.
    pub(crate) fn note_begun(&self, seat: &Seat, children: u64) {
        if self.is_on(seat) {
            self.at_home.begun.add(children);
        } else if children > 0 && !self.is_fork {
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

    pub(crate) fn numbers(&self) -> Numbers {
        let mut numbers = Numbers::default();
        if let Some(rare) = self.rare.peek() {
            numbers = rare.numbers.get();
        }
        // Parts were read before: see `Counter`.
        numbers[Counter::BegunHere] = self.at_home.begun.get();
        numbers[Counter::Spawned] =
            self.at_home.spawned.get() + self.foreign.load(Ordering::Relaxed);
        numbers
    }
}
