//! Laws E1, E6, E7: panics cancel, nobody waits for what will not come, the pool survives.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{
    Gate, Number, number_of, on_every_pool, on_no_worker, on_pool, payload_of, raise,
};
use hatchery::Pool;

#[test]
fn e1_a_panic_nobody_joined_is_raised_at_the_end_the_first_spawned_first() {
    on_no_worker(|pool| {
        let number = number_of(|| {
            pool.nursery(|n| {
                n.spawn(|| ());
                n.spawn(|| raise(1));
                n.spawn(|| raise(2));
            });
        });
        assert_eq!(number, 1);
    });
    // Two children that both run when the first of them panics: both panic, the first is raised.
    for later_first in [false, true] {
        on_pool(Pool::builder().threads(3), |pool| {
            let (one, two) = (&Gate::default(), &Gate::default());
            let (one_may, two_may) = (&Gate::default(), &Gate::default());
            let number = number_of(|| {
                pool.nursery(|n| {
                    let first = n.spawn_blocking(|| {
                        one.open();
                        one_may.wait();
                        raise(1)
                    });
                    let second = n.spawn_blocking(|| {
                        two.open();
                        two_may.wait();
                        raise(2)
                    });
                    one.wait();
                    two.wait();
                    if later_first {
                        two_may.open();
                        while !second.is_finished() {
                            std::thread::yield_now();
                        }
                    }
                    one_may.open();
                    two_may.open();
                    let (_, _): (_, _) = (first, second);
                });
            });
            assert_eq!(number, 1);
        });
    }
}

#[test]
fn e1_the_payload_arrives_unchanged_through_join_and_through_the_end() {
    on_every_pool(|pool| {
        let address = &AtomicUsize::new(0);
        let boxed = move || {
            let payload = Box::new(Number(3));
            address.store(std::ptr::from_ref(&*payload).addr(), Ordering::Relaxed);
            payload
        };
        let by_end = payload_of(|| {
            pool.nursery(|n| {
                n.spawn(move || -> () { std::panic::resume_unwind(boxed()) });
            });
        });
        let by_end = by_end.downcast::<Number>().unwrap();
        assert_eq!(
            std::ptr::from_ref(&*by_end).addr(),
            address.load(Ordering::Relaxed)
        );
        pool.nursery(|n| {
            let child = n.spawn(move || -> () { std::panic::resume_unwind(boxed()) });
            let by_join = payload_of(|| child.join()).downcast::<Number>().unwrap();
            assert_eq!(
                std::ptr::from_ref(&*by_join).addr(),
                address.load(Ordering::Relaxed)
            );
        });
    });
}

#[test]
fn e1_a_joined_panic_is_handled_and_not_raised_again() {
    on_every_pool(|pool| {
        let five = pool.nursery(|n| {
            let child = n.spawn(|| -> () { raise(4) });
            assert_eq!(number_of(|| child.join()), 4);
            5
        });
        assert_eq!(five, 5);
    });
}

#[test]
fn e1_a_panicked_child_whose_handle_was_forgotten_is_not_lost() {
    on_every_pool(|pool| {
        let payload = payload_of(|| {
            pool.nursery(|n| std::mem::forget(n.spawn(|| -> () { raise(5) })));
        });
        let message = payload.downcast_ref::<&str>().expect("a message");
        assert!(message.contains("forgotten"), "{message}");
    });
}

#[test]
fn e1_the_body_goes_first_and_its_children_are_waited_for() {
    on_every_pool(|pool| {
        for _ in 0..50 {
            let number = number_of(|| {
                pool.nursery(|n| {
                    for i in 0..20 {
                        n.spawn(move || {
                            if i % 2 == 0 {
                                raise(i)
                            }
                        });
                    }
                    raise(100);
                });
            });
            assert_eq!(number, 100);
        }
    });
}

#[test]
fn e6_a_panic_drops_what_has_not_started_unrun() {
    on_no_worker(|pool| {
        let ran = &AtomicUsize::new(0);
        let number = number_of(|| {
            pool.nursery(|n| {
                for i in 0..100 {
                    n.spawn(move || {
                        ran.fetch_add(1, Ordering::Relaxed);
                        if i == 9 {
                            raise(i);
                        }
                    });
                }
            });
        });
        assert_eq!((number, ran.load(Ordering::Relaxed)), (9, 10));
    });
}

#[test]
fn e6_what_is_spawned_after_a_panic_is_dropped_unrun() {
    on_every_pool(|pool| {
        for _ in 0..20 {
            let (ran, captured) = (&AtomicUsize::new(0), std::sync::Arc::new(()));
            let number = number_of(|| {
                pool.nursery(|n| {
                    let culprit = n.spawn(|| -> () { raise(3) });
                    let payload = payload_of(|| culprit.join());
                    for _ in 0..50 {
                        for blocking in [false, true] {
                            let captured = captured.clone();
                            let child = move || {
                                drop(captured);
                                ran.fetch_add(1, Ordering::Relaxed);
                            };
                            if blocking {
                                n.spawn_blocking(child);
                            } else {
                                n.spawn(child);
                            }
                        }
                    }
                    std::panic::resume_unwind(payload);
                });
            });
            assert_eq!((number, ran.load(Ordering::Relaxed)), (3, 0));
            assert_eq!(std::sync::Arc::strong_count(&captured), 1);
        }
    });
}

#[test]
fn e6_joining_a_skipped_child_unwinds_and_the_end_raises_the_real_panic() {
    on_every_pool(|pool| {
        for _ in 0..50 {
            let number = number_of(|| {
                pool.nursery(|n| {
                    let children: Vec<_> = (0..50)
                        .map(|i| n.spawn(move || if i == 0 { raise(7) } else { i }))
                        .collect();
                    // Joined from behind: once the first one panics, the others are skipped.
                    for child in children.into_iter().rev().take(49) {
                        child.join();
                    }
                });
            });
            assert_eq!(number, 7);
        }
    });
}

#[test]
fn e6_a_child_that_waits_for_a_skipped_sibling_ends() {
    on_every_pool(|pool| {
        for _ in 0..50 {
            let number = number_of(|| {
                pool.nursery(|n| {
                    n.spawn(move || {
                        let sibling = n.spawn(|| 1);
                        payload_of(|| pool.nursery(|m| m.spawn(|| raise(1)).join()));
                        n.spawn(|| raise(8));
                        sibling.join()
                    });
                });
            });
            assert_eq!(number, 8);
        }
    });
}

#[test]
fn e6_a_swallowed_panic_still_explains_why_a_child_was_skipped() {
    on_no_worker(|pool| {
        let payload = payload_of(|| {
            pool.nursery(|n| {
                let (bad, skipped) = (n.spawn(|| -> () { raise(9) }), n.spawn(|| 1));
                payload_of(|| bad.join());
                skipped.join()
            })
        });
        let message = payload.downcast_ref::<&str>().expect("a message");
        assert!(message.contains("skipped"), "{message}");
    });
}

#[test]
fn e6_join_raises_the_panic_of_a_first_and_runs_an_unstarted_b_all_the_same() {
    on_every_pool(|pool| {
        let ran = &AtomicUsize::new(0);
        let count = move || {
            ran.fetch_add(1, Ordering::Relaxed);
        };
        assert_eq!(number_of(|| pool.join(|| raise(1), || 2)), 1);
        assert_eq!(number_of(|| pool.join(|| 1, || raise(2))), 2);
        assert_eq!(number_of(|| pool.join(|| raise(1), || raise(2))), 1);
        assert_eq!(pool.join(count, count), ((), ()));
        assert_eq!(ran.load(Ordering::Relaxed), 2);
    });
    on_no_worker(|pool| {
        let ran = Mutex::new(false);
        number_of(|| pool.join(|| raise(1), || *ran.lock().unwrap() = true));
        assert!(*ran.lock().unwrap());
    });
}

#[test]
fn e7_a_panic_never_poisons_or_shrinks_the_pool() {
    fn panics(pool: &Pool) {
        for i in 0..200 {
            let number = number_of(|| {
                pool.nursery(|n| {
                    for _ in 0..10 {
                        n.spawn(move || {
                            hatchery::nursery(|m| {
                                m.spawn(move || raise(i));
                                m.spawn_blocking(|| ());
                            });
                        });
                    }
                });
            });
            assert_eq!(number, i);
        }
    }
    /// As many threads as before still run children, sooner or later.
    fn is_whole(pool: &Pool, threads: usize) {
        let seen = Mutex::new(HashSet::new());
        while seen.lock().unwrap().len() < threads {
            pool.nursery(|n| {
                for _ in 0..100 {
                    n.spawn(|| {
                        seen.lock().unwrap().insert(std::thread::current().id());
                        std::thread::yield_now();
                    });
                }
            });
        }
    }
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            panics(pool);
            is_whole(pool, threads);
        });
    }
    on_no_worker(|pool| {
        panics(pool);
        is_whole(pool, 1);
    });
}
