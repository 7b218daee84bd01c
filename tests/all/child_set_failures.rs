//! `ChildSet` with panics, errors and cancellation.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{Ledger, number_of, on_every_pool, on_no_worker, raise};
use hatchery::{ChildSet, FailureKind, OnFailure, Options};

#[test]
fn e1_the_panic_of_a_child_is_raised_once_where_it_is_taken() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        let (values, panics) = options.nursery(|n| {
            let mut set = n.set();
            for i in 0..30 {
                set.spawn(move || if i % 3 == 0 { raise(i) } else { i });
            }
            let (mut values, mut panics) = (Vec::new(), Vec::new());
            while set.len() > 0 {
                let left = set.len();
                match catch_unwind(AssertUnwindSafe(|| set.next())) {
                    Ok(next) => values.push(next.unwrap().1),
                    Err(payload) => panics.push(number_of(|| std::panic::resume_unwind(payload))),
                }
                assert_eq!(set.len(), left - 1);
            }
            (values, panics)
        });
        // All are handled, so the nursery has come to a value.
        let sorted = |mut numbers: Vec<usize>| {
            numbers.sort_unstable();
            numbers
        };
        assert!(sorted(panics).into_iter().eq((0..30).step_by(3)));
        assert_eq!(sorted(values).len(), 20);
    });
}

#[test]
fn e1_a_panic_that_nobody_takes_is_raised_by_the_nursery() {
    on_every_pool(|pool| {
        let raised = number_of(|| {
            pool.nursery(|n| {
                let mut set = n.set();
                set.spawn(|| -> usize { raise(7) });
                drop(set);
            })
        });
        assert_eq!(raised, 7);
        // One that is taken and not caught goes through the body, and those skipped for it make no noise.
        let raised = number_of(|| {
            pool.nursery(|n| {
                let mut set = n.set();
                for i in 0..100_usize {
                    set.spawn(move || if i == 0 { raise(8) } else { i });
                }
                set.count()
            })
        });
        assert_eq!(raised, 8);
    });
}

#[test]
fn e8_destructors_may_panic_in_a_set() {
    on_every_pool(|pool| {
        let ledger = &Ledger::default();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            pool.nursery(|n| {
                let mut set = n.set();
                for i in 0..20 {
                    let capture = if i == 3 {
                        ledger.bomb()
                    } else {
                        ledger.entry()
                    };
                    let value = move || {
                        drop(capture);
                        if i == 5 {
                            ledger.bomb()
                        } else {
                            ledger.entry()
                        }
                    };
                    set.spawn(value);
                }
                drop(set);
            });
        }));
        assert!(caught.is_err());
        let made = ledger.made.load(Ordering::Relaxed);
        assert!((20..=40).contains(&made));
        ledger.is_balanced(made);
    });
}

#[test]
fn e1_failures_of_a_set_that_is_dropped_come_back_from_the_nursery() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        let result = options.try_nursery(|n| {
            let mut set = n.set();
            for i in 0..10_u64 {
                set.spawn(move || if i % 2 == 0 { Ok(()) } else { Err(i) });
            }
            let (_, first) = set.next().unwrap();
            drop(set);
            // Only what was taken is handled.
            Ok(first.is_err())
        });
        let failures = result.unwrap_err();
        assert!((4..=5).contains(&failures.len()));
        for failure in &failures {
            let index = failure.child().unwrap().index();
            assert!(matches!(failure.kind(), FailureKind::Error(i) if *i == index));
        }
    });
}

#[test]
fn x2_what_has_not_started_when_the_nursery_is_cancelled_does_not_start() {
    const SIZE: usize = 1000;
    on_every_pool(|pool| {
        let (ran, captures) = (AtomicUsize::new(0), &Ledger::default());
        let (values, skipped) = pool
            .try_nursery::<(), _, _>(|n| {
                let mut set = n.set();
                for i in 0..SIZE {
                    let (capture, ran) = (captures.entry::<8>(), &ran);
                    set.spawn(move || {
                        let _used = &capture;
                        ran.fetch_add(1, Ordering::Relaxed);
                        Ok(i)
                    });
                }
                let (number, value) = set.next().unwrap();
                assert_eq!(number, value.unwrap());
                n.cancel();
                set.spawn(|| unreachable!("spawned after the cancellation"));
                let (mut values, mut skipped) = (1, 0);
                for (number, result) in set {
                    match result {
                        Ok(value) => {
                            assert_eq!(number, value);
                            values += 1;
                        }
                        Err(failure) => {
                            assert!(matches!(failure.kind(), FailureKind::Cancelled(_)));
                            skipped += 1;
                        }
                    }
                }
                Ok((values, skipped))
            })
            .unwrap();
        assert_eq!(values, ran.into_inner());
        assert_eq!(values + skipped, SIZE + 1);
        captures.is_balanced(SIZE);
    });
}

#[test]
fn x2_dropping_a_set_in_a_cancelled_nursery_leaves_the_rest_unrun() {
    on_no_worker(|pool| {
        let ran = AtomicUsize::new(0);
        let found = pool.try_nursery::<(), _, _>(|n| {
            let mut set = n.set();
            for i in 0..100 {
                let ran = &ran;
                set.spawn(move || {
                    ran.fetch_add(1, Ordering::Relaxed);
                    Ok(i * i)
                });
            }
            let found = set.find(|(_, square)| matches!(square, Ok(49)));
            n.cancel();
            drop(set);
            Ok(found.map(|(number, _)| number))
        });
        assert_eq!(found.unwrap(), Some(7));
        assert_eq!(ran.into_inner(), 8);
    });
}

#[test]
fn where_a_child_of_a_set_was_spawned_is_known() {
    on_no_worker(|pool| {
        let failed = pool.try_nursery::<(), (), _>(|n| {
            let mut set: ChildSet<'_, _, Result<(), _>> = n.set();
            set.spawn(|| raise(1));
            set.next().unwrap().1
        });
        let text = format!("{:?}", failed.unwrap_err().cause().kind());
        assert!(text.contains("child_set_failures.rs"), "{text}");
    });
}
