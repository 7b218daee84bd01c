//! Coarse children that are spawned slowly: the spawning thread computes before each of them.

use std::hint::black_box;

use super::{Contender, Pools, ROUNDS_100_NS, work};

/// Computations, each as its number of rounds of [`work`].
#[derive(Clone, Copy)]
pub(crate) struct Paced {
    pub(crate) children: u64,
    child: u32,
    gap: u32,
}

impl Paced {
    /// This many children. A child takes `child` microseconds, and the gap before it `gap`.
    pub(crate) fn new(children: u64, child: u32, gap: u32) -> Self {
        let rounds = |us| us * 10 * ROUNDS_100_NS;
        Self {
            children,
            child: rounds(child),
            gap: rounds(gap),
        }
    }

    /// The part of the serial program's time that the program takes if each child begins as it is spawned.
    pub(crate) fn least(self) -> f64 {
        let children = self.children as f64;
        let (child, gap) = (f64::from(self.child), f64::from(self.gap));
        (children * gap + child) / (children * (gap + child))
    }

    /// The same on any machine.
    pub(crate) fn answer(self) -> u64 {
        let values = (0..self.children).map(|i| self.child(i));
        values.fold(0, u64::wrapping_add)
    }

    fn child(self, number: u64) -> u64 {
        // A seed of zero would stay zero, which compilers notice.
        work(black_box(number + 1), black_box(self.child))
    }

    /// The numbers of the children, with the gap before each.
    fn numbers(self) -> impl Iterator<Item = u64> {
        let gap = move |_: &u64| {
            black_box(work(black_box(7), self.gap));
        };
        (0..self.children).inspect(gap)
    }
}

macro_rules! one_by_one {
    ($name:ident, $join:path) => {
        /// Goes on with the rest itself, and leaves each child to others.
        fn $name(paced: Paced, numbers: &mut (impl Iterator<Item = u64> + Send)) -> u64 {
            let Some(number) = numbers.next() else {
                return 0;
            };
            let (rest, child) = $join(|| $name(paced, numbers), || paced.child(number));
            rest.wrapping_add(child)
        }
    };
}

one_by_one!(rayon_join, rayon::join);
one_by_one!(hatchery_join, hatchery::join);

fn chili_join(
    scope: &mut chili::Scope<'_>,
    paced: Paced,
    numbers: &mut (impl Iterator<Item = u64> + Send),
) -> u64 {
    let Some(number) = numbers.next() else {
        return 0;
    };
    let (rest, child) = scope.join(
        |scope| chili_join(scope, paced, numbers),
        |_| paced.child(number),
    );
    rest.wrapping_add(child)
}

/// Contenders that spawn these children.
pub(crate) fn contenders(pools: &Pools, paced: Paced) -> Vec<Contender<'_>> {
    let sum = |values: &mut dyn Iterator<Item = u64>| values.fold(0, u64::wrapping_add);
    vec![
        Contender::serial(move || sum(&mut paced.numbers().map(|i| paced.child(i)))),
        Contender::new("rayon scope", move || {
            let mut slots = vec![0; usize::try_from(paced.children).expect("fits")];
            pools.rayon.scope(|scope| {
                for (i, slot) in paced.numbers().zip(&mut slots) {
                    scope.spawn(move |_| *slot = paced.child(i));
                }
            });
            sum(&mut slots.into_iter())
        }),
        Contender::new("rayon join", move || {
            let call = || rayon_join(paced, &mut paced.numbers());
            pools.rayon.install(call)
        }),
        Contender::new("chili join", move || {
            chili_join(&mut pools.chili.scope(), paced, &mut paced.numbers())
        }),
        Contender::new("hatchery spawn", move || {
            pools.hatchery.nursery(|n| {
                let spawn = |i| n.spawn(move || paced.child(i));
                let children: Vec<_> = paced.numbers().map(spawn).collect();
                sum(&mut children.into_iter().map(hatchery::Child::join))
            })
        }),
        Contender::new("hatchery spawn_each", move || {
            pools.hatchery.nursery(|n| {
                let values = n.spawn_each(paced.numbers(), move |i| paced.child(i));
                values.fold(0, u64::wrapping_add)
            })
        }),
        Contender::new("hatchery join", move || {
            let call = || hatchery_join(paced, &mut paced.numbers());
            pools.hatchery.nursery(|_| call())
        }),
    ]
}
