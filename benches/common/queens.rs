//! The number of ways to place n queens on a board of n by n: 92 for 8, 14 200 for 12, 73 712 for
//! 13. The first rows are tried in parallel, the rest by the serial search.

use rayon::prelude::*;

use super::board::Board;
use super::{Contender, Pools, chili_halves, hatchery_halves, rayon_halves};

/// Rows that are tried in parallel.
const PARALLEL_ROWS: u32 = 4;

/// Contenders that count the solutions of a board of `size` by `size`.
pub(crate) fn contenders(pools: &Pools, size: u32) -> Vec<Contender<'_>> {
    let board = move || Board::new(std::hint::black_box(size));
    vec![
        Contender::serial(move || board().serial()),
        Contender::new("rayon scope", move || {
            pools.rayon.install(|| board().rayon_scope())
        }),
        Contender::new("rayon par_iter", move || {
            pools.rayon.install(|| board().rayon_par_iter())
        }),
        Contender::new("rayon join", move || {
            pools.rayon.install(|| board().rayon_join())
        }),
        Contender::new("chili join", move || {
            board().chili_join(&mut pools.chili.scope())
        }),
        Contender::new("hatchery nursery", move || {
            pools.hatchery.nursery(|_| board().hatchery_nursery())
        }),
        Contender::new("hatchery spawn_each", move || {
            pools.hatchery.nursery(|_| board().hatchery_spawn_each())
        }),
        Contender::new("hatchery join", move || {
            pools.hatchery.nursery(|_| board().hatchery_join())
        }),
    ]
}

impl Board {
    fn is_serial(self) -> bool {
        self.rows == PARALLEL_ROWS
    }

    fn rayon_scope(self) -> u64 {
        if self.is_serial() {
            return self.serial();
        }
        let boards: Vec<_> = self.next().collect();
        let mut solutions = vec![0; boards.len()];
        rayon::scope(|scope| {
            for (board, solutions) in boards.into_iter().zip(&mut solutions) {
                scope.spawn(move |_| *solutions = board.rayon_scope());
            }
        });
        solutions.into_iter().sum()
    }

    fn rayon_par_iter(self) -> u64 {
        if self.is_serial() {
            return self.serial();
        }
        let boards: Vec<_> = self.next().collect();
        boards.into_par_iter().map(Self::rayon_par_iter).sum()
    }

    fn rayon_join(self) -> u64 {
        if self.is_serial() {
            return self.serial();
        }
        let boards: Vec<_> = self.next().collect();
        rayon_halves(&boards, &|board: &Self| board.rayon_join())
    }

    fn chili_join(self, scope: &mut chili::Scope<'_>) -> u64 {
        if self.is_serial() {
            return self.serial();
        }
        let boards: Vec<_> = self.next().collect();
        chili_halves(scope, &boards, &|scope, board: &Self| {
            board.chili_join(scope)
        })
    }

    fn hatchery_nursery(self) -> u64 {
        if self.is_serial() {
            return self.serial();
        }
        hatchery::nursery(|n| {
            let boards = self.next();
            let children: Vec<_> = boards
                .map(|board| n.spawn(move || board.hatchery_nursery()))
                .collect();
            children.into_iter().map(hatchery::Child::join).sum()
        })
    }

    fn hatchery_spawn_each(self) -> u64 {
        if self.is_serial() {
            return self.serial();
        }
        hatchery::nursery(|n| n.spawn_each(self.next(), Self::hatchery_spawn_each).sum())
    }

    fn hatchery_join(self) -> u64 {
        if self.is_serial() {
            return self.serial();
        }
        let boards: Vec<_> = self.next().collect();
        hatchery_halves(&boards, &|board: &Self| board.hatchery_join())
    }
}
