//! The product of two square matrices of `u32`, exact modulo 2^32: rows of the product are halved
//! until a few are left.

use std::hint::black_box;

use rayon::prelude::*;

use super::{Contender, Pools};

/// Rows of the product that are computed without a fork.
const LEAF_ROWS: usize = 8;
/// Columns of the second matrix that stay in the nearest cache.
const BLOCK: usize = 64;

pub(crate) struct Matrices {
    size: usize,
    a: Vec<u32>,
    b: Vec<u32>,
    /// Multiplied with the product it gives the answer, without the product being known.
    probe: Vec<u32>,
    pub(crate) answer: u64,
}

impl Matrices {
    pub(crate) fn new(size: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(2);
        let mut numbers = |count| (0..count).map(|_| random.u32(..)).collect::<Vec<_>>();
        let (a, b, probe) = (numbers(size * size), numbers(size * size), numbers(size));
        let answer = fold(&times(&a, &times(&b, &probe)));
        Self {
            size,
            a,
            b,
            probe,
            answer,
        }
    }

    /// Lets `multiply` fill the product, and returns its mark.
    fn product(&self, multiply: impl FnOnce(&mut [u32])) -> u64 {
        let mut product = vec![0; self.size * self.size];
        multiply(&mut product);
        fold(&times(&product, &self.probe))
    }

    /// Computes the rows of the product from `first` on.
    fn rows(&self, rows: &mut [u32], first: usize) {
        for block in (0..self.size).step_by(BLOCK) {
            let block = block..(block + BLOCK).min(self.size);
            for (i, row) in (first..).zip(rows.chunks_mut(self.size)) {
                let row_of_a = &self.a[i * self.size..][block.clone()];
                for (k, factor) in block.clone().zip(row_of_a) {
                    let row_of_b = &self.b[k * self.size..][..self.size];
                    for (slot, value) in row.iter_mut().zip(row_of_b) {
                        *slot = slot.wrapping_add(factor.wrapping_mul(*value));
                    }
                }
            }
        }
    }

    /// The leaves of the product, each with the number of its first row.
    fn leaves<'a>(
        &self,
        product: &'a mut [u32],
    ) -> impl ExactSizeIterator<Item = (usize, &'a mut [u32])> {
        let leaves = product.chunks_mut(LEAF_ROWS * self.size).enumerate();
        leaves.map(|(i, rows)| (i * LEAF_ROWS, rows))
    }
}

/// A matrix times a vector.
fn times(matrix: &[u32], vector: &[u32]) -> Vec<u32> {
    let rows = matrix.chunks(vector.len());
    rows.map(|row| {
        let products = row.iter().zip(vector).map(|(a, b)| a.wrapping_mul(*b));
        products.fold(0, u32::wrapping_add)
    })
    .collect()
}

fn fold(values: &[u32]) -> u64 {
    let values = values.iter().map(|value| u64::from(*value));
    values.fold(0, |mark, value| super::work(mark ^ value, 1))
}

pub(crate) fn contenders<'a>(pools: &'a Pools, input: &'a Matrices) -> Vec<Contender<'a>> {
    let input = move || black_box(input);
    vec![
        Contender::serial(move || input().product(|product| input().rows(product, 0))),
        Contender::new("std, a thread per CPU", move || {
            let input = input();
            let part = input.size.div_ceil(pools.threads);
            input.product(|product| {
                std::thread::scope(|scope| {
                    let parts = product.chunks_mut(part * input.size).enumerate();
                    for (i, rows) in parts {
                        scope.spawn(move || input.rows(rows, i * part));
                    }
                });
            })
        }),
        Contender::new("rayon scope", move || {
            let input = input();
            input.product(|product| {
                pools.rayon.scope(|scope| {
                    for (first, rows) in input.leaves(product) {
                        scope.spawn(move |_| input.rows(rows, first));
                    }
                });
            })
        }),
        Contender::new("rayon par_iter", move || {
            let input = input();
            input.product(|product| {
                pools.rayon.install(|| {
                    let leaves = product.par_chunks_mut(LEAF_ROWS * input.size).enumerate();
                    leaves.for_each(|(i, rows)| input.rows(rows, i * LEAF_ROWS));
                });
            })
        }),
        Contender::new("rayon join", move || {
            let input = input();
            input.product(|product| pools.rayon.install(|| rayon_join(input, product, 0)))
        }),
        Contender::new("chili join", move || {
            let input = input();
            input.product(|product| chili_join(&mut pools.chili.scope(), input, product, 0))
        }),
        Contender::new("hatchery nursery", move || {
            let input = input();
            input.product(|product| {
                pools.hatchery.nursery(|n| {
                    for (first, rows) in input.leaves(product) {
                        n.spawn(move || input.rows(rows, first));
                    }
                });
            })
        }),
        Contender::new("hatchery spawn_each", move || {
            let input = input();
            input.product(|product| {
                pools.hatchery.nursery(|n| {
                    n.spawn_each(input.leaves(product), |(first, rows)| {
                        input.rows(rows, first);
                    });
                });
            })
        }),
        Contender::new("hatchery join", move || {
            let input = input();
            input.product(|product| {
                pools.hatchery.nursery(|_| hatchery_join(input, product, 0));
            })
        }),
    ]
}

/// The middle of `rows`, and how many rows stand before it.
fn middle(input: &Matrices, rows: &[u32]) -> Option<(usize, usize)> {
    let count = rows.len() / input.size;
    (count > LEAF_ROWS).then(|| (count / 2 * input.size, count / 2))
}

macro_rules! halves {
    ($name:ident, $join:path) => {
        fn $name(input: &Matrices, rows: &mut [u32], first: usize) {
            let Some((middle, count)) = middle(input, rows) else {
                return input.rows(rows, first);
            };
            let (upper, lower) = rows.split_at_mut(middle);
            $join(
                || $name(input, upper, first),
                || $name(input, lower, first + count),
            );
        }
    };
}

halves!(rayon_join, rayon::join);
halves!(hatchery_join, hatchery::join);

fn chili_join(scope: &mut chili::Scope<'_>, input: &Matrices, rows: &mut [u32], first: usize) {
    let Some((middle, count)) = middle(input, rows) else {
        return input.rows(rows, first);
    };
    let (upper, lower) = rows.split_at_mut(middle);
    scope.join(
        |s| chili_join(s, input, upper, first),
        |s| chili_join(s, input, lower, first + count),
    );
}
