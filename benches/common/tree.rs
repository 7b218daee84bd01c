//! The sum of a balanced tree of boxed nodes of value 1: a fork per node that has sides.

use super::{Contender, Pools};

pub(crate) struct Node {
    value: u64,
    sides: Option<[Box<Node>; 2]>,
}

/// Contenders that add the values of `tree` up.
pub(crate) fn contenders<'a>(pools: &'a Pools, tree: &'a Node) -> Vec<Contender<'a>> {
    vec![
        Contender::serial(|| tree.serial()),
        Contender::new("rayon join", || pools.rayon.install(|| tree.rayon_join())),
        Contender::new("chili join", || tree.chili_join(&mut pools.chili.scope())),
        Contender::new("hatchery join", || {
            pools.hatchery.nursery(|_| tree.hatchery_join())
        }),
        Contender::new("hatchery nursery", || {
            pools.hatchery.nursery(|_| tree.hatchery_nursery())
        }),
        Contender::new("rayon scope", || pools.rayon.install(|| tree.rayon_scope())),
    ]
}

impl Node {
    /// A tree of `2^levels - 1` nodes.
    pub(crate) fn tree(levels: u32) -> Self {
        let side = || Box::new(Self::tree(levels - 1));
        Self {
            value: 1,
            sides: (levels > 1).then(|| [side(), side()]),
        }
    }

    fn serial(&self) -> u64 {
        let sides = self.sides.iter().flatten();
        self.value + sides.map(|side| side.serial()).sum::<u64>()
    }

    fn rayon_join(&self) -> u64 {
        let Some([left, right]) = &self.sides else {
            return self.value;
        };
        let (left, right) = rayon::join(|| left.rayon_join(), || right.rayon_join());
        self.value + left + right
    }

    fn rayon_scope(&self) -> u64 {
        let Some([left, right]) = &self.sides else {
            return self.value;
        };
        let (mut on_left, mut on_right) = (0, 0);
        rayon::scope(|scope| {
            scope.spawn(|_| on_left = left.rayon_scope());
            on_right = right.rayon_scope();
        });
        self.value + on_left + on_right
    }

    fn chili_join(&self, scope: &mut chili::Scope<'_>) -> u64 {
        let Some([left, right]) = &self.sides else {
            return self.value;
        };
        let (left, right) = scope.join(|s| left.chili_join(s), |s| right.chili_join(s));
        self.value + left + right
    }

    fn hatchery_join(&self) -> u64 {
        let Some([left, right]) = &self.sides else {
            return self.value;
        };
        let (left, right) = hatchery::join(|| left.hatchery_join(), || right.hatchery_join());
        self.value + left + right
    }

    fn hatchery_nursery(&self) -> u64 {
        let Some([left, right]) = &self.sides else {
            return self.value;
        };
        hatchery::nursery(|n| {
            let left = n.spawn(|| left.hatchery_nursery());
            let right = right.hatchery_nursery();
            self.value + left.join() + right
        })
    }
}
