//! `block_in_place` and waits: a place that a thread does not use is another's.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Barrier, Mutex};
use std::thread::{self, ThreadId};

use crate::common::{Gate, on_every_pool, on_no_worker, on_pool, payload_of};
use hatchery::{Pool, block_in_place};

/// As many children at the same time as the pool has threads, or this waits for ever. Each of them
/// answers whoever asks for work while it waits for the others, as any that forks does.
fn compute_at_once(pool: &Pool) {
    let computing = &AtomicUsize::new(0);
    pool.nursery(|n| {
        for _ in 0..pool.threads() {
            n.spawn(|| {
                computing.fetch_add(1, Ordering::Relaxed);
                while computing.load(Ordering::Relaxed) < pool.threads() {
                    hatchery::join(|| (), thread::yield_now);
                }
            });
        }
    });
}

#[test]
fn s6_the_places_of_children_that_block_are_taken_by_others() {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            let (is_over, blocked) = (&Gate::default(), &AtomicUsize::new(0));
            pool.nursery(|n| {
                // Every worker blocks, and some spares.
                for _ in 0..threads + 3 {
                    n.spawn(|| {
                        block_in_place(|| {
                            blocked.fetch_add(1, Ordering::Relaxed);
                            is_over.wait();
                        });
                    });
                }
                block_in_place(|| {
                    while blocked.load(Ordering::Relaxed) < threads + 3 {
                        thread::yield_now();
                    }
                });
                compute_at_once(pool);
                is_over.open();
            });
            compute_at_once(pool);
        });
    }
}

#[test]
fn s6_the_places_of_workers_that_wait_are_taken_by_others() {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            let (is_over, waiting) = (&Gate::default(), &AtomicUsize::new(0));
            pool.nursery(|n| {
                for _ in 0..threads + 2 {
                    n.spawn(|| {
                        hatchery::nursery(|inner| {
                            inner.spawn_blocking(|| {
                                waiting.fetch_add(1, Ordering::Relaxed);
                                is_over.wait();
                            });
                        });
                    });
                }
                block_in_place(|| {
                    while waiting.load(Ordering::Relaxed) < threads + 2 {
                        thread::yield_now();
                    }
                });
                compute_at_once(pool);
                is_over.open();
            });
        });
    }
}

#[test]
fn s6_after_blocking_no_more_threads_compute_than_there_are_places() {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            for _ in 0..20 {
                let barrier = &Barrier::new(threads);
                let (now, peak) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
                pool.nursery(|n| {
                    // They come back at different times; each is one too many for a moment.
                    for _ in 0..threads {
                        n.spawn(|| block_in_place(|| barrier.wait()));
                    }
                });
                pool.nursery(|n| {
                    for i in 0..200 {
                        n.spawn(move || {
                            let computing = now.fetch_add(1, Ordering::Relaxed) + 1;
                            peak.fetch_max(computing, Ordering::Relaxed);
                            // Not in each: on a busy machine it may take long to come back.
                            if i % 10 == 0 {
                                thread::yield_now();
                            }
                            now.fetch_sub(1, Ordering::Relaxed);
                        });
                    }
                });
                // The caller takes its place anyway, and whoever has not noticed stands down after
                // its present child.
                let peak = peak.load(Ordering::Relaxed);
                assert!(peak <= 2 * threads + 1, "{peak}");
            }
        });
    }
}

#[test]
fn what_a_blocking_thread_holds_is_for_others() {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            let (sender, receiver) = channel();
            pool.nursery(|outer| {
                let sender = &sender;
                // Spawned before, within, and by a nursery within; into this nursery and an inner one.
                outer.spawn(move || sender.send(1));
                hatchery::nursery(|inner| {
                    inner.spawn(move || sender.send(2));
                    let mut received: Vec<i32> = block_in_place(|| {
                        outer.spawn(move || sender.send(3));
                        inner.spawn(move || sender.send(4));
                        hatchery::nursery(|n| {
                            n.spawn(move || sender.send(5));
                            block_in_place(|| receiver.iter().take(5).collect())
                        })
                    });
                    received.sort_unstable();
                    assert_eq!(received, [1, 2, 3, 4, 5]);
                });
            });
        });
    }
}

#[test]
fn without_spares_a_blocked_place_is_missed_and_nothing_else() {
    on_pool(Pool::builder().threads(2).spare_threads(0), |pool| {
        let ran_by = &Mutex::new(HashSet::<ThreadId>::new());
        pool.nursery(|n| {
            for _ in 0..50 {
                n.spawn(|| {
                    block_in_place(thread::yield_now);
                    ran_by.lock().unwrap().insert(thread::current().id());
                });
            }
        });
        // The caller and the two workers.
        assert!(ran_by.lock().unwrap().len() <= 3);
    });
}

#[test]
fn spares_are_bounded() {
    on_pool(
        Pool::builder().threads(2).spare_threads(3).name("few"),
        |pool| {
            let names = &Mutex::new(HashSet::new());
            pool.nursery(|n| {
                for _ in 0..200 {
                    n.spawn(|| {
                        let name = thread::current().name().unwrap_or_default().to_owned();
                        block_in_place(|| names.lock().unwrap().insert(name));
                        block_in_place(thread::yield_now);
                    });
                }
            });
            let names = names.lock().unwrap();
            let spares = names.iter().filter(|name| name.starts_with("few-spare-"));
            assert!(spares.count() <= 3, "{names:?}");
        },
    );
}

#[test]
fn blocking_in_place_gives_the_value_or_the_panic_of_its_closure() {
    assert_eq!(block_in_place(|| 1), 1);
    on_every_pool(|pool| {
        pool.nursery(|n| {
            assert_eq!(block_in_place(|| 2), 2);
            let child = n.spawn(|| block_in_place(|| hatchery::join(|| 3, || 4)));
            assert_eq!(child.join(), (3, 4));
            let blocking = n.spawn_blocking(|| block_in_place(|| 5));
            assert_eq!(blocking.join(), 5);
        });
        let raised = payload_of(|| {
            pool.nursery(|n| {
                n.spawn(|| block_in_place(|| std::panic::resume_unwind(Box::new(6))));
            });
        });
        assert_eq!(raised.downcast_ref(), Some(&6));
    });
}

#[test]
fn a_child_may_be_joined_while_its_joiner_blocks_in_place() {
    on_every_pool(|pool| {
        let value = pool.nursery(|n| {
            let child = n.spawn(|| n.spawn(|| 20).join() + 1);
            block_in_place(move || child.join() * 2)
        });
        assert_eq!(value, 42);
    });
}

#[test]
fn a_half_of_a_join_that_blocks_leaves_the_other_to_others() {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            for _ in 0..20 {
                let (sender, receiver) = channel();
                let blocks = move || block_in_place(move || receiver.recv());
                let (received, sent) = pool.join(blocks, || sender.send(7));
                assert_eq!((received, sent), (Ok(7), Ok(())));
            }
        });
    }
}

#[test]
fn spares_that_take_over_are_counted() {
    on_pool(Pool::builder().threads(1), |pool| {
        let (is_over, blocks) = (&Gate::default(), &Gate::default());
        pool.nursery(|n| {
            n.spawn(|| {
                block_in_place(|| {
                    blocks.open();
                    is_over.wait();
                });
            });
            n.spawn(|| is_over.open());
            block_in_place(|| blocks.wait());
        });
        let stats = pool.stats();
        assert!(
            stats.spares_started >= 1 && stats.spare_threads == 1,
            "{stats:?}"
        );
    });
}

#[test]
fn without_any_worker_blocking_in_place_just_blocks() {
    on_no_worker(|pool| {
        let value = pool.nursery(|n| {
            let child = n.spawn(|| block_in_place(|| 1));
            block_in_place(|| 2) + child.join()
        });
        assert_eq!(value, 3);
    });
}
