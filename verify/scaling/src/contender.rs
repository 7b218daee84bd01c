//! Schedulers, and the ways in which a program may ask them for the same thing.

use std::ops::Range;

use hatchery::{Child, Pool};
use laboratory::work;

/// A pool of threads. All programs are written over this.
pub(crate) trait Contender: Sync {
    /// The sum of `f` over `0..count`, each a child of its own.
    fn sum(&self, count: usize, f: &(dyn Fn(usize) -> u64 + Sync)) -> u64;

    /// The same, and the caller computes for `gap` nanoseconds before it spawns each child.
    fn sum_paced(&self, count: usize, gap: u64, f: &(dyn Fn(usize) -> u64 + Sync)) -> u64;
}

/// A way to ask for it.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    /// Makes a pool with this many threads on which programs go this way.
    pub(crate) pool: fn(usize) -> Box<dyn Contender>,
}

impl Way {
    /// The crate's ways.
    pub(crate) const OWN: [Self; 4] = [
        Self {
            name: "join",
            pool: |threads| Hatchery::start(threads, Verb::Join),
        },
        Self {
            name: "spawn",
            pool: |threads| Hatchery::start(threads, Verb::Spawn),
        },
        Self {
            name: "spawn_each",
            pool: |threads| Hatchery::start(threads, Verb::Each),
        },
        Self {
            name: "fold",
            pool: |threads| Hatchery::start(threads, Verb::Fold),
        },
    ];

    /// The crate's ways, and the ways of peers in the package that has peers.
    pub(crate) fn all() -> Vec<Self> {
        #[allow(unused_mut, reason = "peers are there in another package")]
        let mut all = Self::OWN.to_vec();
        #[cfg(hatchery_rayon)]
        all.extend(crate::peer::WAYS);
        all
    }

    /// Whether all children have to be there from the start, as the items of a list are.
    pub(crate) fn takes_lists_only(self) -> bool {
        self.name == "fold"
    }

    /// The way that has this name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|way| way.name == name)
    }
}

/// How a pool of hatchery's is asked.
#[derive(Clone, Copy)]
enum Verb {
    /// Forks: halves, and halves of these.
    Join,
    /// A nursery, with a call of `spawn` for each child and a `join` for each.
    Spawn,
    /// A nursery with one call of `spawn_each`.
    Each,
    /// One call of `fold`, without a nursery.
    Fold,
}

/// A pool of hatchery's.
struct Hatchery {
    pool: Pool,
    verb: Verb,
}

impl Hatchery {
    fn start(threads: usize, verb: Verb) -> Box<dyn Contender> {
        let pool = Pool::builder().threads(threads).build().expect("a pool");
        Box::new(Self { pool, verb })
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
        match self.verb {
            Verb::Join => self.halves(0..count, f),
            Verb::Spawn => self.pool.nursery(|n| {
                let children: Vec<_> = (0..count).map(|i| n.spawn(move || f(i))).collect();
                children.into_iter().map(Child::join).sum()
            }),
            Verb::Each => self.pool.nursery(|n| n.spawn_each(0..count, f).sum()),
            Verb::Fold => self.pool.fold(
                0..count,
                || 0,
                |sum, i| sum + f(i),
                |left, right| left + right,
            ),
        }
    }

    fn sum_paced(&self, count: usize, gap: u64, f: &(dyn Fn(usize) -> u64 + Sync)) -> u64 {
        let paced = (0..count).inspect(|_| work(gap));
        match self.verb {
            Verb::Join => self.one_by_one(0..count, gap, f),
            Verb::Spawn => self.pool.nursery(|n| {
                let children: Vec<_> = paced.map(|i| n.spawn(move || f(i))).collect();
                children.into_iter().map(Child::join).sum()
            }),
            Verb::Each => self.pool.nursery(|n| n.spawn_each(paced, f).sum()),
            Verb::Fold => unreachable!("programs that grow do not run in this way"),
        }
    }
}
