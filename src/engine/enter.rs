//! How a thread comes to a seat, and goes: which seat is this thread's, and which pool its place is in.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::task::{Wake, Waker};

use crate::engine::core::Core;
use crate::engine::frame::Frame;
use crate::engine::hooks;
use crate::engine::seat::{Came, Kind, Seat};
use crate::engine::shared::{Doing, Slot};
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::sync::Arc;
use crate::platform::thread;
use crate::protocol::gate::{Asked, Gate};

/// Wakes a thread from a wait for its turn.
struct Bell(Arc<Slot>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.parker.unpark();
    }
}

/// How many frames are searched for a frame of a certain seat: a stack is as deep as nurseries are
/// nested.
const LOOKS: usize = 64;

thread::thread_local! {
    static GUESTS: RefCell<Vec<Rc<Seat>>> = const { RefCell::new(Vec::new()) };
}

impl Seat {
    /// Calls `f` with this thread's seat in the pool.
    #[inline]
    pub(crate) fn with<R>(core: &Arc<Core>, f: impl FnOnce(&Seat) -> R) -> R {
        // Usually the innermost frame is of this pool already.
        Frame::with_current(|current| {
            let guest;
            let seat = match current.and_then(|current| current.seat_in(core)) {
                Some(seat) => seat,
                None => {
                    guest = Self::guest(core);
                    &*guest
                }
            };
            f(seat)
        })
    }

    fn new_guest(core: &Arc<Core>) -> Self {
        let owner = match thread::current().name() {
            Some(name) => format!("guest {name}"),
            None => "guest".to_owned(),
        };
        // In a forked process, code that runs elsewhere and spawns into a nursery of the parent
        // comes here.
        core.check_process();
        let (slot, deque) = core.roster.check_in(owner);
        failpoint::reach(Failpoint::GuestTaken);
        Self::new(Arc::clone(core), slot, deque, Kind::Guest)
    }

    /// Returns the seat of the calling thread, which is no thread of the pool.
    pub(crate) fn guest(core: &Arc<Core>) -> Rc<Seat> {
        let cached = GUESTS.try_with(|guests| {
            let mut guests = guests.borrow_mut();
            if let Some(seat) = guests.iter().find(|seat| Arc::ptr_eq(&seat.core, core)) {
                return (Rc::clone(seat), Vec::new());
            }
            let seat = Rc::new(Self::new_guest(core));
            let (gone, mut kept): (Vec<_>, Vec<_>) =
                guests.drain(..).partition(|seat| seat.core.is_over());
            kept.push(Rc::clone(&seat));
            *guests = kept;
            (seat, gone)
        });
        match cached {
            // Giving a seat back takes locks and may end the core, so it is not done under the
            // borrow.
            Ok((seat, gone)) => {
                drop(gone);
                seat
            }
            // The cache may be gone while the thread's own destructors run: then the seat is for
            // this once.
            Err(_) => Rc::new(Self::new_guest(core)),
        }
    }

    /// Runs `f`, which does not unwind, with a place.
    #[inline]
    pub(crate) fn occupy<R>(&self, f: impl FnOnce() -> R) -> R {
        if self.is_active() {
            return f();
        }
        let came = Cell::new(None);
        self.come(&came);
        let result = f();
        if let Some(came) = came.get() {
            self.go(came);
        }
        result
    }

    /// Takes a place in this seat's pool for what follows on this thread. A place that the thread
    /// has in another pool is given up meanwhile, because it is for the work of that pool.
    #[cold]
    #[inline(never)]
    pub(crate) fn come(&self, came: &Cell<Option<Came>>) {
        let other = self.with_seat_below(|other| other.is_active().then(|| other.step_aside()));
        // From here on there is something to watch.
        self.core.start_watchdog();
        let is_counted = self.wait_for_turn();
        self.slot().set_doing(Doing::Running);
        self.take_place();
        // A thread that went to sleep before may not have asked this seat.
        self.slot().requests.renew();
        came.set(Some(Came {
            is_from_another_pool: other.is_some(),
            is_counted,
        }));
    }

    /// Waits until there are few enough callers, if the pool limits them; returns whether this thread counts as one.
    fn wait_for_turn(&self) -> bool {
        let Some(callers) = &self.core.callers else {
            return false;
        };
        if self.is_worker() || self.is_entered() || self.core.is_orphan() {
            // It is inside already.
            return false;
        }
        self.slot().set_doing(Doing::Blocking);
        let bell = Waker::from(Arc::new(Bell(self.shared_slot())));
        let mut asked = callers.ask(&bell);
        while let Asked::InLine(number) = asked {
            self.slot().parker.park();
            asked = callers.ask_again(number, &bell);
        }
        true
    }

    /// Ends what [`Self::come`] has begun; the innermost frame is the same as it was then.
    #[cold]
    #[inline(never)]
    pub(crate) fn go(&self, came: Came) {
        if !self.is_entered() {
            self.slot().set_doing(Doing::Away);
        }
        self.give_up_place();
        if came.is_counted && !self.core.is_orphan() {
            let next = self.core.callers.as_ref().and_then(Gate::leave);
            next.into_iter().for_each(Waker::wake);
        }
        if came.is_from_another_pool {
            self.with_seat_below(|other| {
                other.take_place();
                Some(())
            });
        }
    }

    /// Calls `f` with the seat that this thread has in another pool, below all innermost frames of this seat. The frame of
    /// a visitor has a seat without a place.
    fn with_seat_below<R>(&self, f: impl FnOnce(&Seat) -> Option<R>) -> Option<R> {
        Frame::with_current(|current| {
            let near = current?.stack().take(LOOKS);
            f(near.map(|frame| frame.seat).find(|seat| !seat.is(self))?)
        })
    }

    #[cold]
    fn step_aside(&self) {
        self.expose_all();
        self.give_up_place();
    }

    /// Whether a frame of this seat is on the stack. Also true if the stack is too deep to know.
    fn is_entered(&self) -> bool {
        Frame::with_current(|current| {
            let mut stack = current.into_iter().flat_map(Frame::stack);
            let near = stack.by_ref().take(LOOKS);
            near.map(|frame| frame.seat).any(|seat| seat.is(self)) || stack.next().is_some()
        })
    }
}

impl Frame<'_> {
    /// The seat in this pool that a frame from here outwards has, if any has one.
    #[inline]
    pub(crate) fn seat_in(&self, core: &Core) -> Option<&Seat> {
        let mut seats = self.stack().map(|frame| frame.seat);
        seats.find(|seat| ptr::eq(&*seat.core, core))
    }
}

impl Core {
    /// Calls `f` with the calling thread's seat in this pool, if it has something of this pool on its stack.
    fn with_seat<R>(&self, f: impl FnOnce(Option<&Seat>) -> R) -> R {
        Frame::with_current(|current| f(current.and_then(|current| current.seat_in(self))))
    }

    /// Whether the calling thread runs a job that the end of this pool waits for.
    pub(super) fn is_in_job(&self) -> bool {
        self.with_seat(|seat| seat.is_some_and(|seat| seat.is_in_job.get()))
    }

    /// Closes the queue of jobs to others than jobs, and waits until the jobs that were in it, or run on workers, are over.
    /// Until then threads that they need may start. A thread that may be part of one of them, or that they may be waiting
    /// for since its start hook runs, does not wait, and runs those that are in the queue.
    pub(super) fn end_jobs(&self) {
        self.with_seat(|seat| {
            let waits = seat.is_none() && !hooks::are_called_here(self.hooks());
            self.jobs.close(waits);
            if !waits {
                self.run_what_is_left(seat);
            }
        });
    }
}
