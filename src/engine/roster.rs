//! The slots of a pool: whom they belong to, one after the other.
//!
//! 1. A slot stays where it was added for as long as the pool lives, so that who reads the roster later
//!    finds it, too.
//! 2. A slot has one owner at a time, with its private half. Whoever takes one over has seen all that
//!    its last owner did.
//! 3. Whoever is told of work in a slot finds the slot: it was added before.
//!
//! Model: `models::roster_*`.

use crate::platform::sync::{Arc, Mutex, PoisonError, RwLock, lock};

/// Every slot of a pool: the workers' first, then the guests'.
pub(crate) struct Roster<S, P> {
    slots: RwLock<Vec<Arc<S>>>,
    /// Slots whose owners are gone, with their private halves.
    free: Mutex<Vec<(Arc<S>, P)>>,
}

impl<S, P> Default for Roster<S, P> {
    fn default() -> Self {
        Self {
            slots: RwLock::new(Vec::new()),
            free: Mutex::new(Vec::new()),
        }
    }
}

impl<S, P> Roster<S, P> {
    pub(crate) fn read<R>(&self, f: impl FnOnce(&[Arc<S>]) -> R) -> R {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        f(&slots)
    }

    /// One more slot, which is the caller's.
    pub(crate) fn add_slot(&self, slot: S, private: P) -> (Arc<S>, P) {
        let slot = Arc::new(slot);
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        slots.push(Arc::clone(&slot));
        (slot, private)
    }

    /// A slot without an owner, if there is one: it is the caller's now.
    pub(crate) fn take_free(&self) -> Option<(Arc<S>, P)> {
        lock(&self.free).pop()
    }

    /// The caller has done with its slot.
    pub(crate) fn put_free(&self, slot: Arc<S>, private: P) {
        lock(&self.free).push((slot, private));
    }
}
