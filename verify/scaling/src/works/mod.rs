//! The programs that are timed: real shapes, with virtual work in their leaves.

mod lists;
mod trees;

use crate::contender::Contender;

/// A program, ready to run on a pool.
pub(crate) struct Work {
    /// Runs it once, from outside the pool; returns its answer.
    pub(crate) run: Box<dyn Fn() -> u64>,
    pub(crate) answer: u64,
    /// The nanoseconds that it takes with as many cores as it can use.
    pub(crate) span: u64,
    /// How many cores compute: the pool's, or those of threads outside if these are more.
    pub(crate) cores: usize,
}

type Pool = &'static dyn Contender;
type Make = fn(Pool, cores: usize, size: u64) -> Work;

/// Name, the sizes that tables have, what it is, how it is made.
pub(crate) const ALL: &[(&str, &[u64], &str, Make)] = &[
    (
        "flat",
        &[1_000, 10_000],
        "10 000 children of SIZE ns",
        lists::flat,
    ),
    (
        "queens",
        &[13],
        "n-queens on SIZE rows: a nursery for each board of fewer than 4",
        trees::queens,
    ),
    (
        "mandelbrot",
        &[512],
        "SIZE rows of very different cost, 154 ms in all",
        lists::mandelbrot,
    ),
    (
        "matrix",
        &[64],
        "SIZE tiles of 540 us, and 350 us before and after them",
        lists::matrix,
    ),
    (
        "forks",
        &[16],
        "a binary tree of SIZE levels, with leaves of 1 us",
        trees::forks,
    ),
    (
        "uts",
        &[9],
        "unbalanced tree search to depth SIZE: 72 ns for each of more than 500 000 nodes",
        trees::uts,
    ),
    (
        "phases",
        &[100],
        "SIZE times 4 children of 25 us for each core, one time after the other",
        lists::phases,
    ),
    (
        "paced",
        &[20, 100, 1_000],
        "a child of 20 ms for each core, one every SIZE us",
        lists::paced,
    ),
    (
        "uneven",
        &[2_000],
        "1000 children of 10 us, and one of SIZE us at 8 places in turn",
        lists::uneven,
    ),
    (
        "burst",
        &[16, 64],
        "SIZE children of 20 us into a pool that sleeps",
        lists::burst,
    ),
    (
        "periodic",
        &[10, 100, 1_000],
        "2 children of 1 us, 500 times, one nursery every SIZE us",
        lists::periodic,
    ),
    (
        "nurseries",
        &[8],
        "SIZE threads outside, each with a nursery of 2000 children of 10 us",
        lists::nurseries,
    ),
    (
        "nests",
        &[50],
        "SIZE nurseries in each other, each with 8 children of 50 us",
        trees::nests,
    ),
];

/// The programs whose children are lists of items.
const LISTS: [&str; 8] = [
    "flat",
    "mandelbrot",
    "matrix",
    "phases",
    "uneven",
    "burst",
    "periodic",
    "nurseries",
];

/// Makes the program of this name, which may end in a colon and a size.
pub(crate) fn find(name: &str, pool: Pool, cores: usize) -> Option<Work> {
    let (name, size) = match name.split_once(':') {
        Some((name, size)) => (name, Some(size.parse().ok()?)),
        None => (name, None),
    };
    let (_, sizes, _, make) = ALL.iter().find(|(of, ..)| *of == name)?;
    Some(make(pool, cores, size.unwrap_or(sizes[0])))
}

/// Whether this is the name of a program, or its name and a size.
pub(crate) fn is_known(name: &str) -> bool {
    let (bare, size) = name.split_once(':').unwrap_or((name, "0"));
    ALL.iter().any(|(of, ..)| *of == bare) && size.parse::<u64>().is_ok()
}

/// Whether all children of the program are known from the start.
pub(crate) fn is_list(name: &str) -> bool {
    let bare = name.split(':').next().unwrap_or_default();
    LISTS.contains(&bare)
}

/// The names of all programs, with their sizes.
pub(crate) fn names() -> Vec<String> {
    let sized = |(name, sizes): (&str, &[u64])| -> Vec<String> {
        sizes.iter().map(|size| format!("{name}:{size}")).collect()
    };
    ALL.iter()
        .flat_map(|(name, sizes, ..)| sized((name, sizes)))
        .collect()
}
