//! Both closures of `join`, and all of `join_all`, run, whatever panics.

use std::any::Any;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use crate::common::{Gate, on_every_pool, on_pool, payload_of};
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
            // Of the many parts of the long ones some.
            $(for p in (0..1 << $len).step_by(1 + $len / 6 * 10) {
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
            for _ in 0..4 {
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
