//! Threads for children that may block: how many there are, and that no bound holds anybody up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::common::{Gate, REFUSED_STACK, on_pool};
use hatchery::{Nursery, Pool, PoolBuilder};

/// Counts the living threads of a pool whose names say that they are side threads.
#[derive(Clone, Default)]
struct Census {
    now: Arc<AtomicUsize>,
    peak: Arc<AtomicUsize>,
    all: Arc<AtomicUsize>,
}

impl Census {
    fn take(&self, builder: PoolBuilder) -> PoolBuilder {
        let (started, ended) = (self.clone(), self.clone());
        let is_side = |name: &str| name.contains("-side-");
        builder
            .on_thread_start(move |name| {
                if is_side(name) {
                    let now = started.now.fetch_add(1, Ordering::Relaxed) + 1;
                    started.peak.fetch_max(now, Ordering::Relaxed);
                    started.all.fetch_add(1, Ordering::Relaxed);
                }
            })
            .on_thread_exit(move |name| {
                if is_side(name) {
                    ended.now.fetch_sub(1, Ordering::Relaxed);
                }
            })
    }
}

#[test]
fn s6_at_most_so_many_side_threads_run_as_the_pool_allows() {
    for (most, children) in [(0, 1000), (1, 1000), (3, 1000), (64, 10_000)] {
        let census = Census::default();
        let builder = Pool::builder().threads(2).blocking_threads(most);
        on_pool(census.take(builder), |pool| {
            let ran = &AtomicUsize::new(0);
            // From several threads at once, so that several may want to start one.
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        pool.nursery(|n| {
                            for _ in 0..children / 4 {
                                n.spawn_blocking(|| {
                                    thread::yield_now();
                                    ran.fetch_add(1, Ordering::Relaxed)
                                });
                            }
                        });
                    });
                }
            });
            assert_eq!(ran.load(Ordering::Relaxed), children);
        });
        let peak = census.peak.load(Ordering::Relaxed);
        assert!(peak <= most && (peak > 0) == (most > 0), "{peak} of {most}");
        assert_eq!(census.now.load(Ordering::Relaxed), 0, "all have ended");
    }
}

#[test]
fn as_many_children_as_the_pool_allows_may_wait_for_each_other() {
    for most in [2, 64] {
        on_pool(Pool::builder().threads(1).blocking_threads(most), |pool| {
            for _ in 0..20 {
                let here = &AtomicUsize::new(0);
                let [all_here, goes_on]: &[Gate; 2] = &Default::default();
                pool.nursery(|n| {
                    for _ in 0..most {
                        n.spawn_blocking(|| {
                            if here.fetch_add(1, Ordering::Relaxed) + 1 == most {
                                all_here.open();
                            }
                            goes_on.wait();
                        });
                    }
                    all_here.wait();
                    goes_on.open();
                });
            }
        });
    }
}

#[test]
fn an_idle_side_thread_is_used_again() {
    let census = Census::default();
    on_pool(census.take(Pool::builder().threads(1)), |pool| {
        for _ in 0..100 {
            pool.nursery(|n| n.spawn_blocking(|| ()).join());
            // It is ready a moment after its child has ended.
            while format!("{pool:?}").contains("side_threads_ready: 0") {
                thread::yield_now();
            }
        }
    });
    assert_eq!(census.all.load(Ordering::Relaxed), 1);
}

/// Pools whose side threads are too few for all that blocks at once.
fn on_every_tight_pool(test: impl Fn(&Pool)) {
    for threads in [1, 2, 4] {
        for most in [0, 1, 2] {
            on_pool(
                Pool::builder().threads(threads).blocking_threads(most),
                &test,
            );
        }
    }
    on_pool(Pool::builder().threads(2).stack_size(REFUSED_STACK), &test);
}

#[test]
fn s1_blocking_children_that_wait_for_nested_ones_complete_whatever_the_bound() {
    fn nest(depth: usize) -> usize {
        if depth == 0 {
            return 1;
        }
        hatchery::nursery(|n| {
            let joined = n.spawn_blocking(move || nest(depth - 1));
            let computed = n.spawn(move || nest(depth - 1));
            n.spawn_blocking(move || nest(depth - 1));
            joined.join() + computed.join()
        })
    }
    on_every_tight_pool(|pool| {
        for _ in 0..10 {
            let sum = pool.nursery(|n| {
                let children: Vec<_> = (0..4).map(|_| n.spawn_blocking(|| nest(3))).collect();
                children
                    .into_iter()
                    .map(hatchery::Child::join)
                    .sum::<usize>()
            });
            assert_eq!(sum, 4 * 8);
        }
    });
}

#[test]
fn s1_blocking_children_that_wait_for_blocking_siblings_complete_whatever_the_bound() {
    fn chain<'s>(n: &'s Nursery<'s, '_>, depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        1 + n.spawn_blocking(move || chain(n, depth - 1)).join()
    }
    on_every_tight_pool(|pool| {
        for _ in 0..10 {
            let depths = pool.nursery(|n| {
                let children: Vec<_> = (0..8).map(|_| n.spawn_blocking(|| chain(n, 8))).collect();
                let joined = children.into_iter().map(hatchery::Child::join);
                joined.collect::<Vec<_>>()
            });
            assert_eq!(depths, [8; 8]);
        }
    });
}

#[test]
fn s1_children_spawned_from_outside_complete_whatever_the_bound() {
    on_every_tight_pool(|pool| {
        let ran = &AtomicUsize::new(0);
        pool.nursery(|n| {
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(move || {
                        for _ in 0..50 {
                            n.spawn_blocking(|| ran.fetch_add(1, Ordering::Relaxed));
                            let add = || ran.fetch_add(1, Ordering::Relaxed);
                            n.spawn_blocking(add).join();
                        }
                    });
                }
            });
        });
        assert_eq!(ran.load(Ordering::Relaxed), 400);
    });
}
