//! Deals the rows of the table out to all processes, and collects the answers.
//!
//! ```text
//!   first process            every process, also the first
//!   +-------+   next row     +-------+  spawns   +----------+
//!   | clerk |--------------->| inbox |---------->| children |
//!   |       |                +-------+           | that     |
//!   |       |   done row     +--------+  channel | compute  |
//!   |       |<---------------| outbox |<---------|          |
//!   +-------+                +--------+          +----------+
//! ```
//!
//! Rows differ in what they cost, and so do machines. So each process has only a few rows at a time, and gets another
//! one for each that is done. The clerk, the inbox and the outbox wait for other processes, so they are children that
//! may block: none of them takes a processor from the children that compute. If a child panics, the nursery cancels the
//! rest in this process, and `main` ends all processes.

use std::ops::Range;
use std::sync::mpsc::{self, Receiver, Sender};

use hatchery::{Cancelled, TryNursery};

use crate::alike::{self, Pair};
use crate::files::Texts;
use crate::post::{self, DONE, NEXT};

/// Rows of a process that are under way or wait, for each of its threads. While one is computed, another comes.
const AHEAD: u64 = 2;

/// What one process has done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) threads: u64,
    pub(crate) rows: u64,
}

/// What the first process has in the end.
#[derive(Debug)]
pub(crate) struct Table {
    /// In the order of the rows.
    pub(crate) pairs: Vec<Pair>,
    /// Of each process.
    pub(crate) shares: Vec<Share>,
}

/// Computes all rows, together with all processes. The first one gets the whole table.
///
/// # Errors
///
/// If something has gone wrong in this process.
pub(crate) fn out(texts: &Texts) -> Result<Option<Table>, String> {
    let deal = Deal {
        turns: texts.len() as u64 - 1,
        threads: post::from_all(hatchery::threads() as u64),
    };
    let deal = &deal;
    let result = hatchery::try_nursery(|n| {
        let clerk = match post::is_first() {
            true => Some(n.spawn_blocking(|| deal.clerk())),
            false => None,
        };
        let (done, results) = mpsc::channel();
        n.spawn_blocking(|| outbox(results));
        n.spawn_blocking(move || deal.inbox(n, texts, done));
        clerk.map(|clerk| clerk.join()).transpose()
    });
    result.map_err(|failures| format!("{failures:#}"))
}

/// The rows in the order in which they are dealt: the last row first, because it costs most. Row 0 has no files before
/// it, so it is not dealt.
struct Deal {
    /// How many there are.
    turns: u64,
    /// Of each process.
    threads: Vec<u64>,
}

impl Deal {
    fn row(&self, turn: u64) -> usize {
        (self.turns - turn) as usize
    }

    /// What a process begins with. All know that without a message.
    fn first_turns(&self, rank: usize) -> Range<u64> {
        let before = |rank: usize| AHEAD * self.threads[..rank].iter().sum::<u64>();
        before(rank).min(self.turns)..before(rank + 1).min(self.turns)
    }

    /// Collects the rows, and answers each with the next one, or with nothing if all have been dealt.
    fn clerk(&self) -> Result<Table, Cancelled> {
        let share = |threads: &u64| Share {
            threads: *threads,
            rows: 0,
        };
        let mut shares: Vec<_> = self.threads.iter().map(share).collect();
        let mut rest = self.first_turns(self.threads.len() - 1).end..self.turns;
        let mut pairs = Vec::new();
        for _ in 0..self.turns {
            let (numbers, from) = post::receive(DONE)?;
            let &[row, other, common] = &*numbers else {
                panic!("three numbers for a row, not {numbers:?}");
            };
            pairs.push(Pair { row, other, common });
            shares[from as usize].rows += 1;
            post::send(from, rest.next().as_slice(), NEXT);
        }
        pairs.sort_by_key(|pair| pair.row);
        Ok(Table { pairs, shares })
    }

    /// Spawns a child for each row that this process is to compute.
    fn inbox<'scope>(
        &self,
        n: &'scope TryNursery<'scope, '_, Cancelled>,
        texts: &'scope Texts,
        done: Sender<Pair>,
    ) -> Result<(), Cancelled> {
        let compute = |turn| {
            let (row, done) = (self.row(turn), done.clone());
            n.spawn(move || {
                // The outbox is gone only if all is cancelled.
                let _ = done.send(alike::nearest(texts, row));
                Ok(())
            });
        };
        let first = self.first_turns(post::rank());
        // One answer comes for each row, in the end those that say that there is no other.
        let mut open = first.end - first.start;
        first.for_each(compute);
        while open > 0 {
            let (next, _) = post::receive(NEXT)?;
            match next.first() {
                Some(turn) => compute(*turn),
                None => open -= 1,
            }
        }
        Ok(())
    }
}

/// Sends what is done to the clerk, until neither the inbox nor a child is left that could send more.
fn outbox(results: Receiver<Pair>) -> Result<(), Cancelled> {
    for pair in results {
        post::send_to_first(&[pair.row, pair.other, pair.common], DONE);
    }
    Ok(())
}
