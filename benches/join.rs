//! A fork or a nursery per call: fib and tree sum.

mod common;

use common::shape::{Shape, measure, pools};
use common::{fib, tree};
use criterion::{Criterion, criterion_group, criterion_main};

fn join(c: &mut Criterion) {
    let pools = pools();
    let fib = |name, size, answer| Shape { name, size, answer };
    measure(c, &fib("fib_join", 25, 75_025), &pools, |p| {
        fib::joins(p, 25)
    });
    measure(c, &fib("fib_join", 32, 2_178_309), &pools, |p| {
        fib::joins(p, 32)
    });
    measure(c, &fib("fib_scope", 10, 55), &pools, |p| fib::scopes(p, 10));
    measure(c, &fib("fib_scope", 25, 75_025), &pools, |p| {
        fib::scopes(p, 25)
    });
    for levels in [10, 16, 20] {
        let nodes = (1 << levels) - 1;
        let tree = tree::Node::tree(levels);
        let shape = Shape {
            name: "tree_sum",
            size: nodes,
            answer: nodes,
        };
        measure(c, &shape, &pools, |pools| tree::contenders(pools, &tree));
    }
}

criterion_group!(benches, join);
criterion_main!(benches);
