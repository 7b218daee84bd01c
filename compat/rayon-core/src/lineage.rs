//! Who waits for whom across pools.
//!
//! A worker of one pool that waits for a job in another pool is idle, and may be the only one of its pool. If something
//! below that job calls back into the first pool, the worker has to run it, or nobody may. So each thread knows the
//! workers that wait, in other pools, for what it runs. The context of the pools takes this along to other threads.

use std::cell::RefCell;
use std::sync::Arc;

use crate::registry::Registry;
use crate::worker::Worker;

/// The worker that waits for what a thread runs, and those that wait for what that worker runs.
pub(crate) struct Lineage {
    /// The address of the pool, to be compared only.
    pool: usize,
    index: usize,
    outer: Line,
}

pub(crate) type Line = Option<Arc<Lineage>>;

thread_local! {
    static LINE: RefCell<Line> = const { RefCell::new(None) };
}

/// The line of what this thread runs.
pub(crate) fn here() -> Line {
    LINE.try_with(|line| line.borrow().clone()).ok().flatten()
}

/// The line of what this worker has other pools do.
pub(crate) fn below(worker: &Worker) -> Line {
    Some(Arc::new(Lineage {
        pool: Arc::as_ptr(&worker.registry).addr(),
        index: worker.index,
        outer: here(),
    }))
}

/// The worker of this pool that waits for what this thread runs.
pub(crate) fn waiter_in(pool: &Arc<Registry>) -> Option<usize> {
    let innermost = here();
    let mut line = &innermost;
    while let Some(lineage) = line {
        if lineage.pool == Arc::as_ptr(pool).addr() {
            return Some(lineage.index);
        }
        line = &lineage.outer;
    }
    None
}

/// Sets the line of what this thread runs until the result is dropped.
#[must_use]
pub(crate) fn enter(line: Line) -> impl Drop {
    struct Back(Line);
    impl Drop for Back {
        fn drop(&mut self) {
            LINE.set(self.0.take());
        }
    }
    Back(LINE.replace(line))
}
