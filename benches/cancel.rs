//! Cancellation and failures: partial nurseries beside total ones, checks, skipped children.

mod common;

use common::shape::{Shape, measure, pools};
use common::{ROUNDS_100_NS, flat, partial};
use criterion::{Criterion, criterion_group, criterion_main};

const CHECKS: u64 = 10_000;
const SKIPPED: u64 = 1_000_000;

fn cancelling(c: &mut Criterion) {
    let pools = pools();
    for (name, rounds) in [("may_fail_0ns", 0), ("may_fail_100ns", ROUNDS_100_NS)] {
        let size = 10_000;
        let answer = flat::serial(size, rounds);
        let shape = Shape { name, size, answer };
        measure(c, &shape, &pools, |pools| {
            partial::children(pools, size, rounds)
        });
    }
    for (name, depth) in [
        ("check_1_deep", 1),
        ("check_2_deep", 2),
        ("check_8_deep", 8),
    ] {
        let shape = Shape {
            name,
            size: CHECKS,
            answer: CHECKS,
        };
        measure(c, &shape, &pools[..1], |pools| {
            partial::checks(pools, CHECKS, depth)
        });
    }
    let shape = Shape {
        name: "skip",
        size: SKIPPED,
        answer: SKIPPED,
    };
    measure(c, &shape, &pools[..1], |pools| {
        partial::skipped(pools, SKIPPED)
    });
}

criterion_group!(benches, cancelling);
criterion_main!(benches);
