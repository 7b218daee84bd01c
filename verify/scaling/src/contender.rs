//! Schedulers, and the ways in which a program may ask them for the same thing.

use std::fmt;
use std::ops::Range;

use hatchery::{Child, Pool};
use laboratory::work;

/// A pool of threads. All programs are written over this.
pub(crate) trait Contender: Sync {
    /// The sum of `f` over `0..count`, each a child of its own.
    fn sum(&self, count: usize, f: &(dyn Fn(usize) -> u64 + Sync)) -> u64;

    /// The same, and the caller computes for so many nanoseconds before it spawns each child.
    fn sum_paced(&self, count: usize, gap: u64, f: &(dyn Fn(usize) -> u64 + Sync)) -> u64;
}

/// A way to spawn children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Forks: halves, and halves of these.
    Join,
    /// A nursery, with a call of `spawn` for each child and a `join` for each.
    Spawn,
    /// A nursery with one call of `spawn_each`.
    Each,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Join, Self::Spawn, Self::Each];

    /// The way that has this name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.to_string() == name)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Join => "join",
            Self::Spawn => "spawn",
            Self::Each => "spawn_each",
        })
    }
}

/// A pool of hatchery's.
pub(crate) struct Hatchery {
    pool: Pool,
    way: Way,
}

impl Hatchery {
    pub(crate) fn new(threads: usize, way: Way) -> Self {
        let pool = Pool::builder().threads(threads).build().expect("a pool");
        Self { pool, way }
    }

    fn halves(&self, range: Range<usize>, f: &(dyn Fn(usize) -> u64 + Sync)) -> u64 {
        if range.len() < 2 {
            return range.map(f).sum();
        }
        let middle = range.start + range.len() / 2;
        let (left, right) = (range.start..middle, middle..range.end);
        let (a, b) = self
            .pool
            .join(|| self.halves(left, f), || self.halves(right, f));
        a + b
    }

    /// Goes on with the rest itself, and leaves each child to others.
    fn one_by_one(&self, range: Range<usize>, gap: u64, f: &(dyn Fn(usize) -> u64 + Sync)) -> u64 {
        let Range { start, end } = range;
        if range.is_empty() {
            return 0;
        }
        work(gap);
        let rest = || self.one_by_one(start + 1..end, gap, f);
        let (a, b) = self.pool.join(rest, || f(start));
        a + b
    }
}

impl Contender for Hatchery {
    fn sum(&self, count: usize, f: &(dyn Fn(usize) -> u64 + Sync)) -> u64 {
        match self.way {
            Way::Join => self.halves(0..count, f),
            Way::Spawn => self.pool.nursery(|n| {
                let children: Vec<_> = (0..count).map(|i| n.spawn(move || f(i))).collect();
                children.into_iter().map(Child::join).sum()
            }),
            Way::Each => self.pool.nursery(|n| n.spawn_each(0..count, f).sum()),
        }
    }

    fn sum_paced(&self, count: usize, gap: u64, f: &(dyn Fn(usize) -> u64 + Sync)) -> u64 {
        let paced = (0..count).inspect(|_| work(gap));
        match self.way {
            Way::Join => self.one_by_one(0..count, gap, f),
            Way::Spawn => self.pool.nursery(|n| {
                let children: Vec<_> = paced.map(|i| n.spawn(move || f(i))).collect();
                children.into_iter().map(Child::join).sum()
            }),
            Way::Each => self.pool.nursery(|n| n.spawn_each(paced, f).sum()),
        }
    }
}
