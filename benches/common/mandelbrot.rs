//! The Mandelbrot set on a grid: a child per row, and rows of very different lengths.

use std::hint::black_box;
use std::ops::Range;

use rayon::prelude::*;

use super::{Contender, Pools, chili_halves, hatchery_halves, rayon_halves};

/// Points of a side of the grid, and steps after which a point counts as inside.
pub(crate) const SIDE: u32 = 512;
const STEPS: u64 = 1000;

/// The steps of all points together: f64 arithmetic is exact to the bit everywhere.
pub(crate) const ANSWER: u64 = 45_348_355;

/// The steps of a row.
fn row(y: u32) -> u64 {
    let scale = 3.0 / f64::from(SIDE);
    let im = f64::from(y) * scale - 1.5;
    let points = (0..SIDE).map(|x| steps(f64::from(x) * scale - 2.0, im));
    points.sum()
}

fn steps(re: f64, im: f64) -> u64 {
    let (mut x, mut y) = (0.0, 0.0);
    for step in 0..STEPS {
        let (xx, yy) = (x * x, y * y);
        if xx + yy > 4.0 {
            return step;
        }
        y = 2.0 * x * y + im;
        x = xx - yy + re;
    }
    STEPS
}

fn rows() -> Range<u32> {
    0..black_box(SIDE)
}

pub(crate) fn contenders(pools: &Pools) -> Vec<Contender<'_>> {
    let numbers = || rows().collect::<Vec<_>>();
    vec![
        Contender::serial(|| rows().map(row).sum::<u64>()),
        Contender::new("std, a thread per CPU", || {
            let threads = pools.threads;
            std::thread::scope(|scope| {
                let parts: Vec<_> = (0..threads)
                    .map(|first| {
                        scope.spawn(move || {
                            rows().skip(first).step_by(threads).map(row).sum::<u64>()
                        })
                    })
                    .collect();
                let sums = parts.into_iter().map(|part| part.join().expect("no panic"));
                sums.sum::<u64>()
            })
        }),
        Contender::new("rayon scope", || {
            let mut sums = vec![0; SIDE as usize];
            pools.rayon.scope(|scope| {
                for (y, sum) in rows().zip(&mut sums) {
                    scope.spawn(move |_| *sum = row(y));
                }
            });
            sums.into_iter().sum()
        }),
        Contender::new("rayon par_iter", || {
            pools
                .rayon
                .install(|| rows().into_par_iter().map(row).sum::<u64>())
        }),
        Contender::new("rayon join", move || {
            let numbers = numbers();
            pools.rayon.install(|| rayon_halves(&numbers, &|y| row(*y)))
        }),
        Contender::new("chili join", move || {
            chili_halves(&mut pools.chili.scope(), &numbers(), &|_, y| row(*y))
        }),
        Contender::new("hatchery nursery", || {
            pools.hatchery.nursery(|n| {
                let children: Vec<_> = rows().map(|y| n.spawn(move || row(y))).collect();
                children.into_iter().map(hatchery::Child::join).sum()
            })
        }),
        Contender::new("hatchery spawn_each", || {
            pools.hatchery.nursery(|n| n.spawn_each(rows(), row).sum())
        }),
        Contender::new("hatchery join", move || {
            let numbers = numbers();
            pools
                .hatchery
                .nursery(|_| hatchery_halves(&numbers, &|y| row(*y)))
        }),
    ]
}
