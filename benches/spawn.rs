//! Flat fan-out: N children of 0, 100 ns and 1 us, values taken in order; and only items.

mod common;

use common::shape::{Shape, measure, pools};
use common::{Contender, Pools, ROUNDS_100_NS, flat};
use criterion::{Criterion, criterion_group, criterion_main};

/// A thread per child is measured up to here.
const FEW: u64 = 10;
const ITEMS: u64 = 1_000_000;

fn spawn(c: &mut Criterion) {
    let pools = pools();
    for (name, rounds) in [
        ("spawn_0ns", 0),
        ("spawn_100ns", ROUNDS_100_NS),
        ("spawn_1us", ROUNDS_100_NS * 10),
    ] {
        for size in [FEW, 1_000, 100_000] {
            let shape = Shape {
                name,
                size,
                answer: flat::serial(size, rounds),
            };
            measure(c, &shape, &pools, |pools| children(pools, size, rounds));
        }
    }
    let shape = Shape {
        name: "items_0ns",
        size: ITEMS,
        answer: flat::serial(ITEMS, 0),
    };
    measure(c, &shape, &pools, |pools| flat::items(pools, ITEMS, 0));
}

fn children(pools: &Pools, size: u64, rounds: u32) -> Vec<Contender<'_>> {
    let mut contenders = flat::children(pools, size, rounds);
    if size == FEW {
        let per_child = move || flat::std_thread_per_child(size, rounds);
        contenders.insert(1, Contender::new("std, a thread per child", per_child));
    }
    contenders
}

criterion_group!(benches, spawn);
criterion_main!(benches);
