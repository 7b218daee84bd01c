//! The workers of a pool, by their indices among the sleepers.
//!
//! The indices of spares come after the indices of the other workers.

use std::collections::{BTreeMap, BTreeSet};
use std::ptr;

use crate::engine::shared::Slot;
use crate::platform::sync::{Arc, Mutex, lock};

#[derive(Default)]
pub(crate) struct Workers(Mutex<State>);

#[derive(Default)]
struct State {
    /// The slots of those that have started. A sleeper without a slot here has not started: a worker notes its slot
    /// before it joins the sleepers.
    slots: BTreeMap<usize, Arc<Slot>>,
    /// Those that were roused before their threads came: see `by_hand`.
    awaited: BTreeSet<usize>,
}

impl Workers {
    /// Notes the slot of a worker that has started.
    pub(super) fn note(&self, index: usize, slot: &Arc<Slot>) {
        lock(&self.0).slots.insert(index, Arc::clone(slot));
    }

    /// Forgets a spare or helper that ends.
    pub(super) fn forget(&self, index: usize) {
        lock(&self.0).slots.remove(&index);
    }

    /// The slot of a worker that has started, and not ended.
    pub(super) fn slot(&self, index: usize) -> Option<Arc<Slot>> {
        lock(&self.0).slots.get(&index).cloned()
    }

    /// Whether this is the slot of a worker.
    pub(super) fn have(&self, slot: &Slot) -> bool {
        let state = lock(&self.0);
        state.slots.values().any(|worker| ptr::eq(&**worker, slot))
    }

    /// Awaits the thread of a worker that was roused, if the thread has not come; otherwise returns the worker's slot.
    pub(super) fn wait_for(&self, index: usize) -> Result<Awaited, Arc<Slot>> {
        let mut state = lock(&self.0);
        if let Some(slot) = state.slots.get(&index) {
            return Err(Arc::clone(slot));
        }
        let is_new = state.awaited.insert(index);
        Ok(if is_new {
            Awaited::Now
        } else {
            Awaited::Before
        })
    }

    /// Notes the slot of a worker whose thread has come, and calls `note` under the lock with whether the worker was awaited;
    /// returns that.
    pub(super) fn arrive(&self, index: usize, slot: &Arc<Slot>, note: impl FnOnce(bool)) -> bool {
        let mut state = lock(&self.0);
        let is_awaited = state.awaited.remove(&index);
        note(is_awaited);
        state.slots.insert(index, Arc::clone(slot));
        is_awaited
    }
}

/// Since when a worker is awaited.
#[derive(PartialEq, Eq)]
pub(super) enum Awaited {
    Now,
    Before,
}
