//! A fork per call: fib and tree sum. A thread per fork would need more threads than there are.

mod common;

use std::hint::black_box;
use std::time::Duration;

use common::{Node, fib, hatchery_pool, rayon_pool};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

/// Calls a contender on its pool.
fn contenders(
    c: &mut Criterion,
    shape: &str,
    size: u64,
    answer: u64,
    serial: &(dyn Fn() -> u64 + Sync),
    rayon: &[(&str, &(dyn Fn() -> u64 + Sync))],
    hatchery: &[(&str, &(dyn Fn() -> u64 + Sync))],
) {
    let mut group = c.benchmark_group(shape);
    group.sample_size(20);
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    let mut contender = |name: String, run: &dyn Fn() -> u64| {
        group.bench_function(BenchmarkId::new(name, size), |b| {
            b.iter(|| assert_eq!(black_box(run()), answer));
        });
    };
    contender("serial".to_owned(), &serial);
    for threads in [1, 2] {
        let pool = rayon_pool(threads);
        for (name, run) in rayon {
            contender(format!("{name}_t{threads}"), &|| pool.install(run));
        }
        let pool = hatchery_pool(threads);
        for (name, run) in hatchery {
            contender(format!("{name}_t{threads}"), &|| pool.nursery(|_| run()));
        }
    }
}

fn join(c: &mut Criterion) {
    let n = black_box(25);
    contenders(
        c,
        "fib",
        n,
        75_025,
        &|| fib::serial(n),
        &[
            ("rayon_join", &|| fib::rayon_join(n)),
            ("rayon_scope", &|| fib::rayon_scope(n)),
        ],
        &[
            ("hatchery_join", &|| fib::hatchery_join(n)),
            ("hatchery_nursery", &|| fib::hatchery_nursery(n)),
        ],
    );
    for levels in [10, 16] {
        let tree = Node::tree(levels);
        let nodes = (1 << levels) - 1;
        contenders(
            c,
            "tree_sum",
            nodes,
            nodes,
            &|| tree.serial(),
            &[("rayon_join", &|| tree.rayon_join())],
            &[("hatchery_join", &|| tree.hatchery_join())],
        );
    }
}

criterion_group!(benches, join);
criterion_main!(benches);
