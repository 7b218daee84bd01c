//! The table of BENCHMARKS.md: the contenders of a row take turns in one process.
//!
//! A machine's speed changes by the second, so figures of different runs are not compared. Here
//! each round times every contender once; the median over the rounds is printed, with the middle
//! half of them, per child or fork. `cargo bench --bench table` puts the tables into BENCHMARKS.md,
//! each between its two markers; with `-- --print` it only prints them.

mod common;

use std::cell::RefCell;
use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use common::{
    Node, ROUNDS_100_NS, chili_pool, fib, flat, hatchery_pool, inside, rayon_pool, serial_sum,
};

/// One way to do what a row is about.
type Contender<'a> = (&'a str, Box<dyn Fn() -> u64 + 'a>);

thread_local! {
    /// The table of the current number of threads.
    static TABLE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Rounds per row, and repetitions per round for rows of a few microseconds.
struct Effort {
    rounds: usize,
    repetitions: usize,
}

/// Runs a row and prints it; `units` children or forks are in one call.
fn row(effort: &Effort, name: &str, units: u64, answer: u64, contenders: &[Contender<'_>]) {
    let short = units < 1000;
    let repetitions = if short { effort.repetitions } else { 1 };
    let mut times = vec![Vec::new(); contenders.len()];
    for round in 0..=effort.rounds {
        for ((name, run), times) in contenders.iter().zip(&mut times) {
            let start = Instant::now();
            for _ in 0..repetitions {
                assert_eq!(black_box(run()), answer, "{name}");
            }
            let per_unit =
                start.elapsed().as_secs_f64() * 1e9 / (repetitions as u64 * units) as f64;
            // The first round warms up.
            if round > 0 {
                times.push(per_unit);
            }
        }
    }
    let quantiles: Vec<[f64; 3]> = times
        .iter_mut()
        .map(|times| {
            times.sort_by(f64::total_cmp);
            [1, 2, 3].map(|quarter| times[(times.len() - 1) * quarter / 4])
        })
        .collect();
    let parallel = contenders.iter().zip(&quantiles);
    let parallel = parallel.filter(|((name, _), _)| *name != "serial");
    let best = parallel.map(|(_, times)| times[1]).fold(f64::MAX, f64::min);
    for ((contender, _), [low, median, high]) in contenders.iter().zip(&quantiles) {
        let ratio = match *contender {
            "serial" => String::new(),
            _ => format!("{:.2}", median / best),
        };
        let line =
            format!("| {name} | {contender} | {median:.1} | {low:.1} .. {high:.1} | {ratio} |");
        println!("{line}");
        TABLE.with_borrow_mut(|table| writeln!(table, "{line}").expect("memory"));
    }
}

fn main() {
    // Cargo asks for a quick check that the bench works with `--test`.
    let is_check = std::env::args().any(|argument| argument == "--test");
    let effort = if is_check {
        Effort {
            rounds: 1,
            repetitions: 1,
        }
    } else {
        Effort {
            rounds: 31,
            repetitions: 500,
        }
    };
    let writes = !is_check && !std::env::args().any(|argument| argument == "--print");
    for threads in [1, 2] {
        TABLE.with_borrow_mut(|table| {
            *table = "| row | contender | median ns | middle half | over the best |\n\
                |---|---|---|---|---|\n"
                .to_owned();
        });
        let (rayon, pool) = (&rayon_pool(threads), &hatchery_pool(threads));
        flat_rows(&effort, threads, rayon, pool);
        tree_rows(&effort, threads, rayon, pool);
        opening_rows(&effort, threads, rayon, pool);
        inside_rows(&effort, threads, rayon, pool);
        if writes {
            TABLE.with_borrow(|table| write_table(threads, table));
        }
    }
}

/// Puts a table between its markers in BENCHMARKS.md.
fn write_table(threads: usize, table: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/BENCHMARKS.md");
    let text = std::fs::read_to_string(path).expect("BENCHMARKS.md is there");
    let start = format!("<!-- table: {threads} -->\n");
    let (before, rest) = text.split_once(&start).expect("a marker for the table");
    let (_, after) = rest.split_once("<!-- end -->").expect("its end");
    std::fs::write(path, format!("{before}{start}{table}<!-- end -->{after}"))
        .expect("BENCHMARKS.md can be written");
}

fn inside_rows(effort: &Effort, threads: usize, rayon: &rayon::ThreadPool, pool: &hatchery::Pool) {
    for children in [0, 1, 2] {
        let contenders: [Contender<'_>; 2] = [
            (
                "rayon scope",
                Box::new(|| inside::rayon_scope(rayon, black_box(children))),
            ),
            (
                "hatchery nursery",
                Box::new(|| inside::hatchery_nursery(pool, black_box(children))),
            ),
        ];
        let name = format!("a nursery of {children} inside a child, T={threads}");
        let nurseries = inside::NURSERIES;
        row(effort, &name, nurseries, nurseries, &contenders);
    }
}

fn flat_rows(effort: &Effort, threads: usize, rayon: &rayon::ThreadPool, pool: &hatchery::Pool) {
    const ITEMS: u64 = 1_000_000;
    let each: [Contender<'_>; 3] = [
        (
            "serial",
            Box::new(|| serial_sum(black_box(ITEMS), black_box(0))),
        ),
        (
            "rayon par_iter",
            Box::new(|| flat::rayon_par_iter(rayon, ITEMS, black_box(0))),
        ),
        (
            "hatchery spawn_each",
            Box::new(|| flat::hatchery_spawn_each(pool, ITEMS, black_box(0))),
        ),
    ];
    let name = format!("1M empty items collected, T={threads}");
    row(effort, &name, ITEMS, serial_sum(ITEMS, 0), &each);
    const CHILDREN: u64 = 10_000;
    for (length, rounds) in [
        ("0 ns", 0),
        ("100 ns", ROUNDS_100_NS),
        ("1 us", 10 * ROUNDS_100_NS),
    ] {
        let contenders: [Contender<'_>; 5] = [
            (
                "serial",
                Box::new(|| serial_sum(black_box(CHILDREN), black_box(rounds))),
            ),
            (
                "rayon scope",
                Box::new(|| flat::rayon_scope(rayon, CHILDREN, black_box(rounds))),
            ),
            (
                "rayon par_iter",
                Box::new(|| flat::rayon_par_iter(rayon, CHILDREN, black_box(rounds))),
            ),
            (
                "hatchery spawn",
                Box::new(|| flat::hatchery_spawn(pool, CHILDREN, black_box(rounds))),
            ),
            (
                "hatchery spawn_each",
                Box::new(|| flat::hatchery_spawn_each(pool, CHILDREN, black_box(rounds))),
            ),
        ];
        let name = format!("flat, 10k children of {length}, T={threads}");
        row(
            effort,
            &name,
            CHILDREN,
            serial_sum(CHILDREN, rounds),
            &contenders,
        );
    }
}

fn tree_rows(effort: &Effort, threads: usize, rayon: &rayon::ThreadPool, pool: &hatchery::Pool) {
    let chili = &chili_pool(threads);
    let n = || black_box(25);
    let name = |shape: &str| format!("{shape}, T={threads}");
    let forks: [Contender<'_>; 4] = [
        ("serial", Box::new(|| fib::serial(n()))),
        (
            "rayon join",
            Box::new(|| rayon.install(|| fib::rayon_join(n()))),
        ),
        (
            "chili join",
            Box::new(|| fib::chili_join(&mut chili.scope(), n())),
        ),
        (
            "hatchery join",
            Box::new(|| pool.nursery(|_| fib::hatchery_join(n()))),
        ),
    ];
    row(effort, &name("fib(25), per fork"), 121_392, 75_025, &forks);
    let scopes: [Contender<'_>; 3] = [
        ("serial", Box::new(|| fib::serial(n()))),
        (
            "rayon scope",
            Box::new(|| rayon.install(|| fib::rayon_scope(n()))),
        ),
        (
            "hatchery nursery",
            Box::new(|| pool.nursery(|_| fib::hatchery_nursery(n()))),
        ),
    ];
    let scoped = name("fib(25), a scope per call");
    row(effort, &scoped, 121_392, 75_025, &scopes);
    let tree = Node::tree(16);
    let contenders: [Contender<'_>; 4] = [
        ("serial", Box::new(|| tree.serial())),
        (
            "rayon join",
            Box::new(|| rayon.install(|| tree.rayon_join())),
        ),
        (
            "chili join",
            Box::new(|| tree.chili_join(&mut chili.scope())),
        ),
        (
            "hatchery join",
            Box::new(|| pool.nursery(|_| tree.hatchery_join())),
        ),
    ];
    row(
        effort,
        &name("tree sum, 65 535 nodes, per node"),
        65_535,
        65_535,
        &contenders,
    );
}

fn opening_rows(effort: &Effort, threads: usize, rayon: &rayon::ThreadPool, pool: &hatchery::Pool) {
    for children in [0_u64, 2] {
        let answer = children * 7;
        let contenders: [Contender<'_>; 3] = [
            (
                "std::thread::scope",
                Box::new(|| {
                    flat_sevens(children, |seven| {
                        std::thread::scope(|scope| {
                            seven.iter_mut().for_each(|slot| {
                                scope.spawn(|| *slot = 7);
                            })
                        });
                    })
                }),
            ),
            (
                "rayon scope",
                Box::new(|| {
                    flat_sevens(children, |seven| {
                        rayon.scope(|scope| {
                            seven.iter_mut().for_each(|slot| {
                                scope.spawn(|_| *slot = 7);
                            })
                        });
                    })
                }),
            ),
            (
                "hatchery nursery",
                Box::new(|| {
                    flat_sevens(children, |seven| {
                        pool.nursery(|n| {
                            seven.iter_mut().for_each(|slot| {
                                n.spawn(|| *slot = 7);
                            })
                        });
                    })
                }),
            ),
        ];
        let name = format!("a nursery of {children} from outside, pool hot, T={threads}");
        row(effort, &name, 1, answer, &contenders);
    }
}

/// The sum of the slots that `fill` sets to seven.
fn flat_sevens(slots: u64, fill: impl FnOnce(&mut [u64])) -> u64 {
    let mut all = [0; 2];
    let used = &mut all[..usize::try_from(slots).expect("at most two")];
    fill(used);
    used.iter().sum()
}
