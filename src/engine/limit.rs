//! Limits: how many children of a nursery, and of the nurseries below it, run at a time.
//!
//! A thread that runs a child of a limited nursery has a *permit* of its limiter, and so has all
//! that this child runs on the same thread. A run that finds no permit left is held back by the
//! limiter until one is given back: then it goes to the injector, or to the side threads, where a
//! thread tries again to run it. No thread that has a permit waits for another permit of the same
//! limiter.
//!
//! 1. No run is held back while a permit is left (`permits`). A run that was let go may turn out
//!    not to ask for the permit, because its child was claimed or because another permit is
//!    missing. Then the next run in line is let go.
//! 2. A permit is given back before the count of the run that needed it: until then the limiter,
//!    which lies in its nursery's frame, is there.
//! 3. The home of a run that is held back may hold a permit itself, and is told: it runs its own
//!    children under its permit, including children that may block. A thread that waits for one
//!    child and has a permit runs the child by its handle, so it need not be told.
//! 4. A thread that has no permit may wait for one child that it would run itself (a plain thread,
//!    a fork of the body). It enlists ([`Waiters`]) before it looks for a permit; a thread that
//!    gives one back looks for enlisted threads afterwards.
//! 5. A run that was let go may lie where no thread takes it, while its home waits, in an inner
//!    nursery, for a run behind it in the line. So a thread that waits for such a run enlists, too,
//!    and does not wait for its turn: once permits are left, it takes its own run out of the line,
//!    or claims the child by its handle. Model: `models::limits_nobody_waits_for_a_turn`.
#![allow(
    unsafe_code,
    reason = "follows limiters in the frames of open nurseries"
)]

use std::cell::Cell;
use std::ptr;

use crate::engine::node::Node;
use crate::engine::seat::Seat;
use crate::engine::shared::{Run, Slot};
use crate::engine::special::Special;
use crate::platform::failpoint::{self, Failpoint};
use crate::platform::process::Process;
use crate::platform::sync::atomic::{AtomicUsize, Ordering};
use crate::platform::sync::{Arc, statics};
use crate::protocol::permits::{Permits, Waiters};
use crate::task::record::Class;

/// The limit of one nursery.
pub(crate) struct Limiter {
    /// The limiter of an outer nursery. INVARIANT: null, or of a nursery that this one was opened
    /// in; set before the first child.
    outer: Cell<*const Limiter>,
    _special: Special,
    /// The process whose threads are limited; a process forked from it has other threads.
    process: Process,
    permits: Permits<(Run, Class)>,
    /// The waiters to wake once a permit is given back.
    waiters: Waiters<Arc<Slot>>,
}

statics! {
    /// How many limiters there are in this process.
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
}

/// Whether there may be a limiter in a nursery that is open.
#[inline]
pub(crate) fn are_there_any() -> bool {
    // ORDERING: Relaxed: a thread that runs something of a limited nursery came to know of the
    // nursery after the limiter was made.
    NUMBER.load(Ordering::Relaxed) > 0
}

impl Drop for Limiter {
    fn drop(&mut self) {
        NUMBER.fetch_sub(1, Ordering::Relaxed);
    }
}

// SAFETY: `outer` does not change any more when other threads come.
unsafe impl Sync for Limiter {}

/// A limiter and those of outer nurseries, as long as they are in force.
struct Chain<'a>(Option<&'a Limiter>);

impl<'a> Iterator for Chain<'a> {
    type Item = &'a Limiter;

    fn next(&mut self) -> Option<Self::Item> {
        let limiter = self.0.take().filter(|limiter| limiter.is_in_force())?;
        // SAFETY: by the invariant of `outer`, whose nurseries are open as long as this one.
        self.0 = unsafe { limiter.outer.get().as_ref() };
        Some(limiter)
    }
}

/// One entry of the list of permits that this thread has.
struct Permit {
    limiter: *const Limiter,
    outer: *const Permit,
}

crate::platform::thread::thread_local! {
    // INVARIANT: null, or a permit on this thread's stack; `permitted` restores it.
    static HELD: Cell<*const Permit> = const { Cell::new(ptr::null()) };
}

impl Limiter {
    pub(crate) fn new(most: usize) -> Self {
        NUMBER.fetch_add(1, Ordering::Relaxed);
        Self {
            _special: Special::new(),
            outer: Cell::new(ptr::null()),
            process: Process::this(),
            permits: Permits::new(most),
            waiters: Waiters::new(),
        }
    }

    /// Sets the limiter of an outer nursery, which holds, too.
    pub(crate) fn set_outer(&self, outer: *const Self) {
        self.outer.set(outer);
    }

    /// This limiter and the limiters of outer nurseries.
    fn chain(&self) -> Chain<'_> {
        Chain(Some(self))
    }

    /// Whether this process made it. If not, threads that are not in this process have its permits.
    pub(crate) fn is_in_force(&self) -> bool {
        self.process.is_this()
    }

    /// Whether this thread has a permit.
    pub(crate) fn is_held(&self) -> bool {
        let mut here = HELD.get();
        // SAFETY: by the invariant of `HELD`.
        while let Some(permit) = unsafe { here.as_ref() } {
            if ptr::eq(permit.limiter, self) {
                return true;
            }
            here = permit.outer;
        }
        false
    }

    /// The limiters in force of which this thread has no permit.
    fn missing(&self) -> impl Iterator<Item = &Self> {
        self.chain().filter(|limiter| !limiter.is_held())
    }

    /// Whether this thread could have all permits that it lacks.
    fn are_left(&self) -> bool {
        self.missing().all(|limiter| limiter.permits.is_left())
    }

    /// Whether this thread could have all permits that it lacks; it is woken when the next one is
    /// given back.
    pub(crate) fn are_left_for(&self, seat: &Seat) -> bool {
        let is_same = |slot: &Arc<Slot>| ptr::eq(&**slot, seat.slot());
        let who = || seat.shared_slot();
        self.missing()
            .all(|limiter| limiter.waiters.is_left_for(&limiter.permits, is_same, who))
    }

    /// Gives a permit back, and sends on the first run that waits for it.
    fn give_back(&self) {
        if !self.is_in_force() {
            return;
        }
        let first = self.permits.give_back();
        failpoint::reach(Failpoint::PermitGivenBack);
        for slot in self.waiters.take() {
            slot.parker.unpark();
        }
        first.into_iter().for_each(Self::send_on);
    }

    /// Lets the next run in line go, because a run that was let go does not ask for a permit here
    /// after all.
    fn pass_on(&self) {
        self.permits.let_go().into_iter().for_each(Self::send_on);
    }

    /// Sends a run that is no longer held back to where a thread tries again to run it.
    fn send_on((run, class): (Run, Class)) {
        // The run is counted, so its nursery is open.
        Seat::with(&run.scope().core().clone(), |seat| match class {
            Class::Compute => seat.inject(run),
            Class::Blocking => {
                seat.submit_blocking(run);
                if seat.core.blocking.is_starved() {
                    // The thread that has spawned it may be parked, and may not be its home.
                    seat.core.roster.unpark_all();
                }
            }
        });
    }

    /// Notes that a handle has claimed a child, whose run may be held back.
    pub(crate) fn note_claim(&self) {
        for limiter in self.chain() {
            let stale = limiter.permits.note_claim(|(run, _)| run.is_stale());
            stale.into_iter().for_each(|(run, _)| let_go_of(run));
        }
    }

    /// Whether a run that is `wanted` is held back for lack of a permit.
    pub(crate) fn has_line(&self, wanted: impl Fn(&Run) -> bool) -> bool {
        self.chain()
            .any(|limiter| limiter.permits.has(|(run, _)| wanted(run)))
    }

    /// Whether this thread may run what is held back: it has a permit, or some are left although
    /// runs stand in line.
    pub(crate) fn may_run_held_back(&self) -> bool {
        let is_stuck = |limiter: &Self| limiter.permits.has(|_| true);
        self.chain().any(Self::is_held) || (self.missing().any(is_stuck) && self.are_left())
    }

    /// Takes the first run of this class, of `scope` or of a nursery below it, that is held back by a
    /// limiter of which this thread has a permit, or could have one now.
    pub(crate) fn take_below(&self, scope: &Node, class: Class) -> Option<Run> {
        let are_left = self.are_left();
        let is_wanted = |(run, of): &(Run, Class)| *of == class && is_below(run, scope);
        let mut may_ask = self.chain().filter(|limiter| are_left || limiter.is_held());
        let run = may_ask.find_map(|limiter| limiter.permits.take_out(is_wanted));
        run.map(|(run, _)| run)
    }

    /// Whether [`Self::take_below`] would find a run of any class. If only permits are missing for
    /// it, this thread is woken when the next one is given back.
    pub(crate) fn has_below(&self, scope: &Node, seat: &Seat) -> bool {
        let has = |limiter: &Self| limiter.permits.has(|(run, _)| is_below(run, scope));
        let mut held = self.chain().filter(|limiter| limiter.is_held());
        held.any(has) || (self.missing().any(has) && self.are_left_for(seat))
    }
}

impl Node {
    /// The limit that holds in this nursery: its own, or an outer nursery's.
    #[inline]
    pub(crate) fn limiter(&self) -> Option<&Limiter> {
        // Most programs have none, and need not look for it.
        if are_there_any() {
            self.find_limiter()
        } else {
            None
        }
    }

    #[cold]
    fn find_limiter(&self) -> Option<&Limiter> {
        // SAFETY: `set_limiter` alone stores there; the limiter belongs to this nursery or to an outer one, and
        // these are open.
        self.outwards()
            .find_map(|scope| unsafe { scope.limiter.get().cast::<Limiter>().as_ref() })
            .filter(|limiter| limiter.is_in_force())
    }

    /// Sets its own limit.
    ///
    /// # Safety
    ///
    /// `limiter` outlives the nursery, and the body has not begun.
    pub(crate) unsafe fn set_limiter(&self, limiter: &Limiter) {
        limiter.set_outer(self.limiter().map_or(ptr::null(), ptr::from_ref));
        self.limiter.set(ptr::from_ref(limiter).cast());
    }

    /// Whether its limit lets this thread run what the nursery spawns.
    pub(crate) fn is_permitted(&self) -> bool {
        self.limiter().is_none_or(Limiter::is_held)
    }
}

/// Whether a helper in the body of `scope` may run `run`. Runs of another pool have helpers of
/// their own.
pub(crate) fn is_below(run: &Run, scope: &Node) -> bool {
    run.scope().is_within(scope) && Arc::ptr_eq(run.scope().core(), scope.core())
}

/// Runs `f` with the permits that a child of the limited nursery needs, unless there are none left.
pub(crate) fn with_permits(limiter: &Limiter, f: &dyn Fn() -> bool) -> Option<bool> {
    // Look first: permits that are taken in vain make others look in vain.
    while limiter.are_left() {
        let missing = limiter.missing();
        let taken: Vec<_> = missing
            .take_while(|limiter| limiter.permits.take())
            .collect();
        if taken.len() == limiter.missing().count() {
            return Some(permitted(taken, f));
        }
        give_back(taken);
    }
    None
}

/// Runs `f` on the run with the permits it needs; if there are none left, it is held back.
pub(crate) fn run_or_hold_back<R>(
    limiter: &Limiter,
    run: Run,
    class: Class,
    seat: &Seat,
    f: impl FnOnce(Run) -> R,
) -> Option<R> {
    let scope: *const Node = run.scope();
    let home = run.scope().home();
    // The nursery stays open for as long as this thread has to do with several limiters.
    let are_several = limiter.missing().nth(1).is_some();
    if are_several {
        run.scope().count.add(1);
    }
    let release = || {
        if are_several {
            // SAFETY: open until this unit is released.
            unsafe { &*scope }.release(seat);
        }
    };
    let mut item = (run, class);
    let mut taken = Vec::new();
    let mut missing = limiter.missing();
    while let Some(limiter) = missing.next() {
        match limiter.permits.take_or_stand_in_line(item) {
            Some(admitted) => item = admitted,
            None => {
                failpoint::reach(Failpoint::PermitHeldBack);
                give_back(taken);
                if are_several {
                    // One of the other limiters may have let this run go.
                    missing.for_each(Limiter::pass_on);
                }
                release();
                // The run may be over by now, and its nursery closed.
                home.unpark(seat.slot());
                return None;
            }
        }
        taken.push(limiter);
    }
    release();
    Some(permitted(taken, || f(item.0)))
}

/// Releases a run of which handles have claimed all children: it will not ask for permits.
pub(crate) fn let_go_of(run: Run) {
    Seat::with(&run.scope().core().clone(), |seat| {
        if let Some(limiter) = run.scope().limiter() {
            limiter.chain().for_each(Limiter::pass_on);
        }
        let nothing = run.without_stale(seat);
        debug_assert!(nothing.is_none(), "stale for good");
    });
}

fn permitted<R>(taken: Vec<&Limiter>, f: impl FnOnce() -> R) -> R {
    let process = Process::this();
    let mut permits: Vec<_> = taken
        .iter()
        .map(|limiter| Permit {
            limiter: *limiter,
            outer: ptr::null(),
        })
        .collect();
    let before = HELD.get();
    let mut innermost = before;
    for permit in &mut permits {
        permit.outer = innermost;
        innermost = permit;
    }
    HELD.set(innermost);
    failpoint::reach_if(!taken.is_empty(), Failpoint::PermitTaken);
    // It does not unwind: children are run under a catch.
    let result = f();
    if process.is_this() {
        HELD.set(before);
        give_back(taken);
    } else {
        // The process was forked meanwhile: none of these limiters is in force, nor is an outer
        // one, and their nurseries may belong to threads that are not here.
        HELD.set(ptr::null());
    }
    result
}

/// Takes all permits from this thread, in a forked process. It has none either when the children
/// end that ran under a permit: see `permitted`.
pub(crate) fn forget_stack() {
    HELD.set(ptr::null());
}

fn give_back(taken: Vec<&Limiter>) {
    taken.into_iter().for_each(Limiter::give_back);
}
