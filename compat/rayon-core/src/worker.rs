//! Which worker the calling thread is.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::mailbox::Mailbox;
use crate::registry::Registry;

/// A thread of a pool.
pub(crate) struct Worker {
    pub(crate) registry: Arc<Registry>,
    pub(crate) index: usize,
}

/// What a thread is to the pools.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Outside,
    /// A worker that computes for its pool when it has nothing else to do.
    Worker,
    /// A thread that was there before its pool, and is its worker 0: see `use_current_thread`.
    Lent,
}

/// What is asked for often.
struct Short {
    role: Cell<Role>,
    index: Cell<usize>,
    threads: Cell<usize>,
}

thread_local! {
    static SHORT: Short = const {
        Short { role: Cell::new(Role::Outside), index: Cell::new(0), threads: Cell::new(0) }
    };
    static WORKER: RefCell<Option<Rc<Worker>>> = const { RefCell::new(None) };
}

/// Makes the calling thread this worker. It is until the result is dropped, if it is.
#[must_use]
pub(crate) fn become_worker(worker: Rc<Worker>, role: Role) -> impl Drop {
    struct Back;
    impl Drop for Back {
        fn drop(&mut self) {
            SHORT.with(|short| short.role.set(Role::Outside));
            drop(WORKER.take());
        }
    }
    SHORT.with(|short| {
        short.index.set(worker.index);
        short.threads.set(worker.registry.num_threads());
        short.role.set(role);
    });
    WORKER.set(Some(worker));
    Back
}

#[inline]
pub(crate) fn role() -> Role {
    SHORT.with(|short| short.role.get())
}

/// The index of this thread in its pool.
#[inline]
pub(crate) fn index() -> Option<usize> {
    SHORT.with(|short| (short.role.get() != Role::Outside).then(|| short.index.get()))
}

/// The number of threads of this thread's pool.
#[inline]
pub(crate) fn num_threads() -> Option<usize> {
    SHORT.with(|short| (short.role.get() != Role::Outside).then(|| short.threads.get()))
}

/// A number that no other thread has meanwhile.
#[inline]
pub(crate) fn thread_number() -> usize {
    SHORT.with(|short| std::ptr::from_ref(short).addr())
}

pub(crate) fn current() -> Option<Rc<Worker>> {
    // Destructors of thread-locals may call this when there is nothing left.
    let worker = WORKER.try_with(|worker| worker.borrow().clone());
    worker.ok().flatten()
}

impl Worker {
    pub(crate) fn is_of(&self, registry: &Arc<Registry>) -> bool {
        Arc::ptr_eq(&self.registry, registry)
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        self.registry.mailbox(self.index)
    }
}

/// What a worker calls when somebody has rung.
pub(crate) fn on_ring(is_at_rest: bool) {
    let Some(worker) = current() else { return };
    if is_at_rest {
        // What it has spawned comes before a broadcast, as in rayon.
        let registry = &worker.registry;
        registry.apart(|| while registry.spawned.run_own(worker.index) {});
    }
    while worker.mailbox().run_one() {}
}
