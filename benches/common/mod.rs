//! Kernels with known answers, and the pools they run on.
#![allow(dead_code, reason = "each bench uses a part of it")]

use hatchery::Pool;

/// Rounds of [`work`] that take about 100 ns: each is a multiplication that waits for the one
/// before, 1.33 ns on the machine of BENCHMARKS.md. The serial rows say what it is elsewhere.
pub(crate) const ROUNDS_100_NS: u32 = 75;

/// A computation of a length that does not depend on the clock.
pub(crate) fn work(seed: u64, rounds: u32) -> u64 {
    (0..rounds).fold(seed, |x, _| {
        (x ^ (x >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

/// What `children` of `rounds` each add up to.
pub(crate) fn serial_sum(children: u64, rounds: u32) -> u64 {
    (0..children).fold(0, |sum, i| sum.wrapping_add(work(i, rounds)))
}

pub(crate) fn hatchery_pool(threads: usize) -> Pool {
    let pool = Pool::builder().threads(threads).build();
    pool.expect("a valid number of threads")
}

pub(crate) fn rayon_pool(threads: usize) -> rayon::ThreadPool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("threads can be started")
}

pub(crate) fn chili_pool(threads: usize) -> chili::ThreadPool {
    chili::ThreadPool::with_config(chili::Config {
        thread_count: std::num::NonZero::new(threads),
        ..chili::Config::default()
    })
}

/// Nurseries opened inside a child: `NURSERIES` of them, with a few children each.
pub(crate) mod inside {
    use super::Pool;
    use std::hint::black_box;

    pub(crate) const NURSERIES: u64 = 1000;

    pub(crate) fn rayon_scope(pool: &rayon::ThreadPool, children: u64) -> u64 {
        pool.install(|| {
            for _ in 0..NURSERIES {
                rayon::scope(|scope| {
                    for i in 0..children {
                        scope.spawn(move |_| {
                            black_box(i);
                        });
                    }
                });
            }
            NURSERIES
        })
    }

    pub(crate) fn hatchery_nursery(pool: &Pool, children: u64) -> u64 {
        pool.nursery(|_| {
            for _ in 0..NURSERIES {
                hatchery::nursery(|n| {
                    for i in 0..children {
                        n.spawn(move || {
                            black_box(i);
                        });
                    }
                });
            }
            NURSERIES
        })
    }
}

/// Flat fan-out: every child returns a `u64`, and all are taken in order.
pub(crate) mod flat {
    use super::{Pool, work};
    use rayon::prelude::*;

    pub(crate) fn std_threads(children: u64, rounds: u32) -> u64 {
        std::thread::scope(|scope| {
            let handles: Vec<_> = (0..children)
                .map(|i| scope.spawn(move || work(i, rounds)))
                .collect();
            let values = handles.into_iter().map(|handle| handle.join());
            values.fold(0_u64, |sum, value| {
                sum.wrapping_add(value.expect("no panic"))
            })
        })
    }

    pub(crate) fn rayon_scope(pool: &rayon::ThreadPool, children: u64, rounds: u32) -> u64 {
        let mut slots = vec![0; usize::try_from(children).expect("fits")];
        pool.scope(|scope| {
            for (i, slot) in (0..).zip(&mut slots) {
                scope.spawn(move |_| *slot = work(i, rounds));
            }
        });
        slots.into_iter().fold(0, u64::wrapping_add)
    }

    pub(crate) fn rayon_par_iter(pool: &rayon::ThreadPool, children: u64, rounds: u32) -> u64 {
        pool.install(|| {
            let values: Vec<u64> = (0..children)
                .into_par_iter()
                .map(|i| work(i, rounds))
                .collect();
            values.into_iter().fold(0, u64::wrapping_add)
        })
    }

    pub(crate) fn hatchery_spawn(pool: &Pool, children: u64, rounds: u32) -> u64 {
        pool.nursery(|n| {
            let handles: Vec<_> = (0..children)
                .map(|i| n.spawn(move || work(i, rounds)))
                .collect();
            let values = handles.into_iter().map(hatchery::Child::join);
            values.fold(0, u64::wrapping_add)
        })
    }

    pub(crate) fn hatchery_spawn_each(pool: &Pool, children: u64, rounds: u32) -> u64 {
        pool.nursery(|n| {
            let values = n.spawn_each(0..children, |i| work(i, rounds));
            values.fold(0, u64::wrapping_add)
        })
    }
}

/// A fork per call and no cut-off: `fib(25)` is 75 025 by 121 392 forks.
pub(crate) mod fib {
    pub(crate) fn serial(n: u64) -> u64 {
        if n < 2 {
            n
        } else {
            serial(n - 1) + serial(n - 2)
        }
    }

    pub(crate) fn rayon_join(n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let (a, b) = rayon::join(|| rayon_join(n - 1), || rayon_join(n - 2));
        a + b
    }

    pub(crate) fn hatchery_join(n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let (a, b) = hatchery::join(|| hatchery_join(n - 1), || hatchery_join(n - 2));
        a + b
    }

    pub(crate) fn chili_join(scope: &mut chili::Scope<'_>, n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let (a, b) = scope.join(|s| chili_join(s, n - 1), |s| chili_join(s, n - 2));
        a + b
    }

    pub(crate) fn rayon_scope(n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let mut a = 0;
        let mut b = 0;
        rayon::scope(|scope| {
            scope.spawn(|_| a = rayon_scope(n - 1));
            b = rayon_scope(n - 2);
        });
        a + b
    }

    pub(crate) fn hatchery_nursery(n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        hatchery::nursery(|scope| {
            let a = scope.spawn(move || hatchery_nursery(n - 1));
            let b = hatchery_nursery(n - 2);
            a.join() + b
        })
    }
}

/// A balanced tree of boxed nodes of value 1.
pub(crate) struct Node {
    value: u64,
    sides: Option<[Box<Node>; 2]>,
}

impl Node {
    /// A tree of `2^levels - 1` nodes.
    pub(crate) fn tree(levels: u32) -> Self {
        let side = || Box::new(Self::tree(levels - 1));
        Self {
            value: 1,
            sides: (levels > 1).then(|| [side(), side()]),
        }
    }

    pub(crate) fn serial(&self) -> u64 {
        let sides = self.sides.iter().flatten();
        self.value + sides.map(|side| side.serial()).sum::<u64>()
    }

    pub(crate) fn rayon_join(&self) -> u64 {
        let Some([left, right]) = &self.sides else {
            return self.value;
        };
        let (left, right) = rayon::join(|| left.rayon_join(), || right.rayon_join());
        self.value + left + right
    }

    pub(crate) fn chili_join(&self, scope: &mut chili::Scope<'_>) -> u64 {
        let Some([left, right]) = &self.sides else {
            return self.value;
        };
        let (left, right) = scope.join(|s| left.chili_join(s), |s| right.chili_join(s));
        self.value + left + right
    }

    pub(crate) fn hatchery_join(&self) -> u64 {
        let Some([left, right]) = &self.sides else {
            return self.value;
        };
        let (left, right) = hatchery::join(|| left.hatchery_join(), || right.hatchery_join());
        self.value + left + right
    }
}
