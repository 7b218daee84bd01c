//! Hooks, and what they have captured: nothing of it is alive once their pool has been shut down.
#![allow(unsafe_code, reason = "forks, and watches what it has forked")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::alone;
use crate::common::workers::start_all_workers;
use crate::common::{Gate, caught, watched};
use hatchery::{Options, Pool, PoolBuilder};

/// Counts itself while it is alive, and what the hooks that have captured it were called with.
#[derive(Default)]
struct Census {
    alive: AtomicUsize,
    started: AtomicUsize,
    exited: Mutex<Vec<String>>,
}

/// What a hook has captured.
struct Captured {
    census: Arc<Census>,
    /// What it does when it is dropped.
    last: fn(),
}

impl Captured {
    fn new(census: &Arc<Census>, last: fn()) -> Self {
        census.alive.fetch_add(1, Ordering::Relaxed);
        Self {
            census: Arc::clone(census),
            last,
        }
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        self.census.alive.fetch_sub(1, Ordering::Relaxed);
        (self.last)();
    }
}

impl Census {
    fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    /// Threads that have called the start hook, and those of them that have called the exit hook.
    fn calls(&self) -> [usize; 2] {
        let exited = self.exited.lock().unwrap().len();
        [self.started.load(Ordering::Relaxed), exited]
    }
}

/// A pool of two threads with both hooks, which capture something that does this when it is dropped.
fn hooked_and_then(census: &Arc<Census>, last: fn()) -> PoolBuilder {
    let [start, exit] = [(); 2].map(|()| Captured::new(census, last));
    Pool::builder()
        .threads(2)
        .on_thread_start(move |_| {
            start.census.started.fetch_add(1, Ordering::Relaxed);
        })
        .on_thread_exit(move |name| exit.census.exited.lock().unwrap().push(name.to_owned()))
}

fn hooked(census: &Arc<Census>) -> PoolBuilder {
    hooked_and_then(census, || ())
}

/// Has all threads of a pool start: workers, a side thread, and a spare one if it comes.
fn work_on(pool: &Pool) {
    pool.nursery(|n| {
        n.spawn_blocking(|| ()).join();
        n.spawn(|| hatchery::block_in_place(|| ()));
        assert_eq!(n.spawn_each(0..100_u64, |i| i).sum::<u64>(), 4950);
    });
}

#[test]
fn l1_no_hook_is_alive_after_the_end_of_its_pool() {
    for is_used in [false, true] {
        for is_explicit in [false, true] {
            let census = Arc::new(Census::default());
            let pool = hooked(&census).build().unwrap();
            assert_eq!(census.alive(), 2);
            watched(Pool::shared(), || {
                if is_used {
                    // From now on this thread has a seat in the pool.
                    work_on(&pool);
                }
                if is_explicit {
                    pool.shutdown();
                } else {
                    drop(pool);
                }
            });
            assert_eq!(census.alive(), 0, "used: {is_used}");
            let [started, exited] = census.calls();
            assert_eq!((started, started > 0), (exited, is_used));
        }
    }
}

#[test]
fn l1_no_hook_is_alive_after_the_end_of_its_pool_whoever_has_been_its_guest() {
    let census = Arc::new(Census::default());
    let pool = Arc::new(hooked(&census).build().unwrap());
    let [is_over, looked]: &[Gate; 2] = &Default::default();
    let (sender, receiver) = channel();
    watched(Pool::shared(), || {
        thread::scope(|scope| {
            for _ in 0..3 {
                let (guest, sender) = (Arc::clone(&pool), sender.clone());
                scope.spawn(move || {
                    work_on(&guest);
                    drop(guest);
                    sender.send(()).unwrap();
                    looked.wait();
                });
            }
            (0..3).for_each(|_| receiver.recv().unwrap());
            drop(pool);
            is_over.open();
            let alive = census.alive();
            looked.open();
            assert_eq!(alive, 0);
        });
    });
}

#[test]
fn l1_no_hook_is_alive_in_options_that_name_a_pool_that_has_ended() {
    let census = Arc::new(Census::default());
    let pool = hooked(&census).build().unwrap();
    let options = Options::new().pool(&pool);
    watched(Pool::shared(), || {
        assert_eq!(options.nursery(|n| n.spawn(|| 1).join()), 1);
        pool.shutdown();
        assert_eq!(census.alive(), 0);
        // It is the caller's work alone, and calls no hook.
        let before = census.calls();
        let here = thread::current().id();
        let runner = options.nursery(|n| n.spawn_blocking(|| thread::current().id()).join());
        assert_eq!((runner, census.calls()), (here, before));
    });
}

#[test]
fn l1_no_hook_is_alive_after_its_builder() {
    let census = Arc::new(Census::default());
    drop(hooked(&census));
    assert_eq!(census.alive(), 0);
    hooked(&census).threads(0).build().unwrap_err();
    assert_eq!(census.alive(), 0);
}

/// A thread calls its exit hook last, so the hooks live as long as this thread.
#[test]
fn a_thread_that_ends_its_own_pool_calls_its_exit_hook_last() {
    for is_blocking in [false, true] {
        let census = Arc::new(Census::default());
        let (ended, has_ended) = channel();
        let builder = hooked(&census);
        let pool = Arc::new(builder.build().unwrap());
        let options = Options::new().pool(&pool);
        let here = thread::current().id();
        watched(Pool::shared(), || {
            let (is_taken, census) = (&Gate::default(), &census);
            let pool = Mutex::new(Some(pool));
            let end = &|| {
                if thread::current().id() == here || is_taken.is_open() {
                    return false;
                }
                is_taken.open();
                let own = thread::current().name().unwrap().to_owned();
                drop(pool.lock().unwrap().take());
                // All the others have ended, and this one has not.
                let [started, exited] = census.calls();
                assert_eq!(exited + 1, started);
                assert!(!census.exited.lock().unwrap().contains(&own));
                ended.send(own).unwrap();
                true
            };
            options.nursery(|n| {
                if is_blocking {
                    n.spawn_blocking(end);
                    is_taken.wait();
                } else {
                    while !is_taken.is_open() {
                        n.spawn(end);
                        thread::yield_now();
                    }
                }
            });
            let own = has_ended.recv().unwrap();
            // Its thread ends by itself, a moment later, and the hooks with it.
            while census.alive() > 0 {
                thread::yield_now();
            }
            let [started, exited] = census.calls();
            assert_eq!(started, exited);
            assert_eq!(census.exited.lock().unwrap().last(), Some(&own));
        });
    }
}

#[test]
fn e8_captures_of_hooks_that_panic_as_they_are_dropped_are_dropped_both() {
    let panics = || std::panic::resume_unwind(Box::new("on purpose"));
    let census = Arc::new(Census::default());
    let pool = hooked_and_then(&census, panics).build().unwrap();
    watched(Pool::shared(), || {
        work_on(&pool);
        pool.shutdown();
    });
    assert_eq!(census.alive(), 0);
    // Also while the thread unwinds that drops the pool.
    let pool = hooked_and_then(&census, panics).build().unwrap();
    caught(|| {
        let _pool = pool;
        std::panic::resume_unwind(Box::new("on purpose, too"));
    });
    assert_eq!(census.alive(), 0);
}

#[test]
fn s7_captures_of_hooks_are_dropped_under_no_lock() {
    static OPTIONS: Mutex<Option<Options>> = Mutex::new(None);
    fn last() {
        // On the pool that is over, and on others.
        let options = OPTIONS.lock().unwrap().clone().unwrap();
        let sum = |n: &hatchery::Nursery<'_, '_>| n.stats().spawned;
        assert_eq!(options.nursery(|n| sum(n)), 0);
        assert_eq!(options.nursery(|n| n.spawn_blocking(|| 3).join()), 3);
        assert_eq!(hatchery::join(|| 1, || 2), (1, 2));
        let pool = Pool::builder().threads(2).build().unwrap();
        work_on(&pool);
    }
    let census = Arc::new(Census::default());
    let pool = hooked_and_then(&census, last).build().unwrap();
    *OPTIONS.lock().unwrap() = Some(Options::new().pool(&pool));
    watched(Pool::shared(), || {
        work_on(&pool);
        pool.shutdown();
    });
    assert_eq!(census.alive(), 0);
}

#[cfg(unix)]
#[test]
#[ignore = "run by a test in a process of its own"]
fn end_pools_in_a_forked_process() {
    for is_used in [false, true] {
        for is_used_again in [false, true] {
            let census = Arc::new(Census::default());
            // A spare might start while the process is forked.
            let mut pool = Some(hooked(&census).spare_threads(0).build().unwrap());
            let options = Options::new().pool(pool.as_ref().unwrap());
            if is_used {
                let pool = pool.as_ref().unwrap();
                work_on(pool);
                start_all_workers(pool);
                // The threads are there, and no hook is being called.
                while census.calls()[0] < 3 {
                    thread::yield_now();
                }
            }
            let forked = crate::processes::forked(|| {
                let pool = pool.take().unwrap();
                let before = census.calls();
                if is_used_again {
                    work_on(&pool);
                }
                pool.shutdown();
                assert_eq!(census.alive(), 0, "in the forked process");
                // Whose pool is over, too, for those who have a name for it.
                let here = thread::current().id();
                let runner =
                    || options.nursery(|n| n.spawn_blocking(|| thread::current().id()).join());
                assert_eq!(runner(), here);
                let [started, exited] = census.calls();
                assert_eq!(started - before[0], exited - before[1]);
            });
            forked.has_succeeded();
            assert_eq!(census.alive(), 2);
            drop(pool);
            assert_eq!(census.alive(), 0);
        }
    }
}

#[cfg(unix)]
#[test]
fn l1_no_hook_is_alive_after_the_end_of_its_pool_in_a_forked_process() {
    let run = alone::alone(module_path!(), "end_pools_in_a_forked_process", |_| ());
    assert_eq!(run.code, Some(0), "{run:?}");
}
