//! `threads_by` where helpers come late, in the wrong place, or never, and where the pool ends meanwhile.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use crate::common::{Gate, REFUSED_STACK, number_of, on_pool, outcome, raise, watched};
use crate::helpers::{Host, is_host, meet, strict};
use hatchery::{Helper, Options, Pool, PoolBuilder, nursery};

/// A pool that puts its helpers where the test takes them.
fn kept(builder: PoolBuilder) -> (PoolBuilder, Receiver<Helper>) {
    let (sender, helpers) = channel();
    let sender = Mutex::new(sender);
    let builder = builder.threads_by(move |helper| {
        let sent = sender.lock().unwrap().send(helper);
        sent.map_err(io::Error::other)
    });
    (builder, helpers)
}

/// What a pool does without any helper.
fn does_everything(pool: &Pool) {
    let squares = pool.gather(|g| (0..100_u64).for_each(|i| g.spawn(move || i * i)));
    assert_eq!(squares, (0..100).map(|i| i * i).collect::<Vec<_>>());
    assert_eq!(pool.join(|| 1, || 2), (1, 2));
    assert_eq!(pool.nursery(|n| n.spawn_blocking(|| 7).join()), 7);
    assert_eq!(
        pool.install(|| pool.install(|| nursery(|n| n.spawn(|| 8).join()))),
        8
    );
    assert_eq!(number_of(|| pool.install(|| raise(9))), 9);
    // Nobody joins these jobs.
    let jobs: Vec<_> = (0..10).map(|i| pool.submit(move || i)).collect();
    while !jobs.iter().all(hatchery::Submitted::is_finished) {
        thread::yield_now();
    }
    assert_eq!(
        jobs.into_iter().map(hatchery::Submitted::join).sum::<i32>(),
        45
    );
    let count = Arc::new(AtomicUsize::new(0));
    for _ in 0..10 {
        let count = Arc::clone(&count);
        pool.submit(move || count.fetch_add(1, Ordering::Relaxed))
            .detach();
    }
    while count.load(Ordering::Relaxed) < 10 {
        thread::yield_now();
    }
}

/// Pools of several sizes, with and without spare threads, and one to which the system gives none.
fn pools() -> impl Iterator<Item = PoolBuilder> {
    let sizes = [1, 2, 4].into_iter();
    sizes.flat_map(|threads| {
        let plain = Pool::builder().threads(threads).name("unhelped");
        let refused = strict(threads).stack_size(REFUSED_STACK);
        [plain, strict(threads), refused]
    })
}

#[test]
fn s1_a_pool_whose_helpers_are_never_run_does_without() {
    for builder in pools() {
        let (builder, helpers) = kept(builder);
        on_pool(builder, does_everything);
        assert!(helpers.iter().count() > 0, "they were asked for");
    }
}

#[test]
fn s1_a_pool_whose_helpers_are_dropped_does_without() {
    for builder in pools() {
        let count = Arc::new(AtomicUsize::new(0));
        let dropped = Arc::clone(&count);
        let builder = builder.threads_by(move |helper| {
            dropped.fetch_add(1, Ordering::Relaxed);
            drop(helper);
            Err(io::ErrorKind::OutOfMemory.into())
        });
        on_pool(builder, does_everything);
        assert!(count.load(Ordering::Relaxed) > 0, "they were asked for");
    }
}

#[test]
fn e7_a_pool_whose_function_panics_does_without() {
    for builder in pools() {
        on_pool(builder.threads_by(|_helper| raise(1)), does_everything);
    }
}

#[test]
fn s1_jobs_that_wait_for_each_other_end_without_helpers() {
    let (builder, helpers) = kept(Pool::builder().threads(2));
    on_pool(builder, |pool| {
        let gates = Arc::new([(); 4].map(|()| Gate::default()));
        let jobs: Vec<_> = (0..4)
            .map(|i| {
                let gates = Arc::clone(&gates);
                pool.submit(move || {
                    gates[i].open();
                    gates.iter().for_each(Gate::wait);
                    i
                })
            })
            .collect();
        while !jobs.iter().all(hatchery::Submitted::is_finished) {
            thread::yield_now();
        }
        assert_eq!(
            jobs.into_iter()
                .map(hatchery::Submitted::join)
                .sum::<usize>(),
            6
        );
    });
    drop(helpers);
}

#[test]
fn who_was_refused_is_asked_for_again() {
    let host = Host::plain(4);
    let asked = AtomicUsize::new(0);
    let builder = strict(4).threads_by(move |helper| match asked.fetch_add(1, Ordering::Relaxed) {
        0 | 5 => {
            drop(helper);
            Ok(())
        }
        1 | 6 => raise(1),
        2 | 7 => Err(io::ErrorKind::WouldBlock.into()),
        _ => host.start(helper),
    });
    on_pool(builder, |pool| {
        for _ in 0..20 {
            meet(pool, 4);
        }
    });
}

#[test]
fn a_helper_that_comes_late_helps_then() {
    let (builder, helpers) = kept(strict(2));
    on_pool(builder, |pool| {
        does_everything(pool);
        let late = helpers.recv().unwrap();
        let is_over = &Gate::default();
        thread::scope(|scope| {
            let host = thread::Builder::new().name("host-late".to_owned());
            let run = move || {
                late.run();
                // Whoever was asked for meanwhile.
                while !is_over.is_open() {
                    helpers.try_iter().for_each(Helper::run);
                    thread::yield_now();
                }
            };
            host.spawn_scoped(scope, run).unwrap();
            meet(pool, 2);
            while !pool.install(is_host) {}
            is_over.open();
        });
    });
}

fn run_here(helper: Helper) -> io::Result<()> {
    helper.run();
    Ok(())
}

/// The function runs the helper on the spot, so the thread that asks is the worker.
#[test]
fn a_helper_may_run_in_the_function_that_is_asked() {
    for builder in pools() {
        on_pool(builder.threads_by(run_here), does_everything);
    }
    on_pool(strict(2).threads_by(run_here), |pool| {
        for _ in 0..20 {
            meet(pool, 2);
        }
    });
}

#[test]
fn s7_the_function_may_use_the_pool() {
    let options = Arc::new(OnceLock::<Options>::new());
    let host = Host::plain(4);
    let known = Arc::clone(&options);
    let builder = strict(4).threads_by(move |helper| {
        let options = known.get().expect("set before the first nursery");
        let sum: usize = options.nursery(|n| n.spawn_each(0..100, |i| i).sum());
        assert_eq!(sum, 4950);
        host.start(helper)
    });
    on_pool(builder, |pool| {
        options.set(Options::new().pool(pool)).expect("once");
        for _ in 0..20 {
            meet(pool, 4);
        }
        assert!(pool.install(|| nursery(|n| n.spawn(|| true).join())));
    });
}

/// Has the pool ask for a helper, and returns it.
fn asked_for(pool: &Pool, helpers: &Receiver<Helper>) -> Helper {
    pool.nursery(|n| {
        n.spawn(|| ());
        helpers.recv().unwrap()
    })
}

#[test]
fn the_end_of_a_pool_waits_for_no_helper_that_has_not_come() {
    for threads in [2, 4] {
        let owned = Arc::new(());
        let (builder, helpers) = kept(strict(threads));
        let capture = Arc::clone(&owned);
        let builder = builder.on_thread_start(move |_| _ = &capture);
        let helper = on_pool(builder, |pool| asked_for(pool, &helpers));
        // The pool was dropped with what its hooks own.
        assert_eq!(Arc::strong_count(&owned), 1);
        helper.run();
        helpers.into_iter().for_each(drop);
    }
}

/// Counts the workers that have begun and ended, spares included.
fn counted(builder: PoolBuilder) -> (PoolBuilder, Arc<[AtomicUsize; 2]>) {
    let counts = Arc::new([const { AtomicUsize::new(0) }; 2]);
    let [at_start, at_exit] = [&counts; 2].map(Arc::clone);
    let builder = builder
        .on_thread_start(move |_| _ = at_start[0].fetch_add(1, Ordering::SeqCst))
        .on_thread_exit(move |_| _ = at_exit[1].fetch_add(1, Ordering::SeqCst));
    (builder, counts)
}

#[test]
fn the_end_of_a_pool_waits_for_a_helper_that_runs_and_its_hook() {
    for threads in [1, 2, 4] {
        let (builder, helpers) = kept(strict(threads));
        let (builder, counts) = counted(builder);
        let pool = builder.build().unwrap();
        let (has_begun, may_end) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
        let job = {
            let (has_begun, may_end) = (Arc::clone(&has_begun), Arc::clone(&may_end));
            pool.submit(move || {
                has_begun.open();
                may_end.wait();
            })
        };
        job.detach();
        let helper = helpers.recv().unwrap();
        let host = thread::spawn(move || helper.run());
        has_begun.wait();
        let opener = {
            let may_end = Arc::clone(&may_end);
            thread::spawn(move || may_end.open())
        };
        pool.shutdown();
        assert!(may_end.is_open(), "the job has ended");
        let [started, ended] = counts.each_ref().map(|count| count.load(Ordering::SeqCst));
        assert!(started > 0);
        assert_eq!(started, ended, "and so has who ran it");
        host.join().unwrap();
        opener.join().unwrap();
    }
}

/// The pool ends while helpers come, sleep and leave.
#[test]
fn the_end_of_a_pool_may_come_at_any_time() {
    for round in 0..100 {
        let host = Host::plain(2);
        let pool = host.pool(1 + round % 4).build().unwrap();
        watched(&Pool::builder().threads(1).build().unwrap(), || {
            if round % 3 > 0 {
                pool.nursery(|n| _ = n.spawn_each(0..round, |_| thread::yield_now()));
            }
            if round % 5 == 0 {
                pool.submit(|| ()).detach();
            }
            pool.shutdown();
        });
    }
}

#[test]
fn a_helper_may_end_its_own_pool() {
    for threads in [1, 2] {
        let (builder, helpers) = kept(strict(threads));
        let (builder, counts) = counted(builder);
        let pool = Arc::new(builder.build().unwrap());
        let last = Arc::clone(&pool);
        let is_last = Arc::new(Gate::default());
        let other_is_gone = Arc::clone(&is_last);
        pool.submit(move || {
            other_is_gone.wait();
            drop(Arc::into_inner(last).expect("the last handle"));
        })
        .detach();
        let helper = helpers.recv().unwrap();
        drop(pool);
        is_last.open();
        helper.run();
        // If the helper took long to come, a spare has run the job and ends by itself.
        let [started, ended] = &*counts;
        let count = |of: &AtomicUsize| of.load(Ordering::SeqCst);
        while count(started) == 0 || count(ended) < count(started) {
            thread::yield_now();
        }
    }
}

/// The function is amid a call when the pool ends.
#[test]
fn the_end_of_a_pool_waits_for_the_function() {
    let (has_begun, may_end) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let [begun, end] = [&has_begun, &may_end].map(Arc::clone);
    let builder = strict(2).threads_by(move |helper| {
        begun.open();
        end.wait();
        // It is void by now, or soon.
        run_here(helper)
    });
    let pool = builder.build().unwrap();
    pool.nursery(|n| {
        n.spawn(|| ());
        has_begun.wait();
    });
    let opener = {
        let may_end = Arc::clone(&may_end);
        thread::spawn(move || may_end.open())
    };
    pool.shutdown();
    assert!(may_end.is_open());
    opener.join().unwrap();
}

#[test]
fn what_the_function_owns_ends_with_the_pool() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            raise(1);
        }
    }
    let bomb = Bomb;
    let builder = strict(2).threads_by(move |helper| {
        _ = &bomb;
        drop(helper);
        Ok(())
    });
    let pool = builder.build().unwrap();
    assert_eq!(pool.nursery(|n| n.spawn(|| 7).join()), 7);
    assert_eq!(outcome(|| pool.shutdown()), Ok(()), "law E8");
}
