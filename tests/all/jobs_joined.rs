//! Jobs that are joined, from wherever, and the order in which jobs begin.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::common::jobs::{Busy, block_on, gates, lone, on_workers, until_finished};
use crate::common::{on_every_pool, on_pool, seeded, watched, watched_in};
use hatchery::{Nursery, Options, Pool, Submitted};

/// Joins a job in a certain place.
type Place = fn(&Pool, Submitted<thread::ThreadId>) -> [thread::ThreadId; 2];

const PLACES: [(&str, Place); 6] = [
    ("plain", |_, job| [job.join(), thread::current().id()]),
    ("body", |_, job| {
        hatchery::nursery(|_| [job.join(), thread::current().id()])
    }),
    ("own body", |pool, job| {
        pool.nursery(|_| [job.join(), thread::current().id()])
    }),
    ("child", |_, job| {
        hatchery::nursery(|n| n.spawn(|| [job.join(), thread::current().id()]).join())
    }),
    ("job", |_, job| {
        hatchery::submit(|| [job.join(), thread::current().id()]).join()
    }),
    ("deep", |_, job| {
        hatchery::nursery(|n| {
            let child = n.spawn(|| {
                let join = || [job.join(), thread::current().id()];
                hatchery::nursery(|n| n.spawn_blocking(join).join())
            });
            child.join()
        })
    }),
];

#[test]
fn j1_a_job_that_has_not_begun_is_run_by_whoever_joins_it() {
    on_pool(lone(), |pool| {
        let busy = Busy::on(pool);
        for (name, join) in PLACES {
            let [ran, joined] = join(pool, pool.submit(|| thread::current().id()));
            assert_eq!(ran, joined, "{name}");
        }
        busy.end();
    });
}

#[test]
fn j1_a_running_job_is_waited_for_by_whoever_joins_it() {
    on_workers(|pool| {
        for (name, join) in PLACES {
            let [begun, goes_on] = gates();
            let (begins, waits) = (begun.clone(), goes_on.clone());
            let job = pool.submit(move || {
                begins.open();
                waits.wait();
                thread::current().id()
            });
            begun.wait();
            thread::scope(|scope| {
                let joiner = scope.spawn(|| join(pool, job));
                goes_on.open();
                let [ran, joined] = joiner.join().unwrap();
                assert_ne!(ran, joined, "{name}");
            });
        }
    });
}

#[test]
fn j1_the_value_of_a_job_that_is_over_is_there() {
    on_every_pool(|pool| {
        for (_, join) in PLACES {
            let job = pool.submit(|| thread::current().id());
            until_finished(&job);
            assert!(job.is_finished());
            join(pool, job);
        }
    });
}

#[test]
fn j1_jobs_begin_in_the_order_in_which_they_were_submitted() {
    on_pool(lone(), |pool| {
        let order = Arc::new(Mutex::new(Vec::new()));
        let busy = Busy::on(pool);
        let jobs: Vec<_> = (0..100)
            .map(|i| {
                let order = Arc::clone(&order);
                pool.submit(move || order.lock().unwrap().push(i))
            })
            .collect();
        busy.end();
        jobs.iter().for_each(until_finished);
        assert!(order.lock().unwrap().iter().copied().eq(0..100));
    });
}

#[test]
fn j1_jobs_may_submit_jobs_and_join_them() {
    fn fib(n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let first = hatchery::submit(move || fib(n - 1));
        let second = hatchery::submit(move || fib(n - 2));
        first.join() + second.join()
    }
    on_every_pool(|pool| assert_eq!(pool.submit(|| fib(14)).join(), 377));
}

#[test]
fn j1_jobs_may_submit_jobs_and_block_until_they_are_there() {
    fn depth(left: usize) -> usize {
        match left {
            0 => 0,
            _ => 1 + block_on(hatchery::submit(move || depth(left - 1))),
        }
    }
    on_every_pool(|pool| assert_eq!(block_on(pool.submit(|| depth(8))), 8));
}

#[test]
fn x3_a_job_hears_nothing_of_the_nurseries_around_its_submission() {
    on_every_pool(|pool| {
        let options = Options::new().pool(pool).limit(1).name("around");
        let told = options.try_nursery::<(), _, _>(|n| {
            n.cancel();
            let inner = || hatchery::submit(|| hatchery::checkpoint().is_err()).join();
            let from_body = inner();
            let deeper = hatchery::nursery(|n| {
                let child = n.spawn(|| hatchery::nursery(|n| n.spawn(inner).join()));
                child.join()
            });
            Ok([from_body, deeper])
        });
        assert_eq!(told.unwrap(), [false; 2]);
    });
}

#[test]
fn j1_deep_in_nurseries_jobs_are_submitted_to_the_pool_around() {
    on_every_pool(|pool| {
        let threads = pool.nursery(|n| {
            let child = n.spawn(|| {
                hatchery::nursery(|n| {
                    let child = n.spawn(|| hatchery::submit(hatchery::threads).join());
                    child.join()
                })
            });
            child.join()
        });
        assert_eq!(threads, pool.threads());
    });
}

/// Whoever runs it: its worker, a thread that joins it, or the one that ends its pool.
#[test]
fn j1_a_job_belongs_to_its_pool_whoever_runs_it() {
    let pool = Pool::builder()
        .threads(3)
        .lend_places(false)
        .build()
        .unwrap();
    let other = Pool::builder().threads(5).build().unwrap();
    watched_in([&pool, &other], || {
        let nested = || hatchery::nursery(|n| n.spawn(hatchery::threads).join());
        let submit = || pool.nursery(|_| hatchery::submit(nested));
        let busy: Vec<_> = (0..3).map(|_| Busy::on(&pool)).collect();
        assert_eq!(submit().join(), 3);
        assert_eq!(other.nursery(|_| submit().join()), 3);
        assert_eq!(pool.submit(nested).join(), 3);
        busy.into_iter().for_each(Busy::end);
        assert_eq!(block_on(submit()), 3);
    });
}

#[test]
fn j1_a_job_begins_once_or_was_dropped_whoever_comes_first() {
    on_every_pool(|pool| {
        let mut random = seeded("jobs");
        let run = Arc::new(AtomicUsize::new(0));
        let [mut wanted, mut unwanted] = [0; 2];
        for _ in 0..2000 {
            let mut jobs = Vec::new();
            for _ in 0..random.usize(1..8) {
                let run = Arc::clone(&run);
                jobs.push(pool.submit(move || run.fetch_add(1, Ordering::Relaxed)));
            }
            random.shuffle(&mut jobs);
            for job in jobs {
                wanted += 1;
                match random.u8(..4) {
                    0 => drop(job.join()),
                    1 => drop(block_on(job)),
                    2 => job.detach(),
                    _ => {
                        wanted -= 1;
                        unwanted += 1;
                        drop(job);
                    }
                }
            }
        }
        // Those that were let go are before it.
        until_finished(&pool.submit(|| ()));
        until_quiet(pool);
        let run = run.load(Ordering::Relaxed);
        assert!((wanted..=wanted + unwanted).contains(&run), "{run}");
    });
}

/// Waits until no job runs or waits.
fn until_quiet(pool: &Pool) {
    loop {
        let dump = pool.dump();
        if dump.jobs_running == 0 && dump.jobs_waiting == 0 {
            break;
        }
        thread::yield_now();
    }
}

/// The worker takes children of the nursery without an end, and the job in between.
#[test]
fn s1_a_nursery_without_an_end_keeps_no_job_from_beginning() {
    fn respawn<'s>(n: &'s Nursery<'s, '_>, is_over: &'s AtomicBool) {
        if !is_over.load(Ordering::Relaxed) {
            n.spawn(move || respawn(n, is_over));
        }
    }
    on_pool(Pool::builder().threads(2).lend_places(false), |pool| {
        for _ in 0..20 {
            let is_over = Arc::new(AtomicBool::new(false));
            let ends = Arc::clone(&is_over);
            pool.nursery(|n| {
                (0..4).for_each(|_| respawn(n, &is_over));
                pool.submit(move || ends.store(true, Ordering::Relaxed))
                    .detach();
            });
        }
    });
}

/// A caller has the pool's only place, and does not come to a wait.
#[test]
fn s1_a_job_begins_while_the_caller_of_a_pool_of_one_thread_waits_for_it() {
    on_pool(Pool::builder().threads(1), |pool| {
        let waits: [fn(Submitted<i32>) -> i32; 4] = [
            Submitted::join,
            |job| block_on(job),
            |job| {
                until_finished(&job);
                job.join()
            },
            |job| hatchery::block_in_place(|| block_on(job)),
        ];
        for wait in waits {
            assert_eq!(pool.nursery(|_| wait(pool.submit(|| 7))), 7);
            assert_eq!(
                pool.nursery(|n| n.spawn(|| wait(pool.submit(|| 7))).join()),
                7
            );
            assert_eq!(pool.install(|| wait(pool.submit(|| 7))), 7);
        }
    });
}

#[test]
fn the_free_functions_use_the_pool_around_and_else_the_shared_one() {
    watched(Pool::shared(), || {
        let shared = Pool::shared().threads();
        assert_eq!(hatchery::submit(hatchery::threads).join(), shared);
        let partial =
            hatchery::try_submit::<_, _, ()>(|n| n.spawn(|| Ok(hatchery::threads())).join());
        assert_eq!(partial.join().unwrap(), shared);
        on_every_pool(|pool| {
            let threads = pool.nursery(|_| block_on(hatchery::submit(hatchery::threads)));
            assert_eq!(threads, pool.threads());
            let failed = pool.try_submit(|n| n.spawn(|| Err::<(), _>("no")).join());
            let failures = failed.join().unwrap_err();
            assert_eq!(failures.into_cause().into_error().unwrap(), "no");
        });
    });
}

/// The caller has the only place, and children all the time.
#[test]
fn j1_a_job_begins_beside_a_caller_whose_nursery_does_not_end() {
    let pool = Pool::builder().threads(1).build().unwrap();
    watched(&pool, || {
        let has_run = Arc::new(AtomicBool::new(false));
        let job = {
            let has_run = Arc::clone(&has_run);
            pool.nursery(|n| {
                let runs = Arc::clone(&has_run);
                let job = pool.submit(move || runs.store(true, Ordering::Relaxed));
                while !has_run.load(Ordering::Relaxed) {
                    n.spawn(|| ()).join();
                }
                job
            })
        };
        job.join();
    });
}
