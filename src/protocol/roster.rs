//! The slots of a pool, each held by one thread after the other.
//!
//! Threads come and go, and each of them holds a slot meanwhile. A slot without a holder is *free*.
//!
//! 1. A slot stays where it was made for as long as the pool lives, held or free: other threads may have
//!    its address.
//! 2. A slot has one holder at a time, with its private half. Its next holder has seen all that the
//!    last holder did.
//! 3. A thread that is told of work in a slot finds the slot among the held slots: it is there from
//!    before its holder begins until after its holder has left nothing in it.
//! 4. Only held slots are walked. So what a search costs depends on how many threads there are, and not
//!    on how many there have been.
//! 5. A thread that asked all holders for work has not asked holders that came later. So a new
//!    holder begins as if it had been asked, and looks for itself.
//! 6. The counts of a holder stand in its slot, or in the sum of the *departed*, and pass from one
//!    to the other in one step.
//!
//! Model: `models::roster_*`.

use crate::platform::sync::{Arc, Mutex, PoisonError, RwLock, lock};

/// The slots of a pool: shared halves `S`, private halves `P`, and what holders count, `T`.
pub(crate) struct Roster<S, P, T> {
    held: RwLock<Held<S, T>>,
    /// Locked under `held` only, so that every thread sees a slot either held or free.
    free: Mutex<Vec<(Arc<S>, P)>>,
}

struct Held<S, T> {
    /// The workers' slots first.
    slots: Vec<Arc<S>>,
    /// What threads have counted that do not hold a slot any more.
    departed: T,
}

impl<S, P, T: Default> Default for Roster<S, P, T> {
    fn default() -> Self {
        Self {
            held: RwLock::new(Held {
                slots: Vec::new(),
                departed: T::default(),
            }),
            free: Mutex::new(Vec::new()),
        }
    }
}

impl<S, P, T> Roster<S, P, T> {
    /// Calls `f` with the slots that are held.
    pub(crate) fn read<R>(&self, f: impl FnOnce(&[Arc<S>]) -> R) -> R {
        self.read_with_departed(|slots, _| f(slots))
    }

    /// Calls `f` with the slots that are held, and with what former holders have counted.
    pub(crate) fn read_with_departed<R>(&self, f: impl FnOnce(&[Arc<S>], &T) -> R) -> R {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        f(&held.slots, &held.departed)
    }

    /// How many slots are free; for people to read.
    pub(crate) fn count_free(&self) -> usize {
        self.read(|_| lock(&self.free).len())
    }

    /// Adds a slot, which the caller holds.
    pub(crate) fn add_slot(&self, slot: S, private: P) -> (Arc<S>, P) {
        let slot = Arc::new(slot);
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.slots.push(Arc::clone(&slot));
        (slot, private)
    }

    /// Takes a free slot, if there is one: the caller holds it now. `prepare` makes it a slot that
    /// was asked.
    pub(crate) fn take_free(&self, prepare: impl FnOnce(&S)) -> Option<(Arc<S>, P)> {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let (slot, private) = lock(&self.free).pop()?;
        prepare(&slot);
        held.slots.push(Arc::clone(&slot));
        Some((slot, private))
    }

    /// Gives the caller's slot back. `settle` takes out of it what the caller has counted.
    pub(crate) fn put_free(&self, slot: Arc<S>, private: P, settle: impl FnOnce(&S, &mut T)) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        // Slots that were taken last are given back first, if there is any rule.
        let at = held.slots.iter().rposition(|held| Arc::ptr_eq(held, &slot));
        at.map(|at| held.slots.remove(at));
        settle(&slot, &mut held.departed);
        lock(&self.free).push((slot, private));
    }
}
