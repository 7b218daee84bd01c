//! The life of a child whose nursery is cancelled: it is run or skipped, once.

use loom::sync::Arc;
use loom::thread;

use super::state::Record;
use super::{Memory, twins, within_bounds};
use crate::platform::sync::atomic::{AtomicBool, Ordering};
use crate::task::state::{Dropped, Finished, Outcome, Taken};

/// A child of a nursery that somebody cancels.
struct Cancellable {
    record: Arc<Record>,
    is_cancelled: AtomicBool,
    closure: Memory<bool>,
}

impl Cancellable {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            record: Record::new(),
            is_cancelled: AtomicBool::new(false),
            closure: Memory::new(true),
        })
    }

    /// What whoever has won the right to run does; how the child ends.
    fn run_or_skip(&self) -> Outcome {
        assert!(self.closure.read(), "consumed once");
        self.closure.write(false);
        let outcome = if self.is_cancelled.load(Ordering::Relaxed) {
            Outcome::Skipped
        } else {
            self.record.fill();
            Outcome::Done
        };
        match self.record.state.finish(outcome) {
            Finished::Left => {}
            Finished::Wake => self.record.spawner.unpark(),
            Finished::Abandoned => unreachable!("it is joined"),
        }
        outcome
    }

    fn take_and_run_or_skip(&self) -> Option<Outcome> {
        match self.record.state.take_from_queue() {
            Taken::Run => Some(self.run_or_skip()),
            Taken::Stale => None,
            Taken::StaleLast => {
                self.record.release();
                None
            }
        }
    }

    /// How the child has ended, for its joiner.
    fn join(&self) -> Outcome {
        let state = &self.record.state;
        let outcome = loop {
            if let Some(outcome) = state.outcome() {
                break outcome;
            }
            if state.ask_for_wake() {
                self.record.spawner.park();
            }
        };
        let is_filled = self.record.slot.read().is_some();
        assert_eq!(is_filled, outcome == Outcome::Done, "a value if it ran");
        if is_filled {
            self.record.empty();
        }
        if state.drop_handle() == Dropped::Last {
            self.record.release();
        }
        outcome
    }
}

/// A child, a thief that may take it, and a canceller.
fn contended() -> (
    Arc<Cancellable>,
    thread::JoinHandle<Option<Outcome>>,
    thread::JoinHandle<()>,
) {
    let child = Cancellable::new();
    let thief = {
        let child = Arc::clone(&child);
        thread::spawn(move || child.take_and_run_or_skip())
    };
    let canceller = {
        let child = Arc::clone(&child);
        thread::spawn(move || child.is_cancelled.store(true, Ordering::Relaxed))
    };
    (child, thief, canceller)
}

/// Thief, canceller and joiner.
#[test]
fn state_cancelled_child_runs_or_is_skipped() {
    within_bounds(|| {
        let (child, thief, canceller) = contended();
        let outcome = child.join();
        assert_eq!(thief.join().unwrap(), Some(outcome));
        canceller.join().unwrap();
        child.record.assert_released();
    });
}

/// The joiner claims the child if the thief has not, and a canceller comes between.
#[test]
fn state_cancelled_child_is_claimed_once() {
    within_bounds(|| {
        let (child, thief, canceller) = contended();
        let claimed = child.record.state.claim_by_handle();
        let own = claimed.then(|| child.run_or_skip());
        let outcome = child.join();
        let stolen = thief.join().unwrap();
        assert_eq!(own.or(stolen), Some(outcome));
        assert!(own.is_none() || stolen.is_none(), "run once");
        canceller.join().unwrap();
        child.record.assert_released();
    });
}

twins! {
    state_cancelled_child_runs_or_is_skipped {
        the_end_is_said_before_the_result_is_there: relaxed("task/state.rs", "set_unless_alone", "fetch_or") => Race;
        the_wish_to_be_told_undoes_the_end: split("task/state.rs", "set", "fetch_or") => Deadlock;
    }
    state_cancelled_child_is_claimed_once {
        two_claims_are_won: split("task/state.rs", "set_unless_alone", "fetch_or") => Race;
    }
}
