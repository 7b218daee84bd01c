//! A fork per call and no cut-off: fib(32) is 2 178 309 by 3 524 577 forks, fib(25) 75 025 by
//! 121 392.

use std::hint::black_box;

use super::{Contender, Pools};

/// Contenders that fork.
pub(crate) fn joins(pools: &Pools, n: u64) -> Vec<Contender<'_>> {
    let n = move || black_box(n);
    vec![
        Contender::serial(move || serial(n())),
        Contender::new("rayon join", move || {
            pools.rayon.install(|| rayon_join(n()))
        }),
        Contender::new("chili join", move || {
            chili_join(&mut pools.chili.scope(), n())
        }),
        Contender::new("hatchery join", move || {
            pools.hatchery.nursery(|_| hatchery_join(n()))
        }),
    ]
}

/// A thread per call is measured up to here.
const FEW: u64 = 10;

/// Contenders that open a scope per call, one side of it spawned.
pub(crate) fn scopes(pools: &Pools, size: u64) -> Vec<Contender<'_>> {
    let n = move || black_box(size);
    let mut contenders = vec![
        Contender::serial(move || serial(n())),
        Contender::new("rayon scope", move || {
            pools.rayon.install(|| rayon_scope(n()))
        }),
        Contender::new("hatchery nursery", move || {
            pools.hatchery.nursery(|_| hatchery_nursery(n()))
        }),
    ];
    if size <= FEW {
        contenders.push(Contender::new("std::thread::scope", move || {
            std_threads(n())
        }));
    }
    contenders
}

/// The forks, or scopes, of `fib(n)`.
pub(crate) fn forks(n: u64) -> u64 {
    serial(n + 1) - 1
}

pub(crate) fn serial(n: u64) -> u64 {
    if n < 2 {
        n
    } else {
        serial(n - 1) + serial(n - 2)
    }
}

fn rayon_join(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = rayon::join(|| rayon_join(n - 1), || rayon_join(n - 2));
    a + b
}

pub(crate) fn hatchery_join(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = hatchery::join(|| hatchery_join(n - 1), || hatchery_join(n - 2));
    a + b
}

fn chili_join(scope: &mut chili::Scope<'_>, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = scope.join(|s| chili_join(s, n - 1), |s| chili_join(s, n - 2));
    a + b
}

fn rayon_scope(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let mut a = 0;
    let mut b = 0;
    rayon::scope(|scope| {
        scope.spawn(|_| a = rayon_scope(n - 1));
        b = rayon_scope(n - 2);
    });
    a + b
}

fn std_threads(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    std::thread::scope(|scope| {
        let a = scope.spawn(move || std_threads(n - 1));
        let b = std_threads(n - 2);
        a.join().expect("no panic") + b
    })
}

pub(crate) fn hatchery_nursery(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    hatchery::nursery(|scope| {
        let a = scope.spawn(move || hatchery_nursery(n - 1));
        let b = hatchery_nursery(n - 2);
        a.join() + b
    })
}
