//! The context of a pool: what threads that help in a nursery take over from the thread that opened it.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

use crate::common::{Gate, number_of, on_pool, raise, watched_in};
use hatchery::{Pool, PoolBuilder, block_in_place};

thread_local! {
    /// What the thread is told to be.
    static TAG: Cell<usize> = const { Cell::new(0) };
    /// How many guards are alive that the thread has made.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// What has been called.
#[derive(Default)]
pub(crate) struct Calls {
    captured: AtomicUsize,
    entered: AtomicUsize,
    left: AtomicUsize,
    /// Guards that were dropped on another thread.
    astray: AtomicUsize,
    /// Values that are alive: captured ones, and what the functions have captured themselves.
    pub(crate) alive: AtomicUsize,
}

impl Calls {
    pub(crate) fn get(&self) -> [usize; 3] {
        [&self.captured, &self.entered, &self.left].map(|calls| calls.load(Ordering::SeqCst))
    }

    #[track_caller]
    fn are(&self, captured: usize, entered: usize) {
        assert_eq!(self.get(), [captured, entered, entered]);
        assert_eq!(self.astray.load(Ordering::SeqCst), 0);
    }
}

/// Something that is alive.
struct Alive(Arc<Calls>);

impl Alive {
    fn new(calls: &Arc<Calls>) -> Self {
        calls.alive.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(calls))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Gives the thread its tag back.
struct Guard {
    before: usize,
    made_on: ThreadId,
    calls: Arc<Calls>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if thread::current().id() != self.made_on {
            self.calls.astray.fetch_add(1, Ordering::SeqCst);
        }
        TAG.set(self.before);
        DEPTH.set(DEPTH.get() - 1);
        self.calls.left.fetch_add(1, Ordering::SeqCst);
    }
}

/// A pool whose context is the tag.
pub(crate) fn tagged(threads: usize, calls: &Arc<Calls>) -> PoolBuilder {
    let (at_capture, at_enter) = (Alive::new(calls), Alive::new(calls));
    Pool::builder().threads(threads).context(
        move || {
            at_capture.0.captured.fetch_add(1, Ordering::SeqCst);
            (TAG.get(), Alive::new(&at_capture.0))
        },
        move |(tag, _)| {
            let calls = Arc::clone(&at_enter.0);
            calls.entered.fetch_add(1, Ordering::SeqCst);
            DEPTH.set(DEPTH.get() + 1);
            Guard {
                before: TAG.replace(*tag),
                made_on: thread::current().id(),
                calls,
            }
        },
    )
}

/// Calls `f` with this tag.
fn with_tag<R>(tag: usize, f: impl FnOnce() -> R) -> R {
    struct Back(usize);
    impl Drop for Back {
        fn drop(&mut self) {
            TAG.set(self.0);
        }
    }
    let _back = Back(TAG.replace(tag));
    f()
}

/// Checks what this thread is told to be, and that it was told at most once.
#[track_caller]
pub(crate) fn is_told(tag: usize) {
    assert_eq!(TAG.get(), tag);
    assert!(DEPTH.get() < 2, "told twice");
}

#[test]
fn all_children_see_the_context_of_the_body_wherever_they_run() {
    fn tree(depth: usize, tag: usize) {
        // A thread that helps in an inner nursery may be in the context of an outer one, too.
        assert_eq!(TAG.get(), tag);
        if depth > 0 {
            hatchery::nursery(|n| {
                n.spawn(|| tree(depth - 1, tag));
                n.spawn(|| tree(depth - 1, tag));
            });
            hatchery::join(|| tree(depth - 1, tag), || tree(depth - 1, tag));
        }
    }
    for threads in [1, 2, 4] {
        let calls = Arc::default();
        on_pool(tagged(threads, &calls), |pool| {
            for tag in 1..20 {
                with_tag(tag, || {
                    pool.nursery(|n| {
                        let is_told = || assert_eq!(TAG.get(), tag);
                        n.spawn_each(0..100, move |_| is_told()).for_each(drop);
                        n.spawn(|| tree(4, tag));
                        n.spawn_blocking(move || n.spawn(is_told).join());
                        tree(4, tag);
                        hatchery::for_each(0..1000, |_| is_told());
                        block_in_place(is_told);
                    });
                    is_told(tag);
                });
            }
        });
        let [_, entered, left] = calls.get();
        assert_eq!(entered, left);
        assert_eq!(calls.astray.load(Ordering::SeqCst), 0);
        assert_eq!(calls.alive.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn what_runs_at_home_enters_nothing() {
    let calls = Arc::default();
    let alone = tagged(2, &calls).stack_size(crate::common::REFUSED_STACK);
    on_pool(alone, |pool| {
        with_tag(3, || {
            pool.nursery(|n| {
                n.spawn_each(0..100, |_| is_told(3)).for_each(drop);
                n.spawn_blocking(|| is_told(3));
                n.spawn(|| n.spawn(|| is_told(3)).join()).join();
                hatchery::join(|| is_told(3), || is_told(3));
            });
        });
    });
    calls.are(1, 0);
}

#[test]
fn a_run_that_is_stolen_is_entered_once_for_all_of_its_children() {
    let calls = Arc::default();
    on_pool(tagged(1, &calls).spare_threads(0), |pool| {
        let home = thread::current().id();
        let left = AtomicUsize::new(50);
        let all_run = Gate::default();
        let runs = with_tag(5, || {
            pool.nursery(|n| {
                for _ in 0..50 {
                    n.spawn(|| {
                        assert_ne!(thread::current().id(), home);
                        is_told(5);
                        if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                            all_run.open();
                        }
                    });
                }
                // The only worker takes the only place, and all that there is at once.
                block_in_place(|| all_run.wait());
                n.stats().stolen
            })
        });
        assert_eq!(runs, 1);
    });
    calls.are(1, 1);
}

#[test]
fn a_run_that_the_watcher_takes_is_entered() {
    let calls = Arc::default();
    on_pool(tagged(2, &calls), |pool| {
        let home = thread::current().id();
        let has_run = Gate::default();
        with_tag(6, || {
            pool.nursery(|n| {
                n.spawn(|| {
                    assert_ne!(thread::current().id(), home);
                    is_told(6);
                    has_run.open();
                });
                // Without a word to the pool.
                has_run.wait();
            });
        });
    });
    calls.are(1, 1);
}

#[test]
fn each_blocking_child_is_entered_on_its_side_thread() {
    let calls = Arc::default();
    on_pool(tagged(2, &calls), |pool| {
        let (meet, home) = (std::sync::Barrier::new(4), thread::current().id());
        with_tag(7, || {
            pool.nursery(|n| {
                for _ in 0..3 {
                    n.spawn_blocking(|| {
                        assert_ne!(thread::current().id(), home);
                        is_told(7);
                        meet.wait();
                    });
                }
                block_in_place(|| meet.wait());
            });
        });
    });
    calls.are(1, 3);
}

#[test]
fn who_takes_a_fork_enters_the_nursery_around_it() {
    let calls = Arc::default();
    on_pool(tagged(2, &calls), |pool| {
        let home = thread::current().id();
        let run = |inner| {
            let is_taken = Gate::default();
            hatchery::join(
                // The other closure runs elsewhere meanwhile.
                || with_tag(99, || block_in_place(|| is_taken.wait())),
                || {
                    assert_ne!(thread::current().id(), home);
                    is_told(inner);
                    is_taken.open();
                },
            );
        };
        with_tag(8, || pool.nursery(|_| run(8)));
        // Below a fork that was not taken.
        with_tag(9, || pool.nursery(|_| hatchery::join(|| run(9), || ())));
        with_tag(10, || {
            pool.nursery(|_| with_tag(11, || hatchery::nursery(|_| run(11))));
        });
        // With no nursery around.
        let is_taken = Gate::default();
        with_tag(12, || {
            pool.join(
                || block_in_place(|| is_taken.wait()),
                || {
                    is_told(12);
                    is_taken.open();
                },
            );
        });
    });
    // Five nurseries, and four closures that were taken; perhaps also one that does nothing.
    let [captured, entered, left] = calls.get();
    assert_eq!((captured, entered), (5, left));
    assert!((4..=5).contains(&entered));
}

#[test]
fn a_nursery_in_a_child_has_the_context_of_that_child() {
    let calls = Arc::default();
    on_pool(tagged(2, &calls), |pool| {
        let home = thread::current().id();
        let [outer_begun, inner_has_run] = &<[Gate; 2]>::default();
        with_tag(1, || {
            pool.nursery(|n| {
                n.spawn(|| {
                    assert_ne!(thread::current().id(), home);
                    is_told(1);
                    let here = thread::current().id();
                    with_tag(2, || {
                        hatchery::nursery(|inner| {
                            inner.spawn(|| {
                                assert_ne!(thread::current().id(), here);
                                assert_eq!(TAG.get(), 2);
                                inner_has_run.open();
                            });
                            outer_begun.open();
                            block_in_place(|| inner_has_run.wait());
                        });
                    });
                    is_told(1);
                });
                block_in_place(|| outer_begun.wait());
            });
        });
    });
    let [captured, _, _] = calls.get();
    assert_eq!(captured, 2);
}

#[test]
fn each_pool_has_its_own_context_or_none() {
    let both: [Arc<Calls>; 2] = Default::default();
    let [a, b] = [0, 1].map(|pool| tagged(2, &both[pool]).build().unwrap());
    let plain = Pool::builder().threads(2).build().unwrap();
    watched_in([&a, &b, &plain], || {
        let child_elsewhere = |pool: &Pool, tag| {
            let (has_run, here) = (Gate::default(), thread::current().id());
            pool.nursery(|n| {
                n.spawn(|| {
                    assert_ne!(thread::current().id(), here);
                    assert_eq!(TAG.get(), tag);
                    has_run.open();
                });
                block_in_place(|| has_run.wait());
            });
        };
        with_tag(1, || {
            a.nursery(|_| {
                with_tag(2, || child_elsewhere(&b, 2));
                // Without the feature `tracing` this pool has no context, and does not use another one's.
                child_elsewhere(&plain, 0);
                child_elsewhere(&a, 1);
            });
        });
    });
    both[0].are(2, 1);
    both[1].are(1, 1);
}

#[test]
fn a_job_has_the_context_of_the_call_that_submitted_it() {
    let calls = Arc::default();
    on_pool(tagged(2, &calls), |pool| {
        let job = with_tag(4, || {
            pool.submit(|| {
                is_told(4);
                with_tag(5, || hatchery::nursery(|n| n.spawn(|| TAG.get()).join()))
            })
        });
        // On whatever thread it runs, this one included.
        assert_eq!(job.join(), 5);
        is_told(0);
        let borrowed = &TAG;
        assert_eq!(with_tag(6, || pool.install(|| borrowed.get())), 6);
        let panics = with_tag(7, || pool.submit(|| -> usize { raise(TAG.get()) }));
        assert_eq!(number_of(|| panics.join()), 7);
        is_told(0);
    });
    let [_, entered, left] = calls.get();
    assert!(entered >= 3);
    assert_eq!(entered, left);
    assert_eq!(calls.alive.load(Ordering::SeqCst), 0);
}

#[test]
fn a_job_that_is_given_up_enters_nothing() {
    let calls: Arc<Calls> = Arc::default();
    on_pool(tagged(1, &calls), |pool| {
        let [is_busy, may_end] = &<[Arc<Gate>; 2]>::default();
        let (at_start, at_end) = (Arc::clone(is_busy), Arc::clone(may_end));
        let busy = pool.submit(move || {
            at_start.open();
            at_end.wait();
        });
        is_busy.wait();
        let before = calls.get()[1];
        // The worker is busy, and lends its place only if children wait.
        drop(pool.submit(|| ()));
        assert_eq!(calls.get()[1], before);
        may_end.open();
        busy.join();
    });
    assert_eq!(calls.alive.load(Ordering::SeqCst), 0);
}

#[test]
fn a_child_that_a_plain_thread_spawns_and_joins_has_the_context() {
    let calls = Arc::default();
    on_pool(tagged(1, &calls), |pool| {
        with_tag(3, || {
            pool.nursery(|n| {
                thread::scope(|s| {
                    s.spawn(|| {
                        for _ in 0..50 {
                            // It runs on this thread, or on the worker.
                            n.spawn(|| is_told(3)).join();
                            n.spawn_blocking(|| is_told(3)).join();
                        }
                        is_told(0);
                    });
                });
            });
        });
    });
    let [captured, entered, left] = calls.get();
    assert_eq!(captured, 1);
    assert!(entered > 0);
    assert_eq!(entered, left);
}
