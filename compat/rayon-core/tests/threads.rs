//! On which threads things run, and which threads a pool has.

mod common;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use common::{in_each_pool, pool, watched, work};
use rayon::prelude::*;
use rayon::{ThreadPoolBuilder, current_num_threads, current_thread_index};

#[test]
fn whatever_a_pool_runs_has_an_index_that_nothing_else_has() {
    in_each_pool(|| {
        let busy: Vec<_> = (0..current_num_threads())
            .map(|_| AtomicBool::new(false))
            .collect();
        let alone = |item: usize| {
            let index = current_thread_index().unwrap();
            assert!(!busy[index].swap(true, Ordering::Acquire));
            let value = work(item);
            busy[index].store(false, Ordering::Release);
            value
        };
        for _ in 0..20 {
            (0..500).into_par_iter().for_each(|item| {
                alone(item);
                rayon::join(|| alone(item), || alone(item + 1));
            });
            rayon::scope(|s| (0..50).for_each(|item| s.spawn(move |_| _ = work(item))));
        }
    });
}

#[test]
fn calls_from_outside_run_on_threads_of_the_pool() {
    watched(|| {
        let name = |index| format!("mine-{index}");
        let pool = ThreadPoolBuilder::new()
            .num_threads(3)
            .thread_name(name)
            .build()
            .unwrap();
        let here = || {
            let index = current_thread_index().unwrap();
            assert_eq!(thread::current().name(), Some(&*format!("mine-{index}")));
            thread::current().id()
        };
        let outside = thread::current().id();
        assert_ne!(pool.install(here), outside);
        let (a, b) = pool.join(here, here);
        assert!(a != outside && b != outside);
        assert_ne!(pool.scope(|_| here()), outside);
        assert_ne!(pool.scope_fifo(|_| here()), outside);
        // In place, except for what is spawned.
        let spawned = Mutex::new(Vec::new());
        assert_eq!(
            pool.in_place_scope(|s| {
                (0..50).for_each(|_| {
                    s.spawn(|s| {
                        s.spawn(|_| spawned.lock().unwrap().push(here()));
                        spawned.lock().unwrap().push(here());
                    })
                });
                thread::current().id()
            }),
            outside
        );
        let spawned = spawned.into_inner().unwrap();
        assert!(spawned.len() == 100 && !spawned.contains(&outside));
        assert_eq!(current_thread_index(), None);
        assert_eq!(pool.current_thread_index(), None);
    });
}

#[test]
fn a_broadcast_reaches_each_thread_once_beside_other_work() {
    in_each_pool(|| {
        let threads = current_num_threads();
        for round in 0..50 {
            let (indices, _) = rayon::join(
                || rayon::broadcast(|context| (context.index(), current_thread_index().unwrap())),
                || {
                    (0..200)
                        .into_par_iter()
                        .for_each(|item| _ = work(item + round))
                },
            );
            assert!(
                indices
                    .into_iter()
                    .eq((0..threads).map(|index| (index, index)))
            );
        }
    });
}

#[test]
fn two_threads_may_broadcast_at_once() {
    for threads in [1, 2, 4] {
        watched(|| {
            let pool = pool(threads);
            let count = AtomicUsize::new(0);
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        pool.install(|| {
                            for _ in 0..50 {
                                rayon::broadcast(|_| count.fetch_add(1, Ordering::Relaxed));
                            }
                        })
                    });
                }
            });
            assert_eq!(count.into_inner(), 4 * 50 * threads);
        });
    }
}

#[test]
fn pools_may_call_each_other_from_stolen_work() {
    for threads in [1, 2] {
        watched(|| {
            let (near, far) = (pool(threads), pool(4));
            let count = AtomicUsize::new(0);
            near.install(|| {
                far.install(|| {
                    (0..100).into_par_iter().with_max_len(1).for_each(|item| {
                        work(item);
                        near.install(|| count.fetch_add(1, Ordering::Relaxed));
                    });
                });
            });
            assert_eq!(count.into_inner(), 100);
        });
    }
}

#[test]
fn the_end_of_a_pool_waits_for_nothing_and_loses_nothing() {
    watched(|| {
        let (go, may_go) = channel::<()>();
        let (sender, receiver) = channel();
        let two = pool(2);
        let jobs = Arc::new(sender);
        two.spawn(move || {
            may_go.recv().unwrap();
            for item in 0..10 {
                let jobs = Arc::clone(&jobs);
                rayon::spawn(move || jobs.send(item).unwrap());
            }
        });
        drop(two);
        go.send(()).unwrap();
        let mut items: Vec<i32> = receiver.iter().collect();
        items.sort_unstable();
        assert!(items.into_iter().eq(0..10));
    });
}

#[test]
fn handlers_see_each_thread_twice_and_the_thread_sees_itself() {
    thread_local!(static PREPARED: Cell<usize> = const { Cell::new(usize::MAX) });
    watched(|| {
        let (sender, receiver) = channel();
        let ended = sender.clone();
        let pool = ThreadPoolBuilder::new()
            .num_threads(4)
            .start_handler(move |index| {
                assert_eq!(current_thread_index(), Some(index));
                PREPARED.set(index);
                sender.send((true, index)).unwrap();
            })
            .exit_handler(move |index| {
                assert_eq!(PREPARED.get(), index);
                ended.send((false, index)).unwrap();
            })
            .build()
            .unwrap();
        let seen: Vec<_> = pool.broadcast(|context| PREPARED.get() == context.index());
        assert_eq!(seen, [true; 4]);
        drop(pool);
        let mut events: Vec<_> = receiver.iter().collect();
        events.sort_unstable();
        let each = |is_start| (0..4).map(move |index| (is_start, index));
        assert!(events.into_iter().eq(each(false).chain(each(true))));
    });
}

#[test]
fn both_closures_run_if_one_panics_and_all_of_a_scope_does() {
    in_each_pool(|| {
        let ran = AtomicUsize::new(0);
        let count = || _ = ran.fetch_add(1, Ordering::Relaxed);
        let join = catch_unwind(AssertUnwindSafe(|| rayon::join(|| panic!("first"), count)));
        assert_eq!(*join.unwrap_err().downcast::<&str>().unwrap(), "first");
        let scope = catch_unwind(AssertUnwindSafe(|| {
            rayon::scope(|s| {
                (0..10).for_each(|_| s.spawn(|_| count()));
                s.spawn(|_| panic!("spawned"));
                (0..10).for_each(|_| s.spawn(|_| count()));
                panic!("body");
            })
        }));
        assert!(scope.is_err());
        assert_eq!(ran.into_inner(), 21);
    });
}

#[test]
fn a_thread_that_yields_runs_what_waits() {
    watched(|| {
        pool(1).install(|| {
            assert_eq!(rayon::yield_now(), Some(rayon::Yield::Idle));
            let ran = Arc::new(AtomicUsize::new(0));
            let spawned = Arc::clone(&ran);
            rayon::spawn(move || _ = spawned.fetch_add(1, Ordering::Relaxed));
            assert_eq!(rayon_core::current_thread_has_pending_tasks(), Some(true));
            assert_eq!(rayon::yield_local(), Some(rayon::Yield::Executed));
            assert_eq!(ran.load(Ordering::Relaxed), 1);
            // A closure that waits for another one on the same thread.
            rayon::scope(|s| {
                s.spawn(|_| _ = ran.fetch_add(1, Ordering::Relaxed));
                while ran.load(Ordering::Relaxed) == 1 {
                    rayon::yield_now();
                }
            });
        });
        assert_eq!(rayon::yield_now(), None);
    });
}

#[test]
fn the_current_thread_may_be_one_of_a_pool() {
    watched(|| {
        thread::scope(|scope| {
            scope.spawn(|| {
                let pool = ThreadPoolBuilder::new().num_threads(2).use_current_thread();
                let pool = pool.build().unwrap();
                assert_eq!(pool.current_thread_index(), Some(0));
                // Both threads are needed.
                let barrier = Barrier::new(2);
                let meet = || {
                    barrier.wait();
                    current_thread_index().unwrap()
                };
                assert_eq!(rayon::join(meet, meet), (0, 1));
                let mut sum = 0;
                rayon::scope(|s| s.spawn(|_| sum = (0..1000).into_par_iter().sum()));
                assert_eq!(sum, 499_500);
                assert_eq!(rayon::broadcast(|context| context.index()), [0, 1]);
            });
        });
    });
}

#[test]
fn a_pool_of_the_current_thread_alone_runs_what_it_is_given_when_it_yields() {
    watched(|| {
        thread::scope(|scope| {
            scope.spawn(|| {
                let pool = ThreadPoolBuilder::new().num_threads(1).use_current_thread();
                let pool = pool.build().unwrap();
                let (sender, receiver) = channel();
                pool.spawn(move || sender.send(current_thread_index()).unwrap());
                assert!(receiver.try_recv().is_err());
                while pool.yield_now() == Some(rayon::Yield::Executed) {}
                assert_eq!(receiver.recv(), Ok(Some(0)));
                thread::scope(|scope| {
                    let other = scope.spawn(|| pool.install(current_thread_index));
                    while !other.is_finished() {
                        pool.yield_now();
                    }
                    assert_eq!(other.join().unwrap(), Some(0));
                });
            });
        });
    });
}
