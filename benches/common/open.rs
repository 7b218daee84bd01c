//! Opening and closing a nursery with a few children: by a thread outside the pool, by several of
//! them, and inside a child.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use super::{Contender, Pools};

/// Nurseries of one call inside a child.
pub(crate) const INSIDE: u64 = 1000;
/// Outside threads at once, nurseries of each, and children of each of these.
pub(crate) const OUTSIDE_THREADS: u64 = 8;
pub(crate) const NURSERIES_EACH: u64 = 2000;
const CHILDREN_EACH: u64 = 4;
/// What is pause enough for a pool to fall asleep.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// Contenders that open one nursery of `children` from outside; the answer is seven times as many.
pub(crate) fn outside(pools: &Pools, children: u64) -> Vec<Contender<'_>> {
    let children = move || black_box(children);
    vec![
        Contender::new("std::thread::scope", move || std_scope(children())),
        Contender::new("rayon scope", move || rayon_scope(&pools.rayon, children())),
        Contender::new("rayon in_place_scope", move || {
            rayon_in_place(&pools.rayon, children())
        }),
        Contender::new("chili join", move || {
            chili_join(&mut pools.chili.scope(), children())
        }),
        Contender::new("hatchery nursery", move || {
            hatchery_nursery(&pools.hatchery, children())
        }),
    ]
}

/// The same contenders, each after a pause; and one wake-up of a parked thread after that pause.
pub(crate) fn after_a_pause(pools: &Pools, children: u64) -> Vec<Contender<'_>> {
    let wake = Contender::timed("one wake call", wake_call).reference();
    let contenders = outside(pools, children).into_iter().map(move |contender| {
        let super::How::Call(call) = contender.how else {
            unreachable!("all of them are calls");
        };
        Contender::timed(contender.name, move || {
            thread::sleep(PAUSE);
            let start = Instant::now();
            let answer = call();
            let took = start.elapsed();
            assert_eq!(answer, 7 * children);
            took
        })
    });
    std::iter::once(wake).chain(contenders).collect()
}

/// What waking one sleeping thread costs the waker.
fn wake_call() -> Duration {
    thread::scope(|scope| {
        let sleeper = scope.spawn(thread::park);
        thread::sleep(PAUSE);
        let start = Instant::now();
        sleeper.thread().unpark();
        start.elapsed()
    })
}

/// Contenders whose threads open nurseries of four children at the same time.
pub(crate) fn many_outside(pools: &Pools) -> Vec<Contender<'_>> {
    vec![
        Contender::timed("rayon scope", || {
            all_outside(|| rayon_scope(&pools.rayon, CHILDREN_EACH))
        }),
        Contender::timed("rayon in_place_scope", || {
            all_outside(|| rayon_in_place(&pools.rayon, CHILDREN_EACH))
        }),
        Contender::timed("chili join", || {
            all_outside(|| chili_join(&mut pools.chili.scope(), CHILDREN_EACH))
        }),
        Contender::timed("hatchery nursery", || {
            all_outside(|| hatchery_nursery(&pools.hatchery, CHILDREN_EACH))
        }),
    ]
}

/// The time from when all threads are there to when all are done.
fn all_outside(nursery: impl Fn() -> u64 + Sync) -> Duration {
    let everybody = Barrier::new(1 + usize::try_from(OUTSIDE_THREADS).expect("a few"));
    thread::scope(|scope| {
        let threads: Vec<_> = (0..OUTSIDE_THREADS)
            .map(|_| {
                scope.spawn(|| {
                    everybody.wait();
                    for _ in 0..NURSERIES_EACH {
                        assert_eq!(nursery(), 7 * CHILDREN_EACH);
                    }
                })
            })
            .collect();
        everybody.wait();
        let start = Instant::now();
        for thread in threads {
            thread.join().expect("the answers are right");
        }
        start.elapsed()
    })
}

/// Contenders that open nurseries, each of `children`, inside a child; the answer is [`INSIDE`]
/// times seven times as many.
pub(crate) fn inside(pools: &Pools, children: u64) -> Vec<Contender<'_>> {
    let children = move || black_box(children);
    vec![
        Contender::new("rayon scope", move || {
            pools.rayon.install(|| {
                let scopes = (0..INSIDE).map(|_| {
                    with_slots(children(), |slots| {
                        rayon::scope(|scope| {
                            for slot in slots {
                                scope.spawn(|_| *slot = 7);
                            }
                        });
                    })
                });
                scopes.sum()
            })
        }),
        Contender::new("hatchery nursery", move || {
            let all = || {
                let nurseries = (0..INSIDE).map(|_| {
                    with_slots(children(), |slots| {
                        hatchery::nursery(|n| {
                            for slot in slots {
                                n.spawn(|| *slot = 7);
                            }
                        });
                    })
                });
                nurseries.sum()
            };
            pools.hatchery.nursery(|n| n.spawn(all).join())
        }),
    ]
}

/// The sum of the slots that `fill` sets to seven.
fn with_slots(slots: u64, fill: impl FnOnce(&mut [u64])) -> u64 {
    let mut all = [0; 4];
    let used = &mut all[..usize::try_from(slots).expect("at most four")];
    fill(used);
    used.iter().sum()
}

fn std_scope(children: u64) -> u64 {
    with_slots(children, |slots| {
        thread::scope(|scope| {
            for slot in slots {
                scope.spawn(|| *slot = 7);
            }
        });
    })
}

fn rayon_scope(pool: &rayon::ThreadPool, children: u64) -> u64 {
    with_slots(children, |slots| {
        pool.scope(|scope| {
            for slot in slots {
                scope.spawn(|_| *slot = 7);
            }
        });
    })
}

fn rayon_in_place(pool: &rayon::ThreadPool, children: u64) -> u64 {
    with_slots(children, |slots| {
        pool.in_place_scope(|scope| {
            for slot in slots {
                scope.spawn(|_| *slot = 7);
            }
        });
    })
}

/// Nothing for no children, a call for one, forks for more.
fn chili_join(scope: &mut chili::Scope<'_>, children: u64) -> u64 {
    match children {
        0 => 0,
        1 => black_box(7),
        _ => {
            let (left, right) = (children / 2, children - children / 2);
            let (left, right) = scope.join(|s| chili_join(s, left), |s| chili_join(s, right));
            left + right
        }
    }
}

fn hatchery_nursery(pool: &hatchery::Pool, children: u64) -> u64 {
    with_slots(children, |slots| {
        pool.nursery(|n| {
            for slot in slots {
                n.spawn(|| *slot = 7);
            }
        });
    })
}
