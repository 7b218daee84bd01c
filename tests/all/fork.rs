//! `fork()` while pools run: the new process has none of their threads, and nothing in it hangs.
#![cfg(unix)]
#![allow(unsafe_code, reason = "forks, and watches what it has forked")]

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::common::workers::start_all_workers;
use crate::common::{Gate, REFUSED_STACK, outcome};
use crate::processes::{STARTED, Split, end, exit, forked};
use hatchery::{CancelReason, Options, Pool, PoolBuilder};

/// Uses a pool with two threads in every way, and makes sure that a thread of it is there.
fn work_on(pool: &Pool) {
    let home = thread::current().id();
    let item = |_| {
        thread::yield_now();
        thread::current().id()
    };
    let is_helped = || pool.nursery(|n| n.spawn_each(0..20, item).any(|runner| runner != home));
    while !is_helped() {}
    let is_here = &Gate::default();
    pool.nursery(|n| {
        n.spawn_blocking(|| is_here.open());
        is_here.wait();
        assert_eq!(n.spawn_blocking(|| 7).join(), 7);
        n.spawn(|| hatchery::join(|| (), || ()));
        assert_eq!(n.spawn_each(0..1000_u64, |i| i).sum::<u64>(), 499_500);
    });
    let told = Options::new()
        .pool(pool)
        .timeout(Duration::from_millis(1))
        .limit(1)
        .try_nursery(|n| {
            n.spawn(|| -> Result<(), ()> {
                while hatchery::checkpoint().is_ok() {
                    thread::yield_now();
                }
                Ok(())
            });
            while n.checkpoint().is_ok() {
                thread::yield_now();
            }
            n.checkpoint()
        });
    let failures = told.unwrap_err();
    let hatchery::FailureKind::Cancelled(cancelled) = failures.cause().kind() else {
        panic!("{failures:?}");
    };
    assert!(matches!(cancelled.reason(), CancelReason::Deadline));
}

fn builder() -> PoolBuilder {
    Pool::builder()
        .threads(2)
        .blocking_threads(1)
        // A spare would start whenever a worker has to wait for long.
        .spare_threads(0)
        .name("forked")
        .on_thread_start(|_| {
            STARTED.fetch_add(1, Ordering::Relaxed);
        })
}

/// A pool that no thread's stack holds, see `Pool`, "fork"; its threads are there.
fn pool() -> &'static Pool {
    Box::leak(Box::new(settled(builder().build().unwrap())))
}

/// The pool, all of whose threads are there.
fn settled(pool: Pool) -> Pool {
    STARTED.store(0, Ordering::Relaxed);
    work_on(&pool);
    start_all_workers(&pool);
    settle();
    pool
}

/// Waits until the threads of a pool are there. In a process that is forked while one of its threads
/// starts or ends, the standard library may not be able to start any: it has a lock of its own.
fn settle() {
    while STARTED.load(Ordering::Relaxed) < 3 {
        thread::yield_now();
    }
}

alone! {
    s1_a_forked_process_computes_on_threads_of_its_own
    s1_a_forked_process_does_not_hang_however_busy_the_pool_was
    a_forked_process_may_end_a_pool_that_had_threads
    s1_a_wait_that_was_open_during_the_fork_aborts_loudly
    s1_a_thread_of_the_pool_that_returns_from_a_forking_child_aborts_loudly
    a_forked_process_may_open_nurseries_in_the_child_that_forked
    a_forked_process_may_leave_what_the_child_that_forked_had_begun
    a_limit_that_was_in_force_during_the_fork_holds_nobody_up
    a_nursery_that_needs_no_other_thread_goes_on_in_both_processes
    a_thread_that_was_a_guest_before_the_fork_ends_in_the_forked_process
}

mod here {
    use super::*;

    #[test]
    #[ignore = "run in a process of its own"]
    fn s1_a_forked_process_computes_on_threads_of_its_own() {
        let pool = pool();
        work_on(pool);
        let first = forked(|| {
            work_on(pool);
            work_on(pool);
            hatchery::join(|| (), || ());
            // It can be forked in turn.
            forked(|| work_on(pool)).has_succeeded();
            work_on(pool);
        });
        work_on(pool);
        first.has_succeeded();
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn s1_a_forked_process_does_not_hang_however_busy_the_pool_was() {
        let pool = pool();
        let (is_here, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    work_on(pool);
                    is_here.fetch_add(1, Ordering::Relaxed);
                    while !is_over.load(Ordering::Relaxed) {
                        work_on(pool);
                    }
                });
            }
            while is_here.load(Ordering::Relaxed) < 2 {
                thread::yield_now();
            }
            let forks = outcome(|| {
                for _ in 0..100 {
                    forked(|| work_on(pool)).has_succeeded();
                }
            });
            is_over.store(true, Ordering::Relaxed);
            forks.unwrap();
        });
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn a_forked_process_may_end_a_pool_that_had_threads() {
        for uses_it in [false, true] {
            let pool = settled(builder().build().unwrap());
            let mut pool = Some(pool);
            let child = forked(|| {
                let pool = pool.take().unwrap();
                if uses_it {
                    work_on(&pool);
                }
                pool.shutdown();
            });
            child.has_succeeded();
            work_on(pool.as_ref().unwrap());
        }
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn s1_a_wait_that_was_open_during_the_fork_aborts_loudly() {
        let pool = pool();
        // The end of a nursery, and a join.
        for joins in [false, true] {
            let [is_here, goes_on]: &[Gate; 2] = &Default::default();
            let forked = pool.nursery(|n| {
                let child = n.spawn_blocking(|| {
                    is_here.open();
                    goes_on.wait();
                });
                is_here.wait();
                let split = Split::now();
                if let Split::Parent(_) = &split {
                    goes_on.open();
                } else if joins {
                    child.join();
                    exit(1);
                }
                split
            });
            match forked {
                Split::Parent(forked) => forked.has_aborted_loudly(),
                Split::Child => exit(1),
            }
        }
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn s1_a_thread_of_the_pool_that_returns_from_a_forking_child_aborts_loudly() {
        let pool = pool();
        for is_blocking in [false, true] {
            let (sender, receiver) = channel();
            let (home, is_done) = (thread::current().id(), &AtomicBool::new(false));
            let fork_once = &move |_| {
                thread::yield_now();
                let is_elsewhere = thread::current().id() != home;
                if is_elsewhere && !is_done.swap(true, Ordering::Relaxed) {
                    match Split::now() {
                        Split::Parent(forked) => sender.send(forked).unwrap(),
                        Split::Child => (),
                    }
                }
            };
            while !is_done.load(Ordering::Relaxed) {
                pool.nursery(|n| {
                    if is_blocking {
                        n.spawn_blocking(|| fork_once(0)).join();
                    } else {
                        n.spawn_each(0..100, fork_once).for_each(drop);
                    }
                });
            }
            receiver.recv().unwrap().has_aborted_loudly();
        }
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn a_forked_process_may_open_nurseries_in_the_child_that_forked() {
        let pool = pool();
        for is_blocking in [false, true] {
            let fork_and_work = || {
                let child = forked(|| {
                    // What is not there any more is not above them.
                    let sum = hatchery::nursery(|n| {
                        n.spawn(|| hatchery::join(|| (), || ()));
                        n.spawn_each(0..1000_u64, |i| i).sum::<u64>()
                    });
                    assert_eq!(sum, 499_500);
                    // On the pool as it is in this process.
                    work_on(pool);
                });
                child.has_succeeded();
            };
            pool.nursery(|n| {
                if is_blocking {
                    n.spawn_blocking(fork_and_work);
                } else {
                    n.spawn(fork_and_work);
                }
                for _ in 0..100 {
                    n.spawn(thread::yield_now);
                }
            });
        }
    }

    /// Forks inside of something.
    type Way = fn(&Pool) -> Split;

    #[test]
    #[ignore = "run in a process of its own"]
    fn a_forked_process_may_leave_what_the_child_that_forked_had_begun() {
        let pool = pool();
        let ways: [(&str, Way); 7] = [
            ("nothing", |_| Split::now()),
            ("nursery", |_| hatchery::nursery(|_| Split::now())),
            ("join", |_| hatchery::join(Split::now, || ()).0),
            ("block", |_| hatchery::block_in_place(Split::now)),
            ("all", |_| {
                let inner = || hatchery::nursery(|_| hatchery::block_in_place(Split::now));
                let outer = || hatchery::join(inner, || ()).0;
                hatchery::join(|| hatchery::nursery(|_| outer()), || ()).0
            }),
            ("busy", |pool| {
                hatchery::nursery(|_| {
                    let split = Split::now();
                    if let Split::Child = split {
                        // Its threads take the stacks of those that are not there.
                        work_on(pool);
                    }
                    split
                })
            }),
            ("partial", |pool| {
                let split = || Ok::<_, hatchery::Failure<()>>(Split::now());
                Options::new()
                    .pool(pool)
                    .limit(1)
                    .try_nursery(|_| split())
                    .unwrap()
            }),
        ];
        for (name, way) in ways {
            let fork_and_leave = || match way(pool) {
                Split::Parent(child) => child.has_succeeded(),
                Split::Child => {
                    let left = outcome(|| {
                        let is_told = || hatchery::checkpoint().is_err();
                        assert!(!is_told(), "after {name}");
                        assert!(!hatchery::nursery(|n| n.spawn(is_told).join()), "{name}");
                        work_on(pool);
                        assert!(!is_told(), "after {name}");
                    });
                    end(left)
                }
            };
            let child = &fork_and_leave;
            let run = || {
                pool.nursery(|n| {
                    let child = n.spawn_blocking(child);
                    // A join might run it here.
                    while !child.is_finished() {
                        thread::yield_now();
                    }
                    child.join();
                });
            };
            // This one computes all the while, so that no worker has a place to run the second closure of a
            // `join` in while the process is forked: the new process would wait for that.
            let [is_here, is_over]: &[Gate; 2] = &Default::default();
            let computes = || {
                pool.nursery(|_| {
                    is_here.open();
                    is_over.wait();
                });
            };
            let mut ended = None;
            thread::scope(|scope| {
                scope.spawn(computes);
                is_here.wait();
                let _told = Options::new().pool(pool).limit(4).try_nursery(|n| {
                    // What is below it learns that, unless it is below it no more.
                    n.cancel();
                    ended = Some(outcome(run));
                    Ok::<(), hatchery::Failure<()>>(())
                });
                is_over.open();
            });
            ended.expect("run").unwrap();
        }
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn a_limit_that_was_in_force_during_the_fork_holds_nobody_up() {
        let pool = pool();
        let [is_here, goes_on]: &[Gate; 2] = &Default::default();
        Options::new().pool(pool).limit(1).nursery(|n| {
            // Has the only permit, and is not there in the other process.
            n.spawn_blocking(|| {
                is_here.open();
                goes_on.wait();
            });
            is_here.wait();
            let child = forked(|| work_on(pool));
            let ended = outcome(|| child.has_succeeded());
            goes_on.open();
            ended.unwrap();
        });
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn a_nursery_that_needs_no_other_thread_goes_on_in_both_processes() {
        let pool = Pool::builder().stack_size(REFUSED_STACK).build().unwrap();
        let mut this = None;
        let run = outcome(|| {
            pool.nursery(|n| {
                let children: Vec<_> = (0..100_u64).map(|i| n.spawn(move || i)).collect();
                this = Some(Split::now());
                let more = n.spawn_each(0..1000_u64, |i| i);
                let first: u64 = children.into_iter().map(hatchery::Child::join).sum();
                first + more.sum::<u64>()
            })
        });
        match this.take().expect("forked") {
            Split::Child => exit(i32::from(run != Ok(4950 + 499_500))),
            Split::Parent(forked) => forked.has_succeeded(),
        }
        assert_eq!(run, Ok(4950 + 499_500));
    }

    /// Ends the process.
    struct Last;

    impl Drop for Last {
        fn drop(&mut self) {
            exit(0);
        }
    }

    thread_local!(static LAST: RefCell<Option<Last>> = const { RefCell::new(None) });

    #[test]
    #[ignore = "run in a process of its own"]
    fn a_thread_that_was_a_guest_before_the_fork_ends_in_the_forked_process() {
        let pool = pool();
        let outside = || {
            // There first, so it goes last.
            LAST.set(Some(Last));
            work_on(pool);
            match Split::now() {
                Split::Parent(forked) => {
                    if let Some(last) = LAST.take() {
                        std::mem::forget(last);
                    }
                    forked.has_succeeded();
                }
                Split::Child => work_on(pool),
            }
        };
        thread::scope(|scope| {
            let outside = scope.spawn(outside).join();
            outside.unwrap_or_else(|payload| resume_unwind(payload));
        });
    }
}
