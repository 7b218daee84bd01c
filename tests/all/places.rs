//! Law S6, and progress where a thread computes, blocks or stands down.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use crate::common::{Gate, on_no_worker, on_pool};
use hatchery::Pool;

#[test]
fn s6_blocking_children_never_occupy_a_compute_place() {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads).name("s6"), |pool| {
            let places = &Mutex::new(Vec::new());
            pool.nursery(|n| {
                for blocking in [true, false].repeat(200) {
                    let note = move |blocking| {
                        let name = thread::current().name().map(str::to_owned);
                        places.lock().unwrap().push((blocking, name));
                    };
                    if blocking {
                        n.spawn_blocking(move || {
                            note(true);
                            n.spawn(move || note(false));
                        });
                    } else {
                        n.spawn(move || note(false));
                    }
                }
            });
            for (blocking, name) in places.lock().unwrap().iter() {
                let name = name.as_deref().unwrap_or_default();
                let is_side = name.starts_with("s6-side-");
                // A waiter may run a blocking child that no side thread comes for, place given up.
                let is_worker = name.starts_with("s6-") && !is_side;
                assert!(!(*blocking && is_worker), "{name}");
                assert!(*blocking || !is_side, "{name}");
            }
        });
    }
}

#[test]
fn s6_a_blocking_child_may_wait_for_what_it_has_spawned() {
    for threads in [1, 2, 4] {
        on_pool(Pool::builder().threads(threads), |pool| {
            for i in 0..150 {
                let (sender, receiver) = channel();
                let send = move || sender.send(i).unwrap();
                pool.nursery(|n| {
                    n.spawn_blocking(move || {
                        match i % 3 {
                            0 => drop(n.spawn(send)),
                            // Left behind by a child that it has run itself.
                            1 => n.spawn(move || drop(n.spawn(send))).join(),
                            _ => hatchery::nursery(|_| drop(n.spawn(send))),
                        }
                        assert_eq!(receiver.recv(), Ok(i));
                    });
                });
            }
        });
    }
}

/// A worker that is one too many goes to sleep; what it shares is left to whoever waits for it.
#[test]
fn s1_a_worker_that_stands_down_leaves_nothing_behind() {
    on_pool(Pool::builder().threads(2), |pool| {
        let [is_taken, goes_on, is_over]: &[Gate; 3] = &Default::default();
        let callers = &AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                pool.nursery(|n| {
                    n.spawn(|| {
                        is_taken.open();
                        goes_on.wait();
                        n.spawn(|| ());
                    });
                    is_taken.wait();
                });
                is_over.open();
            });
            is_taken.wait();
            // They hold the two places, and wait for that nursery in a way of their own.
            for _ in 0..2 {
                scope.spawn(|| {
                    pool.nursery(|_| {
                        callers.fetch_add(1, Ordering::Relaxed);
                        is_over.wait();
                    });
                });
            }
            let is_waiting = || format!("{pool:?}").contains("Waiting");
            while callers.load(Ordering::Relaxed) < 2 || !is_waiting() {
                thread::yield_now();
            }
            goes_on.open();
        });
    });
}

#[test]
fn s6_at_most_as_many_threads_compute_as_there_are_places() {
    // One nursery per pool: a caller that comes back may find its place taken for a moment.
    for threads in [1, 2, 4].repeat(20) {
        on_pool(Pool::builder().threads(threads), |pool| {
            let (now, peak) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
            pool.nursery(|n| {
                for _ in 0..500 {
                    n.spawn(|| {
                        let computing = now.fetch_add(1, Ordering::Relaxed) + 1;
                        peak.fetch_max(computing, Ordering::Relaxed);
                        thread::yield_now();
                        now.fetch_sub(1, Ordering::Relaxed);
                    });
                }
            });
            assert!(peak.load(Ordering::Relaxed) <= threads);
        });
    }
    // Without a worker the callers compute, each for itself.
    on_no_worker(|pool| {
        let computing = |home| assert_eq!(thread::current().id(), home);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let home = thread::current().id();
                    pool.nursery(|n| n.spawn_each([home; 500], computing).for_each(drop));
                });
            }
        });
    });
}
