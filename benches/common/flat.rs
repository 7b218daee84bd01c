//! Flat fan-out, opened by a thread outside the pool: every child returns a `u64`, and all are
//! taken in order.

use std::hint::black_box;

use rayon::prelude::*;

use super::{Contender, Pools, work};

/// Contenders with a child, a scope's or a fork's, for each of `children` values.
pub(crate) fn children(pools: &Pools, children: u64, rounds: u32) -> Vec<Contender<'_>> {
    let rounds = move || black_box(rounds);
    let mut contenders = items(pools, children, rounds());
    // The parallel iterators come last, after what has a child per value.
    let iterators = contenders.split_off(2);
    let count = usize::try_from(children).expect("fits");
    contenders.extend([
        Contender::new("rayon scope", move || {
            rayon_scope(&pools.rayon, children, rounds())
        }),
        Contender::new("rayon join", move || {
            let mut slots = vec![0; count];
            let rounds = rounds();
            pools.rayon.install(|| rayon_join(&mut slots, 0, rounds));
            sum(slots)
        }),
        Contender::new("chili join", move || {
            let mut slots = vec![0; count];
            chili_join(&mut pools.chili.scope(), &mut slots, 0, rounds());
            sum(slots)
        }),
        Contender::new("hatchery join", move || {
            let mut slots = vec![0; count];
            let rounds = rounds();
            pools
                .hatchery
                .nursery(|_| hatchery_join(&mut slots, 0, rounds));
            sum(slots)
        }),
        Contender::new("hatchery spawn", move || {
            hatchery_spawn(&pools.hatchery, children, rounds())
        }),
    ]);
    contenders.extend(iterators);
    contenders
}

/// Contenders that apply one function to `items` values.
pub(crate) fn items(pools: &Pools, items: u64, rounds: u32) -> Vec<Contender<'_>> {
    let rounds = move || black_box(rounds);
    vec![
        Contender::serial(move || {
            let rounds = rounds();
            let values: Vec<u64> = (0..items).map(|i| work(i, rounds)).collect();
            // Without it the compiler folds the empty children away.
            sum(black_box(values))
        }),
        Contender::new("std, a thread per CPU", move || {
            std_threads(pools.threads, items, rounds())
        }),
        Contender::new("rayon par_iter", move || {
            rayon_par_iter(&pools.rayon, items, rounds())
        }),
        Contender::new("hatchery spawn_each", move || {
            hatchery_spawn_each(&pools.hatchery, items, rounds())
        }),
    ]
}

/// The same by `map`, which opens its own nursery.
pub(crate) fn map(pools: &Pools, items: u64, rounds: u32) -> Contender<'_> {
    Contender::new("hatchery map", move || {
        let rounds = black_box(rounds);
        sum(pools.hatchery.map(0..items, |i| work(i, rounds)))
    })
}

/// Contenders that add up numbers.
pub(crate) fn sums<'a>(pools: &'a Pools, numbers: &'a [u64]) -> Vec<Contender<'a>> {
    vec![
        Contender::serial(move || sum_of(black_box(numbers))),
        Contender::new("rayon par_iter", move || {
            let numbers = black_box(numbers);
            let parts = || numbers.par_iter().fold(|| 0, add);
            pools
                .rayon
                .install(|| parts().reduce(|| 0, u64::wrapping_add))
        }),
        Contender::new("hatchery fold", move || {
            pools
                .hatchery
                .fold(black_box(numbers), || 0, add, u64::wrapping_add)
        }),
    ]
}

fn add(sum: u64, number: &u64) -> u64 {
    sum.wrapping_add(*number)
}

/// What the numbers add up to.
pub(crate) fn sum_of(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0, add)
}

/// What `children` of `rounds` each add up to.
pub(crate) fn serial(children: u64, rounds: u32) -> u64 {
    (0..children).fold(0, |sum, i| sum.wrapping_add(work(i, rounds)))
}

fn sum(values: Vec<u64>) -> u64 {
    values.into_iter().fold(0, u64::wrapping_add)
}

/// One thread takes an equal part of the children, without anything that evens out.
fn std_threads(threads: usize, children: u64, rounds: u32) -> u64 {
    let mut slots = vec![0; usize::try_from(children).expect("fits")];
    let part = slots.len().div_ceil(threads);
    std::thread::scope(|scope| {
        for (i, part) in slots.chunks_mut(part).enumerate() {
            let first = i as u64 * children.div_ceil(threads as u64);
            scope.spawn(move || {
                for (i, slot) in (first..).zip(part) {
                    *slot = work(i, rounds);
                }
            });
        }
    });
    sum(slots)
}

/// A thread per child: for few children only.
pub(crate) fn std_thread_per_child(children: u64, rounds: u32) -> u64 {
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..children)
            .map(|i| scope.spawn(move || work(i, rounds)))
            .collect();
        let values = handles.into_iter().map(|handle| handle.join());
        values.fold(0_u64, |sum, value| {
            sum.wrapping_add(value.expect("no panic"))
        })
    })
}

fn rayon_scope(pool: &rayon::ThreadPool, children: u64, rounds: u32) -> u64 {
    let mut slots = vec![0; usize::try_from(children).expect("fits")];
    pool.scope(|scope| {
        for (i, slot) in (0..).zip(&mut slots) {
            scope.spawn(move |_| *slot = work(i, rounds));
        }
    });
    sum(slots)
}

fn rayon_par_iter(pool: &rayon::ThreadPool, children: u64, rounds: u32) -> u64 {
    pool.install(|| {
        let values = (0..children).into_par_iter().map(|i| work(i, rounds));
        sum(values.collect())
    })
}

fn hatchery_spawn(pool: &hatchery::Pool, children: u64, rounds: u32) -> u64 {
    pool.nursery(|n| {
        let handles: Vec<_> = (0..children)
            .map(|i| n.spawn(move || work(i, rounds)))
            .collect();
        let values = handles.into_iter().map(hatchery::Child::join);
        values.fold(0, u64::wrapping_add)
    })
}

fn hatchery_spawn_each(pool: &hatchery::Pool, children: u64, rounds: u32) -> u64 {
    pool.nursery(|n| {
        let values = n.spawn_each(0..children, |i| work(i, rounds));
        values.fold(0, u64::wrapping_add)
    })
}

macro_rules! halves {
    ($name:ident, $join:path) => {
        /// Fills the slots, `first` and up, by forks that halve them.
        fn $name(slots: &mut [u64], first: u64, rounds: u32) {
            match slots {
                [] => {}
                [slot] => *slot = work(first, rounds),
                _ => {
                    let (left, right) = slots.split_at_mut(slots.len() / 2);
                    let middle = first + left.len() as u64;
                    $join(
                        || $name(left, first, rounds),
                        || $name(right, middle, rounds),
                    );
                }
            }
        }
    };
}

halves!(rayon_join, rayon::join);
halves!(hatchery_join, hatchery::join);

fn chili_join(scope: &mut chili::Scope<'_>, slots: &mut [u64], first: u64, rounds: u32) {
    match slots {
        [] => {}
        [slot] => *slot = work(first, rounds),
        _ => {
            let (left, right) = slots.split_at_mut(slots.len() / 2);
            let middle = first + left.len() as u64;
            scope.join(
                |s| chili_join(s, left, first, rounds),
                |s| chili_join(s, right, middle, rounds),
            );
        }
    }
}
