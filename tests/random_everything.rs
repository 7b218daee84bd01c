//! Random programs of everything on pools of every size: what happened is what may happen.
//!
//! `HATCHERY_SEED` repeats a run, `HATCHERY_PROGRAMS` says how many programs it has.

mod common;
mod everything;
#[path = "everything/failed.rs"]
mod failed;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;

use common::{REFUSED_STACK, doing, note_failure, seeded, watched_in};
use hatchery::Pool;
use proptest::collection::vec;
use proptest::num::u8::ANY;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// Programs that share a watchdog.
const BATCH: u32 = 500;

/// Programs of an ordinary test run.
const FEW: u32 = 1000;

/// Bytes of the longest program.
const BYTES: usize = 160;

/// How often a program that is made smaller is run on each pool: what fails may depend on the schedule.
const REPEATS: usize = 50;

/// Pools of many sizes, one whose threads are all refused, and one whose children that may block have
/// no threads of their own. And whether threads can replace those that wait.
fn pools() -> Vec<(&'static str, Arc<Pool>, bool)> {
    let sized = |threads| Pool::builder().threads(threads);
    let builders = [
        ("w0", sized(2).stack_size(REFUSED_STACK)),
        (
            "w2, no side threads",
            sized(2).blocking_threads(0).spare_threads(0),
        ),
        ("w1", sized(1)),
        ("w2", sized(2)),
        ("w3", sized(3)),
        ("w4", sized(4)),
        ("w8", sized(8)),
    ];
    let build = |(name, builder): (&'static str, hatchery::PoolBuilder)| {
        let pool = builder.name(name).build();
        let is_limited = name == "w0" || name.ends_with("no side threads");
        let pool = Arc::new(pool.expect("a valid configuration"));
        (name, pool, !is_limited)
    };
    builders.map(build).into()
}

fn check(
    pools: &[(&str, Arc<Pool>, bool)],
    bytes: &[u8],
    repeats: usize,
) -> Result<(), TestCaseError> {
    let mut program = everything::program(bytes);
    doing(hex(bytes));
    let may_wait = program.may_wait;
    for (nth, (name, pool, has_spares)) in pools.iter().enumerate() {
        let (_, other, other_has) = &pools[(nth + 2) % pools.len()];
        program.may_block = *has_spares && *other_has;
        program.may_wait = may_wait && program.may_block;
        for _ in 0..repeats {
            let result = everything::check(pool, other, &program);
            result.map_err(|wrong| TestCaseError::fail(format!("on {name}, {wrong}")))?;
        }
    }
    Ok(())
}

/// As `everything/failed.txt` has them.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// So many programs, each on every pool.
fn programs(count: u32) {
    let pools = pools();
    let mut rng = seeded("random_everything");
    let config = Config {
        cases: BATCH,
        failure_persistence: None,
        max_shrink_iters: 4000,
        ..Config::default()
    };
    for _ in 0..count.div_ceil(BATCH) {
        let mut seed = [0; 16];
        rng.fill(&mut seed);
        let source = TestRng::from_seed(RngAlgorithm::XorShift, &seed);
        let mut runner = TestRunner::new_with_rng(config.clone(), source);
        let repeats = Cell::new(1);
        watched_in(pools.iter().map(|(_, pool, _)| &**pool), || {
            let result = runner.run(&vec(ANY, 1..BYTES), |bytes| {
                check(&pools, &bytes, repeats.get())
                    .inspect_err(|wrong| note_failure(wrong, &hex(&bytes), &repeats, REPEATS))
            });
            match result {
                Ok(()) => {}
                Err(TestError::Fail(wrong, bytes)) => {
                    let program = everything::program(&bytes);
                    panic!(
                        "{wrong}\n{program}\nin everything/failed.txt: {}",
                        hex(&bytes)
                    );
                }
                Err(TestError::Abort(why)) => panic!("{why}"),
            }
        });
    }
    println!(
        "random_everything: {count} programs on each of {} pools",
        pools.len()
    );
}

#[test]
fn random_programs_of_everything_do_what_they_may() {
    let count = env::var("HATCHERY_PROGRAMS").ok();
    programs(count.map_or(FEW, |count| count.parse().expect("a number of programs")));
}

#[test]
fn programs_that_have_failed_do_not_fail_again() {
    let pools = pools();
    for bytes in failed::programs() {
        watched_in(pools.iter().map(|(_, pool, _)| &**pool), || {
            let result = check(&pools, &bytes, REPEATS);
            result.unwrap_or_else(|wrong| panic!("{}: {wrong}", hex(&bytes)));
        });
    }
}

/// For whoever has planted a bug: how many of these programs it makes fail, and which laws they break.
#[test]
#[ignore = "counts what fails, and does not fail"]
fn how_many_random_programs_fail() {
    let count = env::var("HATCHERY_PROGRAMS").ok();
    let count = count.map_or(FEW, |count| count.parse().expect("a number of programs"));
    let pools = pools();
    let mut rng = seeded("how_many");
    let mut laws = BTreeMap::<String, u32>::new();
    watched_in(pools.iter().map(|(_, pool, _)| &**pool), || {
        for _ in 0..count {
            let mut bytes = [0; BYTES];
            rng.fill(&mut bytes);
            let length = rng.usize(1..BYTES);
            if let Err(wrong) = check(&pools, &bytes[..length], 1) {
                let wrong = wrong.to_string();
                let law = wrong
                    .split(": ")
                    .nth(1)
                    .and_then(|text| text.rsplit(", ").next());
                *laws.entry(law.unwrap_or("?").to_owned()).or_default() += 1;
            }
        }
    });
    println!("{} of {count} fail: {laws:?}", laws.values().sum::<u32>());
}
