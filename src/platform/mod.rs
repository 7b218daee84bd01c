//! The only door to `std::sync` and `std::thread`, and to their models under `--cfg loom`.
//!
//! Everything above this folder synchronises through the names given here, so that a protocol
//! runs unchanged on real threads and inside the model checker.

#[cfg(not(loom))]
pub(crate) mod clock;
pub(crate) mod lazy;
pub(crate) mod parker;

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

/// Threads and the hint that a core is busy waiting.
#[cfg(not(loom))]
pub(crate) mod thread {
    pub(crate) use std::hint::spin_loop;
    pub(crate) use std::thread::{Builder, JoinHandle, current, panicking, sleep};

    /// An address that is this thread's alone while it lives.
    pub(crate) fn token() -> *const u8 {
        thread_local!(static TOKEN: u8 = const { 0 });
        TOKEN.with(std::ptr::from_ref)
    }

    /// Whether a test has this thread find that no other can be had.
    #[cfg(test)]
    pub(crate) mod refused {
        use std::cell::Cell;

        thread_local!(static ARE: Cell<bool> = const { Cell::new(false) });

        pub(crate) fn are() -> bool {
            ARE.get()
        }

        /// Runs `f` without other threads to be had.
        pub(crate) fn during<R>(f: impl FnOnce() -> R) -> R {
            ARE.set(true);
            let result = f();
            ARE.set(false);
            result
        }
    }
}
