//! Flat fan-out: N children of 0, 100 ns and 1 us, values taken in order.

mod common;

use std::hint::black_box;
use std::time::Duration;

use common::{ROUNDS_100_NS, flat, hatchery_pool, rayon_pool, serial_sum};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// A thread per child is measured up to here.
const FEW: u64 = 10;

fn spawn(c: &mut Criterion) {
    let pools = [1, 2].map(|threads| (threads, rayon_pool(threads), hatchery_pool(threads)));
    for (length, rounds) in [
        ("0ns", 0),
        ("100ns", ROUNDS_100_NS),
        ("1us", ROUNDS_100_NS * 10),
    ] {
        for children in [FEW, 1_000, 100_000] {
            let mut group = c.benchmark_group(format!("spawn_{length}"));
            group.sample_size(10);
            group.warm_up_time(Duration::from_millis(200));
            group.measurement_time(Duration::from_millis(800));
            group.throughput(Throughput::Elements(children));
            let answer = serial_sum(children, rounds);
            let mut contender = |name: String, run: &dyn Fn(u64, u32) -> u64| {
                group.bench_function(BenchmarkId::new(name, children), |b| {
                    b.iter(|| assert_eq!(run(black_box(children), black_box(rounds)), answer));
                });
            };
            contender("serial".to_owned(), &serial_sum);
            if children == FEW {
                contender("std_thread_scope".to_owned(), &flat::std_threads);
            }
            for (threads, rayon, hatchery) in &pools {
                let name = |contender| format!("{contender}_t{threads}");
                contender(name("rayon_scope"), &|n, r| flat::rayon_scope(rayon, n, r));
                contender(name("hatchery_spawn"), &|n, r| {
                    flat::hatchery_spawn(hatchery, n, r)
                });
                contender(name("hatchery_spawn_each"), &|n, r| {
                    flat::hatchery_spawn_each(hatchery, n, r)
                });
            }
        }
    }
}

criterion_group!(benches, spawn);
criterion_main!(benches);
