//! Instructions per child, fork and nursery, counted by callgrind: they repeat where times do not.
//!
//! `cargo bench --bench instructions` needs valgrind, and prints the table of BENCHMARKS.md, "Instructions".
//! Each shape runs twice on a pool of one thread, a few times and some more times. The difference of the two
//! counts has no start of a process in it, and no first use of a pool.

mod common;

use std::env;
use std::hint::black_box;
use std::process::{Command, ExitCode};

use common::fib;
use hatchery::{Child, Pool};

/// Repetitions of the two runs.
const FEW: u64 = 2;
const MORE: u64 = 7;

/// Children of a flat nursery.
const FLAT: u64 = 10_000;
/// Items of a batch.
const ITEMS: u64 = 100_000;
/// Nurseries that one child opens, or a thread outside of the pool.
const NURSERIES: u64 = 1000;

/// A loop, and how many children, forks or nurseries it has.
struct Shape {
    name: &'static str,
    units: u64,
    run: fn(&Pool) -> u64,
    answer: u64,
}

fn shapes() -> [Shape; 11] {
    let sum = |n: u64| n * (n - 1) / 2;
    let shape = |name, units, run, answer| Shape {
        name,
        units,
        run,
        answer,
    };
    [
        shape("child joined in order", FLAT, joined, sum(FLAT)),
        shape(
            "child that may fail, joined in order",
            FLAT,
            partial,
            sum(FLAT),
        ),
        shape("child whose handle is dropped", FLAT, dropped, 0),
        shape("child that is skipped", FLAT, skipped, 0),
        shape("item of a batch", ITEMS, each, sum(ITEMS)),
        shape(
            "nursery without children, in a child",
            NURSERIES,
            inside::<0>,
            0,
        ),
        shape(
            "nursery with 1 child, in a child",
            NURSERIES,
            inside::<1>,
            NURSERIES,
        ),
        shape(
            "nursery with 2 children, in a child",
            NURSERIES,
            inside::<2>,
            2 * NURSERIES,
        ),
        shape(
            "nursery with 2 children, from outside",
            NURSERIES,
            outside,
            2 * NURSERIES,
        ),
        shape(
            "fork of fib(20)",
            fib::forks(20),
            |pool| pool.nursery(|_| fib::hatchery_join(20)),
            fib::serial(20),
        ),
        shape(
            "nursery of fib(16)",
            fib::forks(16),
            |pool| pool.nursery(|_| fib::hatchery_nursery(16)),
            fib::serial(16),
        ),
    ]
}

fn joined(pool: &Pool) -> u64 {
    pool.nursery(|n| {
        let children: Vec<_> = (0..FLAT).map(|i| n.spawn(move || i)).collect();
        children.into_iter().map(Child::join).sum()
    })
}

fn partial(pool: &Pool) -> u64 {
    let sum = pool.try_nursery(|n| {
        let children: Vec<_> = (0..FLAT)
            .map(|i| n.spawn(move || Ok::<_, String>(i)))
            .collect();
        let mut sum = 0;
        for child in children {
            sum += child.join()?;
        }
        Ok(sum)
    });
    sum.expect("no child fails")
}

fn dropped(pool: &Pool) -> u64 {
    pool.nursery(|n| {
        for i in 0..FLAT {
            n.spawn(move || black_box(i));
        }
    });
    0
}

fn skipped(pool: &Pool) -> u64 {
    let result = pool.try_nursery::<String, _, _>(|n| {
        for i in 0..FLAT {
            n.spawn(move || Ok(black_box(i)));
        }
        n.cancel();
        Ok(0)
    });
    result.unwrap_or(0)
}

fn each(pool: &Pool) -> u64 {
    pool.nursery(|n| n.spawn_each(0..ITEMS, |i| i).sum())
}

/// Opens nurseries of `CHILDREN` children each, one after the other, in a child.
fn inside<const CHILDREN: usize>(pool: &Pool) -> u64 {
    let inner = || {
        hatchery::nursery(|n| {
            let children = [(); CHILDREN].map(|()| n.spawn(|| black_box(1_u64)));
            children.map(Child::join).iter().sum::<u64>()
        })
    };
    pool.nursery(|n| n.spawn(|| (0..NURSERIES).map(|_| inner()).sum()).join())
}

fn outside(pool: &Pool) -> u64 {
    let nursery = |_| {
        pool.nursery(|n| {
            let [a, b] = [(); 2].map(|()| n.spawn(|| black_box(1_u64)));
            a.join() + b.join()
        })
    };
    (0..NURSERIES).map(nursery).sum()
}

/// Runs a shape; the answers are checked.
fn run(shape: &Shape, repetitions: u64) {
    let pool = Pool::builder().threads(1).build().expect("a pool");
    for _ in 0..repetitions {
        assert_eq!((shape.run)(&pool), shape.answer, "{}", shape.name);
    }
}

/// Instructions of a process that runs the shape of this number; none without valgrind.
fn count(shape: usize, repetitions: u64) -> Option<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(env::current_exe().ok()?);
    valgrind.args([shape.to_string(), repetitions.to_string()]);
    let output = valgrind.output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let (_, counted) = text.split_once("Collected : ")?;
    counted.split_whitespace().next()?.parse().ok()
}

fn main() -> ExitCode {
    let numbers: Vec<_> = env::args().filter_map(|word| word.parse().ok()).collect();
    let shapes = shapes();
    if let [shape, repetitions] = *numbers {
        run(&shapes[usize::try_from(shape).expect("small")], repetitions);
        return ExitCode::SUCCESS;
    }
    println!("| what | instructions |\n|---|---|");
    for (nth, shape) in shapes.iter().enumerate() {
        let [Some(few), Some(more)] = [FEW, MORE].map(|repetitions| count(nth, repetitions)) else {
            eprintln!("valgrind is needed");
            return ExitCode::FAILURE;
        };
        let units = (MORE - FEW) * shape.units;
        println!("| {} | {} |", shape.name, (more - few + units / 2) / units);
    }
    ExitCode::SUCCESS
}
