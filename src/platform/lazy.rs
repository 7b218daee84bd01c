//! A value on the heap that is made when it is first needed.
//!
//! [`std::sync::OnceLock`] does the same. But this is one word, and code that never needs the value
//! pays one store and one comparison.
#![allow(unsafe_code, reason = "owns what its pointer points to")]

use std::ptr;

use crate::platform::sync::atomic::{AtomicPtr, Ordering};

/// A box that is filled when it is first needed.
///
/// INVARIANT: the pointer is null, or from `Box::into_raw`, and then it does not change before the
/// drop.
pub(crate) struct Lazy<T>(AtomicPtr<T>);

// SAFETY: the value is shared, and dropped by the owner of the box.
unsafe impl<T: Send + Sync> Sync for Lazy<T> {}

impl<T> Lazy<T> {
    #[cfg(not(hatchery_loom))]
    #[inline]
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[cfg(hatchery_loom)]
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Returns the value; makes a default value if there is none.
    pub(crate) fn get(&self) -> &T
    where
        T: Default,
    {
        self.get_or(T::default)
    }

    /// Returns the value; `make` makes it if there is none. If two threads make one at once, one of
    /// the two values is dropped: nobody waits here, not even for a thread that is gone.
    #[inline]
    pub(crate) fn get_or(&self, make: impl FnOnce() -> T) -> &T {
        // ORDERING: Acquire; partner: the exchange in `fill`. The value was written before.
        // Model: `models::lazy_*`.
        let value = self.0.load(Ordering::Acquire);
        if value.is_null() {
            return self.fill(make);
        }
        // SAFETY: by the invariant; it lives as long as `self`.
        unsafe { &*value }
    }

    /// Returns the value; makes it if there is none yet. Out of line, so that no caller's frame holds room for
    /// a value.
    #[cold]
    #[inline(never)]
    fn fill(&self, make: impl FnOnce() -> T) -> &T {
        let new = Box::into_raw(Box::new(make()));
        // ORDERING: Release publishes the new value; Acquire as above.
        let set =
            self.0
                .compare_exchange(ptr::null_mut(), new, Ordering::Release, Ordering::Acquire);
        let value = match set {
            Ok(_) => new,
            Err(first) => {
                // SAFETY: made above, and nobody else knows it.
                drop(unsafe { Box::from_raw(new) });
                first
            }
        };
        // SAFETY: by the invariant; it lives as long as `self`.
        unsafe { &*value }
    }

    /// The value, if there is one.
    pub(crate) fn peek(&self) -> Option<&T> {
        // ORDERING: Acquire, as above. No model can tell: in models, the thread that looks has joined all that fill.
        let value = self.0.load(Ordering::Acquire);
        // SAFETY: by the invariant; it lives as long as `self`.
        unsafe { value.as_ref() }
    }

    #[cold]
    #[inline(never)]
    fn free(value: *mut T) {
        // SAFETY: by the invariant, and `drop` is the last to see it.
        drop(unsafe { Box::from_raw(value) });
    }
}

impl<T> Default for Lazy<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for Lazy<T> {
    #[inline]
    fn drop(&mut self) {
        // ORDERING: Relaxed: the thread that drops it has synchronised with all that have used it.
        let value = self.0.load(Ordering::Relaxed);
        if !value.is_null() {
            Self::free(value);
        }
    }
}
