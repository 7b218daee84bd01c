//! A sort in the style of rayon's, which is sound only if both closures of a `join` run to their ends.
#![allow(
    unsafe_code,
    clippy::multiple_unsafe_ops_per_block,
    reason = "it moves values out of the slice that its halves sort"
)]

use std::cmp::Ordering::{self, Less};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::common::{on_no_worker, on_pool};
use hatchery::Pool;

/// A run of values that have been moved out of the slice that `target` points into: when it is dropped,
/// they go back there.
struct Hole<T> {
    from: *const T,
    to: *const T,
    target: *mut T,
}

// SAFETY: the only one that uses these places.
unsafe impl<T: Send> Send for Hole<T> {}

impl<T> Hole<T> {
    fn len(&self) -> usize {
        // SAFETY: both ends of one run in the buffer.
        let len = unsafe { self.to.offset_from(self.from) };
        usize::try_from(len).expect("it does not end before it begins")
    }
}

impl<T> Drop for Hole<T> {
    fn drop(&mut self) {
        // SAFETY: the run lies in the buffer, and has its room in the slice.
        unsafe { ptr::copy_nonoverlapping(self.from, self.target, self.len()) };
    }
}

/// Sorts `values` with the help of `buffer`, which has as much room, as rayon's `par_sort` does: the
/// halves are sorted into the buffer, where `values` lack them until they have been merged back.
///
/// What makes it sound is that both closures of a `join` run to their ends, in whatever way.
fn sort<T: Send>(values: &mut [T], buffer: *mut T, compare: &(impl Fn(&T, &T) -> Ordering + Sync)) {
    let (values, len) = (values.as_mut_ptr(), values.len());
    // SAFETY: the places are this function's, and each value is in the slice when it ends.
    unsafe { sort_raw(values, buffer, len, false, compare) };
}

/// # Safety
///
/// `values` are so many, and `buffer` has room for as many. When it returns, or unwinds, all values lie
/// in the buffer if `into_buffer`, and in their slice otherwise.
unsafe fn sort_raw<T: Send>(
    values: *mut T,
    buffer: *mut T,
    len: usize,
    into_buffer: bool,
    compare: &(impl Fn(&T, &T) -> Ordering + Sync),
) {
    struct Part<T>(*mut T, *mut T, usize);
    // SAFETY: one of two that do not overlap.
    unsafe impl<T: Send> Send for Part<T> {}

    if len <= 1 {
        if into_buffer {
            // SAFETY: by contract.
            unsafe { ptr::copy_nonoverlapping(values, buffer, len) };
        }
        return;
    }
    let half = len / 2;
    // SAFETY: inside of both.
    let (left, right) = unsafe {
        let right = Part(values.add(half), buffer.add(half), len - half);
        (Part(values, buffer, half), right)
    };
    // From here on the values lie in `from`, wherever the halves have been.
    let (from, to) = match into_buffer {
        true => (values, buffer),
        false => (buffer, values),
    };
    // SAFETY: the whole of `from`, by the contract of both calls below.
    let end = unsafe { from.add(len) };
    let whole = Hole {
        from,
        to: end,
        target: to,
    };
    let sort_part = |part: Part<T>| {
        let Part(values, buffer, len) = part;
        // SAFETY: by contract, for this part.
        unsafe { sort_raw(values, buffer, len, !into_buffer, compare) };
    };
    hatchery::join(|| sort_part(left), || sort_part(right));
    // Now they are merged, and each half fills what is left of the target if that unwinds.
    mem::forget(whole);
    // SAFETY: the halves of `from`.
    let middle = unsafe { from.add(half) };
    let mut left = Hole {
        from,
        to: middle,
        target: to,
    };
    let mut right = Hole {
        from: middle,
        to: end,
        target: to,
    };
    // `right` is dropped first; then its values must stand behind those of `left`.
    let merged = catch_unwind(AssertUnwindSafe(|| {
        while left.from != left.to && right.from != right.to {
            // SAFETY: neither is empty, and the target has room for what both have left.
            unsafe {
                let is_right = compare(&*right.from, &*left.from) == Less;
                let next = if is_right {
                    &mut right.from
                } else {
                    &mut left.from
                };
                ptr::copy_nonoverlapping(*next, left.target, 1);
                *next = next.add(1);
                left.target = left.target.add(1);
            }
        }
    }));
    // SAFETY: behind what `left` has left.
    right.target = unsafe { left.target.add(left.len()) };
    drop((left, right));
    merged.unwrap_or_else(|payload| resume_unwind(payload));
}

#[test]
fn a_sort_whose_comparison_panics_loses_and_doubles_nothing() {
    /// Owns memory, so that whatever is dropped twice is noticed.
    struct Value<'a>(Box<u32>, &'a AtomicUsize);
    impl Drop for Value<'_> {
        fn drop(&mut self) {
            self.1.fetch_add(1, Relaxed);
        }
    }
    const LEN: u32 = 200;
    let sort_once = |pool: &Pool, panics_at: usize| {
        let dropped = AtomicUsize::new(0);
        let shuffled =
            (0..LEN).map(|i| Value(Box::new(i.wrapping_mul(0x9e37_79b9) >> 8), &dropped));
        let mut values: Vec<_> = shuffled.collect();
        let mut expected: Vec<u32> = values.iter().map(|value| *value.0).collect();
        expected.sort_unstable();
        let compared = AtomicUsize::new(0);
        let compare = |a: &Value<'_>, b: &Value<'_>| {
            if compared.fetch_add(1, Relaxed) == panics_at {
                resume_unwind(Box::new(panics_at));
            }
            a.0.cmp(&b.0)
        };
        let mut buffer = Vec::with_capacity(values.len());
        let buffer = buffer.as_mut_ptr();
        let sorted = || pool.nursery(|_| sort(&mut values, buffer, &compare));
        let raised = catch_unwind(AssertUnwindSafe(sorted)).err();
        let mut found: Vec<u32> = values.iter().map(|value| *value.0).collect();
        if raised.is_some() {
            found.sort_unstable();
        }
        assert_eq!(found, expected, "every value is there, once");
        drop(values);
        assert_eq!(dropped.load(Relaxed), LEN as usize);
        raised.is_some()
    };
    on_no_worker(|pool| {
        let mut panics_at = 0;
        // Every 37th comparison, until it is one that is not made.
        while sort_once(pool, panics_at) {
            panics_at += 37;
        }
        assert!(panics_at > LEN as usize);
    });
    for threads in [2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            for panics_at in (0..1300).step_by(61) {
                sort_once(pool, panics_at);
            }
        });
    }
}
