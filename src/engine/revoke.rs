//! Takes children out of the private lists of other threads.
#![allow(unsafe_code, reason = "promises that these threads are there")]

use crate::engine::core::Core;
use crate::engine::frame;
use crate::engine::shared::{Run, Slot};
use crate::platform::barrier;
use crate::platform::sync::atomic::{AtomicBool, Ordering};
use crate::platform::sync::{Arc, Mutex, lock};
use crate::task::private::{PrivateRef, Revoking};

/// The right to revoke the locks of threads (`task::private`).
pub(super) struct Revoker {
    /// Locked meanwhile: one thread revokes at a time.
    turn: Mutex<()>,
    /// Whether the system was asked to allow barriers.
    is_registered: AtomicBool,
    /// Whether the system has refused the barrier.
    is_refused: AtomicBool,
}

/// How locks are revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// By a barrier of the whole process.
    Barrier,
    /// Each thread executes fences.
    Fences,
    /// Not at all: the system refuses barriers, which it had promised.
    Nothing,
}

/// What [`Revoker::revoke_all`] has found.
pub(super) struct Taken {
    /// Whether the threads hold children of the pool, or held them before.
    pub(super) are_some: bool,
    /// What was taken, each run with the slot of its former owner.
    pub(super) runs: Vec<(Run, Arc<Slot>)>,
}

impl Revoker {
    pub(super) const fn new() -> Self {
        Self {
            turn: Mutex::new(()),
            is_registered: AtomicBool::new(false),
            is_refused: AtomicBool::new(false),
        }
    }

    /// Asks the system to allow barriers, if nobody has; false if there are none. It may take long, so no lock is revoked
    /// meanwhile.
    fn may_revoke(&self) -> bool {
        // ORDERING: Relaxed, here and below: one thread at a time.
        if !self.is_registered.swap(true, Ordering::Relaxed) && !barrier::register() {
            self.is_refused.store(true, Ordering::Relaxed);
        }
        !self.is_refused.load(Ordering::Relaxed)
    }

    /// Executes the barrier of the process; false if the system refuses it.
    fn has_barrier(&self) -> bool {
        let has_barrier = barrier::heavy();
        if !has_barrier {
            self.is_refused.store(true, Ordering::Relaxed);
        }
        has_barrier
    }

    /// How locks are revoked in this process.
    pub(super) fn means(&self) -> Means {
        if self.is_refused.load(Ordering::Relaxed) {
            Means::Nothing
        } else if barrier::is_asymmetric() {
            Means::Barrier
        } else {
            Means::Fences
        }
    }

    /// Revokes the lock of the owner of this slot, and calls `f`, which runs no user code, with its chain of frames; none
    /// if there is no owner, or the lock cannot be had.
    pub(super) fn revoke<R>(&self, slot: &Slot, f: impl FnOnce(*const ()) -> R) -> Option<R> {
        let _turn = lock(&self.turn);
        if !self.may_revoke() {
            return None;
        }
        let thread = lock(&slot.thread);
        let private = thread.map(|thread| thread.private)?;
        // SAFETY: the thread does not end while its slot is locked that says that it is there, and nobody else has the
        // turn.
        let revoking = unsafe { private.announce() };
        let has_barrier = self.has_barrier();
        revoking.end(has_barrier, f)
    }

    /// Revokes the locks of all threads of a pool at once, and takes some children from each if that `is_wanted`.
    pub(super) fn revoke_all(&self, core: &Core, slots: &[Arc<Slot>], is_wanted: bool) -> Taken {
        let _turn = lock(&self.turn);
        let mut taken = Taken {
            are_some: false,
            runs: Vec::new(),
        };
        if !self.may_revoke() {
            return taken;
        }
        // Locked to the end.
        let threads: Vec<_> = slots.iter().map(|slot| lock(&slot.thread)).collect();
        let mut revoked: Vec<(PrivateRef, Revoking, &Arc<Slot>)> = Vec::new();
        for (slot, thread) in slots.iter().zip(&threads) {
            let Some(private) = thread.map(|thread| thread.private) else {
                continue;
            };
            // A thread may have two seats here, but has one lock.
            if revoked.iter().all(|(other, ..)| *other != private) {
                // SAFETY: the thread does not end while its slot is locked that says that it is there, and nobody
                // else has the turn.
                revoked.push((private, unsafe { private.announce() }, slot));
            }
        }
        let has_barrier = self.has_barrier();
        for (_, revoking, slot) in revoked {
            let run = revoking.end(has_barrier, |frames| {
                taken.are_some |= frame::holds(frames, core);
                is_wanted.then(|| frame::take_from(frames, core))?
            });
            let run = run.flatten();
            taken.runs.extend(run.map(|run| (run, Arc::clone(slot))));
        }
        taken
    }
}
