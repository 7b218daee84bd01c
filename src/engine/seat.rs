//! A seat: one thread's part in one pool.
//!
//! A worker has one for life. Any other thread takes a guest's seat when it first opens a nursery
//! of the pool, and keeps it until the thread ends; it holds a place only while a nursery of its
//! own is open.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crossbeam_deque::Worker as Deque;

use crate::engine::core::Core;
use crate::engine::frame::Frame;
use crate::engine::shared::{Entry, Slot, SlotRef};
use crate::platform::sync::Arc;
use crate::platform::sync::atomic::Ordering;
use crate::platform::thread;

/// The private side of one thread's part in one pool.
pub(crate) struct Seat {
    pub(crate) core: Arc<Core>,
    slot: Arc<Slot>,
    /// Shared work: this thread at one end, thieves at the other.
    pub(crate) deque: Deque<Entry>,
    /// Nurseries of this pool open on this thread; a worker counts its main loop as one.
    depth: Cell<usize>,
    is_guest: bool,
}

thread_local! {
    static GUESTS: RefCell<Vec<Rc<Seat>>> = const { RefCell::new(Vec::new()) };
}

impl Seat {
    pub(crate) fn worker(core: Arc<Core>, slot: Arc<Slot>, deque: Deque<Entry>) -> Self {
        Self {
            core,
            slot,
            deque,
            depth: Cell::new(1),
            is_guest: false,
        }
    }

    fn guest(core: &Arc<Core>) -> Self {
        let owner = match thread::current().name() {
            Some(name) => format!("guest {name}"),
            None => "guest".to_owned(),
        };
        let (slot, deque) = core.roster.check_in(owner);
        Self {
            core: Arc::clone(core),
            slot,
            deque,
            depth: Cell::new(0),
            is_guest: true,
        }
    }

    pub(crate) fn is(&self, other: &Seat) -> bool {
        std::ptr::eq(self, other)
    }

    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    pub(crate) fn slot_ref(&self) -> SlotRef {
        SlotRef::new(&self.slot)
    }

    pub(crate) fn is_worker(&self) -> bool {
        !self.is_guest
    }

    /// Whether what lies in this seat's deque will be looked at by its own thread.
    pub(crate) fn is_active(&self) -> bool {
        self.depth.get() > 0
    }

    /// Calls `f` with this thread's seat in the pool.
    pub(crate) fn with<R>(core: &Arc<Core>, f: impl FnOnce(&Seat) -> R) -> R {
        // Mostly the innermost frame is of this pool already.
        Frame::with_current(|current| {
            let mut frames = current.into_iter().flat_map(Frame::stack);
            match frames.find(|frame| Arc::ptr_eq(&frame.seat.core, core)) {
                Some(frame) => f(frame.seat),
                None => f(&Self::cached_guest(core)),
            }
        })
    }

    fn cached_guest(core: &Arc<Core>) -> Rc<Seat> {
        let cached = GUESTS.try_with(|guests| {
            let mut guests = guests.borrow_mut();
            if let Some(seat) = guests.iter().find(|seat| Arc::ptr_eq(&seat.core, core)) {
                return (Rc::clone(seat), Vec::new());
            }
            let seat = Rc::new(Self::guest(core));
            let (gone, mut kept): (Vec<_>, Vec<_>) =
                guests.drain(..).partition(|seat| seat.core.is_shut_down());
            kept.push(Rc::clone(&seat));
            *guests = kept;
            (seat, gone)
        });
        match cached {
            // With the last seat of a pool its hooks go, which is user code: not under the borrow.
            Ok((seat, gone)) => {
                drop(gone);
                seat
            }
            // While the thread's own destructors run the cache may be gone: a seat for this once.
            Err(_) => Rc::new(Self::guest(core)),
        }
    }

    /// Runs `f`, which does not unwind, while a nursery of this seat is open.
    pub(crate) fn occupy<R>(&self, f: impl FnOnce() -> R) -> R {
        let depth = self.depth.get();
        self.depth.set(depth + 1);
        if depth == 0 {
            self.core.idle.take_place_anyway();
            // Who went to sleep before may not have asked this seat.
            self.slot.asked.store(true, Ordering::Relaxed);
        }
        let result = f();
        self.depth.set(depth);
        if depth == 0 {
            debug_assert!(self.deque.is_empty(), "a guest leaves nothing behind");
            self.core.idle.vacate(&*self.core);
        }
        result
    }

    /// Runs `f`, which blocks, without a place.
    pub(crate) fn without_place<R>(&self, f: impl FnOnce() -> R) -> R {
        if !self.is_active() {
            return f();
        }
        self.core.idle.vacate(&*self.core);
        let result = f();
        self.core.idle.take_place_anyway();
        result
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.is_guest {
            let gone = Deque::new_lifo();
            let deque = std::mem::replace(&mut self.deque, gone);
            self.core.roster.check_out(Arc::clone(&self.slot), deque);
        }
    }
}
