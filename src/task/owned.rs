//! The items of a vector, moved out one at a time, in pieces that several threads may have.
#![allow(unsafe_code, reason = "items leave places that have no marks")]

use std::fmt;
use std::mem::{self, MaybeUninit};

use crate::task::slab::drop_all;

/// Consecutive items that are left of a vector. The vector keeps their memory.
///
/// INVARIANT: each place holds an item that nothing else refers to.
pub struct Owned<'a, T>(&'a mut [MaybeUninit<T>]);

impl<'a, T> Owned<'a, T> {
    /// Empties the vector, and returns what was in it.
    pub(crate) fn of(vec: &'a mut Vec<T>) -> Self {
        let len = vec.len();
        // SAFETY: none of the places counts any more; no item is needed in them.
        unsafe { vec.set_len(0) };
        Self(&mut vec.spare_capacity_mut()[..len])
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Divides the items in two; the first part has `at` of them.
    pub(crate) fn split_at(mut self, at: usize) -> (Self, Self) {
        let (first, second) = mem::take(&mut self.0).split_at_mut(at);
        (Self(first), Self(second))
    }
}

impl<T> Iterator for Owned<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        let (place, rest) = mem::take(&mut self.0).split_first_mut()?;
        self.0 = rest;
        // SAFETY: by the invariant there is an item, and the place is not among those left.
        Some(unsafe { place.assume_init_read() })
    }
}

impl<T> Drop for Owned<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if mem::needs_drop::<T>() && !self.0.is_empty() {
            drop_all(|| self.next());
        }
    }
}

impl<T> fmt::Debug for Owned<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Owned").field(&self.len()).finish()
    }
}
