//! Both closures of `join`, and all of `join_all`, run, whatever panics; unsafe code may rely on that.
#![allow(
    unsafe_code,
    clippy::multiple_unsafe_ops_per_block,
    reason = "a sort that moves values out of the slice that its halves sort"
)]

mod common;

use std::any::Any;
use std::cmp::Ordering::{self, Less};
use std::mem;
use std::panic::resume_unwind;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use common::{Gate, on_every_pool, on_no_worker, on_pool, payload_of};
use hatchery::{CancelToken, Options, Pool};

/// The closure of this number has panicked.
#[derive(Debug, PartialEq)]
struct Number(usize);

/// How often each of a few closures has run.
#[derive(Default)]
struct Runs([AtomicUsize; 8]);

impl Runs {
    /// Counts a run; it panics if `panics` has the number's bit.
    fn run(&self, number: usize, panics: usize) -> usize {
        self.0[number].fetch_add(1, Relaxed);
        if panics >> number & 1 == 1 {
            resume_unwind(Box::new(Number(number)));
        }
        number
    }

    /// Calls `join` and checks that all of so many closures have run, and that the first panic goes on.
    fn check(number: usize, panics: usize, join: impl FnOnce(&Self)) {
        let runs = Self::default();
        let raised = outcome(|| join(&runs));
        let expected = (0..number).find(|number| panics >> number & 1 == 1);
        assert_eq!(raised, expected.map(Number), "{panics:b} of {number}");
        for (at, times) in runs.0.iter().enumerate() {
            let expected = usize::from(at < number);
            assert_eq!(
                times.load(Relaxed),
                expected,
                "{at} of {number}, {panics:b}"
            );
        }
    }
}

/// Whose panic comes out of `f`, if any.
fn outcome(f: impl FnOnce()) -> Option<Number> {
    let number = |payload: Box<dyn Any + Send>| *payload.downcast().expect("one of ours");
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f))
        .err()
        .map(number)
}

/// Every tuple of closures, and every part of it that panics.
fn check_all(pool: &Pool) {
    for p in 0..4 {
        Runs::check(2, p, |r| _ = pool.join(|| r.run(0, p), || r.run(1, p)));
    }
    macro_rules! tuples {
        ($($len:literal: $($number:literal)+;)+) => {
            $(for p in 0..1 << $len {
                Runs::check($len, p, |r| _ = hatchery::join_all(($(|| r.run($number, p)),+)));
            })+
        };
    }
    tuples! {
        2: 0 1;
        3: 0 1 2;
        4: 0 1 2 3;
        5: 0 1 2 3 4;
        6: 0 1 2 3 4 5;
        7: 0 1 2 3 4 5 6;
        8: 0 1 2 3 4 5 6 7;
    }
}

#[test]
fn all_closures_run_whatever_panics_and_the_first_panic_goes_on() {
    on_every_pool(|pool| {
        check_all(pool);
        pool.nursery(|_| check_all(pool));
    });
}

#[test]
fn all_closures_run_in_a_nursery_that_is_cancelled() {
    on_every_pool(|pool| {
        let token = CancelToken::new();
        token.cancel();
        Options::new().pool(pool).cancel_on(&token).nursery(|n| {
            check_all(pool);
            n.spawn(|| check_all(pool)).join();
        });
        let ended = pool.try_nursery::<(), _, _>(|n| {
            let child = n.spawn(|| {
                n.cancel();
                assert!(hatchery::checkpoint().is_err());
                check_all(pool);
                Ok(())
            });
            child.join()
        });
        ended.expect("all has been computed");
        let payload = payload_of(|| {
            pool.nursery(|n| {
                let failed = n.spawn(|| resume_unwind(Box::new("the sibling's")));
                let joined = payload_of(|| -> () { failed.join() });
                assert!(n.is_cancelled());
                check_all(pool);
                resume_unwind(joined)
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&"the sibling's"));
    });
}

/// Far down in a recursion of forks the second closure is not offered any more, but called.
#[test]
fn all_closures_run_at_any_depth() {
    const DEPTH: usize = 50;
    /// Panics at the bottom and in one of the second closures.
    fn left(depth: usize, panics: usize, runs: &AtomicUsize) {
        if depth == 0 {
            resume_unwind(Box::new(Number(DEPTH)));
        }
        let side = || {
            runs.fetch_add(1, Relaxed);
            if depth == panics {
                resume_unwind(Box::new(Number(depth)));
            }
        };
        hatchery::join(|| left(depth - 1, panics, runs), side);
    }
    fn right(depth: usize, runs: &AtomicUsize) {
        runs.fetch_add(1, Relaxed);
        if depth > 0 {
            hatchery::join(
                || resume_unwind(Box::new(Number(depth))),
                || right(depth - 1, runs),
            );
        }
    }
    on_every_pool(|pool| {
        for panics in 1..=DEPTH {
            let runs = &AtomicUsize::new(0);
            let raised = outcome(|| pool.nursery(|_| left(DEPTH, panics, runs)));
            assert_eq!(raised, Some(Number(DEPTH)), "the innermost `a` goes first");
            assert_eq!(runs.load(Relaxed), DEPTH);
        }
        let runs = &AtomicUsize::new(0);
        let raised = outcome(|| pool.nursery(|_| right(DEPTH, runs)));
        assert_eq!(raised, Some(Number(DEPTH)));
        assert_eq!(runs.load(Relaxed), DEPTH + 1);
    });
}

/// Forks that are asked for: shown, and taken or taken back.
#[test]
fn all_closures_run_wherever_that_is() {
    fn tree(depth: usize, runs: &AtomicUsize) {
        runs.fetch_add(1, Relaxed);
        if depth == 0 {
            // Others come and ask.
            thread::yield_now();
            resume_unwind(Box::new(Number(0)));
        }
        hatchery::join(|| tree(depth - 1, runs), || tree(depth - 1, runs));
    }
    for threads in [2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            for _ in 0..20 {
                let runs = &AtomicUsize::new(0);
                assert_eq!(outcome(|| pool.nursery(|_| tree(7, runs))), Some(Number(0)));
                assert_eq!(runs.load(Relaxed), (1 << 8) - 1);
            }
            // Surely taken before `a` panics.
            let is_taken = &Gate::default();
            let raised = outcome(|| {
                pool.nursery(|_| {
                    let a = || {
                        while !is_taken.is_open() {
                            hatchery::nursery(|n| _ = n.spawn(thread::yield_now));
                        }
                        resume_unwind(Box::new(Number(0)))
                    };
                    let b = || {
                        is_taken.open();
                        resume_unwind(Box::new(Number(1)))
                    };
                    let _: ((), ()) = hatchery::join(a, b);
                });
            });
            assert_eq!(raised, Some(Number(0)));
        });
    }
}

/// A fork is no nursery: it cancels nothing.
#[test]
fn a_panic_of_one_closure_does_not_tell_the_other_to_stop() {
    let is_told = || hatchery::checkpoint().is_err();
    on_every_pool(|pool| {
        for depth in [0, 20] {
            fn below(depth: usize, f: &(dyn Fn() + Sync)) {
                match depth {
                    0 => f(),
                    _ => _ = hatchery::join(|| (), || below(depth - 1, f)),
                }
            }
            let told = &AtomicBool::new(false);
            let raised = outcome(|| {
                pool.nursery(|n| {
                    let a = || resume_unwind(Box::new(Number(0)));
                    let b = || told.fetch_or(is_told() || n.is_cancelled(), Relaxed);
                    below(depth, &|| {
                        let _: ((), bool) = hatchery::join(a, b);
                    });
                });
            });
            assert_eq!(raised, Some(Number(0)));
            assert!(!told.load(Relaxed));
        }
    });
    // Nor the first one, where the second has panicked on another thread.
    on_pool(Pool::builder().threads(2), |pool| {
        let (is_over, told) = (&Gate::default(), &AtomicBool::new(false));
        struct Open<'a>(&'a Gate);
        impl Drop for Open<'_> {
            fn drop(&mut self) {
                self.0.open();
            }
        }
        let raised = outcome(|| {
            pool.nursery(|_| {
                let a = || {
                    while !is_over.is_open() {
                        hatchery::nursery(|n| _ = n.spawn(thread::yield_now));
                    }
                    for _ in 0..100 {
                        told.fetch_or(is_told(), Relaxed);
                        thread::yield_now();
                    }
                };
                let b = || {
                    let _open = Open(is_over);
                    resume_unwind(Box::new(Number(1)))
                };
                let _: ((), ()) = hatchery::join(a, b);
            });
        });
        assert_eq!(raised, Some(Number(1)));
        assert!(!told.load(Relaxed));
    });
}

/// What is not raised is dropped, and what that panics with.
#[test]
fn what_loses_is_dropped() {
    struct Counted<'a>(&'a AtomicUsize);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
            resume_unwind(Box::new(Number(9)));
        }
    }
    on_every_pool(|pool| {
        static DROPPED: AtomicUsize = AtomicUsize::new(0);
        DROPPED.store(0, Relaxed);
        let captured = Counted(&DROPPED);
        let raised = outcome(|| {
            let a = || resume_unwind(Box::new(Number(0)));
            let b = || {
                let _moved = captured;
                1
            };
            let _: ((), u32) = pool.join(a, b);
        });
        assert_eq!(raised, Some(Number(0)));
        // The value of `b`, and its payload.
        let a = || resume_unwind(Box::new(Number(0)));
        let raised = outcome(|| {
            let _: ((), Counted<'_>) = pool.join(a, || Counted(&DROPPED));
        });
        assert_eq!(raised, Some(Number(0)));
        let raised = outcome(|| {
            let b = || resume_unwind(Box::new(Counted(&DROPPED)));
            let _: ((), ()) = pool.join(a, b);
        });
        assert_eq!(raised, Some(Number(0)));
        // The value of `a`.
        let raised = outcome(|| {
            let b = || resume_unwind(Box::new(Number(1)));
            let _: (Counted<'_>, ()) = pool.join(|| Counted(&DROPPED), b);
        });
        assert_eq!(raised, Some(Number(1)));
        assert_eq!(DROPPED.load(Relaxed), 4);
    });
}

/// A run of values that have been moved out of the slice that `target` points into: when it is dropped,
/// they go back there.
struct Hole<T> {
    from: *const T,
    to: *const T,
    target: *mut T,
}

// SAFETY: the only one that uses these places.
unsafe impl<T: Send> Send for Hole<T> {}

impl<T> Drop for Hole<T> {
    fn drop(&mut self) {
        // SAFETY: the run lies in the buffer, and has its room in the slice.
        unsafe {
            let len = self.to.offset_from_unsigned(self.from);
            ptr::copy_nonoverlapping(self.from, self.target, len);
        }
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
    let merged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
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
    right.target = unsafe { left.target.add(left.to.offset_from_unsigned(left.from)) };
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
                resume_unwind(Box::new(Number(panics_at)));
            }
            a.0.cmp(&b.0)
        };
        let mut buffer = Vec::with_capacity(values.len());
        let buffer = buffer.as_mut_ptr();
        let raised = outcome(|| pool.nursery(|_| sort(&mut values, buffer, &compare)));
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
