//! `spawn_each` when items, values, the function or the iterator panic, or the nursery is cancelled.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{Gate, Ledger, busy, on_every_pool, on_no_worker, on_pool, outcome};
use hatchery::Pool;

#[test]
fn e1_a_panicked_item_raises_at_its_own_place() {
    on_every_pool(|pool| {
        let whole = outcome(|| {
            pool.nursery(|n| {
                // Long enough for batches to split meanwhile.
                let mut children = n.spawn_each(0..1000, |i| {
                    assert!(i != 700, "item 700");
                    busy(Duration::from_micros(10));
                    i
                });
                for i in 0..1000 {
                    let value = outcome(|| children.next());
                    match value {
                        Ok(value) => assert!(i != 700 && value == Some(i)),
                        // Itself, or skipped because of it.
                        Err(text) if i == 700 => assert_eq!(text, "item 700"),
                        Err(_) => {}
                    }
                }
                assert!(children.next().is_none());
            });
        });
        // It was joined, and so handled.
        assert!(whole.is_ok());
    });
}

#[test]
fn e1_of_several_panicked_items_nobody_joined_the_first_is_raised() {
    on_no_worker(|pool| {
        let text = outcome(|| {
            pool.nursery(|n| {
                drop(n.spawn_each(0..1000, |i| assert!(i != 300 && i != 301, "item {i}")));
            });
        });
        assert_eq!(text.unwrap_err(), "item 300");
    });
}

#[test]
fn a_panicking_iterator_loses_no_item() {
    on_every_pool(|pool| {
        let (made, dropped) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
        struct Item<'a>(&'a AtomicUsize);
        impl Drop for Item<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let text = outcome(|| {
            pool.nursery(|n| {
                let items = (0..).map(|i| {
                    assert!(i < 777, "no more");
                    made.fetch_add(1, Ordering::Relaxed);
                    Item(dropped)
                });
                drop(n.spawn_each(items, drop));
            });
        });
        assert_eq!(text.unwrap_err(), "no more");
        assert_eq!(made.load(Ordering::Relaxed), 777);
        assert_eq!(dropped.load(Ordering::Relaxed), 777);
    });
}

#[test]
fn e8_items_that_panic_on_drop_never_abort() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }
    on_every_pool(|pool| {
        // Skipped: the items are dropped unrun, several of them in one batch.
        let text = outcome(|| {
            pool.nursery(|n| {
                n.spawn_each((0..600).map(|_| Bomb), std::mem::forget);
                panic!("body");
            });
        });
        assert_eq!(text.unwrap_err(), "body");
        // As values nobody takes.
        let text = outcome(|| pool.nursery(|n| drop(n.spawn_each(0..600, |_| Bomb))));
        assert_eq!(text.unwrap_err(), "bomb");
    });
}

#[test]
fn e1_of_several_panicked_items_each_raises_at_its_own_place() {
    on_every_pool(|pool| {
        let ended = Ledger::default();
        let text = outcome(|| {
            pool.nursery(|n| {
                // The same item panics whatever else is skipped because of it.
                let mut children = n.spawn_each(0..2000, |i| {
                    assert!(i != 0, "item 0");
                    ended.entry::<8>()
                });
                assert_eq!(outcome(|| children.next().is_some()), Err("item 0".into()));
                let mut none = 0;
                for left in (0..1999).rev() {
                    none += usize::from(outcome(|| children.next().is_some()).is_err());
                    assert_eq!(children.len(), left);
                }
                assert_eq!(none + ended.made.load(Ordering::Relaxed), 1999);
                assert!(children.next().is_none());
            });
        });
        // The panic was joined; those skipped for it were, too.
        assert_eq!(text, Ok(()));
        ended.is_balanced(ended.made.load(Ordering::Relaxed));
    });
}

#[test]
fn x2_an_item_behind_one_that_saw_the_cancellation_does_not_start() {
    on_every_pool(|pool| {
        let (is_cancelled, late) = (AtomicBool::new(false), AtomicUsize::new(0));
        let items = Ledger::default();
        let text = outcome(|| {
            pool.nursery(|n| {
                let culprit = n.spawn(|| panic!("culprit"));
                // Its panic is handled, but what has not started is skipped from here on.
                let told = outcome(|| culprit.join());
                assert_eq!(told, Err("culprit".into()));
                is_cancelled.store(true, Ordering::Relaxed);
                n.spawn_each((0..5000).map(|_| items.entry::<8>()), |_| {
                    late.fetch_add(1, Ordering::Relaxed);
                });
            });
        });
        // The end says so.
        assert!(text.unwrap_err().starts_with("5000 children were dropped"));
        assert_eq!(late.into_inner(), 0);
        items.is_balanced(5000);
    });
}

/// An item in the middle of a batch waits for the cancellation, so that the one behind it starts
/// after it, if at all.
#[test]
fn x2_a_cancellation_in_the_middle_of_a_batch_skips_the_rest_of_it() {
    on_pool(Pool::builder().threads(2), |pool| {
        for _ in 0..20 {
            let (started, is_cancelled) = (Gate::default(), Gate::default());
            let late = AtomicUsize::new(0);
            let items = Ledger::default();
            let home = std::thread::current().id();
            // The threads that have waited in an item. Another one may be about to start an item when the
            // nursery is cancelled.
            let have_waited = Mutex::new(Vec::new());
            let text = outcome(|| {
                pool.nursery(|n| {
                    let each = (0..5000).map(|i| (i, items.entry::<8>()));
                    let children = n.spawn_each(each, |(i, _)| {
                        let me = std::thread::current().id();
                        let is_late = have_waited.lock().unwrap().contains(&me);
                        late.fetch_add(is_late.into(), Ordering::Relaxed);
                        if i % 100 == 50 && me != home {
                            started.open();
                            is_cancelled.wait();
                            have_waited.lock().unwrap().push(me);
                        }
                    });
                    // Until the worker has come to such an item.
                    while !started.is_open() {
                        n.spawn(|| {});
                        std::thread::yield_now();
                    }
                    drop(children);
                    let culprit = n.spawn(|| panic!("culprit"));
                    assert!(outcome(|| culprit.join()).is_err());
                    is_cancelled.open();
                });
            });
            // Unless all had run by then.
            let said = text.err().unwrap_or_default();
            let is_right = said.is_empty() || said.contains("dropped unrun");
            assert!(is_right, "{said}");
            assert_eq!(late.into_inner(), 0);
            items.is_balanced(5000);
        }
    });
}

#[test]
fn x2_what_an_item_cancels_by_its_panic_does_not_start_behind_it() {
    on_no_worker(|pool| {
        let started = AtomicUsize::new(0);
        let items = Ledger::default();
        let text = outcome(|| {
            pool.nursery(|n| {
                let each = (0..5000).map(|i| (i, items.entry::<8>()));
                n.spawn_each(each, |(i, _)| {
                    started.fetch_add(1, Ordering::Relaxed);
                    assert!(i != 1234, "item {i}");
                });
            });
        });
        assert_eq!(text, Err("item 1234".into()));
        assert_eq!(started.into_inner(), 1235);
        items.is_balanced(5000);
    });
}

#[test]
fn e8_a_panicking_destructor_of_one_item_or_value_loses_no_other() {
    on_every_pool(|pool| {
        // Values that nobody takes, one of them a bomb.
        let values = Ledger::default();
        let text = outcome(|| {
            pool.nursery(|n| {
                let mut children = n.spawn_each(0..3000, |i| match i {
                    2000 => values.bomb(),
                    _ => values.entry(),
                });
                drop(children.next());
            });
        });
        assert_eq!(text, Err("bomb".into()));
        // It cancels what has not started.
        values.is_balanced(values.made.load(Ordering::Relaxed));
        // Items that are skipped, some of them bombs, in a batch that has begun and in others.
        let items = Ledger::default();
        let text = outcome(|| {
            pool.nursery(|n| {
                let each = (0..3000).map(|i| match i % 100 {
                    50 => (i, items.bomb()),
                    _ => (i, items.entry()),
                });
                n.spawn_each(each, |(i, item)| {
                    std::mem::forget(item);
                    items.dropped.fetch_add(1, Ordering::Relaxed);
                    assert!(i != 10, "item {i}");
                });
            });
        });
        // Item 10 comes before all bombs in spawn order.
        assert_eq!(text, Err("item 10".into()));
        items.is_balanced(3000);
    });
}

#[test]
fn e8_a_function_and_items_that_all_panic_on_drop_never_abort() {
    on_every_pool(|pool| {
        for size in [1, 2, 600] {
            let drops = &Ledger::default();
            let text = outcome(|| {
                pool.nursery(|n| {
                    let function = drops.bomb();
                    n.spawn_each((0..size).map(|_| drops.bomb()), move |item| {
                        let _used = &function;
                        drop(item);
                    });
                    panic!("body");
                });
            });
            assert_eq!(text, Err("body".into()));
            drops.is_balanced(size + 1);
        }
        // The function's own, when all has gone well.
        let drops = &Ledger::default();
        let text = outcome(|| {
            pool.nursery(|n| {
                let function = drops.bomb();
                n.spawn_each(0..600, move |i| i + usize::from(!function.is_bomb))
                    .sum::<usize>()
            })
        });
        assert_eq!(text, Err("bomb".into()));
        drops.is_balanced(1);
    });
}

#[test]
fn e8_an_iterator_that_panics_beside_a_function_that_panics_on_drop_never_aborts() {
    on_every_pool(|pool| {
        for good in [0, 1, 700] {
            let drops = &Ledger::default();
            let text = outcome(|| {
                pool.nursery(|n| {
                    let function = drops.bomb();
                    let items = (0..).inspect(|i| assert!(*i < good, "no more"));
                    n.spawn_each(items, move |_| {
                        let _used = &function;
                    });
                });
            });
            assert_eq!(text, Err("no more".into()));
            drops.is_balanced(1);
        }
    });
}

#[test]
fn e8_an_iterator_that_panics_on_drop_beside_such_a_function_never_aborts() {
    on_every_pool(|pool| {
        for items in [0, 1, 100] {
            let drops = Ledger::default();
            let text = outcome(|| {
                pool.nursery(|n| {
                    let (iterator, function) = (drops.bomb(), drops.bomb());
                    let items = (0..items).inspect(move |_| _ = &iterator);
                    n.spawn_each(items, move |_| _ = &function).for_each(drop);
                });
            });
            assert_eq!(text, Err("bomb".into()));
            drops.is_balanced(2);
        }
    });
}

#[test]
fn a_panic_in_the_consumer_of_a_fold_drops_the_rest() {
    on_every_pool(|pool| {
        let values = Ledger::default();
        let text = outcome(|| {
            pool.nursery(|n| {
                let children = n.spawn_each(0..3000, |_| values.entry::<8>());
                let mut taken = 0;
                children.for_each(|value| {
                    taken += 1;
                    assert!(taken < 1500, "enough");
                    drop(value);
                });
            });
        });
        assert_eq!(text, Err("enough".into()));
        values.is_balanced(values.made.load(Ordering::Relaxed));
    });
}

/// Long items, so that the batches are split down to single ones.
#[test]
fn e1_in_batches_that_were_split_each_item_has_its_own_outcome() {
    on_every_pool(|pool| {
        for culprit in [1, 100, 298, 299] {
            let values = Ledger::default();
            let done = AtomicUsize::new(0);
            let text = outcome(|| {
                pool.nursery(|n| {
                    let mut children = n.spawn_each(0..300, |i| {
                        busy(Duration::from_micros(60));
                        assert!(i != culprit, "item {i}");
                        (i, values.entry::<8>())
                    });
                    for i in 0..300 {
                        match outcome(|| children.next().map(|(i, _)| i)) {
                            Ok(value) => {
                                assert_eq!(value, Some(i));
                                done.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(text) if i == culprit => assert_eq!(text, format!("item {i}")),
                            Err(text) => assert_eq!(text, "", "skipped"),
                        }
                    }
                });
            });
            assert_eq!(text, Ok(()));
            values.is_balanced(done.into_inner());
        }
    });
}

#[test]
fn e8_a_panicking_destructor_of_a_skipped_item_is_the_panic_of_one_item() {
    on_no_worker(|pool| {
        let items = Ledger::default();
        let mut bombs = Vec::new();
        let text = outcome(|| {
            pool.nursery(|n| {
                let each = (0..5000).map(|i| match i {
                    110 => (i, items.bomb()),
                    _ => (i, items.entry()),
                });
                let mut children = n.spawn_each(each, |(i, _)| {
                    assert!(i != 100, "item {i}");
                });
                for i in 0..5000 {
                    match (i, outcome(|| children.next()).map(|_| ())) {
                        (0..100, ended) => assert_eq!(ended, Ok(())),
                        (100, ended) => assert_eq!(ended, Err("item 100".into())),
                        (_, Err(text)) if text == "bomb" => bombs.push(i),
                        (_, ended) => assert_eq!(ended, Err(String::new()), "skipped"),
                    }
                }
            });
        });
        // All of them were joined.
        assert_eq!(text, Ok(()));
        // Its own, or if its whole batch was skipped, which began behind item 100, that of the first there.
        assert!(matches!(bombs[..], [101..=110]), "{bombs:?}");
        items.is_balanced(5000);
    });
}
