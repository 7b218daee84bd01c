//! What has happened, in numbers that add up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::alone;
use crate::common::{Gate, caught, on_every_pool, on_pool, watched};
use hatchery::{Failures, Nursery, NurseryStats, OnFailure, Options, Pool, PoolStats};

/// Every child has run or was skipped.
fn adds_up(stats: &PoolStats) -> bool {
    stats.run_by_opener + stats.run_elsewhere + stats.skipped == stats.spawned
}

/// The numbers of a nursery that has no child left, once other threads have added what they ran.
///
/// A child that nobody has joined may be left to the end of this thread's body, and would never be counted here.
fn settled(nursery: &Nursery<'_, '_>) -> NurseryStats {
    loop {
        let stats = nursery.stats();
        let ended = stats.run_by_opener + stats.run_elsewhere + stats.skipped;
        assert!(ended <= stats.spawned, "{stats:?}");
        if ended == stats.spawned {
            return stats;
        }
        thread::yield_now();
    }
}

#[test]
fn a_pool_that_nobody_has_used_has_nothing_to_say_and_starts_nothing_for_it() {
    on_every_pool(|pool| assert_eq!(pool.stats(), PoolStats::default()));
}

#[test]
fn a_flat_nursery_counts_every_child_once() {
    on_every_pool(|pool| {
        for number in [0, 1, 2, 3, 9, 1000] {
            let before = pool.stats();
            let own = pool.nursery(|n| {
                let children: Vec<_> = (0..number).map(|i| n.spawn(move || i)).collect();
                assert_eq!(n.stats().spawned, number);
                assert_eq!(
                    children.into_iter().map(|c| c.join()).max(),
                    number.checked_sub(1)
                );
                settled(n)
            });
            assert_eq!((own.spawned, own.skipped, own.panicked), (number, 0, 0));
            let after = pool.stats();
            assert_eq!(after.spawned - before.spawned, number);
            assert!(adds_up(&after), "{after:?}");
            let elsewhere = after.run_elsewhere - before.run_elsewhere;
            assert_eq!(elsewhere, own.run_elsewhere);
        }
    });
}

#[test]
fn children_that_nobody_joins_count_by_the_time_the_nursery_returns() {
    on_every_pool(|pool| {
        pool.nursery(|n| (0..1000).for_each(|_| drop(n.spawn(|| ()))));
        let stats = pool.stats();
        assert_eq!((stats.spawned, stats.skipped), (1000, 0));
        assert!(adds_up(&stats), "{stats:?}");
    });
}

#[test]
fn children_joined_out_of_order_count_once() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let mut children: Vec<_> = (0..100).map(|i| n.spawn(move || i)).collect();
            while let Some(child) = children.pop() {
                assert_eq!(child.join(), children.len());
            }
            assert_eq!(settled(n).spawned, 100);
        });
        assert!(adds_up(&pool.stats()), "{:?}", pool.stats());
    });
}

#[test]
fn nested_nurseries_and_siblings_spawned_by_children_count_where_they_belong() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let children: Vec<_> = (0..10)
                .map(|_| {
                    n.spawn(|| {
                        n.spawn(|| ());
                        n.spawn(|| ()).join();
                        hatchery::nursery(|inner| {
                            inner.spawn(|| ());
                            assert_eq!(inner.stats().spawned, 1);
                        });
                    })
                })
                .collect();
            children.into_iter().for_each(|child| child.join());
            assert_eq!(n.stats().spawned, 30);
        });
        let stats = pool.stats();
        assert_eq!(stats.spawned, 40);
        assert!(adds_up(&stats), "{stats:?}");
    });
}

#[test]
fn items_count_one_by_one_however_they_are_batched_and_split() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let sum: u64 = n.spawn_each(0..10_000_u64, |i| i).sum();
            assert_eq!(sum, 49_995_000);
            let stats = settled(n);
            assert_eq!((stats.spawned, stats.skipped), (10_000, 0));
        });
        pool.nursery(|n| {
            // They spawn, so that the loop stops at each of them.
            let spawned = n.spawn_each(0..100_u64, |i| drop(n.spawn(move || i)));
            assert_eq!(spawned.count(), 100);
            // What the last item has spawned may wait for the body to return.
            assert_eq!(n.stats().spawned, 200);
        });
        let stats = pool.stats();
        assert_eq!((stats.spawned, stats.skipped), (10_200, 0));
        assert!(adds_up(&stats), "{stats:?}");
    });
}

#[test]
fn forks_do_not_count_wherever_they_run() {
    fn fib(n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let (a, b) = hatchery::join(|| fib(n - 1), || fib(n - 2));
        a + b
    }
    on_every_pool(|pool| {
        assert_eq!(pool.nursery(|n| n.spawn(|| fib(20)).join()), 6765);
        caught(|| _ = pool.join(|| fib(10), || panic!("on purpose")));
        let stats = pool.stats();
        assert_eq!((stats.spawned, stats.panicked), (1, 0));
        assert!(adds_up(&stats), "{stats:?}");
    });
}

#[test]
fn what_others_steal_is_run_elsewhere() {
    for threads in [2, 4] {
        let builder = Pool::builder().threads(threads).name("thieves");
        on_pool(builder, |pool| {
            let gate = Gate::default();
            let own = pool.nursery(|n| {
                let child = n.spawn(|| gate.open());
                n.spawn(|| ());
                // The body does not join before some other thread has come for a child.
                gate_or_spawn(n, &gate);
                child.join();
                settled_after_all(n)
            });
            let stats = pool.stats();
            assert!(own.run_elsewhere >= 1, "{own:?}");
            assert!(own.stolen >= 1 && own.stolen <= stats.stolen, "{own:?}");
            assert!(stats.run_elsewhere >= own.run_elsewhere, "{stats:?}");
            assert!((1..=threads).contains(&stats.workers), "{stats:?}");
            assert!(adds_up(&stats), "{stats:?}");
        });
    }
}

/// Spawns until another thread has opened the gate: each spawn answers whoever asks.
fn gate_or_spawn<'scope>(n: &'scope Nursery<'scope, '_>, gate: &Gate) {
    while !gate.is_open() {
        n.spawn(|| ());
        thread::yield_now();
    }
}

fn settled_after_all(n: &Nursery<'_, '_>) -> NurseryStats {
    loop {
        let stats = n.stats();
        if stats.run_elsewhere > 0 {
            return stats;
        }
        thread::yield_now();
    }
}

#[test]
fn a_thread_that_is_no_part_of_a_nursery_spawns_strays() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            thread::scope(|threads| {
                threads.spawn(|| (0..10).for_each(|_| n.spawn(|| ()).join()));
            });
            let stats = settled(n);
            assert_eq!(stats.spawned, 10);
            assert!(stats.injected >= 10, "{stats:?}");
        });
        let stats = pool.stats();
        assert!(adds_up(&stats) && stats.injected >= 10, "{stats:?}");
    });
}

#[test]
fn a_panic_counts_and_so_does_what_is_skipped_for_it() {
    on_every_pool(|pool| {
        caught(|| {
            pool.nursery(|n| {
                n.spawn(|| panic!("on purpose"));
                (0..10).for_each(|_| drop(n.spawn(|| ())));
                n.spawn_each(0..100, |_| ());
            });
        });
        let stats = pool.stats();
        assert_eq!((stats.spawned, stats.panicked), (111, 1));
        assert!(adds_up(&stats), "{stats:?}");
        if pool.threads() == 1 {
            assert_eq!((stats.run_by_opener, stats.skipped), (1, 110));
        }
    });
}

#[test]
fn every_item_that_panics_counts() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).on_failure(OnFailure::Continue);
        caught(|| options.nursery(|n| drop(n.spawn_each(0..10, |i| assert!(i % 2 == 0)))));
        let stats = pool.stats();
        assert_eq!((stats.spawned, stats.panicked, stats.skipped), (10, 5, 0));
        assert!(adds_up(&stats), "{stats:?}");
    });
}

#[test]
fn a_cancelled_partial_nursery_says_what_it_has_skipped() {
    on_every_pool(|pool| {
        let result: Result<(), Failures<()>> = pool.try_nursery(|n| {
            assert_eq!(n.spawn(|| Ok(7)).join().unwrap(), 7);
            n.cancel();
            (0..10).for_each(|_| drop(n.spawn(|| Ok(()))));
            // It takes no item any more: one child says so.
            assert_eq!(n.spawn_each(0..10, |_| Ok(())).count(), 1);
            assert_eq!(n.stats().spawned, 12);
            Ok(())
        });
        result.unwrap();
        let stats = pool.stats();
        assert_eq!((stats.spawned, stats.skipped, stats.panicked), (12, 11, 0));
        assert!(adds_up(&stats), "{stats:?}");
    });
}

#[test]
fn a_panic_in_a_partial_nursery_counts() {
    on_every_pool(|pool| {
        let result = pool.try_nursery::<(), _, _>(|n| {
            let child = n.spawn(|| -> Result<(), ()> { panic!("on purpose") });
            assert!(child.join().is_err());
            assert_eq!(n.stats().panicked, 1);
            Ok(())
        });
        drop(result);
        assert_eq!(pool.stats().panicked, 1);
    });
}

#[test]
fn blocking_children_run_elsewhere_if_there_are_threads_for_them() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let children: Vec<_> = (0..10).map(|i| n.spawn_blocking(move || i)).collect();
            children.into_iter().for_each(|child| _ = child.join());
            assert_eq!(settled(n).spawned, 10);
        });
        let stats = pool.stats();
        assert_eq!(stats.spawned, 10);
        assert!(adds_up(&stats), "{stats:?}");
        // Those that nobody came for were run by the body.
        assert_eq!(
            stats.blocking_threads == 0,
            stats.run_elsewhere == 0,
            "{stats:?}"
        );
    });
}

#[test]
fn a_body_that_waits_for_another_thread_has_parked() {
    let builder = Pool::builder().threads(2).name("parked");
    on_pool(builder, |pool| {
        let (gate, is_parked) = (Gate::default(), AtomicBool::new(false));
        pool.nursery(|n| {
            thread::scope(|threads| {
                n.spawn_blocking(|| gate.wait());
                let last = n.spawn_blocking(|| gate.wait());
                threads.spawn(|| {
                    while pool.stats().parked == 0 {
                        thread::yield_now();
                    }
                    is_parked.store(true, Ordering::Relaxed);
                    gate.open();
                });
                last.join();
            });
            assert_eq!(n.stats().parked, pool.stats().parked);
        });
        assert!(is_parked.into_inner());
    });
}

#[test]
fn a_seat_that_gets_another_owner_keeps_its_numbers() {
    let builder = Pool::builder().threads(1).name("guests");
    on_pool(builder, |pool| {
        for round in 1..=5 {
            thread::scope(|threads| {
                threads.spawn(|| pool.nursery(|n| n.spawn(|| ()).join()));
            });
            let stats = pool.stats();
            assert_eq!((stats.spawned, stats.run_by_opener), (round, round));
        }
    });
}

/// How many spares_started a pool of one thread counts where one spare comes for a worker that blocks.
fn takeovers_for_one(pool: &Pool) -> u64 {
    watched(pool, || {
        let [has_begun, is_over]: &[Gate; 2] = &Default::default();
        pool.nursery(|n| {
            n.spawn(|| {
                // The body does not compute, and the worker blocks: that is left to a spare.
                n.spawn(|| is_over.open());
                hatchery::block_in_place(|| {
                    has_begun.open();
                    is_over.wait();
                });
            });
            hatchery::block_in_place(|| {
                has_begun.wait();
                is_over.wait();
            });
        });
        let stats = pool.stats();
        assert_eq!(stats.spare_threads, 1, "{stats:?}");
        stats.spares_started
    })
}

/// Also where the spare calls a hook before it takes over.
#[test]
fn a_spare_that_takes_over_once_counts_once() {
    for has_hook in [false, true] {
        let mut builder = Pool::builder().threads(1).name("spare");
        if has_hook {
            builder = builder.on_thread_start(|_| ());
        }
        let pool = builder.build().unwrap();
        assert_eq!(takeovers_for_one(&pool), 1, "with a hook: {has_hook}");
    }
}

#[test]
#[ignore = "run by the test of the shared pool, in a process of its own"]
fn print_what_the_shared_pool_counts() {
    println!("spares_started={}", takeovers_for_one(Pool::shared()));
}

#[test]
fn a_spare_of_the_shared_pool_that_takes_over_once_counts_once() {
    let run = alone::alone(
        module_path!(),
        "print_what_the_shared_pool_counts",
        |this| {
            this.env("HATCHERY_THREADS", "1");
        },
    );
    assert!(run.stdout.contains("spares_started=1\n"), "{run:?}");
}

#[test]
fn numbers_only_grow_while_many_ask() {
    on_every_pool(|pool| {
        let is_over = AtomicBool::new(false);
        thread::scope(|threads| {
            threads.spawn(|| {
                let mut before = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let now = pool.stats();
                    assert!(now.spawned >= before, "{now:?}");
                    before = now.spawned;
                }
            });
            for _ in 0..20 {
                pool.nursery(|n| n.spawn_each(0..1000, |i| i).for_each(drop));
            }
            is_over.store(true, Ordering::Relaxed);
        });
        assert_eq!(pool.stats().spawned, 20_000);
    });
}

/// By the names that `Debug` has for them: a number that is new is forgotten nowhere.
#[test]
fn every_number_is_in_the_text() {
    fn check(all: &dyn std::fmt::Debug, text: &str) {
        let all = format!("{all:?}");
        let all = all.split_once('{').expect("a struct").1;
        let fields = all.matches(':').count();
        assert!(fields >= 9, "{all}");
        let numbers = text.split(|c: char| !c.is_ascii_digit());
        let numbers = numbers.filter(|number| !number.is_empty());
        assert_eq!(numbers.count(), fields, "{text}");
    }
    on_every_pool(|pool| {
        pool.nursery(|n| {
            let (of_pool, own) = (pool.stats(), n.stats());
            check(&of_pool, &of_pool.to_string());
            check(&own, &own.to_string());
        });
    });
}
