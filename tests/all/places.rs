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
            // On a machine with more to do than it has CPUs, a thread may wait for long for what another thread holds.
            // What is taken from it is injected, and the caller may come back for that.
            let stats = pool.stats();
            let more = stats.places_lent + u64::from(stats.injected > 0);
            let most = threads + usize::try_from(more).unwrap();
            let peak = peak.load(Ordering::Relaxed);
            assert!(peak <= most, "{peak} of {threads}: {stats}");
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

/// Dumps of the pool take long enough for a place to be lent, because a blocked thread does not answer.
#[test]
fn s6_no_place_is_lent_by_a_pool_that_does_not_lend_places() {
    for lends in [false, true] {
        on_pool(Pool::builder().threads(1).lend_places(lends), |pool| {
            let (sender, receiver) = channel();
            let has_run = &Mutex::new(false);
            thread::scope(|scope| {
                let other = scope.spawn(move || {
                    // If it lends, it does so in the end.
                    let dumps = if lends && cfg!(target_os = "linux") {
                        usize::MAX
                    } else {
                        5
                    };
                    let is_lent = (0..dumps).any(|_| pool.dump().stats.places_lent > 0);
                    sender.send(is_lent).unwrap();
                    is_lent
                });
                let seen = pool.nursery(|n| {
                    n.spawn(|| *has_run.lock().unwrap() = true);
                    receiver.recv().unwrap();
                    *has_run.lock().unwrap()
                });
                let is_lent = other.join().unwrap();
                assert!(lends || !(seen || is_lent));
                if cfg!(target_os = "linux") {
                    assert_eq!(is_lent, lends);
                }
            });
            assert!(*has_run.lock().unwrap());
        });
    }
}
