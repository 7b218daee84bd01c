//! `spawn_buffered` when items, values, the function or the iterator panic or fail, or the nursery is cancelled.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{Ledger, on_every_pool, outcome};
use hatchery::{FailureKind, OnFailure, Options};

#[test]
fn e1_a_panicked_child_raises_at_its_own_place() {
    on_every_pool(|pool| {
        let whole = outcome(|| {
            pool.nursery(|n| {
                let mut values = n.spawn_buffered(4, 0..100, |i| {
                    assert!(i != 50, "item 50");
                    i
                });
                for i in 0..100 {
                    match outcome(|| values.next()) {
                        Ok(value) => assert!(i != 50 && value == Some(i)),
                        Err(text) if i == 50 => assert_eq!(text, "item 50"),
                        // Skipped because of it.
                        Err(text) => assert!(text.is_empty() && i > 50 - 4, "{i}: {text}"),
                    }
                }
                assert_eq!(values.next(), None);
            });
        });
        // It was joined, and so handled; those skipped for it were, too.
        assert_eq!(whole, Ok(()));
    });
}

#[test]
fn e1_the_first_panic_that_nobody_took_is_raised() {
    on_every_pool(|pool| {
        let text = outcome(|| {
            pool.nursery(|n| {
                let mut values = n.spawn_buffered(8, 0.., |i| assert!(i == 0, "item {i}"));
                assert_eq!(values.next(), Some(()));
            });
        });
        let text = text.unwrap_err();
        // Which of the seven ran depends on the threads; the first of those is raised.
        assert!(text.starts_with("item "), "{text}");
    });
}

#[test]
fn e6_a_panic_that_is_not_handled_ends_an_endless_iteration() {
    on_every_pool(|pool| {
        let pulled = Cell::new(0);
        let text = outcome(|| {
            pool.nursery(|n| {
                let items = (0..).inspect(|_| pulled.set(pulled.get() + 1));
                n.spawn_buffered(4, items, |i| assert!(i != 50, "item 50"))
                    .for_each(drop);
            });
        });
        assert_eq!(text, Err("item 50".into()));
        assert!(pulled.get() <= 50 + 4, "{pulled:?}");
    });
}

#[test]
fn a_panicking_iterator_is_not_asked_again_and_loses_no_item() {
    on_every_pool(|pool| {
        for most in [1, 2, 10, 100] {
            let (asked, items) = (Cell::new(0), Ledger::default());
            let whole = outcome(|| {
                pool.nursery(|n| {
                    let each = (0..).map(|i| {
                        asked.set(asked.get() + 1);
                        assert!(i < 42, "no more");
                        (i, items.entry::<8>())
                    });
                    let mut values = n.spawn_buffered(most, each, |(i, _item)| i);
                    let mut good = Vec::new();
                    let text = loop {
                        match outcome(|| values.next()) {
                            Ok(value) => good.extend(value),
                            Err(text) => break text,
                        }
                    };
                    assert_eq!(text, "no more");
                    let left = 42 - good.len();
                    assert_eq!(values.size_hint(), (left, Some(left)));
                    good.extend(values);
                    assert!(good.into_iter().eq(0..42));
                });
            });
            assert_eq!(whole, Ok(()));
            assert_eq!(asked.get(), 43);
            items.is_balanced(42);
        }
    });
}

#[test]
fn a_total_nursery_that_is_cancelled_goes_on() {
    on_every_pool(|pool| {
        let sum = pool.nursery(|n| {
            let values = n.spawn_buffered(4, 0..100, |i| {
                if i == 10 {
                    n.cancel();
                }
                i
            });
            values.sum::<i32>()
        });
        assert_eq!(sum, 4950);
    });
}

#[test]
fn x2_a_cancelled_nursery_takes_no_more_items() {
    on_every_pool(|pool| {
        for most in [1, 2, 7] {
            let (pulled, ran) = (Cell::new(0), AtomicUsize::new(0));
            let ended = pool.try_nursery::<(), _, _>(|n| {
                let items = (0_usize..).inspect(|_| pulled.set(pulled.get() + 1));
                let mut values = n.spawn_buffered(most, items, |i| {
                    ran.fetch_add(1, Ordering::Relaxed);
                    Ok(i)
                });
                for i in 0..20 {
                    assert_eq!(values.next().unwrap().unwrap(), i);
                }
                n.cancel();
                // Those outstanding have run or are skipped; one more stands for all other items.
                let mut rest = Vec::new();
                while let Some(value) = values.next() {
                    let left = most - 1 - rest.len();
                    assert_eq!(values.size_hint(), (left, Some(left)));
                    rest.push(value);
                }
                assert_eq!(rest.len(), most);
                for (i, result) in rest.into_iter().enumerate() {
                    match result {
                        Ok(value) => assert!(value == 20 + i && i < most - 1),
                        Err(failure) => {
                            assert!(matches!(failure.kind(), FailureKind::Cancelled(_)));
                            assert_eq!(failure.child().unwrap().index(), 20 + i as u64);
                        }
                    }
                }
                Ok(values.next().is_none())
            });
            assert!(ended.unwrap());
            assert_eq!(pulled.get(), 20 + most - 1);
            assert!(ran.into_inner() <= pulled.get());
        }
    });
}

#[test]
fn nothing_stands_for_items_that_there_are_not() {
    on_every_pool(|pool| {
        let counts = pool.try_nursery::<(), _, _>(|n| {
            let mut before = n.spawn_buffered(2, 0..2, Ok);
            assert_eq!(before.next().unwrap().unwrap(), 0);
            n.cancel();
            // A range says that it is at its end; this iterator does not.
            let unknown = (0..2).filter(|i| *i > 1);
            Ok([
                before.count(),
                n.spawn_buffered(2, 0..0, Ok).count(),
                n.spawn_buffered(2, 0..9, Ok).count(),
                n.spawn_buffered(2, unknown, Ok).count(),
            ])
        });
        assert_eq!(counts.unwrap(), [1, 0, 1, 1]);
    });
}

#[test]
fn an_iteration_dropped_early_leaves_nothing_that_says_cancelled() {
    on_every_pool(|pool| {
        let result = pool.try_nursery::<&str, _, _>(|n| {
            let mut values = n.spawn_buffered(1, 0.., Ok);
            assert_eq!(values.next().unwrap().unwrap(), 0);
            let failing = n.spawn(|| Err::<(), _>("disk full"));
            assert!(failing.join().is_err());
            drop(values);
            Ok(n.stats().skipped)
        });
        assert_eq!(result.unwrap(), 0);
    });
}

#[test]
fn e1_the_first_failure_ends_the_collection_and_comes_back() {
    on_every_pool(|pool| {
        let pulled = Cell::new(0);
        let result = pool.try_nursery(|n| {
            let items = (0..).inspect(|_| pulled.set(pulled.get() + 1));
            let fails = |i| if i == 50 { Err("fifty") } else { Ok(i) };
            n.spawn_buffered(4, items, fails)
                .collect::<Result<Vec<_>, _>>()
        });
        let failures = result.unwrap_err();
        assert_eq!(failures.cause().kind().to_string(), "fifty");
        assert_eq!(failures.cause().child().unwrap().index(), 50);
        assert_eq!(failures.len(), 1);
        assert!(pulled.get() <= 50 + 4, "{pulled:?}");
    });
}

#[test]
fn an_iteration_goes_on_after_failures_if_its_nursery_does() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        let failed = options.try_nursery::<_, usize, _>(|n| {
            let results = n.spawn_buffered(4, 0..100, |i| match i % 10 {
                3 => Err(i),
                7 => panic!("item {i}"),
                _ => Ok(i),
            });
            let line = line!() - 5;
            let mut failed = 0;
            for (i, result) in results.enumerate() {
                match (i % 10, result.map_err(|failure| failure.into_kind())) {
                    (3, Err(FailureKind::Error(error))) => failed += usize::from(error == i),
                    (7, Err(FailureKind::Panic(panic))) => {
                        assert_eq!(panic.spawned_at().unwrap().line(), line);
                        failed += 1;
                    }
                    (_, result) => assert_eq!(result.unwrap(), i),
                }
            }
            Ok(failed)
        });
        assert_eq!(failed.unwrap(), 20);
    });
}

#[test]
fn e8_items_iterator_and_function_that_all_panic_on_drop_never_abort() {
    on_every_pool(|pool| {
        for (most, taken) in [(1, 0), (1, 1), (4, 1), (4, 3)] {
            let drops = &Ledger::default();
            let text = outcome(|| {
                pool.nursery(|n| {
                    let (in_iterator, function) = (drops.bomb(), drops.bomb());
                    let items = (0..).map(move |_| {
                        let _used = &in_iterator;
                        drops.bomb()
                    });
                    let mut values = n.spawn_buffered(most, items, move |item| {
                        let _used = &function;
                        std::mem::forget(item);
                        drops.dropped.fetch_add(1, Ordering::Relaxed);
                    });
                    for _ in 0..taken {
                        assert_eq!(values.next(), Some(()));
                    }
                    panic!("body");
                });
            });
            assert_eq!(text, Err("body".into()));
            let spawned = if taken == 0 { 0 } else { taken + most - 1 };
            drops.is_balanced(2 + spawned);
        }
    });
}

#[test]
fn e8_a_function_and_an_iterator_that_panic_on_drop_are_reported_once() {
    on_every_pool(|pool| {
        for size in [0, 1, 20] {
            let drops = &Ledger::default();
            let text = outcome(|| {
                pool.nursery(|n| {
                    let (iterator, function) = (drops.bomb(), drops.bomb());
                    let items = (0..size).inspect(move |_| _ = &iterator);
                    n.spawn_buffered(4, items, move |_| _ = &function)
                        .for_each(drop);
                });
            });
            assert_eq!(text, Err("bomb".into()));
            drops.is_balanced(2);
        }
    });
}

/// The child is the last to use the function, as the iteration is over when it starts.
#[test]
fn e8_a_child_that_panics_beside_a_function_that_panics_on_drop_never_aborts() {
    on_every_pool(|pool| {
        let drops = &Ledger::default();
        let text = outcome(|| {
            pool.nursery(|n| {
                let function = drops.bomb();
                let mut values = n.spawn_buffered(2, 0..2, move |i| {
                    let _used = &function;
                    assert!(i == 0, "item {i}");
                });
                assert_eq!(values.next(), Some(()));
                drop(values);
            });
        });
        // Which of the two depends on which thread was the last.
        let text = text.unwrap_err();
        assert!(["item 1", "bomb"].contains(&&*text), "{text}");
        drops.is_balanced(1);
    });
}
