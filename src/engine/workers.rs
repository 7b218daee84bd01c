//! The workers of a pool, by their indices among the sleepers.
//!
//! The indices of spares come after the indices of the other workers.

use std::ptr;

use crate::engine::shared::Slot;
use crate::platform::sync::{Arc, Mutex, lock};

#[derive(Default)]
pub(crate) struct Workers(Mutex<State>);

#[derive(Default)]
struct State {
    /// The slots of those that have started. A sleeper without a slot here has not started: a worker notes its slot
    /// before it joins the sleepers.
    slots: Vec<Option<Arc<Slot>>>,
    /// Those that were roused before their threads came: see `by_hand`.
    awaited: Vec<usize>,
}

impl State {
    fn note(&mut self, index: usize, slot: &Arc<Slot>) {
        if self.slots.len() <= index {
            self.slots.resize(index + 1, None);
        }
        self.slots[index] = Some(Arc::clone(slot));
    }
}

impl Workers {
    /// Notes the slot of a worker that has started.
    pub(super) fn note(&self, index: usize, slot: &Arc<Slot>) {
        lock(&self.0).note(index, slot);
    }

    /// Forgets a spare or helper that ends.
    pub(super) fn forget(&self, index: usize) {
        lock(&self.0).slots[index] = None;
    }

    /// The slot of a worker that has started, and not ended.
    pub(super) fn slot(&self, index: usize) -> Option<Arc<Slot>> {
        lock(&self.0).slots.get(index).cloned().flatten()
    }

    /// Whether this is the slot of a worker.
    pub(super) fn have(&self, slot: &Slot) -> bool {
        let state = lock(&self.0);
        state
            .slots
            .iter()
            .flatten()
            .any(|worker| ptr::eq(&**worker, slot))
    }

    /// Awaits the thread of a worker that was roused, if the thread has not come; otherwise returns the worker's slot.
    pub(super) fn wait_for(&self, index: usize) -> Result<Awaited, Arc<Slot>> {
        let mut state = lock(&self.0);
        if let Some(Some(slot)) = state.slots.get(index) {
            return Err(Arc::clone(slot));
        }
        if state.awaited.contains(&index) {
            return Ok(Awaited::Before);
        }
        state.awaited.push(index);
        Ok(Awaited::Now)
    }

    /// Notes the slot of a worker whose thread has come, and calls `note` under the lock with whether the worker was awaited;
    /// returns that.
    pub(super) fn arrive(&self, index: usize, slot: &Arc<Slot>, note: impl FnOnce(bool)) -> bool {
        let mut state = lock(&self.0);
        let at = state.awaited.iter().position(|awaited| *awaited == index);
        let is_awaited = at.map(|at| state.awaited.swap_remove(at)).is_some();
        note(is_awaited);
        state.note(index, slot);
        is_awaited
    }
}

/// Since when a worker is awaited.
#[derive(PartialEq, Eq)]
pub(super) enum Awaited {
    Now,
    Before,
}
