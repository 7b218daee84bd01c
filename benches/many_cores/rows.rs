//! The programs, and how fast each can be at best.

use std::time::Duration;

use crate::common::matrix::Matrices;
use crate::common::paced::{self, Paced};
use crate::common::{
    Contender, How, Pools, ROUNDS_100_NS, fib, flat, mandelbrot, matrix, periodic, queens, tree,
    uts,
};
use crate::forecast;

const ROUNDS_1_US: u32 = 10 * ROUNDS_100_NS;
/// Phases, children of each for each thread, and how long one takes.
const PHASES: u64 = 20;
const PHASE: u64 = 4;
const ROUNDS_OF_PHASE: u32 = 25 * ROUNDS_1_US;

/// What programs read; all sizes of pools read the same.
pub(crate) struct Inputs {
    tree: tree::Node,
    matrices: Matrices,
}

impl Inputs {
    pub(crate) fn new() -> Self {
        Self {
            tree: tree::Node::tree(20),
            matrices: Matrices::new(512),
        }
    }
}

/// A program on pools of one size.
pub(crate) struct Row<'a> {
    pub(crate) name: String,
    /// Its name in the laboratory, if it is there.
    pub(crate) point: Option<&'static str>,
    /// The least part of the serial program's time that it can take.
    pub(crate) least: f64,
    /// What passes besides before the next call, whatever the contender.
    pub(crate) besides: Duration,
    pub(crate) answer: u64,
    pub(crate) contenders: Vec<Contender<'a>>,
}

/// All programs.
pub(crate) fn all<'a>(pools: &'a Pools, inputs: &'a Inputs) -> Vec<Row<'a>> {
    let threads = pools.threads as u64;
    let row =
        |name: &str, point, answer, contenders| Row::new(pools, name, point, answer, contenders);
    let children = |count| flat::children(pools, count, ROUNDS_1_US);
    let mut forks = children(1 << 16);
    forks.retain(|contender| contender.is_reference || contender.name.ends_with("join"));
    let mut rows = vec![
        row(
            "10k children of 1 us",
            Some("flat:1000"),
            flat::serial(10_000, ROUNDS_1_US),
            children(10_000),
        ),
        row(
            "n-queens 13",
            Some("queens:13"),
            73_712,
            queens::contenders(pools, 13),
        ),
        row(
            "Mandelbrot set, 512 x 512",
            Some("mandelbrot:512"),
            mandelbrot::ANSWER,
            mandelbrot::contenders(pools),
        ),
        row(
            "product of two 512 x 512 matrices",
            Some("matrix:64"),
            inputs.matrices.answer,
            matrix::contenders(pools, &inputs.matrices),
        ),
        row(
            "16 levels of forks, leaves of 1 us",
            Some("forks:16"),
            flat::serial(1 << 16, ROUNDS_1_US),
            forks,
        ),
        row(
            "fib(32), a fork per call",
            None,
            2_178_309,
            fib::joins(pools, 32),
        ),
        // The laboratory's tree is of this kind, and smaller.
        row(
            "UTS T1",
            Some("uts:9"),
            uts::T1.nodes,
            uts::contenders(pools, &uts::T1),
        ),
        row(
            "sum of a tree of 2^20-1 nodes",
            None,
            (1 << 20) - 1,
            tree::contenders(pools, &inputs.tree),
        ),
        row(
            "20 times 4 T children of 25 us",
            Some("phases:20"),
            PHASES.wrapping_mul(flat::serial(PHASE * threads, ROUNDS_OF_PHASE)),
            phases(pools),
        ),
    ];
    for (name, point, gap) in [("100 us", "paced:100", 100), ("1 ms", "paced:1000", 1000)] {
        let paced = Paced::new(threads, 20_000, gap);
        let name = format!("T children of 20 ms, one every {name}");
        rows.push(Row {
            least: paced.least(),
            ..row(
                &name,
                Some(point),
                paced.answer(),
                paced::contenders(pools, paced),
            )
        });
    }
    for (name, point, us) in [
        ("10 us", "periodic:10", 10),
        ("100 us", "periodic:100", 100),
    ] {
        let period = Duration::from_micros(us);
        let name = format!("a nursery of two children of 1 us every {name}");
        rows.push(Row {
            least: 1.0 / threads.min(periodic::CHILDREN as u64) as f64,
            besides: period,
            ..row(&name, Some(point), 0, periodic::contenders(pools, period))
        });
    }
    rows
}

impl<'a> Row<'a> {
    /// A program whose work is for all threads.
    fn new(
        pools: &Pools,
        name: &str,
        point: Option<&'static str>,
        answer: u64,
        mut contenders: Vec<Contender<'a>>,
    ) -> Self {
        assert!(
            point.is_none_or(forecast::is_known),
            "{point:?} has another name now"
        );
        contenders.retain(|contender| contender.is_reference || !contender.name.starts_with("std"));
        Self {
            name: name.to_owned(),
            point,
            least: 1.0 / pools.threads as f64,
            besides: Duration::ZERO,
            answer,
            contenders,
        }
    }
}

/// Each phase begins when the last one has ended.
fn phases(pools: &Pools) -> Vec<Contender<'_>> {
    let children = PHASE * pools.threads as u64;
    let contenders = flat::children(pools, children, ROUNDS_OF_PHASE);
    let repeated = contenders.into_iter().map(|contender| {
        let How::Call(call) = contender.how else {
            unreachable!("all of them are calls");
        };
        let phases = move || (0..PHASES).map(|_| call()).fold(0, u64::wrapping_add);
        Contender {
            how: How::Call(Box::new(phases)),
            ..contender
        }
    });
    repeated.collect()
}
