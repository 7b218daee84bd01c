//! The programs that are timed: real shapes, with virtual work in their leaves.

mod lists;
mod trees;

use crate::contender::{Contender, Way};

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

/// What is known of a program before it is made.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// The sizes that tables have.
    pub(crate) sizes: &'static [u64],
    pub(crate) what: &'static str,
    children: Children,
    make: Make,
}

/// What the children of a program are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Children {
    /// Lists of items, each complete before the first of its children starts.
    Listed,
    /// Children of children, or children that are spawned one by one.
    Grown,
}

/// All programs.
pub(crate) const ALL: &[Program] = &[
    Program {
        name: "flat",
        sizes: &[1_000, 10_000],
        what: "10 000 children of SIZE ns",
        children: Children::Listed,
        make: lists::flat,
    },
    Program {
        name: "queens",
        sizes: &[13],
        what: "n-queens on SIZE rows: a nursery for each board of fewer than 4",
        children: Children::Grown,
        make: trees::queens,
    },
    Program {
        name: "mandelbrot",
        sizes: &[512],
        what: "SIZE rows of very different cost, 154 ms in all",
        children: Children::Listed,
        make: lists::mandelbrot,
    },
    Program {
        name: "matrix",
        sizes: &[64],
        what: "SIZE tiles of 540 us, and 350 us before and after them",
        children: Children::Listed,
        make: lists::matrix,
    },
    Program {
        name: "forks",
        sizes: &[16],
        what: "a binary tree of SIZE levels, with leaves of 1 us",
        children: Children::Grown,
        make: trees::forks,
    },
    Program {
        name: "uts",
        sizes: &[9],
        what: "unbalanced tree search to depth SIZE: 72 ns for each of more than 500 000 nodes",
        children: Children::Grown,
        make: trees::uts,
    },
    Program {
        name: "phases",
        sizes: &[20],
        what: "SIZE times 4 children of 25 us for each core, one time after the other",
        children: Children::Listed,
        make: lists::phases,
    },
    Program {
        name: "paced",
        sizes: &[20, 100, 1_000],
        what: "a child of 20 ms for each core, one every SIZE us",
        children: Children::Grown,
        make: lists::paced,
    },
    Program {
        name: "uneven",
        sizes: &[2_000],
        what: "1000 children of 10 us, and one of SIZE us at 8 places in turn",
        children: Children::Listed,
        make: lists::uneven,
    },
    Program {
        name: "burst",
        sizes: &[16, 64],
        what: "SIZE children of 20 us into a pool that sleeps",
        children: Children::Listed,
        make: lists::burst,
    },
    Program {
        name: "periodic",
        sizes: &[10, 100, 1_000],
        what: "2 children of 1 us, 500 times, one nursery every SIZE us",
        children: Children::Listed,
        make: lists::periodic,
    },
    Program {
        name: "nurseries",
        sizes: &[8],
        what: "SIZE threads outside, each with a nursery of 2000 children of 10 us",
        children: Children::Listed,
        make: lists::nurseries,
    },
    Program {
        name: "nests",
        sizes: &[50],
        what: "SIZE nurseries in each other, each with 8 children of 50 us",
        children: Children::Grown,
        make: trees::nests,
    },
];

/// The program of this name, and the size that the name may end in, after a colon.
fn parse(name: &str) -> Option<(&'static Program, Option<u64>)> {
    let (bare, size) = match name.split_once(':') {
        Some((bare, size)) => (bare, Some(size.parse().ok()?)),
        None => (name, None),
    };
    let program = ALL.iter().find(|program| program.name == bare)?;
    Some((program, size))
}

/// Makes the program of this name, which may end in a colon and a size.
pub(crate) fn find(name: &str, pool: Pool, cores: usize) -> Option<Work> {
    let (program, size) = parse(name)?;
    Some((program.make)(
        pool,
        cores,
        size.unwrap_or(program.sizes[0]),
    ))
}

/// Whether this is the name of a program, or its name and a size.
pub(crate) fn is_known(name: &str) -> bool {
    parse(name).is_some()
}

/// Whether the program of this name runs in this way.
pub(crate) fn runs(name: &str, way: Way) -> bool {
    let (program, _) = parse(name).expect("its name is known");
    !way.takes_lists_only() || program.children == Children::Listed
}

/// The names of all programs, with their sizes.
pub(crate) fn names() -> Vec<String> {
    let sized = |Program { name, sizes, .. }: &Program| -> Vec<String> {
        sizes.iter().map(|size| format!("{name}:{size}")).collect()
    };
    ALL.iter().flat_map(sized).collect()
}
