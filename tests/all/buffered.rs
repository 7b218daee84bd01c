//! `spawn_buffered`: children of items, of which only so many are outstanding.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::workers::start_all_workers;
use crate::common::{Gate, Ledger, on_every_pool, on_no_worker, on_pool};
use hatchery::{Pool, block_in_place};

/// Bounds from the smallest to one that no test reaches.
const BOUNDS: [usize; 6] = [0, 1, 2, 7, 100, usize::MAX];

#[test]
fn r1_values_come_in_the_order_of_the_items() {
    on_every_pool(|pool| {
        for most in BOUNDS {
            for size in [0, 1, 2, 7, 8, 1000] {
                pool.nursery(|n| {
                    let values = n.spawn_buffered(most, 0..size, |i| Box::new(i * 3));
                    assert!(values.map(|value| *value).eq((0..size).map(|i| i * 3)));
                });
                let values = pool.try_nursery::<(), Vec<usize>, _>(|n| {
                    n.spawn_buffered(most, 0..size, |i| Ok(i * 3)).collect()
                });
                assert!(values.unwrap().into_iter().eq((0..size).map(|i| i * 3)));
            }
        }
    });
}

/// The items are their values, so that the ledger knows how many are alive.
#[test]
fn s8_as_many_are_outstanding_as_allowed_and_no_more() {
    const SIZE: usize = 5000;
    on_every_pool(|pool| {
        for most in BOUNDS {
            let (ledger, taken, peak) = (Ledger::default(), Cell::new(0), Cell::new(0));
            let running = AtomicUsize::new(0);
            pool.nursery(|n| {
                let items = (0..SIZE).map(|_| {
                    let entry = ledger.entry::<8>();
                    let alive = ledger.made.load(Ordering::Relaxed) - taken.get();
                    peak.set(alive.max(peak.get()));
                    entry
                });
                let values = n.spawn_buffered(most, items, |entry| {
                    let before = running.fetch_add(1, Ordering::Relaxed);
                    assert!(before < most.max(1));
                    running.fetch_sub(1, Ordering::Relaxed);
                    entry
                });
                for value in values {
                    taken.set(taken.get() + 1);
                    drop(value);
                    assert_eq!(ledger.dropped.load(Ordering::Relaxed), taken.get());
                }
            });
            assert_eq!(peak.get(), most.clamp(1, SIZE));
            ledger.is_balanced(SIZE);
        }
    });
}

#[test]
fn no_item_is_taken_before_a_value_is_asked_for() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let items = (0..10).inspect(|_| panic!("an item was taken"));
            drop(n.spawn_buffered(4, items, |i| i));
            assert_eq!(n.stats().spawned, 0);
        });
    });
}

#[test]
fn items_without_an_end_are_taken_until_the_iterator_is_dropped() {
    const TAKEN: usize = 1000;
    on_every_pool(|pool| {
        for most in [1, 2, 7, 100] {
            let (pulled, ran) = (Cell::new(0), AtomicUsize::new(0));
            let values = Ledger::default();
            pool.nursery(|n| {
                let items = (0_usize..).inspect(|_| pulled.set(pulled.get() + 1));
                let mut buffered = n.spawn_buffered(most, items, |i| {
                    ran.fetch_add(1, Ordering::Relaxed);
                    (i, values.entry::<8>())
                });
                for i in 0..TAKEN {
                    assert_eq!(buffered.next().unwrap().0, i);
                }
            });
            // Those that nobody took have run, too.
            assert_eq!(pulled.get(), TAKEN + most - 1);
            assert_eq!(ran.into_inner(), pulled.get());
            values.is_balanced(pulled.get());
        }
    });
}

#[test]
fn l2_items_values_iterator_and_function_are_dropped_once() {
    fn check<const I: usize, const T: usize>(pool: &Pool, taken: usize) {
        const SIZE: usize = 300;
        const MOST: usize = 8;
        let (items, values) = (&Ledger::default(), &Ledger::default());
        let others = Ledger::default();
        pool.nursery(|n| {
            let (in_iterator, in_function) = (others.entry::<8>(), others.entry::<8>());
            let each = (0..SIZE).map(move |_| {
                let _used = &in_iterator;
                items.entry::<I>()
            });
            let mut buffered = n.spawn_buffered(MOST, each, move |item| {
                let _used = &in_function;
                drop(item);
                values.entry::<T>()
            });
            for _ in 0..taken {
                drop(buffered.next());
            }
        });
        let spawned = match taken {
            0 => 0,
            taken => SIZE.min(taken + MOST - 1),
        };
        items.is_balanced(spawned);
        values.is_balanced(spawned);
        others.is_balanced(2);
    }
    on_every_pool(|pool| {
        for taken in [0, 1, 100, 300, 301] {
            check::<0, 0>(pool, taken);
            check::<1, 100>(pool, taken);
            check::<100, 1>(pool, taken);
            check::<4000, 4000>(pool, taken);
        }
    });
}

#[test]
fn the_iterator_and_the_function_go_when_no_items_are_left() {
    on_every_pool(|pool| {
        let ledger = Ledger::default();
        pool.nursery(|n| {
            let (in_iterator, in_function) = (ledger.entry::<8>(), ledger.entry::<8>());
            let items = (0..3).inspect(move |_| _ = &in_iterator);
            let mut values = n.spawn_buffered(10, items, move |i| {
                let _used = &in_function;
                i
            });
            assert_eq!(values.by_ref().count(), 3);
            ledger.is_balanced(2);
            assert_eq!(values.next(), None);
        });
    });
}

#[test]
fn the_size_counts_down_and_the_end_stays() {
    /// Goes on behind its end, and says nothing about its size.
    struct Resumes(u32);
    impl Iterator for Resumes {
        type Item = u32;
        fn next(&mut self) -> Option<u32> {
            self.0 += 1;
            (self.0 != 4).then_some(self.0)
        }
    }
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let mut values = n.spawn_buffered(4, 0..10, |i| i);
            for left in (0..10).rev() {
                assert!(values.next().is_some());
                assert_eq!(values.size_hint(), (left, Some(left)));
            }
            assert_eq!(values.next(), None);
            // One more than can be counted.
            let mut endless = n.spawn_buffered(4, 0_u64.., |i| i);
            assert_eq!(endless.next(), Some(0));
            assert_eq!(endless.size_hint(), (usize::MAX, None));
            let mut unknown = n.spawn_buffered(2, Resumes(0), |i| i);
            assert_eq!(unknown.next(), Some(1));
            assert_eq!(unknown.size_hint(), (1, None));
            assert!(unknown.by_ref().eq([2, 3]));
            assert_eq!(unknown.size_hint(), (0, Some(0)));
            assert_eq!((unknown.next(), unknown.next()), (None, None));
        });
        let result = pool.try_nursery::<(), _, _>(|n| {
            let values = n.spawn_buffered(4, 0..10, Ok);
            // A cancellation may come in between.
            assert_eq!(values.size_hint(), (1, Some(10)));
            Ok(values.count())
        });
        assert_eq!(result.unwrap(), 10);
    });
}

#[test]
fn its_debug_text_says_how_many_are_outstanding() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let mut values = n.spawn_buffered(0, 0..10, |i| i);
            assert_eq!(values.next(), Some(0));
            assert_eq!(
                format!("{values:?}"),
                "Buffered { most: 1, outstanding: 0 }"
            );
            let mut values = n.spawn_buffered(4, 0..10, |i| i);
            assert_eq!(values.next(), Some(0));
            assert_eq!(
                format!("{values:?}"),
                "Buffered { most: 4, outstanding: 3 }"
            );
        });
    });
}

#[test]
fn the_iterator_may_borrow_from_the_body() {
    on_every_pool(|pool| {
        let sum = pool.nursery(|n| {
            let numbers = [1, 2, 3];
            n.spawn_buffered(2, numbers.iter().copied(), |i| i * 10)
                .sum::<i32>()
        });
        assert_eq!(sum, 60);
    });
}

#[test]
fn it_goes_on_in_a_child_and_in_a_nursery_inside() {
    on_every_pool(|pool| {
        let sums = pool.nursery(|n| {
            let child = || n.spawn(|| n.spawn_buffered(3, 0..500, |i| i).sum::<usize>());
            let (first, second) = (child(), child());
            let blocking = n.spawn_blocking(|| n.spawn_buffered(3, 0..500, |i| i).sum::<usize>());
            let inside = pool.nursery(|_| n.spawn_buffered(3, 0..500, |i| i).sum::<usize>());
            [first.join(), second.join(), blocking.join(), inside]
        });
        assert_eq!(sums, [124_750; 4]);
    });
}

#[test]
fn iterator_and_function_may_open_nurseries_and_spawn_on_this_one() {
    on_every_pool(|pool| {
        let beside = AtomicUsize::new(0);
        let sum = pool.nursery(|n| {
            let beside = &beside;
            let spawn = move || n.spawn(move || beside.fetch_add(1, Ordering::Relaxed));
            let items = (0..300_usize).map(|i| {
                spawn();
                pool.nursery(|inner| inner.spawn_buffered(2, 0..i % 4, |j| j).sum::<usize>())
            });
            let values = n.spawn_buffered(5, items, move |i| {
                spawn();
                spawn().join();
                i + pool.nursery(|inner| inner.spawn_buffered(2, 0..4, |_| 1).sum::<usize>())
            });
            values.sum::<usize>()
        });
        assert_eq!(sum, 75 * (1 + 3) + 300 * 4);
        assert_eq!(beside.into_inner(), 900);
    });
}

#[test]
fn r5_one_thread_runs_the_items_in_their_order() {
    on_no_worker(|pool| {
        for most in BOUNDS {
            let order = Mutex::new(Vec::new());
            pool.nursery(|n| {
                let order = &order;
                let values = n.spawn_buffered(most, 0..200, move |i| {
                    order.lock().unwrap().push(i);
                });
                values.for_each(drop);
            });
            assert!(order.into_inner().unwrap().into_iter().eq(0..200));
        }
    });
}

/// The body holds the value of the first item, and gives its place up, while the other items are to run.
#[test]
fn outstanding_items_run_while_the_consumer_is_busy() {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            start_all_workers(pool);
            let (ran, all_ran) = (AtomicUsize::new(0), Gate::default());
            pool.nursery(|n| {
                let mut values = n.spawn_buffered(8, 0.., |i| {
                    if ran.fetch_add(1, Ordering::Relaxed) == 7 {
                        all_ran.open();
                    }
                    i
                });
                assert_eq!(values.next(), Some(0));
                block_in_place(|| all_ran.wait());
                assert_eq!(values.next(), Some(1));
            });
        });
    }
}
