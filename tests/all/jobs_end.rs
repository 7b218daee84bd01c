//! The end of a pool with jobs in it, and pools without workers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::common::jobs::{Busy, block_on, gates, lone, until_finished};
use crate::common::{Gate, REFUSED_STACK, on_no_worker, watched};
use hatchery::{Options, Pool, PoolBuilder, Submitted};

/// Waits until the pool that the options name begins to end: from then on, whoever submits a job runs it.
fn until_it_ends(options: &Options) {
    let here = thread::current().id();
    loop {
        let job = options.submit(|| thread::current().id());
        if job.is_finished() && job.join() == here {
            break;
        }
        thread::yield_now();
    }
}

/// How a pool ends. It opens the gate when it goes about it.
type End = fn(Pool, &Options);

const ENDS: [(&str, End); 5] = [
    ("plain", |pool, _| pool.shutdown()),
    ("dropped", |pool, _| drop(pool)),
    ("unwinding", |pool, _| {
        crate::common::caught(|| {
            let _pool = pool;
            crate::common::raise(1);
        });
    }),
    ("child", |pool, _| {
        hatchery::nursery(|n| n.spawn(|| drop(pool)).join());
    }),
    ("job", |pool, _| Pool::shared().submit(|| drop(pool)).join()),
];

fn pools() -> [PoolBuilder; 2] {
    [lone(), Pool::builder().threads(2).lend_places(false)]
}

#[test]
fn j4_the_end_of_a_pool_waits_for_its_jobs_in_whatever_state_they_are() {
    for (name, end) in ENDS {
        for builder in pools() {
            let pool = builder.build().unwrap();
            let options = Options::new().pool(&pool);
            watched(Pool::shared(), || {
                let busy: Vec<_> = (0..pool.threads()).map(|_| Busy::on(&pool)).collect();
                let run = Arc::new(AtomicUsize::new(0));
                let submit = |value| {
                    let run = Arc::clone(&run);
                    pool.submit(move || {
                        run.fetch_add(1, Ordering::Relaxed);
                        hatchery::nursery(|n| n.spawn(move || value).join())
                    })
                };
                let waiting: Vec<_> = (0..10).map(submit).collect();
                (0..10).for_each(|i| submit(i).detach());
                let [first, second, polled] = [20, 21, 22].map(submit);
                drop(submit(23));
                thread::scope(|scope| {
                    let joiner = scope.spawn(move || first.join());
                    let poller = scope.spawn(move || block_on(polled));
                    scope.spawn(|| {
                        until_it_ends(&options);
                        // It has waited for them.
                        busy.into_iter().for_each(Busy::end);
                    });
                    end(pool, &options);
                    // All but those that were joined, which end where they are joined.
                    assert!(run.load(Ordering::Relaxed) >= 22, "{name}");
                    assert!(waiting.iter().all(Submitted::is_finished));
                    assert_eq!((joiner.join().unwrap(), poller.join().unwrap()), (20, 22));
                });
                assert_eq!(run.load(Ordering::Relaxed), 23);
                assert_eq!(second.join(), 21);
                assert!(waiting.into_iter().map(Submitted::join).eq(0..10));
            });
        }
    }
}

/// It does not wait for itself, but runs what nobody else can run.
#[test]
fn j4_a_job_may_own_the_last_handle_of_its_pool() {
    for builder in pools() {
        let pool = Arc::new(builder.build().unwrap());
        let options = Options::new().pool(&pool);
        watched(Pool::shared(), || {
            let run = Arc::new(AtomicUsize::new(0));
            let [begun, goes_on] = gates();
            let last = pool.submit({
                let (own, run) = (Arc::clone(&pool), Arc::clone(&run));
                let (begun, goes_on) = (Arc::clone(&begun), Arc::clone(&goes_on));
                move || {
                    begun.open();
                    goes_on.wait();
                    drop(own);
                    run.load(Ordering::Relaxed)
                }
            });
            begun.wait();
            let others: Vec<_> = (1..pool.threads()).map(|_| Busy::on(&pool)).collect();
            for _ in 0..10 {
                let run = Arc::clone(&run);
                let add = move || run.fetch_add(1, Ordering::Relaxed);
                pool.submit(|| hatchery::nursery(|n| drop(n.spawn(add))))
                    .detach();
            }
            drop(pool);
            goes_on.open();
            until_it_ends(&options);
            others.into_iter().for_each(Busy::end);
            assert_eq!(last.join(), 10);
            // And it goes on as if there were a pool.
            assert_eq!(options.submit(|| hatchery::join(|| 1, || 2)).join(), (1, 2));
        });
    }
}

/// The end runs jobs, which submit jobs.
#[test]
fn j4_jobs_that_are_submitted_while_the_pool_ends_run_too() {
    fn again(options: Options, left: usize, run: Arc<AtomicUsize>) {
        run.fetch_add(1, Ordering::Relaxed);
        if left > 0 {
            let next = options.clone();
            options.submit(move || again(next, left - 1, run)).detach();
        }
    }
    for builder in pools() {
        let pool = builder.build().unwrap();
        let options = Options::new().pool(&pool);
        watched(Pool::shared(), || {
            let run = Arc::new(AtomicUsize::new(0));
            let is_over = &Gate::default();
            thread::scope(|scope| {
                for _ in 0..3 {
                    let (options, run) = (&options, &run);
                    scope.spawn(move || {
                        while !is_over.is_open() {
                            let (options, run) = (options.clone(), Arc::clone(run));
                            let chain = options.clone();
                            options.submit(move || again(chain, 3, run)).join();
                        }
                    });
                }
                while run.load(Ordering::Relaxed) < 100 {
                    thread::yield_now();
                }
                let (chain, run) = (options.clone(), Arc::clone(&run));
                options.submit(move || again(chain, 50, run)).detach();
                pool.shutdown();
                is_over.open();
            });
            assert!(run.load(Ordering::Relaxed) > 100);
            // Nothing is left behind: each chain has come to its end.
            until_each_has_ended(&run);
        });
    }
}

/// A chain of so many jobs would not fit on one stack.
#[test]
fn j4_a_chain_of_jobs_comes_to_its_end_on_no_more_stack_than_one_of_them() {
    const LINKS: usize = 100_000;
    fn again(options: Options, left: usize, run: Arc<AtomicUsize>) {
        run.fetch_add(1, Ordering::Relaxed);
        if left > 1 {
            let next = options.clone();
            options.submit(move || again(next, left - 1, run)).detach();
        }
    }
    for is_ended_inside in [false, true] {
        for builder in pools() {
            let pool = builder.build().unwrap();
            if is_ended_inside && pool.threads() > 1 {
                // The thread that ends the pool does not wait for a job on another one.
                continue;
            }
            watched(Pool::shared(), || {
                let run = Arc::new(AtomicUsize::new(0));
                let options = Options::new().pool(&pool);
                let (chain, counter) = (options.clone(), Arc::clone(&run));
                let start = move || {
                    let next = chain.clone();
                    chain.submit(move || again(next, LINKS, counter)).detach();
                };
                if is_ended_inside {
                    let ends = move || {
                        start();
                        drop(pool);
                    };
                    options.submit(ends).detach();
                } else {
                    start();
                    pool.shutdown();
                }
                until_each_has_ended(&run);
                assert_eq!(run.load(Ordering::Relaxed), LINKS);
            });
        }
    }
}

#[test]
fn j4_the_start_hook_of_the_only_worker_may_end_the_pool() {
    let slot = Arc::new(Mutex::new(None::<Pool>));
    let is_there = Arc::new(Gate::default());
    let hook = {
        let (slot, is_there) = (Arc::clone(&slot), Arc::clone(&is_there));
        move |_: &str| {
            is_there.wait();
            drop(slot.lock().unwrap().take());
        }
    };
    let pool = lone().on_thread_start(hook).build().unwrap();
    watched(Pool::shared(), || {
        let jobs: Vec<_> = (0..3).map(|value| pool.submit(move || value)).collect();
        *slot.lock().unwrap() = Some(pool);
        is_there.open();
        jobs.iter().for_each(until_finished);
        let values: Vec<_> = jobs.into_iter().map(Submitted::join).collect();
        assert_eq!(values, [0, 1, 2]);
    });
}

/// Whoever submits to a pool that has ended runs the job before it returns, so each chain has ended.
fn until_each_has_ended(run: &Arc<AtomicUsize>) {
    while Arc::strong_count(run) > 1 {
        thread::yield_now();
    }
}

#[test]
fn j4_options_may_name_a_pool_that_has_ended() {
    for builder in pools() {
        let pool = builder.build().unwrap();
        let options = Options::new().pool(&pool).name("late");
        watched(Pool::shared(), || {
            assert_eq!(options.submit(|| 1).join(), 1);
            drop(pool);
            let here = thread::current().id();
            let job = options.submit(|| thread::current().id());
            assert!(job.is_finished());
            assert_eq!(block_on(job), here);
            assert_eq!(options.install(|| thread::current().id()), here);
            let gate = hatchery::Gate::new(1);
            let job = block_on(gate.submit_with(&options, || 2)).unwrap();
            assert_eq!((job.join(), gate.inside()), (2, 0));
            let partial = options.try_submit::<_, _, ()>(|n| n.spawn(|| Ok(3)).join());
            assert_eq!(partial.join().unwrap(), 3);
        });
    }
}

#[test]
fn j1_without_a_worker_whoever_submits_a_job_runs_it() {
    on_no_worker(|pool| {
        let here = thread::current().id();
        let job = pool.submit(|| thread::current().id());
        assert!(job.is_finished());
        assert_eq!(job.join(), here);
        assert_eq!(pool.install(|| thread::current().id()), here);
        assert_eq!(
            pool.nursery(|n| n.spawn(|| hatchery::submit(|| 7).join()).join()),
            7
        );
        assert_eq!(pool.stats().jobs, 0);
    });
}

/// One of them finds out that there is no worker, and the others must not count on one.
#[test]
fn j1_without_a_worker_no_job_of_several_first_callers_is_left() {
    for _ in 0..200 {
        let refused = Pool::builder().threads(3).stack_size(REFUSED_STACK);
        let pool = refused.build().unwrap();
        watched(&pool, || {
            thread::scope(|scope| {
                for i in 0..4 {
                    let pool = &pool;
                    scope.spawn(move || match i {
                        0 => pool.nursery(|n| drop(n.spawn_each(0..4, drop))),
                        _ => assert_eq!(block_on(pool.submit(move || i)), i),
                    });
                }
            });
        });
    }
}

/// The caller has all places, so nobody tries to start a worker before it goes.
#[test]
fn j1_without_a_worker_no_job_is_left_that_was_submitted_while_the_pool_was_full() {
    let refused = Pool::builder().threads(1).stack_size(REFUSED_STACK);
    let pool = refused.build().unwrap();
    watched(&pool, || {
        let jobs = Mutex::new(Vec::new());
        pool.nursery(|_| {
            thread::scope(|scope| {
                for i in 0..3 {
                    let (pool, jobs) = (&pool, &jobs);
                    scope.spawn(move || jobs.lock().unwrap().push(pool.submit(move || i)));
                }
            });
        });
        jobs.into_inner().unwrap().iter().for_each(until_finished);
    });
}

/// The job waits without joining, so only another thread can run the one behind it.
#[test]
fn j4_a_job_may_wait_for_one_behind_it_while_its_pool_ends() {
    let builder = Pool::builder().threads(1).lend_places(false);
    let pool = builder.spare_threads(1).build().unwrap();
    let options = Options::new().pool(&pool);
    watched(Pool::shared(), || {
        let (sender, receiver) = std::sync::mpsc::channel();
        let received = pool.submit(move || {
            options.submit(move || sender.send(7).unwrap()).detach();
            hatchery::block_in_place(|| {
                thread::scope(|scope| scope.spawn(|| until_it_ends(&options)).join()).unwrap();
                receiver.recv().unwrap()
            })
        });
        pool.shutdown();
        assert_eq!(received.join(), 7);
    });
}
