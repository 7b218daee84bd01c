//! Real kernels: searches, sorts, a matrix product, the Mandelbrot set.

mod common;

use common::shape::{Shape, measure, pools};
use common::{mandelbrot, matrix, merge_sort, queens, quicksort, uts};
use criterion::{Criterion, criterion_group, criterion_main};

fn kernels(c: &mut Criterion) {
    let pools = pools();
    let shape = |name, size, answer| Shape { name, size, answer };
    for (size, solutions) in [(8, 92), (10, 724), (12, 14_200), (13, 73_712)] {
        let board = shape("n_queens", u64::from(size), solutions);
        measure(c, &board, &pools, |pools| queens::contenders(pools, size));
    }
    for (name, tree) in [("uts_t1", uts::T1), ("uts_t3", uts::T3)] {
        let search = shape(name, tree.nodes, tree.nodes);
        measure(c, &search, &pools, |pools| uts::contenders(pools, &tree));
    }
    let count = 10_000_000;
    let numbers = quicksort::Numbers::new(count);
    let sort = |name| shape(name, count as u64, 0);
    measure(c, &sort("quicksort"), &pools, |pools| {
        quicksort::contenders(pools, &numbers)
    });
    measure(c, &sort("merge_sort"), &pools, |pools| {
        merge_sort::contenders(pools, &numbers)
    });
    for size in [128, 512] {
        let matrices = matrix::Matrices::new(size);
        let product = shape("matrix_product", size as u64, matrices.answer);
        measure(c, &product, &pools, |pools| {
            matrix::contenders(pools, &matrices)
        });
    }
    let side = mandelbrot::SIDE.into();
    let set = shape("mandelbrot", side, mandelbrot::ANSWER);
    measure(c, &set, &pools, mandelbrot::contenders);
}

criterion_group!(benches, kernels);
criterion_main!(benches);
