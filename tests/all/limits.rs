//! Law S5: limits hold, own and inherited, the helping thread counted; and nobody waits for a permit.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

use crate::common::{Gate, on_every_pool, seeded};
use hatchery::{Nursery, Options, Pool};

/// How many threads are inside of some children, now and at most.
#[derive(Default)]
struct Crowd {
    /// How often each thread is: what a child runs on its own thread is part of it.
    inside: Mutex<HashMap<ThreadId, u32>>,
    most: AtomicUsize,
    children: AtomicUsize,
}

impl Crowd {
    /// Runs `f` as one of the children.
    fn child<R>(&self, f: impl FnOnce() -> R) -> R {
        let me = thread::current().id();
        self.children.fetch_add(1, Ordering::Relaxed);
        let mut inside = self.inside.lock().unwrap();
        *inside.entry(me).or_default() += 1;
        self.most.fetch_max(inside.len(), Ordering::Relaxed);
        drop(inside);
        let result = f();
        let mut inside = self.inside.lock().unwrap();
        if let Entry::Occupied(mut depth) = inside.entry(me) {
            *depth.get_mut() -= 1;
            if *depth.get() == 0 {
                depth.remove();
            }
        }
        result
    }

    #[track_caller]
    fn were_at_most(&self, threads: usize, children: usize) {
        assert_eq!(self.children.load(Ordering::Relaxed), children);
        let most = self.most.load(Ordering::Relaxed);
        assert!(most <= threads, "{most} of {threads}");
    }
}

fn work() {
    for _ in 0..200 {
        std::hint::spin_loop();
    }
}

fn on_limits(test: impl Fn(&Pool, usize, &Options)) {
    on_every_pool(|pool| {
        for limit in [1, 2, 3] {
            test(pool, limit, &Options::new().pool(pool).limit(limit));
        }
    });
}

#[test]
fn s5_no_more_children_run_than_the_limit_says() {
    on_limits(|_, limit, options| {
        let crowd = Crowd::default();
        options.nursery(|n| {
            let children: Vec<_> = (0..500).map(|i| n.spawn(move || i).join()).collect();
            assert_eq!(children, (0..500).collect::<Vec<_>>());
            for _ in 0..500 {
                n.spawn(|| crowd.child(work));
            }
            let joined: Vec<_> = (0..100).map(|_| n.spawn(|| crowd.child(work))).collect();
            joined.into_iter().rev().for_each(|child| child.join());
            n.spawn_each(0..1000, |_| crowd.child(work));
        });
        crowd.were_at_most(limit, 1600);
    });
}

#[test]
fn s5_nurseries_below_and_forks_are_part_of_it() {
    fn tree(crowd: &Crowd, depth: u32) {
        crowd.child(|| {
            work();
            if depth > 0 {
                hatchery::nursery(|n| {
                    n.spawn(|| tree(crowd, depth - 1));
                    n.spawn(|| tree(crowd, depth - 1));
                });
                hatchery::join(|| tree(crowd, depth - 1), || tree(crowd, depth - 1));
            }
        });
    }
    on_limits(|_, limit, options| {
        let crowd = Crowd::default();
        options.nursery(|n| {
            n.spawn(|| tree(&crowd, 4));
            n.spawn(|| tree(&crowd, 4));
        });
        crowd.were_at_most(limit, 2 * 341);
    });
}

#[test]
fn s5_the_smaller_of_two_limits_holds() {
    on_every_pool(|pool| {
        for (outer, inner) in [(1, 3), (3, 1), (2, 2)] {
            let outers = Crowd::default();
            Options::new().pool(pool).limit(outer).nursery(|n| {
                for _ in 0..10 {
                    n.spawn(|| {
                        outers.child(|| {
                            // Each has a limit of its own.
                            let inners = Crowd::default();
                            Options::new().limit(inner).nursery(|n| {
                                for _ in 0..20 {
                                    n.spawn(|| outers.child(|| inners.child(work)));
                                    n.spawn_blocking(|| outers.child(|| inners.child(work)));
                                }
                            });
                            inners.were_at_most(outer.min(inner), 40);
                        });
                    });
                }
            });
            outers.were_at_most(outer, 410);
        }
    });
}

#[test]
fn s5_limits_hold_in_races() {
    on_limits(|_, limit, options| {
        let crowd = Crowd::default();
        let lost = options.race::<(), _, _>(|r| {
            for i in 0..50 {
                let crowd = &crowd;
                r.spawn(move || {
                    crowd.child(work);
                    Err(i)
                });
                r.spawn_blocking(move || {
                    crowd.child(work);
                    Err(50 + i)
                });
            }
        });
        assert_eq!(lost.unwrap_err().len(), 100);
        crowd.were_at_most(limit, 100);
        let won = options.race_each(0..1000, |i| {
            crowd.child(work);
            if i == 500 { Ok(i) } else { Err(()) }
        });
        assert_eq!(won.unwrap(), 500);
        assert!(crowd.most.into_inner() <= limit);
    });
}

#[test]
fn s5_blocking_children_count() {
    on_limits(|_, limit, options| {
        let crowd = Crowd::default();
        options.nursery(|n| {
            for _ in 0..50 {
                n.spawn_blocking(|| crowd.child(work));
                n.spawn(|| crowd.child(work));
            }
            n.spawn_blocking(|| crowd.child(work)).join();
        });
        crowd.were_at_most(limit, 101);
    });
}

/// What Go's errgroup hangs at: the thread that would let them go on stands at the limit.
#[test]
fn s4_spawning_beyond_the_limit_does_not_wait() {
    on_every_pool(|pool| {
        let gate = Gate::default();
        Options::new().pool(pool).limit(2).nursery(|n| {
            for _ in 0..100 {
                n.spawn_blocking(|| gate.wait());
            }
            gate.open();
        });
    });
}

#[test]
fn s1_children_that_spawn_children_below_the_limit_end() {
    fn chain<'s>(n: &'s Nursery<'s, '_>, left: u32) -> u32 {
        match left {
            0 => 0,
            _ => n.spawn(move || chain(n, left - 1)).join() + 1,
        }
    }
    on_limits(|_, _, options| {
        options.nursery(|n| {
            let chains: Vec<_> = (0..4).map(|_| n.spawn(|| chain(n, 50))).collect();
            for chain in chains {
                assert_eq!(chain.join(), 50);
            }
        });
    });
}

/// What conc hangs at: a running child has the lock and waits for one that stands in line.
#[test]
fn s1_a_child_may_hold_a_lock_while_it_waits_for_its_own() {
    on_limits(|_, _, options| {
        let lock = Mutex::new(0);
        options.nursery(|n| {
            for _ in 0..50 {
                n.spawn(|| {
                    let mut guard = lock.lock().unwrap();
                    *guard += n.spawn(|| 1).join();
                    *guard += hatchery::nursery(|n| n.spawn(|| 1).join());
                });
            }
        });
        assert_eq!(lock.into_inner().unwrap(), 100);
    });
}

/// A side thread finds no permit but the one of the child that waits.
#[test]
fn s1_a_child_below_the_limit_may_wait_for_a_blocking_one_of_its_own() {
    on_limits(|_, limit, options| {
        for _ in 0..20 {
            let crowds = Crowd::default();
            let crowd = &crowds;
            options.nursery(|n| {
                for _ in 0..5 {
                    n.spawn(|| {
                        crowd.child(|| {
                            let sibling = n.spawn_blocking(|| crowd.child(|| 1));
                            let below = hatchery::nursery(|inner| {
                                inner.spawn_blocking(|| crowd.child(work));
                                inner.spawn_blocking(|| crowd.child(|| 2)).join()
                            });
                            let limited = Options::new().limit(1).nursery(|inner| {
                                let child = || inner.spawn_blocking(|| crowd.child(|| 3)).join();
                                inner.spawn(move || crowd.child(child)).join()
                            });
                            assert_eq!(sibling.join() + below + limited, 6);
                        });
                    });
                }
            });
            crowd.were_at_most(limit, 30);
        }
    });
}

#[test]
fn s5_a_limited_nursery_is_cancelled_like_any_other() {
    on_limits(|_, limit, options| {
        let crowd = Crowd::default();
        let failures = options.try_nursery(|n| {
            for i in 0..100 {
                n.spawn(|| {
                    crowd.child(work);
                    Ok(())
                });
                if i == 50 {
                    n.spawn(|| crowd.child(|| Err::<(), _>("no")));
                }
            }
            Ok(())
        });
        assert_eq!(failures.unwrap_err().to_string(), "child 51: no");
        assert!(crowd.most.into_inner() <= limit);
    });
}

#[test]
fn s5_random_trees_of_limited_nurseries() {
    fn tree(crowd: &Crowd, rng: &mut fastrand::Rng, depth: u32) {
        crowd.child(work);
        if depth == 0 {
            return;
        }
        let limit = rng.usize(0..4);
        let options = match limit {
            0 => Options::new(),
            limit => Options::new().limit(limit),
        };
        let seeds: Vec<_> = (0..rng.usize(0..5)).map(|_| rng.u64(..)).collect();
        options.nursery(|n| {
            for seed in &seeds {
                n.spawn(|| tree(crowd, &mut fastrand::Rng::with_seed(*seed), depth - 1));
            }
        });
    }
    on_every_pool(|pool| {
        let mut rng = seeded("limits");
        for _ in 0..100 {
            let limit = rng.usize(1..4);
            let seeds = [(); 4].map(|()| rng.u64(..));
            let crowd = Crowd::default();
            Options::new().pool(pool).limit(limit).nursery(|n| {
                for seed in seeds {
                    let crowd = &crowd;
                    n.spawn(move || {
                        let mut rng = fastrand::Rng::with_seed(seed);
                        crowd.child(|| tree(crowd, &mut rng, 4));
                    });
                }
            });
            assert!(crowd.most.into_inner() <= limit);
        }
    });
}

#[test]
fn s5_a_limit_holds_in_a_nursery_that_its_body_opens() {
    on_limits(|_, limit, options| {
        let crowd = Crowd::default();
        options.nursery(|n| {
            for _ in 0..100 {
                n.spawn(|| crowd.child(work));
            }
            hatchery::nursery(|inner| {
                for _ in 0..100 {
                    inner.spawn(|| crowd.child(work));
                    inner.spawn(|| crowd.child(work)).join();
                }
            });
        });
        crowd.were_at_most(limit, 300);
    });
}

/// The only permit is on the thread that waits.
#[test]
fn s1_a_child_at_the_limit_may_wait_for_blocking_children() {
    on_limits(|_, _, options| {
        let ended = AtomicUsize::new(0);
        let count = || {
            ended.fetch_add(1, Ordering::Relaxed);
        };
        options.nursery(|outer| {
            for _ in 0..50 {
                outer.spawn(|| {
                    hatchery::nursery(|inner| {
                        inner.spawn_blocking(count);
                        inner.spawn_blocking(count).join();
                    });
                    outer.spawn_blocking(count).join();
                });
            }
        });
        assert_eq!(ended.into_inner(), 150);
    });
}

#[test]
fn s1_a_nursery_in_the_body_may_wait_for_a_blocking_child_of_the_limited_one() {
    on_limits(|_, _, options| {
        options.nursery(|outer| {
            let value = hatchery::nursery(|_| outer.spawn_blocking(|| 7).join());
            assert_eq!(value, 7);
        });
    });
}

/// What it has spawned there is left over when the wait in the body ends, and anybody's from then on.
/// In a debug build the pool itself looks whether it is marked so.
#[test]
fn an_awaited_child_leaves_what_it_has_spawned_to_all_threads() {
    on_limits(|_, _, options| {
        let ran = AtomicUsize::new(0);
        for _ in 0..100 {
            options.nursery(|n| {
                let awaited = n.spawn(|| {
                    n.spawn(|| ran.fetch_add(1, Ordering::Relaxed));
                });
                awaited.join();
            });
        }
        assert_eq!(ran.into_inner(), 100);
    });
}
