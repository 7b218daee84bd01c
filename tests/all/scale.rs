//! Large numbers: children, depth, threads, pools.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::{REFUSED_STACK, busy, on_every_pool, on_pool, threads_left, watched};
use hatchery::Pool;

/// The stack on which 10 000 nested nurseries have to fit.
const DEEP: usize = 64 << 20;

#[test]
fn one_million_children_in_one_nursery() {
    on_every_pool(|pool| {
        let sum = AtomicU64::new(0);
        pool.nursery(|n| {
            for i in 0..1_000_000_u64 {
                let sum = &sum;
                n.spawn(move || sum.fetch_add(i, Ordering::Relaxed));
            }
        });
        assert_eq!(sum.into_inner(), 499_999_500_000);
        let sum: u64 = pool.nursery(|n| n.spawn_each(0..1_000_000_u64, |i| i).sum());
        assert_eq!(sum, 499_999_500_000);
    });
}

fn nested(depth: usize) -> usize {
    if depth == 0 {
        return 0;
    }
    hatchery::nursery(|n| n.spawn(move || nested(depth - 1)).join() + 1)
}

fn nested_unjoined(depth: usize, reached: &AtomicU64) {
    reached.fetch_add(1, Ordering::Relaxed);
    if depth > 0 {
        hatchery::nursery(|n| {
            n.spawn(|| nested_unjoined(depth - 1, reached));
        });
    }
}

#[test]
fn ten_thousand_nested_nurseries_on_a_64_mib_stack() {
    let pools = [1, 2, 4].map(|threads| Pool::builder().threads(threads).stack_size(DEEP));
    let refused = Pool::builder().stack_size(REFUSED_STACK);
    for builder in pools.into_iter().chain([refused]) {
        on_pool(builder, |pool| {
            let outside = thread::Builder::new().stack_size(DEEP);
            thread::scope(|scope| {
                let outside = outside.spawn_scoped(scope, || {
                    assert_eq!(pool.nursery(|_| nested(10_000)), 10_000);
                    let reached = AtomicU64::new(0);
                    pool.nursery(|_| nested_unjoined(10_000, &reached));
                    assert_eq!(reached.into_inner(), 10_001);
                });
                outside.unwrap().join().unwrap();
            });
        });
    }
}

#[test]
fn eight_outside_threads_open_nurseries_at_once() {
    on_every_pool(|pool| {
        thread::scope(|scope| {
            for outside in 0..8 {
                scope.spawn(move || {
                    for round in 0..2000 {
                        let values: Vec<usize> =
                            pool.nursery(|n| n.spawn_each(0..4, |i| i + round + outside).collect());
                        assert!(values.into_iter().eq((0..4).map(|i| i + round + outside)));
                    }
                });
            }
        });
    });
}

/// Forks in a row are kept to oneself at some depth; so many are asked for that this ends above, and
/// some are shown unasked.
#[test]
fn a_row_of_forks_is_asked_for_down_to_those_that_are_kept() {
    fn row(length: u32) -> u32 {
        if length == 0 {
            for _ in 0..100 {
                hatchery::join(|| busy(Duration::from_micros(20)), || ());
            }
            return 0;
        }
        let (behind, own) = hatchery::join(
            || row(length - 1),
            || {
                busy(Duration::from_micros(50));
                1
            },
        );
        behind + own
    }
    on_every_pool(|pool| {
        for length in [8, 9, 20, 32, 33, 100] {
            assert_eq!(pool.nursery(|_| row(length)), length);
        }
    });
}

#[test]
fn two_thousand_short_lived_threads_one_after_another() {
    on_every_pool(|pool| {
        for i in 0..500 {
            thread::scope(|scope| {
                let outside = scope.spawn(|| pool.join(|| i, || i + 1));
                assert_eq!(outside.join().unwrap(), (i, i + 1));
            });
        }
        let seats = format!("{pool:?}").matches("Thread {").count();
        assert!(seats < 10, "seats are used again, there are {seats}");
    });
}

#[test]
fn two_hundred_pools_made_and_dropped_leave_no_thread_behind() {
    for _ in 0..200 {
        let pool = Pool::builder().threads(2).name("passing").build().unwrap();
        watched(&pool, || {
            pool.nursery(|n| {
                n.spawn_each(0..100, |i| i).for_each(drop);
                n.spawn_blocking(|| ());
            });
        });
    }
    match threads_left("passing") {
        Some(left) => assert_eq!(left, 0),
        None => println!("SKIPPED: needs /proc/self/task"),
    }
}

#[test]
fn nurseries_of_two_pools_nest_in_each_other() {
    fn alternate(pools: [&Pool; 2], depth: usize) -> usize {
        if depth == 0 {
            return 1;
        }
        let [this, other] = pools;
        this.nursery(|n| {
            n.spawn_each(0..3, |_| alternate([other, this], depth - 1))
                .sum()
        })
    }
    on_every_pool(|a| {
        let b = Pool::builder().threads(2).build().unwrap();
        watched(&b, || {
            thread::scope(|scope| {
                for pools in [[a, &b], [&b, a]] {
                    scope.spawn(move || assert_eq!(alternate(pools, 6), 729));
                }
            });
        });
    });
}
