//! Tests: threads that the system refuses, and side threads that retire.

mod retired;
#[path = "../../../tests/common/workers.rs"]
mod workers;

use std::io::Write;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use crate::platform::refusals;
use crate::{Options, Pool, PoolBuilder, block_in_place};
use workers::start_all_workers;

/// A test that takes longer counts as hanging.
const PATIENCE: Duration = Duration::from_secs(240);

/// Runs `test`; ends the process if it hangs.
fn watched<R>(what: &str, test: impl FnOnce() -> R) -> R {
    let (finished, is_finished) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| {
            let is_finished = is_finished;
            if is_finished.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                // Written past the test harness, which would keep it.
                let _ = writeln!(std::io::stderr(), "{what} hangs");
                std::process::exit(101);
            }
        });
        let result = test();
        drop(finished);
        result
    })
}

/// Nested nurseries with children that may block.
fn tree(depth: usize) -> usize {
    if depth == 0 {
        return 1;
    }
    crate::nursery(|n| {
        let computes = n.spawn(move || tree(depth - 1));
        let may_block = n.spawn_blocking(move || tree(depth - 1));
        computes.join() + may_block.join()
    })
}

/// Has jobs run in every way that may want a thread; counts those that nobody waits for.
fn submit_to(pool: &Pool, detached: &Arc<AtomicUsize>) {
    for _ in 0..DETACHED {
        let detached = Arc::clone(detached);
        pool.submit(move || detached.fetch_add(1, Ordering::Relaxed))
            .detach();
    }
    let job = pool.submit(|| tree(2));
    let partial = pool.try_submit(|n| {
        let child = n.spawn_blocking(|| Ok::<_, ()>(tree(2)));
        child.join()
    });
    let awaited = pool.submit(|| tree(2));
    while !awaited.is_finished() {
        thread::yield_now();
    }
    assert_eq!(job.join() + awaited.join(), 8);
    assert!(matches!(partial.join(), Ok(4)));
    assert_eq!(pool.install(|| tree(2)), 4);
    drop(pool.submit(|| tree(2)));
}

/// Jobs that are detached each time.
const DETACHED: usize = 3;

/// Uses a pool in every way that may want a thread.
fn work_on(pool: &Pool) {
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let sum = pool.nursery(|n| {
                    let trees: Vec<_> = (0..2).map(|_| n.spawn(|| tree(3))).collect();
                    trees.into_iter().map(crate::Child::join).sum::<usize>()
                });
                assert_eq!(sum, 16);
            });
        }
    });
    let told = Options::new()
        .pool(pool)
        .timeout(Duration::from_millis(1))
        .try_nursery(|n| {
            n.spawn_blocking(|| -> Result<(), ()> {
                while crate::checkpoint().is_ok() {
                    thread::yield_now();
                }
                Ok(())
            });
            while n.checkpoint().is_ok() {
                thread::yield_now();
            }
            n.checkpoint()
        });
    assert!(told.is_err());
}

/// Runs everything while thread creations are refused if `is_refused` says so of their number, from
/// 0.
fn with_refusals(
    name: &str,
    builder: PoolBuilder,
    is_refused: impl Fn(usize) -> bool + Send + 'static,
) {
    let prefix = format!("{name}-");
    refusals::plan(&prefix, is_refused);
    let pool = builder.name(name).build().unwrap();
    watched(name, || {
        let detached = Arc::default();
        for _ in 0..3 {
            work_on(&pool);
            submit_to(&pool, &detached);
        }
        pool.shutdown();
        assert_eq!(
            detached.load(Ordering::Relaxed),
            3 * DETACHED,
            "jobs are lost"
        );
    });
    assert!(refusals::end(&prefix) > 0, "threads were asked for");
}

/// A payload that panics as it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("dropped"));
    }
}

/// Panics as the standard library does instead of refusing a thread: on its way, or as it says so.
fn panics_if(is_refused: bool) -> bool {
    if is_refused {
        resume_unwind(Box::new(Bomb));
    }
    false
}

/// How many side threads the programs here ask for at least, on a pool that allows them.
const SIDE: usize = 4;

#[test]
fn s1_everything_completes_whichever_thread_is_refused() {
    let mut cases = 0;
    for threads in [1, 2, 4] {
        for k in 0..threads + SIDE {
            let builder = || Pool::builder().threads(threads);
            let name = format!("only-{threads}-{k}");
            with_refusals(&name, builder(), move |number| number == k);
            let name = format!("from-{threads}-{k}");
            with_refusals(&name, builder(), move |number| number >= k);
            let name = format!("tight-{threads}-{k}");
            let tight = builder().blocking_threads(1);
            with_refusals(&name, tight, move |number| number == k);
            let name = format!("panic-{threads}-{k}");
            with_refusals(&name, builder(), move |number| panics_if(number == k));
            cases += 4;
        }
    }
    println!("refused threads: {cases} cases");
}

#[test]
fn s1_everything_completes_if_every_other_thread_is_refused() {
    for threads in [1, 2, 4] {
        for odd in [0, 1] {
            let name = format!("odd-{threads}-{odd}");
            let builder = Pool::builder().threads(threads);
            with_refusals(&name, builder, move |number| number % 2 == odd);
        }
    }
}

/// Two threads use a pool first, at once, and block until a worker has run their children.
#[test]
fn s1_the_first_callers_may_block_whichever_worker_is_refused() {
    for refuse in [|is_refused| is_refused, panics_if] {
        for k in 0..3 {
            let name = format!("first-{k}");
            let prefix = format!("{name}-");
            refusals::plan(&prefix, move |number| refuse(number == k));
            let pool = Pool::builder().threads(3).name(&name).build().unwrap();
            let both_are_here = Barrier::new(2);
            let user = || {
                let (sender, receiver) = channel();
                both_are_here.wait();
                pool.nursery(|n| {
                    n.spawn(move || sender.send(20));
                    let received = crate::block_in_place(|| receiver.recv());
                    assert_eq!(received, Ok(20));
                });
            };
            watched(&name, || {
                thread::scope(|scope| {
                    scope.spawn(user);
                    user();
                });
            });
            assert!(refusals::end(&prefix) > 0, "a worker was asked for");
        }
    }
}

/// Makes all workers of a pool lend their places, so that spares are wanted for what is spawned
/// then.
fn want_spares(pool: &Pool) {
    let (lent, may_go) = (&AtomicUsize::new(0), &AtomicBool::new(false));
    let threads = pool.threads();
    let sum = pool.nursery(|n| {
        let lends = || {
            crate::block_in_place(|| {
                lent.fetch_add(1, Ordering::Relaxed);
                while !may_go.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
            });
            1
        };
        let lend: Vec<_> = (0..threads).map(|_| n.spawn(lends)).collect();
        crate::block_in_place(|| {
            while lent.load(Ordering::Relaxed) < threads {
                thread::yield_now();
            }
        });
        let wanted: Vec<_> = (0..20)
            .map(|i| {
                let child = n.spawn(move || crate::join(|| i, || ()).0);
                let may_block = n.spawn_blocking(move || n.spawn(|| ()).join());
                // A thread that is asked for a place comes now, or a spare.
                crate::block_in_place(|| ());
                (child, may_block)
            })
            .collect();
        may_go.store(true, Ordering::Relaxed);
        let sum: usize = lend.into_iter().map(crate::Child::join).sum();
        let wanted = wanted.into_iter().map(|(child, may_block)| {
            may_block.join();
            child.join()
        });
        sum + wanted.sum::<usize>()
    });
    assert_eq!(sum, threads + 190);
}

#[test]
fn s1_everything_completes_whichever_spare_is_refused() {
    let mut cases = 0;
    for threads in [1, 2, 4] {
        for k in 0..3 {
            for [from, panics] in [[false, false], [true, false], [false, true]] {
                for are_side_threads_refused in [false, true] {
                    let name =
                        format!("spare-{threads}-{k}-{from}-{panics}-{are_side_threads_refused}");
                    let [spares, sides] = ["spare", "side"].map(|kind| format!("{name}-{kind}-"));
                    let refuse = [|is_refused| is_refused, panics_if][usize::from(panics)];
                    refusals::plan(&spares, move |number| {
                        refuse(number == k || from && number > k)
                    });
                    refusals::plan(&sides, move |number| {
                        refuse(are_side_threads_refused && number % 2 == 0)
                    });
                    let pool = Pool::builder().threads(threads).name(&name).build();
                    let pool = pool.unwrap();
                    watched(&name, || {
                        for _ in 0..3 {
                            want_spares(&pool);
                        }
                        pool.shutdown();
                    });
                    assert!(refusals::end(&spares) > 0, "a spare was asked for");
                    assert!(refusals::end(&sides) > 0, "a side thread was asked for");
                    cases += 1;
                }
            }
        }
    }
    println!("refused spares: {cases} cases");
}

/// Jobs are submitted while a nursery has the only place, so that nobody knows yet that all threads will be refused.
#[test]
fn s1_jobs_that_wait_for_a_worker_that_is_refused_are_run() {
    refusals::plan("jobs-", |_| true);
    let pool = Pool::builder().threads(1).name("jobs").build().unwrap();
    watched("jobs", || {
        let jobs: Vec<_> = pool.nursery(|_| {
            let jobs = (0..10_000).map(|i| pool.submit(move || crate::nursery(|_| i)));
            jobs.collect()
        });
        assert!(jobs.iter().all(crate::Submitted::is_finished));
        let sum: usize = jobs.into_iter().map(crate::Submitted::join).sum();
        assert_eq!(sum, 10_000 * 9_999 / 2);
    });
    assert_eq!(refusals::end("jobs-"), 1);
}

#[test]
fn a_worker_that_is_refused_leaves_its_place_to_the_others_and_is_tried_again() {
    for k in 0..2 {
        let name = format!("place-{k}");
        let prefix = format!("{name}-");
        refusals::plan(&prefix, move |number| number == k);
        // A spare would be asked for whenever the worker has to wait for long.
        let builder = Pool::builder().threads(2).spare_threads(0);
        let pool = builder.name(&name).build().unwrap();
        watched(&name, || {
            let home = thread::current().id();
            let item = |_| {
                thread::yield_now();
                thread::current().id()
            };
            let is_helped =
                || pool.nursery(|n| n.spawn_each(0..100, item).any(|runner| runner != home));
            while !is_helped() {}
            start_all_workers(&pool);
            let text = format!("{pool:?}");
            assert!(
                text.contains("workers_started: 2, workers_refused: 1"),
                "{text}"
            );
        });
        assert_eq!(refusals::end(&prefix), 3);
    }
}

#[test]
fn a_nursery_on_a_pool_that_has_ended_is_its_callers_work() {
    for is_first in [true, false] {
        let name = format!("ended-{is_first}");
        let prefix = format!("{name}-");
        refusals::plan(&prefix, |_| false);
        let builder = Pool::builder().threads(2).name(&name);
        let pool = builder.watchdog(Duration::from_secs(60)).build().unwrap();
        let options = Options::new().pool(&pool);
        watched(&name, || {
            if !is_first {
                options.nursery(|n| drop(n.spawn(|| ())));
            }
            pool.shutdown();
            let home = thread::current().id();
            let runners: Vec<_> = options.nursery(|n| {
                let may_block = n.spawn_blocking(|| thread::current().id());
                let each = n.spawn_each(0..100, |_| thread::current().id());
                each.chain([may_block.join()]).collect()
            });
            assert!(runners.into_iter().all(|runner| runner == home));
        });
        let asked = refusals::end(&prefix);
        assert_eq!(
            asked,
            if is_first { 0 } else { 2 },
            "a worker and the watchdog"
        );
    }
}

/// A worker, a side thread and the watchdog are each asked for while the pool ends.
#[test]
fn the_end_of_a_pool_waits_for_the_threads_that_start_meanwhile() {
    static SEEN: [[AtomicBool; 3]; 3] = [const { [const { AtomicBool::new(false) }; 3] }; 3];
    for (k, [is_asked, is_over, is_late]) in SEEN.iter().enumerate() {
        let name = format!("meanwhile-{k}");
        let prefix = format!("{name}-");
        refusals::plan(&prefix, move |number| {
            if number == k {
                is_asked.store(true, Ordering::Relaxed);
                // If the pool did not wait for this thread, it would have time to end.
                let begun = Instant::now();
                while !is_over.load(Ordering::Relaxed) && begun.elapsed().as_millis() < 100 {
                    thread::yield_now();
                }
            }
            is_late.fetch_or(is_over.load(Ordering::Relaxed), Ordering::Relaxed);
            false
        });
        let builder = Pool::builder().threads(2).name(&name);
        let pool = builder.watchdog(Duration::from_secs(60)).build().unwrap();
        let options = Options::new().pool(&pool);
        watched(&name, || {
            thread::scope(|scope| {
                scope.spawn(|| {
                    options.nursery(|n| {
                        n.spawn_blocking(|| ());
                        n.spawn(|| ());
                    });
                });
                while !is_asked.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
                pool.shutdown();
                is_over.store(true, Ordering::Relaxed);
            });
        });
        refusals::end(&prefix);
        assert!(!is_late.load(Ordering::Relaxed), "thread {k} started later");
    }
}

/// A spare that is refused is asked for again when the next worker blocks, and not for every child.
#[test]
fn refused_spares_are_not_asked_for_time_and_again() {
    let name = "no-spares";
    let pool = Pool::builder().threads(1).name(name).build().unwrap();
    refusals::plan("no-spares-spare", |_| true);
    let (blocks, may_go) = (&Barrier::new(2), &Barrier::new(2));
    watched(name, || {
        pool.nursery(|n| {
            n.spawn(|| {
                crate::block_in_place(|| {
                    blocks.wait();
                    may_go.wait();
                });
            });
            // The worker has taken that child, and this thread has taken its place.
            crate::block_in_place(|| blocks.wait());
            for _ in 0..1000 {
                n.spawn(|| crate::join(|| (), || ()));
                crate::block_in_place(|| ());
            }
            may_go.wait();
        });
    });
    let asked = refusals::end("no-spares-spare");
    assert!((1..10).contains(&asked), "{asked} times");
}
