//! `fork()` with jobs in a pool: none of them runs in the new process.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Wake, Waker};
use std::thread;

use crate::common::jobs::{Bell, Busy, Seen, block_on, gates, poll_once, until_finished};
use crate::common::watched;
use crate::processes::{STARTED, Split, exit, forked};
use hatchery::{Gate, Pool, Submitted};

/// A pool of one worker, which is there and busy.
fn busy_pool() -> (Pool, Busy) {
    STARTED.store(0, Ordering::Relaxed);
    let builder = Pool::builder()
        .threads(1)
        .spare_threads(0)
        .lend_places(false);
    let count = |_: &str| {
        STARTED.fetch_add(1, Ordering::Relaxed);
    };
    let pool = builder.on_thread_start(count).build().unwrap();
    let busy = Busy::on(&pool);
    (pool, busy)
}

/// For one of two processes: the other one leaves it where it is.
fn once<T>(value: T) -> impl Fn() -> T {
    let value = Cell::new(Some(value));
    move || value.take().unwrap()
}

alone! {
    j1_a_job_that_was_waiting_during_a_fork_runs_in_its_own_process_only
    a_job_that_was_waiting_during_a_fork_is_dropped_in_the_forked_process
    a_forked_process_that_awaits_a_job_of_its_parent_aborts_loudly
    s1_a_forked_process_submits_jobs_of_its_own
    j1_a_process_may_be_forked_in_a_job
    j1_a_process_that_was_forked_in_a_job_wakes_nobody_when_the_job_ends
    s1_a_gate_lets_callers_in_that_come_after_a_fork
}

mod here {
    use super::*;

    #[test]
    #[ignore = "run in a process of its own"]
    fn j1_a_job_that_was_waiting_during_a_fork_runs_in_its_own_process_only() {
        let (pool, busy) = busy_pool();
        watched(Pool::shared(), || {
            let here = thread::current().id();
            let run = || {
                (
                    thread::current().id(),
                    hatchery::nursery(|n| n.spawn(|| 7).join()),
                )
            };
            let by_pool = once(pool.submit(run));
            let by_nursery = once(pool.nursery(|_| hatchery::submit(run)));
            let join = || {
                assert_eq!(by_pool().join(), (here, 7));
                assert_eq!(by_nursery().join(), (here, 7));
            };
            // A lock of the job may be held by a thread that is not in the new process.
            forked(|| _ = by_pool().join()).has_aborted_loudly();
            forked(|| _ = by_nursery().join()).has_aborted_loudly();
            join();
            busy.end();
        });
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn a_job_that_was_waiting_during_a_fork_is_dropped_in_the_forked_process() {
        let (pool, busy) = busy_pool();
        watched(Pool::shared(), || {
            for gives_up in [drop::<Submitted<()>>, Submitted::detach] {
                let seen = Seen::default();
                let witness = seen.witness();
                let job = once(pool.submit(move || drop(witness)));
                forked(|| {
                    gives_up(job());
                    // Nobody runs it, and nobody waits for it.
                    pool.submit(|| ()).join();
                })
                .has_succeeded();
                assert_eq!(seen.by(), []);
                drop(job());
            }
            busy.end();
        });
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn a_forked_process_that_awaits_a_job_of_its_parent_aborts_loudly() {
        let (pool, busy) = busy_pool();
        watched(Pool::shared(), || {
            let [begun, goes_on] = gates();
            busy.end();
            let (begins, waits) = (Arc::clone(&begun), Arc::clone(&goes_on));
            let running = once(pool.submit(move || {
                begins.open();
                waits.wait();
            }));
            begun.wait();
            let waiting = once(pool.submit(|| ()));
            let poll = |mut job: Submitted<()>| _ = poll_once(&mut job, &Bell::with_waker().1);
            forked(|| poll(running())).has_aborted_loudly();
            forked(|| poll(waiting())).has_aborted_loudly();
            forked(|| running().join()).has_aborted_loudly();
            // It does not wait for it to end, either.
            forked(|| drop(running())).has_succeeded();
            forked(|| running().detach()).has_succeeded();
            goes_on.open();
            running().join();
            block_on(waiting());
        });
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn s1_a_forked_process_submits_jobs_of_its_own() {
        let (pool, busy) = busy_pool();
        watched(Pool::shared(), || {
            pool.submit(|| panic!("not in the forked process")).detach();
            let here = thread::current().id();
            forked(|| {
                assert_ne!(block_on(pool.submit(|| thread::current().id())), here);
                let job = pool.submit(|| hatchery::join(|| 1, || 2));
                until_finished(&job);
                assert_eq!(job.join(), (1, 2));
                assert_eq!(pool.install(|| 3), 3);
            })
            .has_succeeded();
            // Its end, too, does not wait for jobs that are not its own.
            let pool = once(pool);
            forked(|| pool().shutdown()).has_succeeded();
            busy.end();
        });
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn j1_a_process_may_be_forked_in_a_job() {
        let (pool, busy) = busy_pool();
        busy.end();
        watched(Pool::shared(), || {
            let shared: &'static Pool = Box::leak(Box::new(pool));
            shared.install(|| {
                forked(|| {
                    assert_eq!(block_on(shared.submit(|| 7)), 7);
                    // The free function uses the pool as it was: this thread runs it.
                    assert_eq!(hatchery::submit(|| 8).join(), 8);
                })
                .has_succeeded();
            });
            assert_eq!(shared.submit(|| 9).join(), 9);
        });
    }

    /// A waker of this process, which another process would find as its parent has left it.
    struct Here(u32);

    impl Wake for Here {
        fn wake(self: Arc<Self>) {
            if std::process::id() != self.0 {
                exit(7);
            }
        }
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn j1_a_process_that_was_forked_in_a_job_wakes_nobody_when_the_job_ends() {
        let (pool, busy) = busy_pool();
        watched(Pool::shared(), || {
            let [polled, goes_on] = gates();
            let (was_polled, may_end) = (Arc::clone(&polled), Arc::clone(&goes_on));
            let mut job = pool.submit(move || {
                was_polled.wait();
                let split = Split::now();
                if let Split::Parent(_) = &split {
                    may_end.wait();
                }
                split
            });
            busy.end();
            let waker = Waker::from(Arc::new(Here(std::process::id())));
            assert!(poll_once(&mut job, &waker).is_pending());
            polled.open();
            goes_on.open();
            match block_on(job) {
                Split::Parent(forked) => forked.has_aborted_loudly(),
                Split::Child => exit(8),
            }
        });
    }

    #[test]
    #[ignore = "run in a process of its own"]
    fn s1_a_gate_lets_callers_in_that_come_after_a_fork() {
        let (pool, busy) = busy_pool();
        watched(Pool::shared(), || {
            let gate = Gate::new(2);
            let inside = once(gate.try_enter().unwrap());
            forked(|| {
                let job = gate.try_submit_with(&hatchery::Options::new().pool(&pool), || 7);
                assert_eq!(job.unwrap().join(), 7);
                drop(inside());
                assert_eq!(gate.inside(), 0);
            })
            .has_succeeded();
            assert_eq!(gate.inside(), 1);
            drop(inside());
            busy.end();
        });
    }
}
