//! `install`: on workers, whoever calls.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::common::jobs::{Busy, lone, on_workers};
use crate::common::{number_of, on_every_pool, on_no_worker, on_pool, raise, watched, watched_in};
use hatchery::{Options, Pool, checkpoint};

fn is_worker(pool: &str) -> bool {
    let thread = thread::current();
    thread.name().is_some_and(|name| name.starts_with(pool))
}

#[test]
fn j7_a_closure_that_is_installed_runs_on_a_worker() {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads).name("in"), |pool| {
            // From a plain thread, a caller of the pool, and a side thread.
            assert!(pool.install(|| is_worker("in-")));
            assert!(pool.nursery(|_| pool.install(|| is_worker("in-"))));
            let side = pool.nursery(|n| {
                let child = n.spawn_blocking(|| pool.install(|| is_worker("in-")));
                while !child.is_finished() {
                    thread::yield_now();
                }
                child.join()
            });
            assert!(side);
            assert!(
                Options::new()
                    .pool(pool)
                    .name("named")
                    .install(|| is_worker("in-"))
            );
        });
    }
}

#[test]
fn j7_what_is_installed_borrows_from_the_caller() {
    on_every_pool(|pool| {
        let words = ["to", "be"].map(str::to_owned);
        let mut longest = String::new();
        let letters = pool.install(|| {
            longest.clone_from(&words[0]);
            hatchery::nursery(|n| n.spawn_each(&words, String::len).sum::<usize>())
        });
        assert_eq!((letters, &*longest), (4, "to"));
        // And returns what borrows.
        let first: &str = pool.install(|| &*words[1]);
        assert_eq!(first, "be");
    });
}

#[test]
fn j3_a_panic_of_what_is_installed_goes_on_in_the_caller() {
    on_every_pool(|pool| {
        let mut count = 0;
        for _ in 0..20 {
            assert_eq!(number_of(|| pool.install(|| raise(3))), 3);
            let in_child = || pool.install(|| hatchery::nursery(|n| drop(n.spawn(|| raise(4)))));
            assert_eq!(number_of(in_child), 4);
            pool.install(|| count += 1);
        }
        assert_eq!(count, 20);
    });
}

#[test]
fn j7_on_a_worker_of_the_pool_it_runs_where_it_is() {
    on_every_pool(|pool| {
        let [outer, inner, innermost] = pool.install(|| {
            let here = || thread::current().id();
            let inner = || pool.install(|| [here(), pool.install(here)]);
            let [inner, innermost] = hatchery::nursery(|_| inner());
            [here(), inner, innermost]
        });
        assert_eq!([outer; 2], [inner, innermost]);
    });
    // Also if all workers are busy with that.
    on_pool(lone(), |pool| {
        fn nest(pool: &Pool, left: usize) -> usize {
            match left {
                0 => 0,
                _ => 1 + pool.install(|| hatchery::join(|| nest(pool, left - 1), || ()).0),
            }
        }
        assert_eq!(nest(pool, 50), 50);
    });
}

#[test]
fn j7_no_more_closures_run_than_the_pool_has_threads() {
    const CALLERS: usize = 100;
    for threads in [1, 2] {
        // Lent places are for more threads.
        let pool = Pool::builder().threads(threads).lend_places(false);
        on_pool(pool, |pool| {
            let [inside, run] = [(); 2].map(|()| AtomicUsize::new(0));
            let body = || {
                assert!(inside.fetch_add(1, Ordering::SeqCst) < threads);
                (0..10).for_each(|_| thread::yield_now());
                inside.fetch_sub(1, Ordering::SeqCst);
                run.fetch_add(1, Ordering::SeqCst)
            };
            thread::scope(|scope| {
                for _ in 0..CALLERS {
                    scope.spawn(|| pool.install(body));
                }
            });
            assert_eq!(run.load(Ordering::SeqCst), CALLERS);
        });
    }
}

#[test]
fn j7_pools_may_install_in_each_other() {
    fn across(pools: [&Pool; 2], left: usize) -> usize {
        let [here, there] = pools;
        match left {
            0 => 0,
            _ => 1 + here.install(|| across([there, here], left - 1)),
        }
    }
    for threads in [1, 2] {
        let [first, second] = [(); 2].map(|()| Pool::builder().threads(threads).build().unwrap());
        watched_in([&first, &second], || {
            assert_eq!(across([&first, &second], 8), 8);
            // From nurseries of the other pool, several at a time.
            let sum: usize = first.nursery(|n| {
                let children = n.spawn_each(0..10, |_| across([&second, &first], 4));
                children.sum()
            });
            assert_eq!(sum, 40);
            let threads = first.nursery(|_| second.install(hatchery::threads));
            assert_eq!(threads, second.threads());
        });
    }
}

#[test]
fn j7_without_workers_it_runs_in_the_caller() {
    on_no_worker(|pool| {
        let here = thread::current().id();
        assert_eq!(pool.install(|| thread::current().id()), here);
        assert_eq!(
            pool.install(|| hatchery::nursery(|n| n.spawn(|| 7).join())),
            7
        );
    });
}

#[test]
fn x3_what_is_installed_hears_nothing_of_the_nurseries_around() {
    on_every_pool(|pool| {
        let ok = pool.try_nursery::<(), _, _>(|n| {
            n.cancel();
            let told = pool.install(|| checkpoint().is_err());
            let in_child = pool.install(|| {
                hatchery::nursery(|n| n.spawn(|| pool.install(|| checkpoint().is_err())).join())
            });
            Ok([told, in_child])
        });
        assert_eq!(ok.unwrap(), [false; 2]);
    });
}

/// It waits for its turn behind the jobs.
#[test]
fn j1_what_is_installed_begins_in_the_order_of_the_jobs() {
    on_workers(|pool| {
        let order = Cell::new(0);
        for i in 0..100 {
            assert_eq!(order.replace(i + 1), i);
            pool.submit(|| ()).detach();
            pool.install(|| ());
        }
    });
    on_pool(lone(), |pool| {
        let busy = Busy::on(pool);
        let run = std::sync::Arc::new(AtomicUsize::new(0));
        for _ in 0..10 {
            let run = std::sync::Arc::clone(&run);
            pool.submit(move || run.fetch_add(1, Ordering::Relaxed))
                .detach();
        }
        thread::scope(|scope| {
            let caller = scope.spawn(|| pool.install(|| run.load(Ordering::Relaxed)));
            while pool.dump().jobs_waiting < 11 {
                thread::yield_now();
            }
            busy.end();
            assert_eq!(caller.join().unwrap(), 10);
        });
    });
}

/// The innermost nursery is one of the other pool.
#[test]
fn j7_install_runs_where_it_is_on_a_worker_that_is_in_a_nursery_of_another_pool() {
    let builder = Pool::builder().threads(1).spare_threads(0);
    let pool = builder.lend_places(false).build().unwrap();
    let other = Pool::builder().threads(1).build().unwrap();
    watched(&pool, || {
        let [outer, inner] = pool.install(|| {
            let here = thread::current().id();
            let there = other.nursery(|_| pool.install(|| thread::current().id()));
            [here, there]
        });
        assert_eq!(outer, inner);
    });
}
