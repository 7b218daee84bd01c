//! The API of rayon-core 1.13 on hatchery's pools.
//!
//! A program puts this crate in the place of rayon-core by one line of its `Cargo.toml`: see `README.md`. From then on
//! rayon's iterators, and all else in the program that uses rayon, run on hatchery. A thread that waits runs only what it
//! waits for: so a lock may be held around a parallel iterator, and stacks do not grow by what threads steal.
//!
//! What the names mean is as in rayon-core. `README.md` says what differs.
//!

mod broadcast;
mod builder;
mod cancel;
mod configuration;
mod erase;
mod join;
mod latch;
mod lineage;
mod mailbox;
mod registry;
mod scope;
mod spawn;
mod spawned;
mod start;
mod thread_pool;
mod worker;
mod yielding;

#[allow(deprecated, reason = "programs may still use them")]
pub use self::configuration::{Configuration, initialize};
pub use self::{
    broadcast::{BroadcastContext, broadcast, spawn_broadcast},
    builder::{ThreadPoolBuildError, ThreadPoolBuilder},
    join::{FnContext, join, join_context},
    scope::{Scope, ScopeFifo, in_place_scope, in_place_scope_fifo, scope, scope_fifo},
    spawn::{spawn, spawn_fifo},
    start::ThreadBuilder,
    thread_pool::ThreadPool,
    yielding::{Yield, current_thread_has_pending_tasks, yield_local, yield_now},
};

use registry::Registry;

/// Returns the largest number of threads that a pool may have.
#[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
pub fn max_num_threads() -> usize {
    hatchery::Pool::MAX_THREADS
}

/// Returns the number of threads of the pool that this thread is of, else of the global pool.
#[inline]
#[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
pub fn current_num_threads() -> usize {
    worker::num_threads().unwrap_or_else(|| Registry::global().num_threads())
}

/// Returns the index of this thread in its pool. None outside of pools.
///
/// It is less than [`current_num_threads`], and no two threads of a pool have the same.
#[inline]
#[allow(clippy::must_use_candidate, reason = "as in rayon-core")]
pub fn current_thread_index() -> Option<usize> {
    worker::index()
}
