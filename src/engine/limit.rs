//! Limits: how many children of a nursery, and of those below it, run at a time.
//!
//! A thread that runs a child of a limited nursery has a *permit* of its limiter, and so has whatever
//! that child runs on the same thread. A run that finds no permit left is held back by the limiter,
//! until one is given back: then it goes to the strays, where somebody tries again. Nobody waits for
//! a permit, and nobody who has one waits for another of the same limiter.
//!
//! 1. No run is held back while a permit is left (`permits`).
//! 2. A permit is given back before the count of the run that needed it: until then the limiter, which
//!    lies in its nursery's frame, is there.
//! 3. The home of what is held back may hold a permit itself, and is told: it runs its own children
//!    under that.
#![allow(
    unsafe_code,
    reason = "follows limiters in the frames of open nurseries"
)]

use std::cell::Cell;
use std::ptr;

use crate::engine::permits::Permits;
use crate::engine::scope_frame::ScopeFrame;
use crate::engine::seat::Seat;
use crate::engine::shared::Run;
use crate::platform::process::Process;
use crate::platform::sync::atomic::{AtomicUsize, Ordering};
use crate::task::record::Class;

/// The limit of one nursery.
pub(crate) struct Limiter {
    /// That of a nursery further out. INVARIANT: null, or of a nursery that this one was opened in; set
    /// before the first child.
    outer: Cell<*const Limiter>,
    /// Whose threads it limits: those of a process forked from it are others.
    process: Process,
    permits: Permits<(Run, Class)>,
}

/// How many limiters there are in this process.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// Whether there may be a limiter in a nursery that is open.
#[inline]
pub(crate) fn are_there_any() -> bool {
    // ORDERING: Relaxed: whoever runs something of a limited nursery came to know of it after the
    // limiter was made.
    NUMBER.load(Ordering::Relaxed) > 0
}

impl Drop for Limiter {
    fn drop(&mut self) {
        NUMBER.fetch_sub(1, Ordering::Relaxed);
    }
}

// SAFETY: `outer` does not change any more when other threads come.
unsafe impl Sync for Limiter {}

/// One entry of the list of permits that this thread has.
struct Permit {
    limiter: *const Limiter,
    outer: *const Permit,
}

thread_local! {
    // INVARIANT: null, or a permit on this thread's stack; `permitted` restores it.
    static HELD: Cell<*const Permit> = const { Cell::new(ptr::null()) };
}

impl Limiter {
    pub(crate) fn new(most: usize) -> Self {
        NUMBER.fetch_add(1, Ordering::Relaxed);
        Self {
            outer: Cell::new(ptr::null()),
            process: Process::this(),
            permits: Permits::new(most),
        }
    }

    /// The limit of a nursery further out holds, too.
    pub(crate) fn set_outer(&self, outer: *const Self) {
        self.outer.set(outer);
    }

    /// This one and those further out.
    fn chain(&self) -> impl Iterator<Item = &Self> {
        // SAFETY: by the invariant of `outer`, whose nurseries are open as long as this one.
        let all = std::iter::successors(Some(self), |limiter| unsafe {
            limiter.outer.get().as_ref()
        });
        all.take_while(|limiter| limiter.is_in_force())
    }

    /// Whether it was made by this process: if not, threads that are not here have its permits.
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

    /// Gives a permit back, and lets go of what is held back for want of it.
    fn give_back(&self) {
        if !self.is_in_force() {
            return;
        }
        if let Some((run, class)) = self.permits.give_back() {
            // It is counted, so its nursery is open.
            Seat::with(&run.scope().core().clone(), |seat| match class {
                Class::Compute => seat.stray(run),
                Class::Blocking => seat.core.blocking.submit(seat, run),
            });
        }
    }

    /// Takes the first run of `scope`, or of a nursery below it, that is held back by a limiter of
    /// which this thread has a permit.
    pub(crate) fn take_below(&self, scope: &ScopeFrame, class: Class) -> Option<Run> {
        let mut held = self.chain().filter(|limiter| limiter.is_held());
        let is_wanted = |(run, is): &(Run, Class)| *is == class && run.scope().is_within(scope);
        let run = held.find_map(|limiter| limiter.permits.take_out(is_wanted));
        run.map(|(run, _)| run)
    }

    /// Whether there is one.
    pub(crate) fn has_below(&self, scope: &ScopeFrame) -> bool {
        let mut held = self.chain().filter(|limiter| limiter.is_held());
        held.any(|limiter| limiter.permits.has(|(run, _)| run.scope().is_within(scope)))
    }

    /// Whether this thread has a permit of it, or of one further out.
    pub(crate) fn is_any_held(&self) -> bool {
        self.chain().any(Self::is_held)
    }
}

/// Runs `f` with the permits that a child of the limited nursery needs, unless there are none left.
pub(crate) fn with_permits<R>(limiter: &Limiter, f: impl FnOnce() -> R) -> Option<R> {
    let mut taken = Vec::new();
    for limiter in limiter.chain().filter(|limiter| !limiter.is_held()) {
        if !limiter.permits.take() {
            give_back(taken);
            return None;
        }
        taken.push(limiter);
    }
    Some(permitted(taken, f))
}

/// Runs `f` on the run with the permits it needs; if there are none left, it is held back.
pub(crate) fn run_or_hold_back<R>(
    limiter: &Limiter,
    run: Run,
    class: Class,
    seat: &Seat,
    f: impl FnOnce(Run) -> R,
) -> Option<R> {
    let scope: *const ScopeFrame = run.scope();
    let home = run.scope().home();
    let mut run = run;
    let mut taken = Vec::new();
    for limiter in limiter.chain().filter(|limiter| !limiter.is_held()) {
        if !taken.is_empty() {
            // The nursery stays open for as long as this thread has permits of it to give back.
            run.scope().count.add(1);
        }
        match limiter.permits.take_or_stand_in_line((run, class)) {
            Some((admitted, _)) => {
                run = admitted;
                if !taken.is_empty() {
                    run.scope().release(seat);
                }
            }
            None => {
                if !taken.is_empty() {
                    give_back(taken);
                    // SAFETY: open until this unit is released.
                    unsafe { &*scope }.release(seat);
                }
                // The run may be over by now, and its nursery closed.
                home.unpark(seat);
                return None;
            }
        }
        taken.push(limiter);
    }
    Some(permitted(taken, || f(run)))
}

fn permitted<R>(taken: Vec<&Limiter>, f: impl FnOnce() -> R) -> R {
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
    // It does not unwind: children are run under a catch.
    let result = f();
    HELD.set(before);
    give_back(taken);
    result
}

/// In a process that was forked: this thread has no permit any more.
pub(crate) fn forget_stack() {
    HELD.set(ptr::null());
}

fn give_back(taken: Vec<&Limiter>) {
    taken.into_iter().for_each(Limiter::give_back);
}
