//! The only door to `std::sync` and `std::thread`, and to their models under `--cfg loom`.
//!
//! Everything above this folder synchronises through the names given here, so that a protocol
//! runs unchanged on real threads and inside the model checker.

#[cfg(not(loom))]
pub(crate) mod clock;
pub(crate) mod lazy;
pub(crate) mod parker;
pub(crate) mod point;
#[cfg(not(loom))]
pub(crate) mod process;
#[cfg(not(loom))]
pub(crate) mod thread;

/// Shared-memory primitives.
pub(crate) mod sync {
    #[cfg(loom)]
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, atomic};
    #[cfg(not(loom))]
    pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, RwLock, Weak, atomic};

    /// Locks one of the crate's own mutexes.
    ///
    /// No user code ever runs under one, so a poisoned lock still guards a consistent value.
    pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
