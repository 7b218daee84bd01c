//! Locks and condition variables: the standard library's algorithms for Linux, over the virtual futex.
//!
//! Values stand in the standard library's own locks, which are never contended: a thread that is here locks the virtual
//! lock first.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{self as real, LockResult, PoisonError, TryLockError};
use std::time::Duration;

use crate::atomic::{AtomicU32, Ordering};
use crate::kernel::{futex_wait, futex_wake, now, pause};

fn address(futex: &AtomicU32) -> usize {
    std::ptr::from_ref(futex).addr()
}

/// Blocks while the futex has this value; returns false if the time was up.
#[track_caller]
fn wait(futex: &AtomicU32, value: u32, time: Option<Duration>) -> bool {
    futex_wait(
        address(futex),
        || futex.load(Ordering::Relaxed) == value,
        time,
    )
}

const UNLOCKED: u32 = 0;
const LOCKED: u32 = 1;
/// Locked, and somebody may wait.
const CONTENDED: u32 = 2;

/// As `std::sys::sync::mutex::futex`. It is never poisoned.
#[derive(Default)]
pub struct Mutex<T: ?Sized> {
    futex: AtomicU32,
    value: real::Mutex<T>,
}

/// Holds a [`Mutex`].
pub struct MutexGuard<'a, T: ?Sized> {
    of: &'a Mutex<T>,
    /// Nothing while it is dropped.
    held: Option<real::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub const fn new(value: T) -> Self {
        Self {
            futex: AtomicU32::new(UNLOCKED),
            value: real::Mutex::new(value),
        }
    }

    /// # Errors
    ///
    /// Never.
    pub fn into_inner(self) -> LockResult<T> {
        Ok(self
            .value
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T: ?Sized> Mutex<T> {
    /// # Errors
    ///
    /// Never.
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        if !self.try_futex() {
            self.lock_contended();
        }
        Ok(self.guard())
    }

    /// # Errors
    ///
    /// If it is locked.
    #[track_caller]
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError<MutexGuard<'_, T>>> {
        if self.try_futex() {
            Ok(self.guard())
        } else {
            Err(TryLockError::WouldBlock)
        }
    }

    /// # Errors
    ///
    /// Never.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        Ok(self.value.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    #[track_caller]
    fn try_futex(&self) -> bool {
        let order = Ordering::Relaxed;
        self.futex
            .compare_exchange(UNLOCKED, LOCKED, order, order)
            .is_ok()
    }

    fn guard(&self) -> MutexGuard<'_, T> {
        let held = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        MutexGuard {
            of: self,
            held: Some(held),
        }
    }

    #[track_caller]
    fn lock_contended(&self) {
        let mut state = self.spin();
        if state == UNLOCKED && self.try_futex() {
            return;
        }
        loop {
            if state != CONTENDED && self.futex.swap(CONTENDED, Ordering::Relaxed) == UNLOCKED {
                return;
            }
            wait(&self.futex, CONTENDED, None);
            state = self.spin();
        }
    }

    /// Looks for a while until it is unlocked or others wait.
    #[track_caller]
    fn spin(&self) -> u32 {
        for _ in 0..100 {
            let state = self.futex.load(Ordering::Relaxed);
            if state != LOCKED {
                return state;
            }
            pause(1);
        }
        self.futex.load(Ordering::Relaxed)
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.held.as_ref().expect("held")
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.held.as_mut().expect("held")
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.held = None;
        if self.of.futex.swap(UNLOCKED, Ordering::Relaxed) == CONTENDED {
            futex_wake(address(&self.of.futex), 1);
        }
    }
}

impl<T: ?Sized> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

/// Whether the time was up before the bell rang.
#[derive(Clone, Copy, Debug)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

type Waited<'a, T> = (MutexGuard<'a, T>, WaitTimeoutResult);

/// As `std::sys::sync::condvar::futex`.
#[derive(Debug, Default)]
pub struct Condvar {
    futex: AtomicU32,
}

impl Condvar {
    #[must_use]
    pub const fn new() -> Self {
        Self {
            futex: AtomicU32::new(0),
        }
    }

    #[track_caller]
    pub fn notify_one(&self) {
        self.notify(1);
    }

    #[track_caller]
    pub fn notify_all(&self) {
        self.notify(usize::MAX);
    }

    #[track_caller]
    fn notify(&self, most: usize) {
        self.futex.fetch_add(1, Ordering::Relaxed);
        futex_wake(address(&self.futex), most);
    }

    #[track_caller]
    fn wait_for<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        time: Option<Duration>,
    ) -> Waited<'a, T> {
        let mutex = guard.of;
        let rung = self.futex.load(Ordering::Relaxed);
        drop(guard);
        let was_woken = wait(&self.futex, rung, time);
        let guard = mutex.lock().unwrap_or_else(PoisonError::into_inner);
        (guard, WaitTimeoutResult(!was_woken))
    }

    /// # Errors
    ///
    /// Never.
    #[track_caller]
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        Ok(self.wait_for(guard, None).0)
    }

    /// # Errors
    ///
    /// Never.
    #[track_caller]
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        time: Duration,
    ) -> LockResult<Waited<'a, T>> {
        Ok(self.wait_for(guard, Some(time)))
    }

    /// # Errors
    ///
    /// Never.
    #[track_caller]
    pub fn wait_timeout_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        time: Duration,
        mut goes_on: impl FnMut(&mut T) -> bool,
    ) -> LockResult<Waited<'a, T>> {
        let start = now();
        while goes_on(&mut guard) {
            let left = time.saturating_sub(now() - start);
            if left.is_zero() {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            guard = self.wait_for(guard, Some(left)).0;
        }
        Ok((guard, WaitTimeoutResult(false)))
    }
}
