//! Programs whose children have children.

use laboratory::work;

use super::{Pool, Work};
use board::Board;

#[path = "../../../../benches/common/board.rs"]
mod board;

pub(crate) fn forks(pool: Pool, cores: usize, levels: u64) -> Work {
    fn leaves(pool: Pool, levels: u64) -> u64 {
        if levels == 0 {
            work(1_000);
            return 1;
        }
        pool.sum(2, &|_| leaves(pool, levels - 1))
    }
    Work {
        run: Box::new(move || leaves(pool, levels)),
        answer: 1 << levels,
        span: 1_000,
        cores,
    }
}

pub(crate) fn nests(pool: Pool, cores: usize, depth: u64) -> Work {
    fn children(pool: Pool, depth: u64) -> u64 {
        if depth == 0 {
            return 0;
        }
        pool.sum(9, &|i| {
            if i == 0 {
                return children(pool, depth - 1);
            }
            work(50_000);
            1
        })
    }
    Work {
        run: Box::new(move || children(pool, depth)),
        answer: 8 * depth,
        span: 50_000,
        cores,
    }
}

/// The rows of a board that are filled by tasks.
const ROWS: u32 = 4;

impl Board {
    /// How many boards there are from this one on.
    fn count(self) -> u64 {
        1 + self.next().map(Self::count).sum::<u64>()
    }
}

pub(crate) fn queens(pool: Pool, cores: usize, size: u64) -> Work {
    fn solutions(pool: Pool, board: Board) -> u64 {
        if board.rows == ROWS {
            // Each board takes 11.8 ns: for 13 rows 55 ms in all, as on the machine of BENCHMARKS.md.
            work(board.count() * 118 / 10);
            return board.serial();
        }
        let boards: Vec<_> = board.next().collect();
        pool.sum(boards.len(), &|i| solutions(pool, boards[i]))
    }
    let empty = Board::new(u32::try_from(size).expect("a small board"));
    // The longest leaf is short enough to be no bound.
    Work {
        run: Box::new(move || solutions(pool, empty)),
        answer: empty.serial(),
        span: 0,
        cores,
    }
}

/// A node of an unbalanced tree whose numbers of children are distributed geometrically, with mean 4.
#[derive(Clone, Copy)]
struct Node {
    state: u64,
    depth: u64,
}

impl Node {
    fn root(state: u64) -> Self {
        Self { state, depth: 0 }
    }

    fn child(self, number: usize) -> Self {
        let step = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number as u64 + 1);
        let mut z = self.state.wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self {
            state: z ^ (z >> 31),
            depth: self.depth + 1,
        }
    }

    /// How many children it has. Thresholds instead of a logarithm, whose last digit is the platform's.
    fn width(self, depth: u64) -> usize {
        if self.depth >= depth {
            return 0;
        }
        let drawn = self.state >> 32;
        let thresholds =
            std::iter::successors(Some((1_u64 << 32) * 4 / 5), |last| Some(last * 4 / 5));
        thresholds
            .take(100)
            .take_while(|threshold| drawn < *threshold)
            .count()
    }

    fn count(self, depth: u64) -> u64 {
        1 + (0..self.width(depth))
            .map(|i| self.child(i).count(depth))
            .sum::<u64>()
    }
}

pub(crate) fn uts(pool: Pool, cores: usize, depth: u64) -> Work {
    fn nodes(pool: Pool, node: Node, depth: u64) -> u64 {
        1 + match node.width(depth) {
            0 => 0,
            width => pool.sum(width, &|i| {
                // What a hash takes.
                work(72);
                nodes(pool, node.child(i), depth)
            }),
        }
    }
    let roots = (1_u64..).map(|i| Node::root(i.wrapping_mul(0x2545_f491_4f6c_dd1d)));
    let mut sizes = roots.map(|root| (root, root.count(depth)));
    let (root, answer) = sizes
        .find(|(_, nodes)| (500_000..600_000).contains(nodes))
        .expect("there is no end of them");
    Work {
        run: Box::new(move || nodes(pool, root, depth)),
        answer,
        span: 0,
        cores,
    }
}
