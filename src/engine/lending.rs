//! How places pass from thread to thread, and who sees to it that they do.

use crate::engine::core::Core;
use crate::engine::shared::Slot;

impl Core {
    /// Lends the place of the thread with this slot, if it has one, because the thread is blocked or does not answer. The
    /// thread takes a place again at its next spawn or child.
    pub(crate) fn lend(&self, slot: &Slot, is_worker: bool) {
        if !self.config.lends_places {
            return;
        }
        if self.idle.lend(self, is_worker, || slot.lend()) {
            self.lent.add(1);
            slot.requests.arm();
        }
    }

    /// Counts that a spare stands in for an absent worker.
    pub(crate) fn note_compensation(&self) {
        self.compensations.add(1);
    }

    /// Counts children that the watcher has taken from a thread, any number at once.
    pub(super) fn note_taken(&self) {
        self.taken.add(1);
    }

    #[cold]
    pub(super) fn watch_now(&self) {
        let core = self
            .me
            .upgrade()
            .filter(|core| core.has_workers() && !core.is_over());
        let Some(core) = core else { return };
        if self.watch.begin() && !(self.config.mains.watch)(&core) {
            self.watch.give_up();
        }
    }
}
