//! Random programs of partial nurseries on pools of every size: what happened is what may happen.
//!
//! `HATCHERY_SEED` repeats a run, `HATCHERY_PROGRAMS` says how many programs it has.

mod common;
#[path = "random_partial/facts.rs"]
mod facts;
#[path = "random_partial/making.rs"]
mod making;
#[path = "random_partial/opened.rs"]
mod opened;
#[path = "random_partial/oracle.rs"]
mod oracle;
#[path = "random_partial/program.rs"]
mod program;
#[path = "random_partial/run.rs"]
mod run;
#[path = "random_partial/seen.rs"]
mod seen;
#[path = "random_partial/smaller.rs"]
mod smaller;
#[path = "random_partial/told.rs"]
mod told;
#[path = "random_partial/verdict.rs"]
mod verdict;
#[path = "random_partial/world.rs"]
mod world;

use std::cell::Cell;

use common::{REFUSED_STACK, doing, note_failure, seeded, watched_in};
use hatchery::Pool;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::making::Programs;
use crate::program::Program;

/// Programs of an ordinary test run; `verify/programs/run` has more.
const FEW: u32 = 10_000;

/// Programs that share a watchdog.
const BATCH: u32 = 1000;

/// How often a program that is made smaller is run on each pool: what fails may depend on the schedule.
const REPEATS: usize = 200;

/// The pool on which one thread does everything.
const ALONE: &str = "w0";

/// Pools of 1, 2 and 4 threads, and one whose threads are all refused.
fn pools() -> [(&'static str, Pool); 4] {
    let sized = |threads| Pool::builder().threads(threads);
    let builders = [
        (ALONE, sized(2).stack_size(REFUSED_STACK)),
        ("w1", sized(1)),
        ("w2", sized(2)),
        ("w4", sized(4)),
    ];
    builders.map(|(name, builder)| {
        let pool = builder.name(name).build();
        (name, pool.expect("a valid configuration"))
    })
}

fn check(pools: &[(&str, Pool)], program: &Program, repeats: usize) -> Result<(), TestCaseError> {
    let mut first = None;
    doing(program.to_string());
    for (name, pool) in pools {
        for _ in 0..repeats {
            let world = run::run(pool, program);
            let result = oracle::check(&world, *name == ALONE).and_then(|outcome| {
                // Law R4.
                let first = first.get_or_insert_with(|| outcome.clone());
                match !program.is_calm() || *first == outcome {
                    true => Ok(()),
                    false => Err(format!("R4: {outcome:?}, and {first:?} before")),
                }
            });
            result.map_err(|wrong| TestCaseError::fail(format!("on {name}, {wrong}")))?;
        }
    }
    Ok(())
}

/// So many programs of at most so many tasks, each on every pool.
fn programs(count: u32, tasks: usize) {
    let pools = pools();
    let mut rng = seeded("random_partial");
    let config = Config {
        cases: BATCH,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    for _ in 0..count.div_ceil(BATCH) {
        let mut seed = [0; 16];
        rng.fill(&mut seed);
        let source = TestRng::from_seed(RngAlgorithm::XorShift, &seed);
        let mut runner = TestRunner::new_with_rng(config.clone(), source);
        let repeats = Cell::new(1);
        watched_in(pools.iter().map(|(_, pool)| pool), || {
            let result = runner.run(&Programs { tasks }, |program| {
                check(&pools, &program, repeats.get())
                    .inspect_err(|wrong| note_failure(wrong, &program, &repeats, REPEATS))
            });
            match result {
                Ok(()) => {}
                Err(TestError::Fail(wrong, program)) => panic!("{wrong}\n{program}"),
                Err(TestError::Abort(why)) => panic!("{why}"),
            }
        });
    }
}

#[test]
fn random_programs_do_what_they_may() {
    let count = std::env::var("HATCHERY_PROGRAMS").ok();
    let count = count.map_or(FEW, |count| count.parse().expect("a number of programs"));
    programs(count, 14);
    println!("random_partial: {count} programs on each of 4 pools");
}

#[test]
#[ignore = "takes minutes"]
fn many_random_programs_do_what_they_may() {
    programs(2_000_000, 24);
}
