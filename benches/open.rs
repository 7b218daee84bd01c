//! Opening and closing a nursery: outside the pool, hot and after a pause, and inside a child.

mod common;

use common::lend;
use common::open;
use common::shape::{Shape, measure, pools};
use criterion::{Criterion, criterion_group, criterion_main};

fn opening(c: &mut Criterion) {
    let pools = pools();
    for size in [0, 1, 2] {
        let shape = |name, answer| Shape { name, size, answer };
        measure(c, &shape("open_outside", 7 * size), &pools, |pools| {
            open::outside(pools, size)
        });
        let inside = shape("open_inside_1000_times", 7 * size * open::INSIDE);
        measure(c, &inside, &pools, |pools| open::inside(pools, size));
        if size > 0 {
            measure(c, &shape("open_after_50ms", 7 * size), &pools, |pools| {
                open::after_a_pause(pools, size)
            });
        }
    }
    let threads = Shape {
        name: "open_by_outside_threads",
        size: open::OUTSIDE_THREADS,
        answer: 0,
    };
    measure(c, &threads, &pools, open::many_outside);
    let lent = Shape {
        name: "lend_for_nothing",
        size: lend::CALLS,
        answer: lend::CALLS * (lend::CALLS + 1) / 2,
    };
    measure(c, &lent, &pools[1..], lend::for_nothing);
    let lent = Shape {
        name: "lend_to_a_child",
        size: 1,
        answer: 7,
    };
    measure(c, &lent, &pools[1..], lend::to_a_child);
}

criterion_group!(benches, opening);
criterion_main!(benches);
