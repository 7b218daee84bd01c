//! Kernels with known answers, each by every contender, and the pools they run on.
#![allow(dead_code, reason = "each bench uses a part of it")]

use std::num::NonZero;
use std::time::Duration;

mod board;
pub(crate) mod fib;
pub(crate) mod figures;
pub(crate) mod flat;
pub(crate) mod forced;
pub(crate) mod jobs;
pub(crate) mod lend;
pub(crate) mod mandelbrot;
pub(crate) mod matrix;
pub(crate) mod merge_sort;
pub(crate) mod open;
pub(crate) mod others;
pub(crate) mod paced;
pub(crate) mod partial;
pub(crate) mod periodic;
pub(crate) mod place;
pub(crate) mod queens;
pub(crate) mod quicksort;
pub(crate) mod shape;
pub(crate) mod tree;
pub(crate) mod turns;
pub(crate) mod uts;

/// Rounds of [`work`] that take about 100 ns. Each is a multiplication that waits for the round
/// before: 1.33 ns on the machine of BENCHMARKS.md. The serial rows say what it is elsewhere.
pub(crate) const ROUNDS_100_NS: u32 = 75;

/// Stack of the pools' threads, in bytes: UTS T3 nests 1572 scopes, and a rayon thread that waits
/// puts whatever it finds on top of them.
const STACK: usize = 64 << 20;

/// A computation of a length that does not depend on the clock.
pub(crate) fn work(seed: u64, rounds: u32) -> u64 {
    (0..rounds).fold(seed, |x, _| {
        (x ^ (x >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

/// CPUs that this process may use.
pub(crate) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// One pool of each kind, all with the same number of threads.
pub(crate) struct Pools {
    pub(crate) threads: usize,
    pub(crate) rayon: rayon::ThreadPool,
    pub(crate) chili: chili::ThreadPool,
    pub(crate) hatchery: hatchery::Pool,
}

impl Pools {
    pub(crate) fn new(threads: usize) -> Self {
        let (rayon, chili, hatchery) = (rayon(threads), chili(threads), hatchery(threads));
        Self {
            threads,
            rayon,
            chili,
            hatchery,
        }
    }
}

pub(crate) fn hatchery(threads: usize) -> hatchery::Pool {
    let builder = hatchery::Pool::builder().threads(threads).stack_size(STACK);
    builder.build().expect("a valid number of threads")
}

pub(crate) fn rayon(threads: usize) -> rayon::ThreadPool {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let pool = builder.stack_size(STACK).build();
    pool.expect("threads can be started")
}

/// Its threads' stacks are the standard library's, it has no setting for them.
pub(crate) fn chili(threads: usize) -> chili::ThreadPool {
    chili::ThreadPool::with_config(chili::Config {
        thread_count: NonZero::new(threads),
        ..chili::Config::default()
    })
}

/// One way to run a shape.
pub(crate) struct Contender<'a> {
    pub(crate) name: &'static str,
    pub(crate) how: How<'a>,
    /// Stands for comparison and does not compete: the serial program, a bare wake-up.
    pub(crate) is_reference: bool,
}

/// How a contender is measured.
pub(crate) enum How<'a> {
    /// By the clock, around one or many calls; returns the answer to check.
    Call(Box<dyn Fn() -> u64 + 'a>),
    /// By itself, because of what comes before or after; it has checked its answer.
    Timed(Box<dyn Fn() -> Duration + 'a>),
    /// By itself, in the units of the row, for a row and for its second one.
    Values(Box<dyn Fn() -> [f64; 2] + 'a>),
}

impl<'a> Contender<'a> {
    pub(crate) fn new(name: &'static str, call: impl Fn() -> u64 + 'a) -> Self {
        Self::by(name, How::Call(Box::new(call)))
    }

    pub(crate) fn timed(name: &'static str, timed: impl Fn() -> Duration + 'a) -> Self {
        Self::by(name, How::Timed(Box::new(timed)))
    }

    pub(crate) fn values(name: &'static str, values: impl Fn() -> [f64; 2] + 'a) -> Self {
        Self::by(name, How::Values(Box::new(values)))
    }

    fn by(name: &'static str, how: How<'a>) -> Self {
        Self {
            name,
            how,
            is_reference: false,
        }
    }

    pub(crate) fn reference(mut self) -> Self {
        self.is_reference = true;
        self
    }

    pub(crate) fn serial(call: impl Fn() -> u64 + 'a) -> Self {
        Self::new("serial", call).reference()
    }
}

/// Calls `split` on both halves until one item is left.
macro_rules! halves {
    ($name:ident, $join:path) => {
        /// Calls `leaf` for every item, by forks that halve the slice, and adds the values up.
        pub(crate) fn $name<T: Sync>(items: &[T], leaf: &(impl Fn(&T) -> u64 + Sync)) -> u64 {
            match items {
                [] => 0,
                [item] => leaf(item),
                _ => {
                    let (left, right) = items.split_at(items.len() / 2);
                    let (left, right) = $join(|| $name(left, leaf), || $name(right, leaf));
                    left.wrapping_add(right)
                }
            }
        }
    };
}

halves!(rayon_halves, rayon::join);
halves!(hatchery_halves, hatchery::join);

/// As the other two; chili hands its scope from call to call.
pub(crate) fn chili_halves<T: Sync>(
    scope: &mut chili::Scope<'_>,
    items: &[T],
    leaf: &(impl Fn(&mut chili::Scope<'_>, &T) -> u64 + Sync),
) -> u64 {
    match items {
        [] => 0,
        [item] => leaf(scope, item),
        _ => {
            let (left, right) = items.split_at(items.len() / 2);
            let (left, right) = scope.join(
                |scope| chili_halves(scope, left, leaf),
                |scope| chili_halves(scope, right, leaf),
            );
            left.wrapping_add(right)
        }
    }
}
