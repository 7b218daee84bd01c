//! `spawn_each`, `by_completion`, `join_all`: many children at once.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{on_every_pool, on_no_worker};
use hatchery::{Pool, join_all};

/// What `f` returned, or the text it panicked with.
fn outcome<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        text.unwrap_or_default()
    })
}

fn busy(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

/// Sizes around those of batches, the largest of which has 512 items.
const SIZES: [usize; 9] = [0, 1, 2, 9, 100, 511, 5_000, 5_001, 20_000];

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
