//! A seat: one thread's part in one pool.
//!
//! A worker has one seat for life. Any other thread takes a guest's seat when it first opens a
//! nursery of the pool, and keeps it until the thread ends; a guest holds a place only while a
//! nursery of its own is open.

use std::cell::Cell;
use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::grain::{Density, Rhythm, Steps, VainLooks};
use crate::engine::shared::{Place, Run, Slot, SlotRef, ThreadRef};
use crate::engine::tally::Tally;
use crate::platform::activity::Activity;
use crate::platform::deque::Worker as Deque;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::{Arc, lock};
use crate::platform::thread;
use crate::task::private::PrivateRef;

/// How long a worker parks in a wait before a spare may stand in for it. Most waits of a recursion
/// are shorter, or there is soon something to run below the awaited child, which a spare would take
/// away from the worker. A list of 1000 forks took 1.2 to 1.5 times as long as without spares when
/// a spare came at once, and 1.1 times as long when it came after this time.
const SHORT_WAIT: Duration = Duration::from_millis(20);

/// The private side of one thread's part in one pool.
pub(crate) struct Seat {
    pub(crate) core: Arc<Core>,
    own_slot: Arc<Slot>,
    /// A reference to `own_slot` that other threads may keep.
    pub(crate) slot: SlotRef,
    /// The thread whose seat this is.
    pub(crate) thread: *const u8,
    /// Shared work: this thread at one end, thieves at the other.
    deque: Deque<Run>,
    /// Runs pushed to the deque so far, less those that this thread took back.
    pub(crate) runs: Cell<u32>,
    /// Claims by handles since the deque was last swept or empty.
    pub(crate) claims: Cell<u32>,
    /// Whether forks are coarse, each with what is hidden in it.
    pub(crate) forks: Rhythm,
    /// Whether forks are dense that are to be shown at once.
    pub(crate) shown_forks: Density,
    /// How many more times this thread gives for a worker that is on its way.
    pub(crate) eager: Cell<u32>,
    /// How long this thread answers nobody.
    pub(crate) steps: Steps,
    /// The vain looks that came last, if there were any.
    pub(crate) vain: Cell<Option<VainLooks>>,
    /// Children that have left others behind; wraps.
    pub(crate) left: Cell<u32>,
    /// Whether it is the turn of others, and this thread has not looked for them yet.
    pub(crate) is_turn: Cell<bool>,
    /// How often one of its frames has given in a row while the oldest child stayed the same: see
    /// `turns`.
    pub(crate) spree: Cell<Spree>,
    /// How often it has looked for something to do; wraps.
    pub(super) looks: Cell<u32>,
    /// Whether this thread runs a job of the pool, at the bottom of its stack or to end the pool.
    pub(super) is_in_job: Cell<bool>,
    /// Whether the pool has a context: see `engine::within`.
    pub(super) has_context: bool,
    kind: Kind,
}

/// How often a frame has given while its oldest child stayed the same.
#[derive(Clone, Copy, Default)]
pub(crate) struct Spree {
    pub(super) frame: usize,
    pub(super) oldest: u32,
    pub(super) given: u32,
}

/// Which kind of thread a seat belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Worker,
    /// A worker on a thread of others, which it gives back when there has been nothing to do for a while.
    Helper,
    /// A worker that stands in for an absent worker; it ends when it has not been needed for long.
    Spare,
    /// Any other thread, side threads among them.
    Guest,
}

impl Seat {
    pub(crate) fn new(core: Arc<Core>, own_slot: Arc<Slot>, deque: Deque<Run>, kind: Kind) -> Self {
        *lock(&own_slot.thread) = Some(ThreadRef {
            private: PrivateRef::own(),
            activity: Activity::own(),
            is_worker: kind != Kind::Guest,
        });
        // A worker starts with a place.
        own_slot.set_place(if kind == Kind::Guest {
            Place::None
        } else {
            Place::Held
        });
        Self {
            slot: SlotRef::new(&own_slot),
            // A reused slot still has the count of its former owner.
            runs: Cell::new(own_slot.stolen()),
            own_slot,
            thread: thread::token(),
            has_context: core.has_context(),
            core,
            deque,
            claims: Cell::new(0),
            forks: Rhythm::new(),
            shown_forks: Density::new(),
            eager: Cell::new(0),
            steps: Steps::new(),
            vain: Cell::new(None),
            left: Cell::new(0),
            is_turn: Cell::new(false),
            spree: Cell::default(),
            looks: Cell::new(0),
            is_in_job: Cell::new(false),
            kind,
        }
    }

    /// The runs that this seat shares, for its own thread: see `publish`.
    pub(super) fn deque(&self) -> &Deque<Run> {
        &self.deque
    }

    #[inline]
    pub(crate) fn is(&self, other: &Seat) -> bool {
        std::ptr::eq(self, other)
    }

    #[inline]
    pub(crate) fn slot(&self) -> &Slot {
        &self.own_slot
    }

    /// The slot, for owners that may outlive the seat.
    pub(crate) fn shared_slot(&self) -> Arc<Slot> {
        Arc::clone(&self.own_slot)
    }

    /// What the seat's thread has done; only that thread writes it.
    #[inline]
    pub(crate) fn tally(&self) -> &Tally {
        &self.own_slot.tally
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn is_worker(&self) -> bool {
        self.kind != Kind::Guest
    }

    pub(crate) fn has_context(&self) -> bool {
        self.has_context
    }

    /// Whether the seat's own thread has a place, and will look at what lies in its deque: a worker, or a guest with a
    /// nursery open. A thread may have seats in several pools, but has a place in one of them at a time.
    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        self.own_slot.has_place()
    }

    pub(super) fn take_place(&self) {
        self.core.idle.take_place_anyway();
        self.own_slot.set_place(Place::Held);
        if self.is_worker() {
            self.core.idle.note_return();
        }
    }

    pub(super) fn give_up_place(&self) {
        match self.own_slot.set_place(Place::None) {
            // It was given up before.
            Place::Lent => {}
            _ if self.is_worker() => self.core.idle.leave(&*self.core),
            _ => self.core.idle.vacate(&*self.core),
        }
    }

    /// Takes a place again, if the place was lent while this thread was blocked or did not answer.
    #[inline]
    pub(crate) fn regain_place(&self) {
        if !self.own_slot.holds_place() && self.is_active() {
            self.take_place();
        }
    }

    /// Notes that this worker has its place no longer: it is about to give it up by the protocol of places.
    pub(crate) fn forget_place(&self) {
        if self.own_slot.set_place(Place::None) == Place::Lent {
            self.core.idle.take_place_anyway();
            self.core.idle.note_return();
        }
    }

    /// Notes that this worker has a place: it was roused.
    pub(crate) fn note_place(&self) {
        if !self.is_active() {
            self.own_slot.set_place(Place::Held);
        }
    }

    /// Parks without a place until `look` says that this thread goes on, and then has a place
    /// again. It parks once if this thread had no place. A worker is absent once nothing has woken
    /// it for [`SHORT_WAIT`].
    pub(crate) fn park_without_place(&self, mut look: impl FnMut() -> GoOn) {
        let parker = &self.own_slot.parker;
        let mut may_be_short = self.is_worker();
        match self.own_slot.set_place(Place::None) {
            Place::None => {
                parker.park();
                look();
                return;
            }
            Place::Held => self.core.idle.vacate(&*self.core),
            // It was given up before, and the worker was counted as absent.
            Place::Lent => may_be_short = false,
        }
        loop {
            if !may_be_short {
                parker.park();
            } else if !parker.park_for(SHORT_WAIT) {
                may_be_short = false;
                self.core.idle.note_absent(&*self.core);
                continue;
            }
            match look() {
                GoOn::Anyway => self.core.idle.take_place_anyway(),
                GoOn::IfThereIsRoom if self.core.idle.try_take_place() => {}
                GoOn::IfThereIsRoom => continue,
            }
            self.own_slot.set_place(Place::Held);
            if self.is_worker() && !may_be_short {
                self.core.idle.note_return();
            }
            return;
        }
    }

    /// Runs `f`, which blocks and does not unwind, without a place; a nursery that `f` opens takes
    /// a place again.
    pub(crate) fn without_place<R>(&self, f: impl FnOnce() -> R) -> R {
        if !self.is_active() {
            return f();
        }
        self.give_up_place();
        let result = f();
        self.take_place();
        result
    }
}

/// How a thread came to a seat.
#[derive(Clone, Copy)]
pub(crate) struct Came {
    /// Whether the thread had a place in another pool, which it takes again when it goes.
    pub(super) is_from_another_pool: bool,
    /// Whether the thread is one of the callers that a pool [limits](crate::engine::core::Config::callers).
    pub(super) is_counted: bool,
}

/// Whether a thread that waited takes a place again if none is left.
pub(crate) enum GoOn {
    Anyway,
    IfThereIsRoom,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.core.is_orphan() {
            // A thread that is not here may hold the lock.
            return;
        }
        *lock(&self.own_slot.thread) = None;
        if self.kind != Kind::Worker {
            let gone = Deque::new_lifo();
            let deque = std::mem::replace(&mut self.deque, gone);
            self.core.roster.check_out(self.shared_slot(), deque);
            failpoint::reach(Failpoint::GuestReturned);
        }
    }
}
