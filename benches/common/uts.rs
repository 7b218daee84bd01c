//! Unbalanced tree search: the nodes of a tree that nobody knows before, each found by hashing.
//!
//! The trees and their random source come from the UTS benchmark (Olivier and others, "UTS: An
//! Unbalanced Tree Search Benchmark", LCPC 2006; its `brg_sha1`), so that the counts can be
//! compared: a node is a SHA-1 state, a child's state the hash of the parent's and its number.

use std::hint::black_box;

use rayon::prelude::*;
use sha1::{Digest, Sha1};

use super::{Contender, Pools, chili_halves, hatchery_halves, rayon_halves};

/// A tree, its seed, and how many nodes it has.
#[derive(Clone, Copy)]
pub(crate) struct Tree {
    seed: u32,
    branching: Branching,
    pub(crate) nodes: u64,
}

#[derive(Clone, Copy)]
enum Branching {
    /// Geometric, with the same mean down to a depth.
    Geometric { mean: f64, depth: u32 },
    /// The root has `root` children, any other node `children` with a probability.
    Binomial {
        root: u32,
        children: u32,
        probability: f64,
    },
}

/// `-t 1 -a 3 -d 10 -b 4 -r 19`: depth 10, 3 305 118 leaves.
pub(crate) const T1: Tree = Tree {
    seed: 19,
    branching: Branching::Geometric {
        mean: 4.0,
        depth: 10,
    },
    nodes: 4_130_071,
};

/// `-t 0 -b 2000 -q 0.124875 -m 8 -r 42`: depth 1572, 3 599 034 leaves.
pub(crate) const T3: Tree = Tree {
    seed: 42,
    branching: Branching::Binomial {
        root: 2000,
        children: 8,
        probability: 0.124_875,
    },
    nodes: 4_112_897,
};

/// Most children of a node in a geometric tree.
const MOST_CHILDREN: u32 = 100;

/// Contenders that count the nodes of `tree`.
pub(crate) fn contenders<'a>(pools: &'a Pools, tree: &'a Tree) -> Vec<Contender<'a>> {
    let root = || Node::root(black_box(tree));
    vec![
        Contender::serial(move || root().serial()),
        Contender::new("rayon scope", move || {
            pools.rayon.install(|| root().rayon_scope())
        }),
        Contender::new("rayon par_iter", move || {
            pools.rayon.install(|| root().rayon_par_iter())
        }),
        Contender::new("rayon join", move || {
            pools.rayon.install(|| root().rayon_join())
        }),
        Contender::new("chili join", move || {
            root().chili_join(&mut pools.chili.scope())
        }),
        Contender::new("hatchery nursery", move || {
            pools.hatchery.nursery(|_| root().hatchery_nursery())
        }),
        Contender::new("hatchery spawn_each", move || {
            pools.hatchery.nursery(|_| root().hatchery_spawn_each())
        }),
        Contender::new("hatchery join", move || {
            pools.hatchery.nursery(|_| root().hatchery_join())
        }),
    ]
}

struct Node<'a> {
    tree: &'a Tree,
    depth: u32,
    state: [u8; 20],
}

impl<'a> Node<'a> {
    fn root(tree: &'a Tree) -> Self {
        let hash = Sha1::new().chain_update([0; 16]);
        Self {
            tree,
            depth: 0,
            state: hash.chain_update(tree.seed.to_be_bytes()).finalize().into(),
        }
    }

    fn child(&self, number: u32) -> Self {
        let hash = Sha1::new().chain_update(self.state);
        Self {
            tree: self.tree,
            depth: self.depth + 1,
            state: hash.chain_update(number.to_be_bytes()).finalize().into(),
        }
    }

    /// A number of [0, 1) that belongs to the node.
    fn random(&self) -> f64 {
        let [.., a, b, c, d] = self.state;
        let value = u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff;
        f64::from(value) / f64::from(1_u32 << 31)
    }

    /// How many children the node has.
    fn width(&self) -> u32 {
        match self.tree.branching {
            Branching::Geometric { depth, .. } if self.depth >= depth => 0,
            Branching::Geometric { mean, .. } => {
                let stop = 1.0 / (1.0 + mean);
                let children = ((1.0 - self.random()).ln() / (1.0 - stop).ln()).floor();
                // As the original does; a cast of a float saturates.
                (children as u32).min(MOST_CHILDREN)
            }
            Branching::Binomial { root, .. } if self.depth == 0 => root,
            Branching::Binomial {
                children,
                probability,
                ..
            } => {
                if self.random() < probability {
                    children
                } else {
                    0
                }
            }
        }
    }

    fn children(&self) -> impl Iterator<Item = Self> {
        (0..self.width()).map(|number| self.child(number))
    }

    fn serial(&self) -> u64 {
        1 + self.children().map(|child| child.serial()).sum::<u64>()
    }

    fn rayon_scope(&self) -> u64 {
        let width = self.width();
        if width == 0 {
            return 1;
        }
        let mut nodes = vec![0; width as usize];
        rayon::scope(|scope| {
            for (number, nodes) in (0..).zip(&mut nodes) {
                scope.spawn(move |_| *nodes = self.child(number).rayon_scope());
            }
        });
        nodes.into_iter().sum::<u64>() + 1
    }

    fn rayon_par_iter(&self) -> u64 {
        let width = self.width();
        if width == 0 {
            return 1;
        }
        let children = (0..width).into_par_iter();
        let nodes = children.map(|number| self.child(number).rayon_par_iter());
        nodes.sum::<u64>() + 1
    }

    fn rayon_join(&self) -> u64 {
        let numbers: Vec<u32> = (0..self.width()).collect();
        1 + rayon_halves(&numbers, &|&number| self.child(number).rayon_join())
    }

    fn chili_join(&self, scope: &mut chili::Scope<'_>) -> u64 {
        let numbers: Vec<u32> = (0..self.width()).collect();
        let visit = |scope: &mut chili::Scope<'_>, &number: &u32| {
            let child = self.child(number);
            child.chili_join(scope)
        };
        1 + chili_halves(scope, &numbers, &visit)
    }

    fn hatchery_nursery(&self) -> u64 {
        let width = self.width();
        if width == 0 {
            return 1;
        }
        hatchery::nursery(|n| {
            let children: Vec<_> = (0..width)
                .map(|number| n.spawn(move || self.child(number).hatchery_nursery()))
                .collect();
            let nodes = children.into_iter().map(hatchery::Child::join);
            nodes.sum::<u64>() + 1
        })
    }

    fn hatchery_spawn_each(&self) -> u64 {
        let width = self.width();
        if width == 0 {
            return 1;
        }
        hatchery::nursery(|n| {
            let nodes = n.spawn_each(0..width, |number| self.child(number).hatchery_spawn_each());
            nodes.sum::<u64>() + 1
        })
    }

    fn hatchery_join(&self) -> u64 {
        let numbers: Vec<u32> = (0..self.width()).collect();
        1 + hatchery_halves(&numbers, &|&number| self.child(number).hatchery_join())
    }
}
