//! The search: a race of the places where the first queen may stand.
//!
//! Each competitor places the queens row by row, and takes the last one back where there is no room
//! for the next. It tries the columns of a row in an order drawn by chance, another one for each
//! row and competitor: how long such a search takes varies wildly, so the first of several comes
//! much sooner than most. All of them together still try everything, so if all fail there is nothing.

use std::sync::atomic::{AtomicU32, Ordering};

use fastrand::Rng;
use hatchery::Cancelled;

use crate::board::Board;

/// How the race ended.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) board: Option<Board>,
    /// Competitors that tried everything.
    pub(crate) in_vain: u32,
    /// Competitors that were told to stop because another had won.
    pub(crate) stopped: u32,
    /// Competitors that had not started by then.
    pub(crate) unrun: u32,
}

/// Why a competitor has no solution.
#[derive(Debug)]
enum Lost {
    InVain,
    Stopped,
}

impl From<Cancelled> for Lost {
    fn from(_: Cancelled) -> Self {
        Self::Stopped
    }
}

/// The first solution for this many queens, from 1 to 64.
pub(crate) fn first(queens: u32) -> Found {
    // The race reports no failures once there is a winner, so they are counted here, and read when all
    // competitors have ended.
    let (started, in_vain, stopped) = (counter(), counter(), counter());
    let result = hatchery::race_each(0..queens, |column| {
        started.fetch_add(1, Ordering::Relaxed);
        let result = from(column, queens);
        match result {
            Ok(_) => {}
            Err(Lost::InVain) => drop(in_vain.fetch_add(1, Ordering::Relaxed)),
            Err(Lost::Stopped) => drop(stopped.fetch_add(1, Ordering::Relaxed)),
        }
        result
    });
    let board = match result {
        Ok(board) => Some(board),
        Err(failures) => {
            // A competitor's panic would be no answer.
            let _ = failures.resume_panic();
            None
        }
    };
    Found {
        board,
        in_vain: in_vain.into_inner(),
        stopped: stopped.into_inner(),
        unrun: queens - started.into_inner(),
    }
}

fn counter() -> AtomicU32 {
    AtomicU32::new(0)
}

/// Tries everything that has the first queen in `column`.
fn from(column: u32, queens: u32) -> Result<Board, Lost> {
    let mut random = Rng::with_seed(column.into());
    let orders = (0..queens).map(|_| {
        let mut order: Vec<_> = (0..queens).collect();
        random.shuffle(&mut order);
        order
    });
    let mut search = Search {
        orders: orders.collect(),
        columns: Vec::with_capacity(queens as usize),
    };
    let first = Attacked::default().by(column);
    search.columns.push(column);
    match search.complete(first)? {
        true => Ok(Board(search.columns)),
        false => Err(Lost::InVain),
    }
}

/// One competitor's board.
struct Search {
    /// In which order to try the columns, for each row.
    orders: Vec<Vec<u32>>,
    /// Of the queens in the rows so far.
    columns: Vec<u32>,
}

impl Search {
    /// Places queens in the rows that are left; false if there is no way.
    fn complete(&mut self, attacked: Attacked) -> Result<bool, Cancelled> {
        let row = self.columns.len();
        if row == self.orders.len() {
            return Ok(true);
        }
        hatchery::checkpoint()?;
        for place in 0..self.orders.len() {
            let column = self.orders[row][place];
            if attacked.has(column) {
                continue;
            }
            self.columns.push(column);
            if self.complete(attacked.by(column))? {
                return Ok(true);
            }
            self.columns.pop();
        }
        Ok(false)
    }
}

/// The columns of the next row that queens attack, a bit for each.
#[derive(Clone, Copy, Default)]
struct Attacked {
    down: u64,
    left: u64,
    right: u64,
}

impl Attacked {
    fn has(self, column: u32) -> bool {
        (self.down | self.left | self.right) >> column & 1 == 1
    }

    /// One row further, with another queen in this one.
    fn by(self, column: u32) -> Self {
        let queen = 1 << column;
        Self {
            down: self.down | queen,
            left: (self.left | queen) >> 1,
            // What goes past the last column of the board is never asked for.
            right: (self.right | queen) << 1,
        }
    }
}
