//! Merge sort: both halves are sorted by a fork, and merged by forks that split the longer half.

use super::quicksort::Numbers;
use super::{Contender, Pools};

/// Numbers below which nothing forks: a leaf is sorted by the standard library.
const SERIAL: usize = 4096;

pub(crate) fn contenders<'a>(pools: &'a Pools, input: &'a Numbers) -> Vec<Contender<'a>> {
    vec![
        Contender::timed("serial", || {
            input.time(|numbers| sort(&mut Way::Serial, numbers))
        })
        .reference(),
        Contender::timed("rayon scope", || {
            input.time(|numbers| pools.rayon.install(|| sort(&mut Way::RayonScope, numbers)))
        }),
        Contender::timed("rayon join", || {
            input.time(|numbers| pools.rayon.install(|| sort(&mut Way::RayonJoin, numbers)))
        }),
        Contender::timed("chili join", || {
            input.time(|numbers| sort(&mut Way::Chili(&mut pools.chili.scope()), numbers))
        }),
        Contender::timed("hatchery nursery", || {
            input.time(|numbers| {
                pools
                    .hatchery
                    .nursery(|_| sort(&mut Way::HatcheryNursery, numbers))
            })
        }),
        Contender::timed("hatchery join", || {
            input.time(|numbers| {
                pools
                    .hatchery
                    .nursery(|_| sort(&mut Way::HatcheryJoin, numbers))
            })
        }),
    ]
}

/// How to run two closures.
enum Way<'a, 'b> {
    Serial,
    RayonScope,
    RayonJoin,
    Chili(&'a mut chili::Scope<'b>),
    HatcheryNursery,
    HatcheryJoin,
}

impl Way<'_, '_> {
    fn fork(
        &mut self,
        a: impl FnOnce(&mut Way<'_, '_>) + Send,
        b: impl FnOnce(&mut Way<'_, '_>) + Send,
    ) {
        match self {
            Self::Serial => {
                a(&mut Way::Serial);
                b(&mut Way::Serial);
            }
            Self::RayonScope => rayon::scope(|scope| {
                scope.spawn(|_| a(&mut Way::RayonScope));
                b(&mut Way::RayonScope);
            }),
            Self::RayonJoin => {
                rayon::join(|| a(&mut Way::RayonJoin), || b(&mut Way::RayonJoin));
            }
            Self::Chili(scope) => {
                scope.join(
                    |scope| a(&mut Way::Chili(scope)),
                    |scope| b(&mut Way::Chili(scope)),
                );
            }
            Self::HatcheryNursery => hatchery::nursery(|n| {
                n.spawn(|| a(&mut Way::HatcheryNursery));
                b(&mut Way::HatcheryNursery);
            }),
            Self::HatcheryJoin => {
                hatchery::join(|| a(&mut Way::HatcheryJoin), || b(&mut Way::HatcheryJoin));
            }
        }
    }
}

/// Sorts `numbers`, with a buffer as long as they are.
fn sort(way: &mut Way<'_, '_>, numbers: &mut [u32]) {
    let mut buffer = vec![0; numbers.len()];
    sort_in_place(way, numbers, &mut buffer);
}

fn sort_in_place(way: &mut Way<'_, '_>, numbers: &mut [u32], buffer: &mut [u32]) {
    if numbers.len() < SERIAL {
        return numbers.sort_unstable();
    }
    let middle = numbers.len() / 2;
    {
        let (left, right) = numbers.split_at_mut(middle);
        let (to_left, to_right) = buffer.split_at_mut(middle);
        way.fork(
            |way| sort_into(way, left, to_left),
            |way| sort_into(way, right, to_right),
        );
    }
    let (left, right) = buffer.split_at(middle);
    merge(way, left, right, numbers);
}

/// Sorts `numbers`, which become scratch, into `sorted`.
fn sort_into(way: &mut Way<'_, '_>, numbers: &mut [u32], sorted: &mut [u32]) {
    if numbers.len() < SERIAL {
        sorted.copy_from_slice(numbers);
        return sorted.sort_unstable();
    }
    let middle = numbers.len() / 2;
    {
        let (left, right) = numbers.split_at_mut(middle);
        let (scratch_left, scratch_right) = sorted.split_at_mut(middle);
        way.fork(
            |way| sort_in_place(way, left, scratch_left),
            |way| sort_in_place(way, right, scratch_right),
        );
    }
    let (left, right) = numbers.split_at(middle);
    merge(way, left, right, sorted);
}

fn merge(way: &mut Way<'_, '_>, a: &[u32], b: &[u32], merged: &mut [u32]) {
    if merged.len() < SERIAL {
        return merge_serially(a, b, merged);
    }
    let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let (low, high) = long.split_at(long.len() / 2);
    let (low_too, high_too) = short.split_at(short.partition_point(|number| *number < high[0]));
    let (merged_low, merged_high) = merged.split_at_mut(low.len() + low_too.len());
    way.fork(
        |way| merge(way, low, low_too, merged_low),
        |way| merge(way, high, high_too, merged_high),
    );
}

/// Takes the smaller head again and again, without a branch that nobody can predict.
fn merge_serially(a: &[u32], b: &[u32], merged: &mut [u32]) {
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let take_a = a[i] <= b[j];
        merged[i + j] = if take_a { a[i] } else { b[j] };
        i += usize::from(take_a);
        j += usize::from(!take_a);
    }
    let (rest_of_a, rest_of_b) = merged[i + j..].split_at_mut(a.len() - i);
    rest_of_a.copy_from_slice(&a[i..]);
    rest_of_b.copy_from_slice(&b[j..]);
}
