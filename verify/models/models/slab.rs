//! Batches: whoever runs a half of one leaves its values where those who take them look.
//!
//! The memory of the batch is no part of the models, but what its items do is. The halves are handed over
//! as those of a fork: by the count of a nursery and the parker of its home.

use std::panic::resume_unwind;
use std::sync::Arc as Plain;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::sync::Arc;
use loom::sync::Mutex;
use loom::thread;

use super::{Memory, beside, exhaustively, twins, within_bounds};
use crate::platform::parker::Parker;
use crate::platform::planted;
use crate::protocol::count::Count;
use crate::task::completion::Completion;
use crate::task::growing::{Filled, Growing};
use crate::task::slab::{Done, Stretch, Values};
use crate::task::state::{Finished, Outcome, State, Taken};

const ITEMS: usize = 4;

/// Counts how often it is dropped.
struct Item(usize, Plain<Ledger>);

/// A value of the size of an item, and one of another size.
type Same = Item;
type Large = (Item, [u8; 24]);

#[derive(Default)]
struct Ledger {
    drops: [AtomicUsize; ITEMS],
}

impl Drop for Item {
    fn drop(&mut self) {
        self.1.drops[self.0].fetch_add(1, Ordering::Relaxed);
    }
}

impl Ledger {
    fn items<T>(ledger: &Plain<Self>) -> Growing<Item, T> {
        let item = |number| Item(number, ledger.clone());
        let (mut items, _tail) = Growing::of(item(0), 4);
        let filled = items.fill(&mut (1..ITEMS).map(item));
        assert!(matches!(filled, Filled::Full));
        items
    }

    fn assert_all_dropped_once(&self) {
        let drops = self.drops.each_ref().map(|n| n.load(Ordering::Relaxed));
        assert_eq!(drops, [1; ITEMS], "each is dropped once");
    }
}

/// Runs all items, one after the other, as `Piece::run_in` does; `skips` says which are not run.
fn run<'brand, T>(
    mut stretch: Stretch<'brand, Item, T>,
    skips: impl Fn(u32) -> bool,
    f: &impl Fn(Item) -> T,
) -> Done<'brand> {
    while stretch.len() > 0 {
        if skips(stretch.len()) {
            assert!(stretch.skip());
        } else {
            stretch.run(f, || false);
        }
    }
    stretch.finish()
}

/// Runs a batch of which another thread takes the second half, and whose items say that they were run.
fn run_in_two<T>(
    mut items: Growing<Item, T>,
    skips: impl Fn(u32) -> bool + Copy,
    f: impl Fn(Item) -> T,
) -> Values<T> {
    let marks: [Memory<bool>; ITEMS] = std::array::from_fn(|_| Memory::new(false));
    let f = |item: Item| {
        marks[item.0].write(true);
        f(item)
    };
    let (count, home) = (Count::new(), Parker::new());
    items.run(|stretch| {
        let other = Mutex::new(None);
        let (left, right) = stretch.split();
        count.add(1);
        let thief = || {
            let done = run(right, skips, &f);
            *other.lock().unwrap() = Some(done);
            if count.release() {
                home.unpark();
            }
        };
        let here = || {
            let left = run(left, |_| false, &f);
            while !count.is_zero() {
                home.park();
            }
            // Nothing else orders these.
            let are_run = marks.each_ref().map(Memory::read);
            let right = other.lock().unwrap().take().expect("it is done");
            let number = are_run.iter().filter(|is_run| **is_run).count();
            (left.then(right), number)
        };
        let (done, number) = beside(thief, here);
        assert!(number >= ITEMS / 2, "the first half is run");
        done
    })
}

#[test]
fn slab_values_lie_in_the_places_of_their_items() {
    exhaustively(|| {
        let ledger = Plain::new(Ledger::default());
        let mut values = run_in_two::<Same>(Ledger::items(&ledger), |_| false, |item| item);
        for number in 0..ITEMS {
            assert_eq!(values.pop().map(|value| value.0), Some(number), "in order");
        }
        assert!(values.pop().is_none());
        ledger.assert_all_dropped_once();
    });
}

#[test]
fn slab_values_lie_apart_in_the_order_of_their_items() {
    exhaustively(|| {
        let ledger = Plain::new(Ledger::default());
        let mut values =
            run_in_two::<Large>(Ledger::items(&ledger), |_| false, |item| (item, [7; 24]));
        for number in 0..2 {
            assert_eq!(
                values.pop().map(|value| value.0.0),
                Some(number),
                "in order"
            );
        }
        // Nobody takes the others.
        drop(values);
        ledger.assert_all_dropped_once();
    });
}

#[test]
fn slab_items_without_a_value_leave_gaps_in_their_places() {
    exhaustively(|| {
        let ledger = Plain::new(Ledger::default());
        // Item 1 panics here, and item 2 there; item 3 is skipped.
        let mut values = run_in_two::<Same>(
            Ledger::items(&ledger),
            |left| left == 1,
            |item| match item.0 {
                1 | 2 => resume_unwind(Box::new(item.0)),
                _ => item,
            },
        );
        let mut next = || values.next().expect("one for each");
        assert!(matches!(next(), Completion::Done(Item(0, _))), "a value");
        for number in [1_usize, 2] {
            let Completion::Panicked(payload) = next() else {
                unreachable!("it has panicked");
            };
            assert_eq!(payload.downcast_ref(), Some(&number), "its own panic");
        }
        assert!(matches!(next(), Completion::Skipped), "skipped");
        ledger.assert_all_dropped_once();
    });
}

/// Two batches that other threads run, and the home, which takes the one that ends first.
struct Batches {
    states: [State; 2],
    values: [Memory<u32>; 2],
    home: Parker,
}

impl Batches {
    /// What `take_ended` and `wait_for_any` do.
    fn find_ended(&self, joined: &[usize]) -> usize {
        let rest = || (0..2).filter(|at| !joined.contains(at));
        loop {
            if let Some(ended) = rest().find(|at| self.states[*at].outcome().is_some()) {
                return ended;
            }
            let ask = |at: usize| planted::step("does not ask") || self.states[at].ask_for_wake();
            if rest().all(ask) {
                self.home.park();
            }
        }
    }
}

#[test]
fn slab_a_batch_that_has_ended_is_found() {
    within_bounds(|| {
        let batches = Arc::new(Batches {
            states: [State::new(), State::new()],
            values: [Memory::new(0), Memory::new(0)],
            home: Parker::new(),
        });
        for state in &batches.states {
            state.share();
            assert!(matches!(state.take_from_queue(), Taken::Run));
        }
        let others = [0, 1].map(|at| {
            let batches = Arc::clone(&batches);
            thread::spawn(move || {
                batches.values[at].write(7);
                if matches!(batches.states[at].finish(Outcome::Done), Finished::Wake) {
                    batches.home.unpark();
                }
            })
        });
        let mut joined = Vec::new();
        while joined.len() < 2 {
            let next = batches.find_ended(&joined);
            assert_eq!(batches.values[next].read(), 7, "the values are there");
            joined.push(next);
        }
        for other in others {
            other.join().unwrap();
        }
    });
}

twins! {
    slab_values_lie_in_the_places_of_their_items {
        what_is_done_there_is_not_published: relaxed("protocol/count.rs", "release", "fetch_sub") => Race;
    }
    slab_values_lie_apart_in_the_order_of_their_items {
        what_is_done_there_is_not_seen: relaxed("protocol/count.rs", "get", "load") => Race;
    }
    slab_items_without_a_value_leave_gaps_in_their_places {
        what_is_done_there_is_not_published: relaxed("protocol/count.rs", "release", "fetch_sub") => Race;
    }
    slab_a_batch_that_has_ended_is_found {
        the_values_are_not_published: relaxed("task/state.rs", "set_unless_alone", "fetch_or") => Race;
        nobody_is_asked: step("does not ask") => Deadlock;
        the_values_are_not_acquired: relaxed("task/state.rs", "outcome", "load") => Race;
    }
}
