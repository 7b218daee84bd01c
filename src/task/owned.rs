//! The memory of a vector, in pieces that several threads may have: places of items, all of them
//! full or all of them vacant.
//!
//! ```text
//!   Vec ── of ──> Owned ── next ──> items          Vacant ── fill ──> Owned ──> Vec
//! ```
//!
//! INVARIANT: no two [`Places`] overlap, and the memory is borrowed for their lifetime.
#![allow(unsafe_code, reason = "nothing marks which places hold an item")]

use std::fmt;
use std::iter;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};
use std::ptr::NonNull;
use std::slice;

use crate::task::slab::drop_all;

/// Consecutive places in the memory of a vector.
struct Places<'a, T> {
    /// The first place of the whole memory; it identifies the memory.
    base: NonNull<T>,
    at: usize,
    len: usize,
    memory: PhantomData<&'a mut [MaybeUninit<T>]>,
}

// SAFETY: by the invariant nobody else has these places; items are moved in and out, and may be sent.
unsafe impl<T: Send> Send for Places<'_, T> {}

impl<'a, T> Places<'a, T> {
    fn of(memory: &'a mut [MaybeUninit<T>]) -> Self {
        Self {
            base: NonNull::from(&mut *memory).cast(),
            at: 0,
            len: memory.len(),
            memory: PhantomData,
        }
    }

    /// Takes the first places out of these.
    #[inline]
    fn split_off(&mut self, len: usize) -> Self {
        assert!(len <= self.len, "divided within bounds");
        let first = Self { len, ..*self };
        self.at += len;
        self.len -= len;
        first
    }

    /// The address of the first place.
    #[inline]
    fn start(&self) -> NonNull<T> {
        // SAFETY: a place in the memory, or its end.
        unsafe { self.base.add(self.at) }
    }
}

/// Consecutive items, still in the memory of a vector.
///
/// INVARIANT: there is an item in each place.
pub struct Owned<'a, T>(Places<'a, T>);

impl<'a, T> Owned<'a, T> {
    /// Takes all items out of the vector.
    pub(crate) fn of(vec: &'a mut Vec<T>) -> Self {
        let len = vec.len();
        // SAFETY: zero is at most the capacity, and no item needs to be there.
        unsafe { vec.set_len(0) };
        Self(Places::of(&mut vec.spare_capacity_mut()[..len]))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len
    }

    /// Divides the items in two; the first part has `at` of them.
    #[inline]
    pub(crate) fn split_at(mut self, at: usize) -> (Self, Self) {
        (Self(self.0.split_off(at)), self)
    }

    /// Joins two parts into one, of which the second comes just behind the first.
    pub(crate) fn then(mut self, mut right: Self) -> Self {
        // Two memories that are both borrowed begin at two addresses, unless items have no size; then
        // any address will do.
        assert_eq!(self.0.base, right.0.base, "of the same memory");
        assert_eq!(self.0.at + self.0.len, right.0.at, "neighbours");
        self.0.len += mem::take(&mut right.0.len);
        self
    }
}

impl<T> Iterator for Owned<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        if self.0.len == 0 {
            return None;
        }
        let place = self.0.split_off(1).start();
        // SAFETY: by the invariant there is an item, and its place is not among those left.
        Some(unsafe { place.read() })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len, Some(self.0.len))
    }
}

impl<T> Drop for Owned<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if mem::needs_drop::<T>() && self.0.len > 0 {
            drop_all(|| self.next());
        }
    }
}

impl<T> fmt::Debug for Owned<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Owned").field(&self.len()).finish()
    }
}

/// Consecutive places for items.
pub(crate) struct Vacant<'a, T>(Places<'a, T>);

impl<'a, T> Vacant<'a, T> {
    pub(crate) fn len(&self) -> usize {
        self.0.len
    }

    /// Divides the places in two; the first part has `at` of them.
    #[inline]
    pub(crate) fn split_at(mut self, at: usize) -> (Self, Self) {
        (Self(self.0.split_off(at)), self)
    }

    /// Puts an item into each place. If there are fewer items than places, it takes the first.
    #[inline]
    pub(crate) fn fill(self, items: impl Iterator<Item = T>) -> Owned<'a, T> {
        let (start, len) = (self.0.start().cast().as_ptr(), self.0.len);
        let mut filled = Owned(Places { len: 0, ..self.0 });
        // SAFETY: by the invariant nobody else looks at these places; `filled` looks at them if
        // the iterator unwinds, and then this is gone.
        let places = unsafe { slice::from_raw_parts_mut::<MaybeUninit<T>>(start, len) };
        iter::zip(places, items).for_each(|(place, item)| {
            place.write(item);
            filled.0.len += 1;
        });
        filled
    }
}

/// Makes a vector of `len` items, which `fill` puts into its places.
///
/// # Panics
///
/// If `fill` does not fill all of them.
pub(crate) fn filled<T>(
    len: usize,
    fill: impl for<'a> FnOnce(Vacant<'a, T>) -> Option<Owned<'a, T>>,
) -> Vec<T> {
    let mut vec = Vec::with_capacity(len);
    let places = Places::of(&mut vec.spare_capacity_mut()[..len]);
    let base = places.base;
    let is_full = fill(Vacant(places)).map_or(len == 0, |items| {
        let places = &items.0;
        let is_full = places.base == base && places.at == 0 && places.len == len;
        if is_full {
            mem::forget(items);
        }
        is_full
    });
    assert!(is_full, "all places were filled");
    // SAFETY: there is an item in each of the places, and nobody else has them any more.
    unsafe { vec.set_len(len) };
    vec
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    #[test]
    fn items_leave_and_enter_the_memory_of_a_vector_once() {
        let one = Rc::new(());
        let mut vec = vec![Rc::clone(&one); 10];
        let (first, mut second) = Owned::of(&mut vec).split_at(4);
        drop(second.next());
        assert_eq!(Rc::strong_count(&one), 10);
        drop(first);
        assert_eq!((second.len(), Rc::strong_count(&one)), (5, 6));
        drop(second);
        assert_eq!((vec.len(), Rc::strong_count(&one)), (0, 1));

        let vec = filled(6, |places| {
            let (first, second) = places.split_at(2);
            let second = second.fill(iter::repeat_with(|| Rc::clone(&one)));
            Some(
                first
                    .fill(iter::repeat_with(|| Rc::clone(&one)))
                    .then(second),
            )
        });
        assert_eq!((vec.len(), Rc::strong_count(&one)), (6, 7));
        drop(vec);
        assert_eq!(Rc::strong_count(&one), 1);
    }

    #[test]
    fn what_was_filled_is_dropped_if_not_all_is() {
        let one = Rc::new(());
        let ones = |most: usize| {
            let ones = iter::repeat_n(Rc::clone(&one), most);
            ones.chain(iter::once_with(move || panic!("at {most}")))
        };
        for len in [3, 4] {
            let made = catch_unwind(AssertUnwindSafe(|| {
                filled(4, |places| Some(places.split_at(len).0.fill(ones(3))))
            }));
            assert!(made.is_err());
        }
        let made = catch_unwind(AssertUnwindSafe(|| {
            filled(2, |places| {
                let (first, second) = places.split_at(1);
                let (first, second) = (first.fill(ones(1)), second.fill(ones(1)));
                Some(second.then(first))
            })
        }));
        assert!(made.is_err());
        assert_eq!(Rc::strong_count(&one), 1);
    }
}
