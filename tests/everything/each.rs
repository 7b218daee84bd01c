//! The children of items: all at once, or a few at a time.

use std::cell::Cell;
use std::mem;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use hatchery::{Children, Failure};

use crate::everything::ledger::Fault;
use crate::everything::program::{Fate, Task};
use crate::everything::run::{Any, Ended, Place, Plain};
use crate::everything::steps::{Joins, mix};
use crate::everything::world::What;

/// The children of one call, as they come, by the positions of their items.
pub(crate) struct Many<'s> {
    ended: Box<dyn Iterator<Item = (usize, Ended)> + 's>,
    /// How many items were taken.
    pulled: Rc<Cell<usize>>,
}

impl<'s, 'e, 'o: 's, 'w: 'o> Place<'s, 'e, 'o, 'w> {
    /// The children of items, by turns or as they end; with a bound on how many there are at a time, by turns.
    pub(crate) fn many(
        self,
        by: &'w Task,
        most: Option<usize>,
        items: &'w [Task],
        joins: Joins,
    ) -> Many<'s> {
        let fate = joins.fate;
        let _some_may_run = self.waits(joins, ids(items));
        let pulled = Rc::new(Cell::new(0));
        let begun = self.world.now();
        let count = Rc::clone(&pulled);
        let source = items.iter().map(move |task| {
            count.set(count.get() + 1);
            // In a batch it may run at once.
            let from = most.map_or(begun, |_| self.world.now());
            let (child, nest) = (task.id, self.own_id);
            self.world.note(by, from, What::Spawned { child, nest });
            (task, self.cells.next(), self.world.capture(task))
        });
        let plain = |result: Plain| result.map_err(Failure::from);
        let ended: Box<dyn Iterator<Item = _>> = match (self.own, most) {
            (Any::Total(n), None) => {
                let children = n.spawn_each(source, self.item());
                by_turns(children, fate, move |(at, result)| (at, plain(result)))
            }
            (Any::Partial(n), None) => {
                by_turns(n.spawn_each(source, self.item()), fate, |ended| ended)
            }
            (Any::Total(n), Some(most)) => {
                let values = n.spawn_buffered(most, source, self.item());
                Box::new(values.map(plain).enumerate())
            }
            (Any::Partial(n), Some(most)) => {
                Box::new(n.spawn_buffered(most, source, self.item()).enumerate())
            }
        };
        if fate == Fate::Forgotten && most.is_none() {
            self.note_forgotten(by, &items[..pulled.get()]);
        }
        Many { ended, pulled }
    }

    fn note_forgotten(self, by: &Task, items: &[Task]) {
        for item in items {
            let forgotten = What::Forgotten { child: item.id };
            self.world.note(by, self.world.now(), forgotten);
        }
    }

    /// Law R1: each item has a value. But in a cancelled nursery one value stands for all items that were not taken.
    fn check_end(self, values: usize, pulled: usize, most: Option<usize>, items: &[Task]) {
        if most.is_some() && values < items.len() && values <= pulled {
            let count = items.len();
            self.world
                .blame(format!("R1: {count} items, and {values} values"));
        }
    }

    /// Spawns a child for each item for that task, and does with them what is to be done at once.
    pub(crate) fn each_for(
        self,
        by: &'w Task,
        most: Option<usize>,
        items: &'w [Task],
        joins: Joins,
    ) -> Result<u64, Failure<Fault>> {
        let mut many = self.many(by, most, items, joins);
        let _waits = self.waits(joins, ids(items));
        let (then, asked, is_in_order) = joins.fate.of_many(most);
        let mut sum = 0;
        for nth in 0..asked {
            let from = self.world.now();
            let (at, result) = match catch_unwind(AssertUnwindSafe(|| many.ended.next())) {
                Ok(None) => {
                    self.check_end(nth, many.pulled.get(), most, items);
                    break;
                }
                // By turns, those that have panicked are not numbered.
                Ok(Some((at, result))) => (Some(if is_in_order { nth } else { at }), Ok(result)),
                Err(payload) => (is_in_order.then_some(nth), Err(payload)),
            };
            let pulled = many.pulled.get();
            if most.is_some_and(|most| pulled > nth + most.max(1)) {
                self.world
                    .blame(format!("S8: {pulled} items were taken for value {nth}"));
            }
            let child = at.filter(|at| *at < pulled);
            let child = child.map(|at| items[at].id);
            let told = self.joined(by, from, child, result, then);
            let told = told.map_err(|stop| stop.0)?;
            // In whatever order they came.
            sum = if is_in_order { mix(sum, told) } else { 0 };
        }
        if joins.fate == Fate::Forgotten && most.is_some() {
            // All but the one that was joined.
            let spawned = &items[..many.pulled.get()];
            self.note_forgotten(by, spawned.get(asked..).unwrap_or_default());
            mem::forget(many.ended);
        }
        Ok(sum)
    }
}

/// Of these tasks, and of what is in them.
fn ids(items: &[Task]) -> RangeInclusive<usize> {
    let ends = items.first().zip(items.last());
    ends.map_or(0..=0, |(first, last)| first.id..=last.last)
}

fn by_turns<'s, T>(
    children: Children<'s, T>,
    fate: Fate,
    ended: impl Fn((usize, T)) -> (usize, Ended) + 's,
) -> Box<dyn Iterator<Item = (usize, Ended)> + 's>
where
    T: 's,
{
    match fate {
        Fate::FirstEnded(_) => Box::new(children.by_completion().map(ended)),
        Fate::Forgotten => {
            mem::forget(children);
            Box::new(std::iter::empty())
        }
        _ => Box::new(children.enumerate().map(ended)),
    }
}
