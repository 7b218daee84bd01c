//! Pools whose workers run on threads that somebody else starts, as `compat/rayon-core` uses them.

mod common;

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Barrier, Mutex};
use std::thread;

use common::watched;
use hatchery::Pool;
use hatchery::by_hand::{Hand, workers_by_hand};

thread_local!(static WORKER: Cell<Option<usize>> = const { Cell::new(None) });

/// Makes a pool of this many threads, has threads work for it, and ends it after the test.
fn on_worked_pool(threads: usize, on_ring: fn(bool), test: impl FnOnce(&Pool, &Hand)) {
    let pool = Pool::builder().threads(threads).spare_threads(0);
    let pool = workers_by_hand(pool, 0, on_ring).build().unwrap();
    let hand = Hand::of(&pool);
    thread::scope(|scope| {
        for index in 0..threads {
            let hand = &hand;
            scope.spawn(move || {
                WORKER.set(Some(index));
                hand.work(index);
            });
        }
        watched(&pool, || test(&pool, &hand));
        pool.shutdown();
    });
}

#[test]
fn the_workers_of_a_pool_are_the_threads_that_work_for_it() {
    for threads in [1, 2, 4] {
        on_worked_pool(
            threads,
            |_| (),
            |pool, _| {
                let here = pool.install(|| WORKER.get());
                assert!(here.unwrap() < threads);
                // All of them, at once.
                let barrier = Barrier::new(threads);
                let meet = |_| {
                    barrier.wait();
                    WORKER.get().unwrap()
                };
                let jobs: Vec<_> = pool
                    .install(|| hatchery::nursery(|n| n.spawn_each(0..threads, meet).collect()));
                let mut jobs = jobs;
                jobs.sort_unstable();
                assert!(jobs.into_iter().eq(0..threads));
                assert_eq!(pool.stats().workers, threads);
                assert_eq!(pool.stats().spares_started, 0);
            },
        );
    }
}

#[test]
fn jobs_wait_for_threads_that_come_later() {
    let pool = Pool::builder().threads(2).spare_threads(0);
    let pool = workers_by_hand(pool, 0, |_| ()).build().unwrap();
    let hand = Hand::of(&pool);
    let job = pool.submit(|| WORKER.get());
    thread::scope(|scope| {
        for index in [1, 0] {
            let hand = &hand;
            scope.spawn(move || {
                WORKER.set(Some(index));
                hand.work(index);
            });
        }
        watched(&pool, || {
            while !job.is_finished() {
                thread::yield_now();
            }
        });
        assert!(job.join().is_some());
        pool.shutdown();
    });
}

#[test]
fn a_thread_that_comes_after_the_end_of_its_pool_goes_at_once() {
    let pool = Pool::builder().threads(2).spare_threads(0);
    let pool = workers_by_hand(pool, 0, |_| ()).build().unwrap();
    let hand = Hand::of(&pool);
    pool.shutdown();
    hand.work(0);
    hand.work(1);
}

#[test]
fn whoever_is_rung_answers_and_nobody_else() {
    static ANSWERS: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];
    static BELL: Mutex<Option<Sender<usize>>> = Mutex::new(None);
    let on_ring = |_| {
        let index = WORKER.get().unwrap();
        ANSWERS[index].fetch_add(1, Ordering::Relaxed);
        let bell = BELL.lock().unwrap().clone();
        bell.into_iter().for_each(|bell| _ = bell.send(index));
    };
    on_worked_pool(4, on_ring, |_, hand| {
        // Each thread may answer once for those that rang before it came.
        while !ANSWERS
            .iter()
            .all(|answers| answers.load(Ordering::Relaxed) > 0)
        {
            (0..4).for_each(|index| hand.ring(index));
            thread::yield_now();
        }
        let (sender, receiver) = channel();
        *BELL.lock().unwrap() = Some(sender);
        for round in 0..1000 {
            let index = round * 7 % 4;
            // What was rung before may still be answered.
            hand.ring(index);
            while receiver.recv().unwrap() != index {}
        }
        *BELL.lock().unwrap() = None;
    });
}

#[test]
fn a_worker_that_waits_in_a_nursery_answers() {
    static IS_WANTED: AtomicUsize = AtomicUsize::new(usize::MAX);
    static BELL: Mutex<Option<Sender<bool>>> = Mutex::new(None);
    let on_ring = |is_at_rest| {
        if WORKER.get() == Some(IS_WANTED.load(Ordering::Relaxed)) {
            let bell = BELL.lock().unwrap().clone();
            bell.into_iter().for_each(|bell| _ = bell.send(is_at_rest));
        }
    };
    on_worked_pool(2, on_ring, |pool, hand| {
        let (sender, receiver) = channel();
        *BELL.lock().unwrap() = Some(sender);

        pool.install(|| {
            let home = WORKER.get().unwrap();
            let both = &Barrier::new(2);
            hatchery::join(
                || _ = both.wait(),
                move || {
                    // The other worker: the first closure is at the barrier.
                    both.wait();
                    assert_ne!(WORKER.get(), Some(home));
                    IS_WANTED.store(home, Ordering::Relaxed);
                    hand.ring(home);
                    // It was in user code when it was rung, and is in a wait when it answers.
                    assert!(!receiver.recv().unwrap());
                },
            );
        });
        *BELL.lock().unwrap() = None;
    });
}

#[test]
fn what_waits_is_run_on_request() {
    on_worked_pool(
        1,
        |_| (),
        |pool, hand| {
            pool.install(|| {
                let ran = AtomicUsize::new(0);
                hatchery::nursery(|n| {
                    for _ in 0..3 {
                        n.spawn(|| ran.fetch_add(1, Ordering::Relaxed));
                    }
                    assert!(hand.holds_anything());
                    assert!(hand.run_one(true));
                    assert_eq!(ran.load(Ordering::Relaxed), 1);
                    while hand.run_one(false) {}
                    assert_eq!(ran.load(Ordering::Relaxed), 3);
                    assert!(!hand.holds_anything());
                });
            });
        },
    );
}
