//! The only door to `std::sync`, `std::thread` and the clocks, and to their models.
//!
//! Everything above this folder synchronises through the names given here. So a protocol runs
//! unchanged on real threads, inside the model checker (`--cfg hatchery_loom`), under a scheduler
//! that draws the order of all steps (`--cfg hatchery_shuttle`), and on many cores in virtual time
//! (`--cfg hatchery_lab`, see `verify/scaling`). What the first two have in place of std is in
//! `verify/door`. Users have nothing of all that.
//! `tests/tidy.rs` has the list of the names that no other folder may use.

pub(crate) mod activity;
pub(crate) mod barrier;
#[cfg(not(hatchery_loom))]
pub(crate) mod clock;
#[cfg(not(hatchery_loom))]
pub(crate) mod cpus;
#[cfg(not(hatchery_loom))]
pub(crate) mod deque;
pub(crate) mod failpoint;
pub(crate) mod lazy;
pub(crate) mod parker;
pub(crate) mod payload;
#[cfg(not(hatchery_loom))]
pub(crate) mod process;
#[cfg(not(hatchery_loom))]
pub(crate) mod thread;
#[cfg(hatchery_loom)]
pub(crate) mod thread {
    pub(crate) use loom::thread::yield_now;
    pub(crate) use std::thread::panicking;
    pub(crate) use std::thread_local;

    /// As [`std::thread_local`], for what the model checker sees: each execution has its own.
    macro_rules! modelled_local {
        ($vis:vis static $name:ident: $type:ty = const $init:block;) => {
            loom::thread_local!($vis static $name: $type = $init;);
        };
    }
    pub(crate) use modelled_local;

    pub(crate) fn pause(_times: u32) {}

    /// An address that belongs to this thread alone while it lives.
    pub(crate) fn token() -> *const u8 {
        loom::thread_local!(static TOKEN: u8 = 0);
        TOKEN.with(std::ptr::from_ref)
    }
}
pub(crate) mod trace;
pub(crate) mod witness;

// For checks only.
#[cfg(any(hatchery_loom, hatchery_shuttle))]
#[path = "../../verify/door/atomic.rs"]
pub(crate) mod atomic;
#[cfg(hatchery_loom)]
#[path = "../../verify/door/condvar.rs"]
pub(crate) mod condvar;
#[cfg(hatchery_loom)]
#[path = "../../verify/door/deque.rs"]
pub(crate) mod deque;
#[cfg(any(hatchery_loom, hatchery_shuttle))]
#[path = "../../verify/door/planted.rs"]
pub(crate) mod planted;
#[cfg(any(hatchery_faults, hatchery_shuttle))]
#[path = "../../verify/door/refusals.rs"]
pub(crate) mod refusals;
#[cfg(hatchery_shuttle)]
#[path = "../../verify/door/shuttled.rs"]
pub(crate) mod shuttled;

/// Cells that one thread at a time has the right to write.
pub(crate) mod cell {
    /// A pointer that other threads follow, which the model checker checks.
    #[cfg(hatchery_loom)]
    pub(crate) use crate::platform::atomic::AtomicPtr as Front;
    /// A cell that only this thread may read, too, which the model checker checks.
    #[cfg(hatchery_loom)]
    pub(crate) use loom::cell::Cell;
    #[cfg(not(hatchery_loom))]
    pub(crate) use std::cell::Cell;
    #[cfg(not(hatchery_loom))]
    pub(crate) use std::sync::atomic::AtomicPtr as Front;
    /// Cells that other threads may read at any time. They are real everywhere, so that they are no steps.
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32};
}

/// Shared-memory primitives.
pub(crate) mod sync {
    #[cfg(hatchery_shuttle)]
    pub(crate) use super::shuttled::{Condvar, Mutex, MutexGuard, OnceLock, statics};
    #[cfg(any(hatchery_loom, hatchery_shuttle))]
    pub(crate) use crate::platform::atomic;
    #[cfg(hatchery_loom)]
    pub(crate) use crate::platform::condvar::Condvar;
    #[cfg(hatchery_lab)]
    pub(crate) use laboratory::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, Weak, atomic};
    #[cfg(hatchery_loom)]
    pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
    #[cfg(hatchery_shuttle)]
    pub(crate) use shuttle::sync::{Arc, Weak};
    #[cfg(hatchery_loom)]
    pub(crate) use std::sync::OnceLock;
    pub(crate) use std::sync::PoisonError;
    #[cfg(not(any(hatchery_loom, hatchery_shuttle, hatchery_lab)))]
    pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, Weak};

    /// The standard library's atomics, and 64-bit atomics where the processor has none.
    #[cfg(not(any(hatchery_loom, hatchery_shuttle, hatchery_lab)))]
    pub(crate) mod atomic {
        #[cfg(not(target_has_atomic = "64"))]
        pub(crate) use portable_atomic::AtomicU64;
        pub(crate) use std::sync::atomic::*;
    }

    /// Cells that count and decide nothing. They are real under a scheduler that draws, too, so
    /// that they are no steps.
    pub(crate) mod uneventful {
        #[cfg(not(any(hatchery_loom, hatchery_shuttle)))]
        pub(crate) use super::atomic::AtomicU64;
        #[cfg(hatchery_loom)]
        pub(crate) use crate::platform::atomic::AtomicU64;
        #[cfg(hatchery_shuttle)]
        pub(crate) use std::sync::atomic::AtomicU64;
    }

    /// Cells for people to read, and cells that say what is worth doing, not what may be done. They are real in
    /// the model checker, where they would be steps. The scheduler that draws plays them as steps.
    pub(crate) mod hints {
        #[cfg(not(hatchery_loom))]
        pub(crate) use super::{
            atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32},
            uneventful::AtomicU64,
        };
        #[cfg(hatchery_loom)]
        pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64};
    }

    /// Locks one of the crate's own mutexes.
    ///
    /// No user code ever runs under these mutexes, so a poisoned lock still guards a consistent
    /// value.
    #[cfg_attr(hatchery_lab, track_caller)]
    pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Statics whose values end with an execution, where a process has many executions.
    #[cfg(not(any(hatchery_loom, hatchery_shuttle)))]
    macro_rules! statics {
        ($($(#[$attr:meta])* $vis:vis static $name:ident: $type:ty = $init:expr;)+) => {
            $($(#[$attr])* $vis static $name: $type = $init;)+
        };
    }
    #[cfg(hatchery_loom)]
    macro_rules! statics {
        ($(#[$attr:meta])* static $name:ident: $type:ty = $init:expr;) => {
            loom::lazy_static! { $(#[$attr])* static ref $name: $type = $init; }
        };
    }
    #[cfg(not(hatchery_shuttle))]
    pub(crate) use statics;
}
