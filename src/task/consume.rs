//! The loop over the items of a batch.
#![allow(
    unsafe_code,
    reason = "items leave their places, and values enter them"
)]

use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// Places of items that become places of values.
///
/// At first there is an item in each of them.
pub(super) trait Places<I, T> {
    fn len(&self) -> usize;

    /// # Safety
    ///
    /// The place is one of `len`, and its item has not been taken.
    unsafe fn take(&mut self, at: usize) -> I;

    /// # Safety
    ///
    /// The place is one of `len`, its item has been taken, and there is no value.
    unsafe fn put(&mut self, at: usize, value: T);
}

/// An item and its value in the same place.
impl<I, T> Places<I, T> for [MaybeUninit<T>] {
    #[inline]
    fn len(&self) -> usize {
        self.len()
    }

    #[inline]
    unsafe fn take(&mut self, at: usize) -> I {
        // SAFETY: the caller promises that the item is there.
        unsafe { self[at].as_ptr().cast::<I>().read() }
    }

    #[inline]
    unsafe fn put(&mut self, at: usize, value: T) {
        self[at].write(value);
    }
}

/// Items, values in other places, and how many there are.
pub(super) struct Apart<I, T>(
    pub(super) NonNull<I>,
    pub(super) NonNull<T>,
    pub(super) usize,
);

impl<I, T> Places<I, T> for Apart<I, T> {
    #[inline]
    fn len(&self) -> usize {
        self.2
    }

    #[inline]
    unsafe fn take(&mut self, at: usize) -> I {
        // SAFETY: inside the room.
        let place = unsafe { self.0.add(at) };
        // SAFETY: the caller promises that the item is there.
        unsafe { place.read() }
    }

    #[inline]
    unsafe fn put(&mut self, at: usize, value: T) {
        // SAFETY: inside the room.
        let place = unsafe { self.1.add(at) };
        // SAFETY: nothing is there.
        unsafe { place.write(value) };
    }
}

/// How far a loop over places has come: in a register while what the loop calls cannot unwind.
pub(super) struct Step<K: FnMut(u32)> {
    pub(super) at: usize,
    pub(super) keep: K,
}

impl<K: FnMut(u32)> Drop for Step<K> {
    #[inline]
    fn drop(&mut self) {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "places are numbered by `u32`"
        )]
        (self.keep)(self.at as u32);
    }
}

/// The loop over the items.
///
/// Out of line: only if the places are a parameter does the compiler know that the function does
/// not look at them. Then what the function has captured stays in registers.
#[inline(never)]
pub(super) fn consume<I, T, P: Places<I, T> + ?Sized>(
    places: &mut P,
    f: &impl Fn(I) -> T,
    goes_on: &impl Fn() -> bool,
    consumed: &mut u32,
) {
    let keep = |at| *consumed = at;
    let mut step = Step { at: 0, keep };
    while step.at < places.len() {
        // SAFETY: each item is taken once.
        let item = unsafe { places.take(step.at) };
        step.at += 1;
        let value = f(item);
        // SAFETY: the item is out.
        unsafe { places.put(step.at - 1, value) };
        if !goes_on() {
            break;
        }
    }
}
