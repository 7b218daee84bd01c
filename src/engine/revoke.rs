//! Revokes the locks of what other threads hold in private.
#![allow(unsafe_code, reason = "promises that these threads are there")]

use crate::engine::shared::Slot;
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

    /// Revokes the locks of the owners of these slots, all at once, and calls `f`, which runs no user code, with each slot
    /// and its owner's chain of frames. A slot without an owner is left out, and so is an owner whose lock cannot be had.
    pub(super) fn revoke(&self, slots: &[Arc<Slot>], mut f: impl FnMut(&Arc<Slot>, *const ())) {
        let _turn = lock(&self.turn);
        if !self.may_revoke() {
            return;
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
            _ = revoking.end(has_barrier, |frames| f(slot, frames));
        }
    }
}
