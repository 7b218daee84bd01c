//! A lock or a `OnceLock` held around a whole nursery never meets foreign code on its own stack.
//!
//! The programs of rayon's issues 592 and 1251, which hang where a waiter runs any job.

use std::cell::Cell;
use std::sync::{Mutex, OnceLock};
use std::thread;

use crate::common::{Gate, on_every_pool, on_pool};
use hatchery::Pool;

thread_local!(static HOLDS: Cell<bool> = const { Cell::new(false) });

/// Takes the lock, which this thread must not hold already.
fn locked<R>(lock: &Mutex<()>, f: impl FnOnce() -> R) -> R {
    assert!(!HOLDS.get(), "foreign code on the stack of a lock's holder");
    let guard = lock.lock().unwrap();
    HOLDS.set(true);
    let result = f();
    HOLDS.set(false);
    drop(guard);
    result
}

fn fork_tree(depth: usize) -> usize {
    if depth == 0 {
        return 1;
    }
    let (a, b) = hatchery::join(|| fork_tree(depth - 1), || fork_tree(depth - 1));
    a + b
}

/// What each foreign child does: it takes the lock around a nursery and a fork.
fn under_the_lock(lock: &Mutex<()>) {
    locked(lock, || {
        hatchery::nursery(|inner| {
            let children = inner.spawn_each(0..8, |i| i);
            assert_eq!(children.sum::<usize>(), 28);
            inner.spawn(|| fork_tree(3));
        });
        assert_eq!(fork_tree(4), 16);
    });
}

#[test]
fn a_lock_held_around_an_inner_nursery_never_meets_a_child_that_takes_it() {
    fn round(pool: &Pool, lock: &Mutex<()>) {
        pool.nursery(|n| {
            for i in 0..40 {
                n.spawn(move || under_the_lock(lock));
                if i % 10 == 0 {
                    // Spawned by a child, into the same nursery.
                    n.spawn(move || n.spawn(move || under_the_lock(lock)).join());
                    // Queued from further in.
                    n.spawn(move || {
                        hatchery::nursery(|_| {
                            n.spawn(move || under_the_lock(lock));
                        })
                    });
                }
            }
            under_the_lock(lock);
        });
    }
    on_every_pool(|pool| {
        let lock = Mutex::new(());
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        round(pool, &lock);
                    }
                });
            }
        });
    });
}

#[test]
fn a_once_lock_initialised_by_a_nursery_never_meets_a_child_that_wants_it() {
    on_every_pool(|pool| {
        for _ in 0..100 {
            let cell = &OnceLock::<usize>::new();
            let get = move || {
                *cell.get_or_init(|| {
                    hatchery::nursery(|inner| inner.spawn_each(0..8, |_| fork_tree(2)).sum())
                })
            };
            let sum: usize = pool.nursery(|n| n.spawn_each(0..32, |_| get()).sum());
            assert_eq!(sum, 32 * 32);
        }
    });
}

/// Runs `test` on pools that have workers: what a waiter must not run, they do.
fn on_pools_with_workers(test: impl Fn(&Pool)) {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), &test);
    }
}

/// Holds something while `f` waits; a child that ran on this stack meanwhile would notice.
fn holding<R>(f: impl FnOnce() -> R) -> R {
    HOLDS.set(true);
    let result = f();
    HOLDS.set(false);
    result
}

fn check_stack(gate: &Gate) {
    assert!(!HOLDS.get(), "foreign code on the stack of a waiter");
    gate.open();
}

#[test]
fn a_waiter_leaves_the_outer_nurserys_exposed_children_to_others() {
    on_pools_with_workers(|pool| {
        for _ in 0..20 {
            let gate = &Gate::default();
            pool.nursery(|outer| {
                for _ in 0..100 {
                    outer.spawn(|| check_stack(gate));
                }
                holding(|| {
                    hatchery::nursery(|inner| {
                        // Its end depends on a child of the outer nursery.
                        inner.spawn_blocking(|| gate.wait());
                        inner.spawn_each(0..10, |i| i).for_each(drop);
                    });
                });
            });
        }
    });
}

#[test]
fn a_waiter_leaves_the_outer_nurserys_strays_to_others() {
    on_pools_with_workers(|pool| {
        for _ in 0..20 {
            let gate = &Gate::default();
            pool.nursery(|outer| {
                thread::scope(|scope| {
                    scope.spawn(|| {
                        for _ in 0..100 {
                            outer.spawn(|| check_stack(gate));
                        }
                    });
                });
                holding(|| {
                    hatchery::nursery(|inner| {
                        inner.spawn_blocking(|| gate.wait());
                    });
                });
            });
        }
    });
}

#[test]
fn a_child_that_waits_leaves_its_other_siblings_to_others() {
    on_pools_with_workers(|pool| {
        for _ in 0..20 {
            let gate = &Gate::default();
            pool.nursery(|n| {
                n.spawn(move || {
                    for _ in 0..10 {
                        n.spawn(|| check_stack(gate));
                    }
                    let awaited = n.spawn_blocking(|| gate.wait());
                    holding(|| awaited.join());
                });
            });
        }
    });
}
