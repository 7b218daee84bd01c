//! Threads that are no pool's own: many of them, short ones, and what belongs to them.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::common::workers::start_all_workers;
use crate::common::{Gate, on_every_pool, on_pool, threads_named};
use hatchery::{Pool, PoolBuilder};

/// A sum by children that a nursery runs, forks, and waits for.
fn work_on(pool: &Pool) {
    let sum = pool.nursery(|n| {
        let each = n.spawn_each(0..100_u64, |i| i);
        let child = n.spawn(|| hatchery::join(|| 1, || 2).1);
        each.sum::<u64>() + child.join()
    });
    assert_eq!(sum, 4952);
}

#[test]
fn s1_sixty_four_threads_at_once_open_nurseries() {
    on_every_pool(|pool| {
        let all_here = &Barrier::new(64);
        thread::scope(|scope| {
            for i in 0..64 {
                scope.spawn(move || {
                    all_here.wait();
                    for round in 0..20 {
                        work_on(pool);
                        if (i + round) % 16 == 0 {
                            pool.nursery(|n| n.spawn_blocking(|| work_on(pool)).join());
                        }
                    }
                });
            }
        });
    });
}

/// A pool of two workers, of which none is replaced when it has to wait for long: a spare has a seat, too.
fn builder() -> PoolBuilder {
    Pool::builder().threads(2).spare_threads(0)
}

/// Seats of a pool: those that are held, which searches walk, and those that are free.
fn seats(pool: &Pool) -> [usize; 2] {
    let text = format!("{pool:?}");
    let (held, free) = text.split_once("free_seats: ").expect("shown");
    let digits = free.chars().take_while(char::is_ascii_digit);
    let free = digits.collect::<String>().parse().unwrap();
    [held.matches("owner: ").count(), free]
}

/// Waits until so many seats are held. A thread gives its seat back a moment after the scope that waits
/// for its result; how many are free then.
fn free_once_held_are(pool: &Pool, expected: usize) -> usize {
    loop {
        let [held, free] = seats(pool);
        if held == expected {
            return free;
        }
        thread::yield_now();
    }
}

#[test]
fn s8_ten_thousand_short_threads_leave_no_seat_and_no_thread_behind() {
    on_pool(builder().name("brief"), |pool| {
        start_all_workers(pool);
        work_on(pool);
        let [held, _] = seats(pool);
        for _ in 0..10_000 {
            thread::scope(|scope| {
                scope.spawn(|| work_on(pool)).join().unwrap();
            });
        }
        // One for all of them.
        let free = free_once_held_are(pool, held);
        assert!(free <= 1, "{free} free seats");
        match threads_named("brief-") {
            None => println!("SKIPPED: needs /proc/self/task"),
            Some(threads) => assert_eq!(threads, 2),
        }
    });
}

#[test]
fn s8_seats_are_as_many_as_threads_at_a_time() {
    on_pool(builder(), |pool| {
        start_all_workers(pool);
        let [held, _] = seats(pool);
        for _ in 0..50 {
            let all_here = &Barrier::new(8);
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        work_on(pool);
                        all_here.wait();
                    });
                }
            });
            // But for the workers' own.
            let free = free_once_held_are(pool, held);
            assert!(free <= 8, "{free} free seats");
        }
    });
}

#[test]
fn a_seat_that_no_thread_holds_is_not_walked_by_searches() {
    on_pool(builder(), |pool| {
        start_all_workers(pool);
        let [held, _] = seats(pool);
        let before = pool.stats();
        for _ in 0..3 {
            let all_here = &Barrier::new(100);
            thread::scope(|scope| {
                for _ in 0..100 {
                    scope.spawn(|| {
                        work_on(pool);
                        all_here.wait();
                    });
                }
            });
            assert_eq!(free_once_held_are(pool, held), 100);
        }
        // What their holders have counted is not lost with them, nor counted again by the next ones.
        let (stats, children) = (pool.stats(), 3 * 100 * 101);
        assert_eq!(stats.spawned - before.spawned, children);
        assert_eq!(stats.run_by_opener + stats.run_elsewhere, stats.spawned);
    });
}

/// Writes into a nursery of its own, by another thread.
struct Nosy<'a>(&'a Pool);

impl std::fmt::Write for Nosy<'_> {
    fn write_str(&mut self, _: &str) -> std::fmt::Result {
        thread::scope(|scope| {
            let outside = scope.spawn(|| self.0.nursery(|n| n.spawn(|| 1).join()));
            assert_eq!(outside.join().unwrap(), 1);
        });
        Ok(())
    }
}

#[test]
fn s7_whoever_writes_down_a_pool_may_use_it_meanwhile() {
    use std::fmt::Write;
    on_pool(Pool::builder().threads(2), |pool| {
        work_on(pool);
        write!(Nosy(pool), "{pool:?}").unwrap();
        write!(Nosy(pool), "{}", pool.dump()).unwrap();
        pool.nursery(|n| write!(Nosy(pool), "{n:?}").unwrap());
    });
}

#[test]
fn a_token_that_a_thread_was_given_is_there_after_its_nursery() {
    on_every_pool(|pool| {
        for _ in 0..50 {
            thread::current().unpark();
            pool.nursery(|n| {
                // Waits at least now and then.
                for _ in 0..10 {
                    n.spawn_blocking(thread::yield_now);
                    n.spawn(thread::yield_now);
                }
                n.spawn_blocking(|| ()).join();
            });
            // Hangs if the nursery's wait has taken the token.
            thread::park();
        }
    });
}

#[test]
fn a_token_that_a_child_was_given_is_there_after_its_nursery() {
    on_every_pool(|pool| {
        pool.nursery(|n| {
            for _ in 0..100 {
                n.spawn(|| {
                    thread::current().unpark();
                    hatchery::nursery(|inner| {
                        inner.spawn_blocking(thread::yield_now);
                        inner.spawn(thread::yield_now);
                    });
                    thread::park();
                });
            }
        });
    });
}

/// A thread that parks for itself, while others end children, expose some and wake each other, is not
/// woken by any of that.
#[test]
fn a_thread_that_parks_for_itself_is_not_woken_by_the_pool() {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            let (parked, wake_ups) = (&Gate::default(), &AtomicUsize::new(0));
            let ended = &AtomicUsize::new(0);
            thread::scope(|scope| {
                let sleeper = scope.spawn(|| {
                    // The pool knows this thread as one that has waited.
                    for _ in 0..20 {
                        let slowly = || (0..10).for_each(|_| thread::yield_now());
                        pool.nursery(|n| n.spawn_blocking(slowly).join());
                    }
                    pool.nursery(|n| {
                        for _ in 0..20 {
                            n.spawn_blocking(|| {
                                parked.wait();
                                (0..10).for_each(|_| thread::yield_now());
                                ended.fetch_add(1, Ordering::Relaxed);
                            });
                        }
                        parked.open();
                        while !n.spawn(|| wake_ups.load(Ordering::Relaxed) > 0).join() {
                            thread::park();
                            wake_ups.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                });
                while ended.load(Ordering::Relaxed) < 20 {
                    thread::yield_now();
                }
                for _ in 0..100 {
                    work_on(pool);
                }
                // Ours is the first, unless the system has woken it for nothing.
                let early = wake_ups.load(Ordering::Relaxed);
                sleeper.thread().unpark();
                sleeper.join().unwrap();
                assert_eq!(early, 0);
            });
        });
    }
}
