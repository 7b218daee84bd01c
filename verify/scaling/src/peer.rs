//! rayon beside the crate.

use std::ops::Range;

use laboratory::work;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::contender::{Contender, Way};

pub(crate) const WAYS: [Way; 3] = [
    Way {
        name: "rayon_join",
        pool: |threads| Rayon::start(threads, Verb::Join),
    },
    Way {
        name: "rayon_scope",
        pool: |threads| Rayon::start(threads, Verb::Scope),
    },
    Way {
        name: "par_iter",
        pool: |threads| Rayon::start(threads, Verb::Each),
    },
];

/// How a pool of rayon's is asked.
#[derive(Clone, Copy)]
enum Verb {
    Join,
    Scope,
    /// A parallel iterator.
    Each,
}

/// A pool of rayon's.
struct Rayon {
    pool: ThreadPool,
    verb: Verb,
}

impl Rayon {
    fn start(threads: usize, verb: Verb) -> Box<dyn Contender> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool");
        Box::new(Self { pool, verb })
    }

    /// Children of a scope, each with a place for its value.
    fn scope(&self, count: usize, gap: u64, f: &(dyn Fn(usize) -> u64 + Sync)) -> u64 {
        let mut values = vec![0; count];
        self.pool.scope(|scope| {
            for (i, value) in values.iter_mut().enumerate() {
                if gap > 0 {
                    work(gap);
                }
                scope.spawn(move |_| *value = f(i));
            }
        });
        values.into_iter().sum()
    }
}

fn halves(range: Range<usize>, f: &(dyn Fn(usize) -> u64 + Sync)) -> u64 {
    if range.len() < 2 {
        return range.map(f).sum();
    }
    let middle = range.start + range.len() / 2;
    let (left, right) = (range.start..middle, middle..range.end);
    let (a, b) = rayon::join(|| halves(left, f), || halves(right, f));
    a + b
}

impl Contender for Rayon {
    fn sum(&self, count: usize, f: &(dyn Fn(usize) -> u64 + Sync)) -> u64 {
        match self.verb {
            Verb::Scope => self.scope(count, 0, f),
            Verb::Join => self.pool.install(|| halves(0..count, f)),
            Verb::Each => self
                .pool
                .install(|| (0..count).into_par_iter().map(f).sum()),
        }
    }

    /// The others have no way to do this.
    fn sum_paced(&self, count: usize, gap: u64, f: &(dyn Fn(usize) -> u64 + Sync)) -> u64 {
        self.scope(count, gap, f)
    }
}
