//! Threads that let others' work run on top of their own, and what they have to do.

use std::rc::Rc;

use crate::worker::{self, Role, Worker};

/// What a thread that yielded has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yield {
    /// It has run something.
    Executed,
    /// There was nothing to run.
    Idle,
}

impl Yield {
    fn of(has_run: bool) -> Self {
        if has_run { Self::Executed } else { Self::Idle }
    }
}

/// Runs something that waits in this thread's pool, of whomever, on top of what the thread runs. None outside of pools.
#[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
pub fn yield_now() -> Option<Yield> {
    worker::current().map(|worker| worker.yield_now())
}

/// Like [`yield_now`], but runs only what this thread has spawned or holds itself.
#[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
pub fn yield_local() -> Option<Yield> {
    worker::current().map(|worker| worker.yield_local())
}

/// Returns whether this thread holds something that has not started. None outside of pools.
#[inline]
#[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
pub fn current_thread_has_pending_tasks() -> Option<bool> {
    worker::current().map(|worker| worker.has_pending_tasks())
}

impl Worker {
    pub(crate) fn yield_now(self: Rc<Self>) -> Yield {
        let registry = &self.registry;
        Yield::of(self.in_nursery(|| {
            registry.apart(|| registry.spawned.run_one(self.index))
                || self.mailbox().run_one()
                || registry.hand().run_one(false)
        }))
    }

    pub(crate) fn yield_local(self: Rc<Self>) -> Yield {
        let registry = &self.registry;
        Yield::of(self.in_nursery(|| {
            registry.apart(|| registry.spawned.run_own(self.index)) || registry.hand().run_one(true)
        }))
    }

    pub(crate) fn has_pending_tasks(&self) -> bool {
        self.registry.spawned.has_own(self.index) || self.registry.hand().holds_anything()
    }

    /// A thread that is lent has no place in the pool unless it has a nursery of the pool open.
    fn in_nursery<R>(&self, f: impl FnOnce() -> R) -> R {
        match worker::role() {
            Role::Lent => self.registry.inside().nursery(|_| f()),
            _ => f(),
        }
    }
}
