//! Law S1 under a limit: who has a permit and waits for a child that may block does not wait in vain.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::common::on_every_pool;
use hatchery::{Failure, Options, Pool};

fn on_limits(test: impl Fn(&Pool, &Options)) {
    on_every_pool(|pool| {
        for limit in [1, 2, 3] {
            test(pool, &Options::new().pool(pool).limit(limit));
        }
    });
}

#[test]
fn s1_a_child_may_wait_for_a_blocking_child_that_it_spawned() {
    on_limits(|_, options| {
        options.nursery(|n| {
            for _ in 0..20 {
                let child = n.spawn(|| n.spawn_blocking(|| 1).join());
                let other = n.spawn_blocking(|| n.spawn_blocking(|| 2).join());
                assert_eq!(child.join() + other.join(), 3);
            }
            let many: Vec<_> = (0..20)
                .map(|i| n.spawn(move || n.spawn_blocking(move || i).join()))
                .collect();
            let sum: i32 = many.into_iter().map(|child| child.join()).sum();
            assert_eq!(sum, 190);
        });
    });
}

#[test]
fn s1_items_may_wait_for_blocking_children_that_they_spawned() {
    on_limits(|_, options| {
        let values = options.try_nursery::<u8, _, _>(|n| {
            let items = n.spawn_each(0..50_u8, move |i| {
                let child = n.spawn_blocking(move || Ok(i)).join();
                child.map_err(|failure| failure.into_error().unwrap_or(u8::MAX))
            });
            items.collect::<Result<Vec<_>, Failure<_>>>()
        });
        assert_eq!(values.unwrap(), (0..50).collect::<Vec<_>>());
    });
}

#[test]
fn s1_a_child_may_wait_for_a_nursery_or_a_race_with_a_blocking_child() {
    on_limits(|_, options| {
        let ran = &AtomicUsize::new(0);
        options.nursery(|n| {
            let children: Vec<_> = (0..10)
                .map(|_| {
                    n.spawn(move || {
                        hatchery::nursery(|inner| {
                            // One that is joined, and one that only the end waits for.
                            inner.spawn_blocking(move || ran.fetch_add(1, Ordering::Relaxed));
                            inner.spawn_blocking(|| 1).join()
                        }) + hatchery::race::<_, &str, _>(|r| r.spawn_blocking(|| Ok(2))).unwrap()
                    })
                })
                .collect();
            assert!(children.into_iter().all(|child| child.join() == 3));
            assert_eq!(ran.load(Ordering::Relaxed), 10);
        });
    });
}

#[test]
fn s1_limits_within_limits_with_blocking_children_end() {
    on_limits(|_, options| {
        options.nursery(|n| {
            for inner in [1, 2, 3] {
                n.spawn(move || {
                    Options::new().limit(inner).nursery(|m| {
                        for _ in 0..5 {
                            m.spawn_blocking(|| m.spawn(|| 1).join());
                            m.spawn(|| m.spawn_blocking(|| 1).join());
                        }
                        m.spawn_blocking(|| 1).join()
                    })
                });
            }
        });
    });
}

/// Threads that are no children have no permit; they are told when there is one.
#[test]
fn s1_plain_threads_may_wait_for_children_that_they_spawned() {
    on_limits(|_, options| {
        options.nursery(|n| {
            thread::scope(|threads| {
                for _ in 0..4 {
                    threads.spawn(|| {
                        for i in 0..20 {
                            assert_eq!(n.spawn(move || i).join(), i);
                            assert_eq!(n.spawn_blocking(move || i).join(), i);
                        }
                    });
                }
            });
        });
    });
}

/// The same in a fork of the body, which has no permit either.
#[test]
fn s1_a_fork_of_the_body_may_wait_for_children() {
    on_limits(|_, options| {
        options.nursery(|n| {
            let half = || {
                for i in 0..20 {
                    assert_eq!(n.spawn(move || i).join(), i);
                    assert_eq!(n.spawn_blocking(move || i).join(), i);
                }
            };
            hatchery::join(half, half);
        });
    });
}
