//! Random programs of everything under random schedules: see `tests/everything`.

use std::sync::Arc;

use hatchery::Pool;
use shuttle::rand::{Rng, RngCore, thread_rng};

use crate::common::{beside, pause};
use crate::explore::Scenario;
use crate::{everything, failed};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "drawn_programs",
        share: 1000,
        play: drawn_programs,
    },
    Scenario {
        name: "kept_programs",
        share: 200,
        play: kept_programs,
    },
];

/// Bytes of a program.
const BYTES: usize = 120;

fn drawn_programs() {
    let mut bytes = vec![0; thread_rng().gen_range(1..BYTES)];
    thread_rng().fill_bytes(&mut bytes);
    check(&bytes);
}

/// Those that have failed once on real threads.
fn kept_programs() {
    let programs: Vec<_> = failed::programs().collect();
    // One program more makes others of the schedules that are kept.
    check(&programs[thread_rng().gen_range(0..programs.len())]);
}

fn check(bytes: &[u8]) {
    let program = everything::tamed(everything::program(bytes));
    // Pools of one thread start none, and there have to be two threads to play.
    let result = beside(pause, || {
        everything::check(&drawn_pool(), &drawn_pool(), &program)
    });
    result.unwrap_or_else(|wrong| panic!("{wrong}\n{program}"));
}

/// A small one; often it has no threads but those that compute.
fn drawn_pool() -> Arc<Pool> {
    let mut pool = Pool::builder().threads(thread_rng().gen_range(1..4));
    if thread_rng().r#gen() {
        pool = pool.blocking_threads(0).spare_threads(0);
    }
    Arc::new(pool.build().expect("a pool"))
}
