//! Nurseries of one pool inside those of another.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::common::{Gate, REFUSED_STACK, watched};
use hatchery::{Options, Pool};

fn pool(name: &str, threads: usize) -> Pool {
    Pool::builder().threads(threads).name(name).build().unwrap()
}

/// Runs `test` on pairs of pools of every size, and with one that is refused all threads.
fn on_every_pair(test: impl Fn(&Pool, &Pool)) {
    for (a, b) in [(1, 1), (1, 2), (2, 1), (2, 2), (4, 2)] {
        let (a, b) = (pool("a", a), pool("b", b));
        watched(&a, || test(&a, &b));
    }
    let refused = |name: &str| {
        let builder = Pool::builder().stack_size(REFUSED_STACK);
        builder.name(name).build().unwrap()
    };
    for (a, b) in [(refused("a"), pool("b", 2)), (pool("a", 2), refused("b"))] {
        watched(&a, || test(&a, &b));
    }
}

#[test]
fn s1_pools_that_use_each_other_in_cycles_do_not_deadlock() {
    fn nest(pools: [&Pool; 2], depth: usize) -> usize {
        if depth == 0 {
            return 1;
        }
        let [this, other] = pools;
        this.nursery(|n| {
            let next = move || nest([other, this], depth - 1);
            let computes = n.spawn(next);
            let may_block = n.spawn_blocking(next);
            let (left, right) = this.join(next, || 0);
            computes.join() + may_block.join() + left + right
        })
    }
    on_every_pair(|a, b| {
        thread::scope(|scope| {
            for i in 0..4 {
                scope.spawn(move || {
                    let pools = if i % 2 == 0 { [a, b] } else { [b, a] };
                    for _ in 0..5 {
                        assert_eq!(nest(pools, 5), 243);
                    }
                });
            }
        });
    });
}

#[test]
fn s2_a_nursery_inside_another_pools_child_runs_on_its_own_pool() {
    on_every_pair(|a, b| {
        a.nursery(|n| {
            for _ in 0..50 {
                n.spawn(|| {
                    let home = thread::current().id();
                    let runners = b.nursery(|m| {
                        assert!(format!("{m:?}").contains("\"b\""), "{m:?}");
                        let runner = |_| {
                            (
                                thread::current().id(),
                                thread::current().name().map(str::to_owned),
                            )
                        };
                        m.spawn_each(0..50, runner).collect::<Vec<_>>()
                    });
                    for (id, name) in runners {
                        let is_of_b = name.is_some_and(|name| name.starts_with("b-"));
                        assert!(id == home || is_of_b);
                    }
                });
            }
        });
    });
}

#[test]
fn s5_each_pools_limits_and_cancellations_reach_into_the_others() {
    on_every_pair(|a, b| {
        let (now, peak) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
        Options::new().pool(a).limit(1).nursery(|n| {
            for _ in 0..20 {
                n.spawn(move || {
                    b.nursery(|m| {
                        for _ in 0..5 {
                            m.spawn(move || {
                                peak.fetch_max(
                                    now.fetch_add(1, Ordering::Relaxed) + 1,
                                    Ordering::Relaxed,
                                );
                                thread::yield_now();
                                now.fetch_sub(1, Ordering::Relaxed);
                            });
                        }
                    });
                });
            }
        });
        assert_eq!(peak.load(Ordering::Relaxed), 1);
        let told: Result<(), hatchery::Failures<()>> = Options::new().pool(a).try_nursery(|n| {
            n.cancel();
            b.nursery(|_| assert!(hatchery::checkpoint().is_err()));
            Ok(())
        });
        told.unwrap();
    });
}

/// The end of the inner nursery depends on a child of the outer one, which only a worker can run.
#[test]
fn s6_a_pool_keeps_its_parallelism_while_its_thread_waits_in_another() {
    for threads in [1, 2] {
        let (a, b) = (pool("a", threads), pool("b", 2));
        watched(&a, || {
            let gate = &Gate::default();
            a.nursery(|n| {
                for _ in 0..threads {
                    n.spawn(|| gate.open());
                }
                b.nursery(|m| {
                    m.spawn_blocking(|| gate.wait());
                });
            });
        });
    }
}
