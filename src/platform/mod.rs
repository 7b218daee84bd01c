//! The only door to `std::sync` and `std::thread`, and to their models under `--cfg loom`.
//!
//! Everything above this folder synchronises through the names given here, so that a protocol
//! runs unchanged on real threads and inside the model checker.

#[cfg(loom)]
pub(crate) mod atomic;
#[cfg(not(loom))]
pub(crate) mod clock;
#[cfg(loom)]
pub(crate) mod condvar;
pub(crate) mod lazy;
pub(crate) mod parker;
#[cfg(loom)]
pub(crate) mod planted;
#[cfg(not(loom))]
pub(crate) mod process;
#[cfg(not(loom))]
pub(crate) mod thread;
#[cfg(loom)]
pub(crate) mod thread {
    pub(crate) use std::thread::panicking;
}

/// Shared-memory primitives.
pub(crate) mod sync {
    #[cfg(loom)]
    pub(crate) use crate::platform::atomic;
    #[cfg(loom)]
    pub(crate) use crate::platform::condvar::Condvar;
    #[cfg(loom)]
    pub(crate) use loom::sync::{Arc, Mutex, MutexGuard, RwLock};
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
