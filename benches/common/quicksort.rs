//! Quicksort: the two sides of the pivot are sorted by a fork.

use std::time::{Duration, Instant};

use super::{Contender, Pools};

/// Numbers below which a side is sorted without a fork.
const SERIAL: usize = 1024;
/// Numbers below which insertion is used, in the serial program too.
const SHORT: usize = 24;

/// Numbers to sort, and what proves that a result holds the same ones.
pub(crate) struct Numbers {
    pub(crate) numbers: Vec<u32>,
    sum: u64,
}

impl Numbers {
    pub(crate) fn new(count: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(1);
        let numbers: Vec<u32> = (0..count).map(|_| random.u32(..)).collect();
        Self {
            sum: checksum(&numbers),
            numbers,
        }
    }

    /// The time that `sort` takes for a copy; copying and checking are not counted.
    pub(crate) fn time(&self, sort: impl FnOnce(&mut [u32])) -> Duration {
        let mut numbers = self.numbers.clone();
        let start = Instant::now();
        sort(&mut numbers);
        let took = start.elapsed();
        assert!(numbers.is_sorted());
        assert_eq!(checksum(&numbers), self.sum);
        took
    }
}

/// A sum that does not depend on the order, and changes if a number is lost or doubled.
fn checksum(numbers: &[u32]) -> u64 {
    let mixed = numbers
        .iter()
        .map(|number| super::work(u64::from(*number), 2));
    mixed.fold(0, u64::wrapping_add)
}

pub(crate) fn contenders<'a>(pools: &'a Pools, input: &'a Numbers) -> Vec<Contender<'a>> {
    vec![
        Contender::timed("serial", || input.time(serial)).reference(),
        Contender::timed("rayon scope", || {
            input.time(|numbers| pools.rayon.install(|| rayon_scope(numbers)))
        }),
        Contender::timed("rayon join", || {
            input.time(|numbers| pools.rayon.install(|| rayon_join(numbers)))
        }),
        Contender::timed("chili join", || {
            input.time(|numbers| chili_join(&mut pools.chili.scope(), numbers))
        }),
        Contender::timed("hatchery nursery", || {
            input.time(|numbers| pools.hatchery.nursery(|_| hatchery_nursery(numbers)))
        }),
        Contender::timed("hatchery join", || {
            input.time(|numbers| pools.hatchery.nursery(|_| hatchery_join(numbers)))
        }),
    ]
}

/// Moves what is less than a pivot to the front, and returns both sides.
fn partition(numbers: &mut [u32]) -> (&mut [u32], &mut [u32]) {
    let last = numbers.len() - 1;
    let middle = numbers.len() / 2;
    // The median of three goes to the end.
    for (a, b) in [(0, middle), (0, last), (last, middle)] {
        if numbers[a] > numbers[b] {
            numbers.swap(a, b);
        }
    }
    let pivot = numbers[last];
    let mut less = 0;
    for i in 0..last {
        // Always swapped, so that there is no branch that nobody can predict.
        let is_less = numbers[i] < pivot;
        numbers.swap(less, i);
        less += usize::from(is_less);
    }
    numbers.swap(less, last);
    let (left, right) = numbers.split_at_mut(less);
    (left, &mut right[1..])
}

fn serial(numbers: &mut [u32]) {
    if numbers.len() > SHORT {
        let (left, right) = partition(numbers);
        serial(left);
        serial(right);
        return;
    }
    for sorted in 1..numbers.len() {
        let number = numbers[sorted];
        let mut at = sorted;
        while at > 0 && numbers[at - 1] > number {
            numbers[at] = numbers[at - 1];
            at -= 1;
        }
        numbers[at] = number;
    }
}

fn rayon_scope(numbers: &mut [u32]) {
    if numbers.len() < SERIAL {
        return serial(numbers);
    }
    let (left, right) = partition(numbers);
    rayon::scope(|scope| {
        scope.spawn(|_| rayon_scope(left));
        rayon_scope(right);
    });
}

fn hatchery_nursery(numbers: &mut [u32]) {
    if numbers.len() < SERIAL {
        return serial(numbers);
    }
    let (left, right) = partition(numbers);
    hatchery::nursery(|n| {
        n.spawn(|| hatchery_nursery(left));
        hatchery_nursery(right);
    });
}

fn rayon_join(numbers: &mut [u32]) {
    if numbers.len() < SERIAL {
        return serial(numbers);
    }
    let (left, right) = partition(numbers);
    rayon::join(|| rayon_join(left), || rayon_join(right));
}

fn hatchery_join(numbers: &mut [u32]) {
    if numbers.len() < SERIAL {
        return serial(numbers);
    }
    let (left, right) = partition(numbers);
    hatchery::join(|| hatchery_join(left), || hatchery_join(right));
}

fn chili_join(scope: &mut chili::Scope<'_>, numbers: &mut [u32]) {
    if numbers.len() < SERIAL {
        return serial(numbers);
    }
    let (left, right) = partition(numbers);
    scope.join(|s| chili_join(s, left), |s| chili_join(s, right));
}
