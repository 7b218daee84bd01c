//! Programs of everything the crate has, made of bytes: what they are, how they run, what may happen.
//!
//! The bytes come from random tests, from a fuzzer, or from a file. What a program may come to is held
//! against the laws by [`check`]; the partial nursery's own table is held more closely by the random
//! programs of that nursery.

mod bytes;
mod cells;
mod each;
mod facts;
mod job;
mod jobs;
mod ledger;
mod loops;
mod open;
mod oracle;
mod partial;
mod program;
mod run;
mod seen;
mod serial;
mod stack;
mod steps;
mod submit;
#[cfg(hatchery_shuttle)]
mod tamed;
mod threads;
mod virtual_time;
mod world;

use std::sync::Arc;

use hatchery::Pool;

pub(crate) use self::bytes::program;
pub(crate) use self::program::Program;
#[cfg(hatchery_shuttle)]
pub(crate) use self::tamed::tamed;

/// Runs a program on the pool, parts of it perhaps on the other one, and holds what happened against
/// the laws. Afterwards the pool has to be as good as new.
pub(crate) fn check(pool: &Arc<Pool>, other: &Arc<Pool>, program: &Program) -> Result<(), String> {
    let _alone = virtual_time::alone(program);
    let world = run::run(pool, other, program)?;
    oracle::check(&world)?;
    probe(pool)
}

/// Law E7: whatever happened, the pool still does what it did.
fn probe(pool: &Pool) -> Result<(), String> {
    let (a, b) = pool.nursery(|n| {
        let (a, b) = (n.spawn(|| 20), n.spawn(|| n.spawn(|| 1).join()));
        (a.join(), b.join())
    });
    let c = pool.try_nursery::<(), _, _>(|n| n.spawn(|| Ok(21)).join());
    let (d, e) = pool.join(|| 1, || 2);
    match (a, b, c, d, e) {
        (20, 1, Ok(21), 1, 2) => Ok(()),
        wrong => Err(format!("E7: the probe comes to {wrong:?}")),
    }
}
