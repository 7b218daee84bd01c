//! `spawn_each`, `by_completion`, `join_all`: many children at once.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{Gate, Ledger, busy, on_every_pool, on_no_worker, on_pool, outcome};
use hatchery::{Pool, join_all};

/// Sizes around those of batches: a part of all items, and 4096 at most.
const SIZES: [usize; 10] = [0, 1, 2, 9, 100, 511, 5_000, 5_001, 20_000, 140_001];

#[test]
fn r1_result_i_of_spawn_each_belongs_to_item_i() {
    on_every_pool(|pool| {
        for size in SIZES {
            pool.nursery(|n| {
                let children = n.spawn_each(0..size, |i| Box::new(i * 3));
                assert_eq!(children.len(), size);
                let mut expected = 0;
                for value in children {
                    assert_eq!(*value, expected * 3);
                    expected += 1;
                }
                assert_eq!(expected, size);
            });
        }
    });
}

#[test]
fn by_completion_yields_every_item_once_with_its_number() {
    on_every_pool(|pool| {
        for size in SIZES {
            pool.nursery(|n| {
                let mut seen = vec![false; size];
                for (i, value) in n.spawn_each(0..size, |i| i + 7).by_completion() {
                    assert_eq!(value, i + 7);
                    assert!(!std::mem::replace(&mut seen[i], true), "{i} twice");
                }
                assert!(seen.into_iter().all(|seen| seen));
            });
        }
    });
}

#[test]
fn by_completion_in_a_child_waits_for_the_childs_own() {
    on_every_pool(|pool| {
        let sum = pool.nursery(|n| {
            let outer = n.spawn(|| {
                let inner = n.spawn_each(0..1000_usize, |i| i).by_completion();
                inner.map(|(i, value)| i + value).sum::<usize>()
            });
            outer.join()
        });
        assert_eq!(sum, 999_000);
    });
}

/// A batch splits when somebody asks; whatever the schedule, each item is consumed once.
#[test]
fn l2_each_item_is_consumed_once_however_batches_split() {
    for threads in [2, 4] {
        let pool = Pool::builder().threads(threads).build().unwrap();
        let runs: Vec<AtomicUsize> = (0..3_000).map(|_| AtomicUsize::new(0)).collect();
        pool.nursery(|n| {
            let children = n.spawn_each(&runs, |run| {
                busy(Duration::from_micros(5));
                run.fetch_add(1, Ordering::Relaxed)
            });
            assert!(children.into_iter().all(|before| before == 0));
        });
        assert!(runs.into_iter().all(|run| run.into_inner() == 1));
    }
}

#[test]
fn r5_what_an_item_spawns_runs_before_the_next_item() {
    on_no_worker(|pool| {
        let order = Mutex::new(Vec::new());
        pool.nursery(|n| {
            let order = &order;
            n.spawn_each(0..2000, move |i| {
                order.lock().unwrap().push((i, 0));
                n.spawn(move || {
                    order.lock().unwrap().push((i, 1));
                    n.spawn(move || order.lock().unwrap().push((i, 2)));
                });
            })
            .for_each(drop);
        });
        let order = order.into_inner().unwrap();
        assert!(order.is_sorted(), "{:?}", &order[..20]);
        assert_eq!(order.len(), 6000);
    });
}

/// Long items split what stands behind them, so that they run inside of forks.
#[test]
fn r5_what_a_long_item_spawns_runs_before_the_next_item() {
    on_no_worker(|pool| {
        let order = Mutex::new(Vec::new());
        pool.nursery(|n| {
            let order = &order;
            n.spawn_each(0..100, move |i| {
                order.lock().unwrap().push((i, 0));
                busy(Duration::from_micros(100));
                n.spawn(move || {
                    order.lock().unwrap().push((i, 1));
                    n.spawn(move || order.lock().unwrap().push((i, 2)));
                });
            })
            .for_each(drop);
        });
        let order = order.into_inner().unwrap();
        assert!(order.is_sorted(), "{order:?}");
        assert_eq!(order.len(), 300);
    });
}

#[test]
fn children_dropped_early_are_run_and_their_values_dropped() {
    on_every_pool(|pool| {
        let ran = AtomicUsize::new(0);
        pool.nursery(|n| {
            let mut children = n.spawn_each(0..2000, |i| {
                ran.fetch_add(1, Ordering::Relaxed);
                vec![i; 10]
            });
            assert_eq!(children.next(), Some(vec![0; 10]));
            assert_eq!(children.next(), Some(vec![1; 10]));
        });
        assert_eq!(ran.into_inner(), 2000);
    });
}

#[test]
fn join_all_returns_the_values_in_order() {
    on_every_pool(|pool| {
        pool.nursery(|_| {
            assert_eq!(join_all((|| 1, || "two")), (1, "two"));
            assert_eq!(
                join_all((|| 1, || 2, || 3, || 4, || 5, || 6, || 7, || 8)),
                (1, 2, 3, 4, 5, 6, 7, 8)
            );
            let mut counts = [0; 3];
            let [a, b, c] = &mut counts;
            join_all((|| *a = 1, || *b = 2, || *c = 3));
            assert_eq!(counts, [1, 2, 3]);
        });
    });
}

#[test]
fn join_all_raises_the_first_panic_of_the_tuple() {
    on_every_pool(|pool| {
        let text =
            outcome(|| pool.nursery(|_| join_all((|| 1, || -> u32 { panic!("second") }, || 3))));
        assert_eq!(text.unwrap_err(), "second");
    });
}

#[test]
fn l2_items_and_values_of_any_size_are_moved_and_dropped_once() {
    /// Items of `I` bytes more than values of `T` bytes, taken up to `taken`.
    fn check<const I: usize, const T: usize>(pool: &Pool, taken: usize) {
        const SIZE: usize = 3000;
        let (items, values) = (Ledger::default(), Ledger::default());
        pool.nursery(|n| {
            let each = (0..SIZE).map(|_| items.entry::<I>());
            let mut children = n.spawn_each(each, |item| {
                drop(item);
                values.entry::<T>()
            });
            for _ in 0..taken {
                drop(children.next());
            }
            assert_eq!(children.len(), SIZE - taken);
        });
        items.is_balanced(SIZE);
        values.is_balanced(SIZE);
    }
    on_every_pool(|pool| {
        for taken in [0, 1, 1000, 3000] {
            check::<0, 0>(pool, taken);
            check::<1, 100>(pool, taken);
            check::<100, 1>(pool, taken);
            check::<40_000, 40_000>(pool, taken.min(2));
        }
    });
}

#[test]
fn r1_nothing_and_the_over_aligned_go_in_and_come_out() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    #[repr(align(256))]
    struct Aligned(u8);
    fn is_aligned(at: &Aligned) -> bool {
        std::ptr::from_ref(at).addr() % 256 == 0
    }
    on_every_pool(|pool| {
        for size in SIZES {
            pool.nursery(|n| {
                assert_eq!(n.spawn_each((0..size).map(|_| ()), |()| ()).count(), size);
                let ones = n.spawn_each((0..size).map(|_| ()), |()| 1);
                assert_eq!(ones.sum::<usize>(), size);
                assert_eq!(n.spawn_each(0..size, |_| ()).by_completion().count(), size);
            });
        }
        let aligned = || (0..200).map(Aligned);
        pool.nursery(|n| {
            let same = n.spawn_each(aligned(), |item| {
                assert!(is_aligned(&item));
                item
            });
            assert!(same.eq(aligned()));
            let smaller = n.spawn_each(aligned(), |item| item.0);
            assert!(smaller.eq(0..200));
            // As large as an item, but more strictly aligned.
            let bytes = n.spawn_each(aligned().map(|item| [item.0; 256]), |item| Aligned(item[7]));
            assert!(bytes.eq(aligned()));
        });
    });
}

#[test]
fn an_iterator_may_open_nurseries_and_spawn_on_this_one() {
    on_every_pool(|pool| {
        let beside = AtomicUsize::new(0);
        let (sum, joined) = pool.nursery(|n| {
            let mut joined = 0;
            let items = (0..1000_usize).map(|i| {
                let inner = pool.nursery(|inner| inner.spawn_each(0..i % 4, |j| j).sum::<usize>());
                let child = n.spawn(|| beside.fetch_add(1, Ordering::Relaxed));
                if i % 3 == 0 {
                    child.join();
                    joined += 1;
                }
                inner
            });
            (n.spawn_each(items, |i| i + 1).sum::<usize>(), joined)
        });
        assert_eq!((sum, joined), (1000 + 250 * 4, 334));
        assert_eq!(beside.into_inner(), 1000);
    });
}

/// The iterator has an end only because children run before it.
#[test]
fn children_run_while_a_slow_iterator_goes_on() {
    for threads in [2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            let ran = AtomicUsize::new(0);
            let all = pool.nursery(|n| {
                let lines = (0..).take_while(|_| {
                    busy(Duration::from_micros(60));
                    ran.load(Ordering::Relaxed) < 100
                });
                let children = n.spawn_each(lines, |_| ran.fetch_add(1, Ordering::Relaxed));
                children.count()
            });
            assert_eq!(ran.into_inner(), all);
        });
    }
}

#[test]
fn children_dropped_while_they_run_are_waited_for() {
    for threads in [2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            let (started, go_on) = (Gate::default(), Gate::default());
            let values = Ledger::default();
            pool.nursery(|n| {
                let children = n.spawn_each(0..3000, |i| {
                    if i == 0 {
                        started.open();
                        go_on.wait();
                    }
                    values.entry::<8>()
                });
                while !started.is_open() {
                    n.spawn(|| {});
                    std::thread::yield_now();
                }
                drop(children);
                go_on.open();
            });
            values.is_balanced(3000);
        });
    }
}

#[test]
fn by_completion_takes_what_has_ended_before_what_has_not() {
    for threads in [2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            let (started, go_on) = (Gate::default(), Gate::default());
            let last = pool.nursery(|n| {
                let children = n.spawn_each(0..1000, |i| {
                    if i == 0 {
                        started.open();
                        go_on.wait();
                    }
                    i
                });
                while !started.is_open() {
                    n.spawn(|| {});
                    std::thread::yield_now();
                }
                let mut order = Vec::new();
                for (place, value) in children.by_completion() {
                    assert_eq!(place, value);
                    order.push(place);
                    // Only the first batch, which is this item, is left.
                    if order.len() == 999 {
                        go_on.open();
                    }
                }
                assert_eq!(order.len(), 1000);
                order.pop()
            });
            assert_eq!(last, Some(0));
        });
    }
}

/// The long item ends when all others have: whoever runs it holds nothing back, and what stood behind it is run by the others meanwhile.
#[test]
fn what_stands_behind_a_long_item_is_run_by_others() {
    const ITEMS: usize = 300;
    /// The most items in a batch, see `PART_OF_ALL`.
    const BATCH: usize = ITEMS.div_ceil(32);
    thread_local! {
        /// The items that this thread has begun since it saw that items are known to take long.
        static BEGUN: Cell<usize> = const { Cell::new(0) };
    }
    /// Whether there was a long item. The pool is new.
    fn has_met_one(pool: &Pool) -> bool {
        let (others, done) = (&AtomicUsize::new(0), Gate::default());
        // The first item is a batch, and that batch is timed; what its thread begins next comes after that.
        let (first, is_known) = (Mutex::new(None), AtomicBool::new(false));
        let has_long = AtomicBool::new(false);
        let me = || std::thread::current().id();
        BEGUN.set(0);
        pool.nursery(|n| {
            n.spawn_each(0..ITEMS, |i| {
                if i == 0 {
                    *first.lock().unwrap() = Some(me());
                } else if *first.lock().unwrap() == Some(me()) {
                    is_known.store(true, Ordering::Relaxed);
                }
                if is_known.load(Ordering::Relaxed) {
                    BEGUN.set(BEGUN.get() + 1);
                }
                // The batch of this item began when items were known to take long, so the thread offers what
                // stands behind the item before it runs the item.
                if BEGUN.get() > BATCH && !has_long.swap(true, Ordering::Relaxed) {
                    done.wait();
                } else {
                    busy(Duration::from_micros(200));
                    if others.fetch_add(1, Ordering::Relaxed) + 2 == ITEMS {
                        done.open();
                    }
                }
            });
        });
        has_long.into_inner()
    }
    for threads in [2, 4] {
        // Mostly in the first round; not if the thread that runs the first item runs no other one for long.
        while !on_pool(Pool::builder().threads(threads), has_met_one) {}
    }
}

#[test]
fn by_completion_runs_nothing_here_while_something_has_ended() {
    on_pool(Pool::builder().threads(2), |pool| {
        let home = std::thread::current().id();
        let (here, elsewhere) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let go_on = Gate::default();
        pool.nursery(|n| {
            // Values as large as items: this thread would run batches while it spawns many others.
            let children = n.spawn_each(0..3200, |i| {
                if std::thread::current().id() == home {
                    here.fetch_add(1, Ordering::Relaxed);
                } else if elsewhere.fetch_add(1, Ordering::Relaxed) == 200 {
                    // More than are in a batch; what is left stays where it is.
                    go_on.wait();
                }
                i
            });
            while elsewhere.load(Ordering::Relaxed) <= 200 {
                n.spawn(|| {});
                std::thread::yield_now();
            }
            let mut children = children.by_completion();
            assert!(children.next().is_some());
            assert_eq!(here.load(Ordering::Relaxed), 0);
            go_on.open();
            assert_eq!(children.count(), 3199);
        });
    });
}
