//! What children of a partial nursery leave: nothing is lost, and whoever learns of a failure finds its
//! nursery cancelled.
//!
//! What children do here mirrors `TryNursery::run_child` and `failed`, `Scope::fail`, and
//! `Collected::dispose`; what the home does mirrors `try_nursery::open` and `Left::settle`.

use std::time::Instant;

use loom::sync::Arc;
use loom::thread;

use super::harness::within;
use super::{Memory, exhaustively, twins, within_bounds};
use crate::platform::parker::Parker;
use crate::platform::planted;
use crate::protocol::count::Count;
use crate::protocol::epoch::Epoch;
use crate::protocol::mark::{self, Cancellable, FAILED, Mark};
use crate::protocol::nursery_id::{LazyNurseryId, NurseryId};
use crate::protocol::remains::Remains;
use crate::task::state::{Finished, Outcome, State, Taken};

const CHILD_FAILED: u8 = 4;

/// Of which child, and of which nursery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failure {
    child: u32,
    nursery: NurseryId,
}

struct Nursery<F = Failure> {
    mark: Mark,
    epoch: Epoch,
    remains: Remains<'static, F, u32>,
    serial: LazyNurseryId,
    count: Count,
    home: Parker,
    /// What a handle takes.
    state: State,
    slot: Memory<Option<Failure>>,
}

impl<F> Cancellable for Nursery<F> {
    fn mark(&self) -> &Mark {
        &self.mark
    }

    fn outer(&self) -> Option<&Self> {
        None
    }

    fn broken(&self) -> Option<(u8, Option<Instant>)> {
        None
    }

    const DEADLINE: u8 = u8::MAX;

    fn since(&self) -> Option<Instant> {
        None
    }

    fn note_since(&self, _since: Instant) {}

    fn is_unwatched(&self) -> bool {
        false
    }
}

impl<F> Nursery<F> {
    fn with_children(children: usize) -> Arc<Self> {
        let nursery = Self {
            mark: Mark::new(),
            epoch: Epoch::new(),
            remains: Remains::new(),
            serial: LazyNurseryId::new(),
            count: Count::new(),
            home: Parker::new(),
            state: State::new(),
            slot: Memory::new(None),
        };
        nursery.count.add(children);
        nursery.state.share();
        Arc::new(nursery)
    }

    fn is_cancelled(&self) -> bool {
        !self.mark.is_known_clean(&self.epoch) && mark::look(self, &self.epoch).is_some()
    }

    fn failure(&self, child: u32) -> Failure {
        let nursery = self.serial.get();
        Failure { child, nursery }
    }

    /// Cancels for a failure; true if it was not cancelled before.
    fn fail(&self) -> bool {
        self.mark.add(FAILED);
        mark::cancel(self, &self.epoch, CHILD_FAILED, 0)
    }

    fn leave(&self, failure: F) {
        self.remains.add(|left| left.failures.push(failure));
    }

    fn release(&self) {
        if self.count.release() {
            self.home.unpark();
        }
    }

    fn wait(&self) {
        while !self.count.is_zero() {
            self.home.park();
        }
    }
}

#[test]
fn failures_of_several_at_once_are_all_there_at_the_end() {
    within_bounds(|| {
        let nursery = Nursery::with_children(2);
        let others = [0, 1].map(|child| {
            let nursery = Arc::clone(&nursery);
            thread::spawn(move || {
                let failure = nursery.failure(child);
                let is_early = planted::step("counts as ended before it has left its failure");
                if is_early {
                    nursery.release();
                }
                nursery.leave(failure);
                if !is_early {
                    nursery.release();
                }
            })
        });
        nursery.wait();
        let mut left = nursery.remains.take();
        left.failures.sort_by_key(|failure| failure.child);
        let children: Vec<_> = left.failures.iter().map(|failure| failure.child).collect();
        assert_eq!(children, [0, 1], "all have left what they had");
        let is_one = left.failures[0].nursery == left.failures[1].nursery;
        assert!(is_one, "of one nursery");
        for other in others {
            other.join().unwrap();
        }
    });
}

/// The cause is the one that says it has cancelled the nursery.
#[test]
fn failures_of_several_at_once_have_one_cause() {
    // Not to the end, which takes hours.
    within(3, || {
        let nursery = Nursery::<Failure>::with_children(2);
        let fail = |nursery: &Nursery| {
            let was_cancelled = nursery.mark.known().is_some();
            match planted::step("looks whether it is cancelled before it cancels") {
                true => nursery.fail() || !was_cancelled,
                false => nursery.fail(),
            }
        };
        let other = {
            let nursery = Arc::clone(&nursery);
            thread::spawn(move || fail(&nursery))
        };
        let has_cancelled = fail(&nursery);
        let has_other = other.join().unwrap();
        assert_ne!(has_cancelled, has_other, "one cause");
    });
}

/// Of errors of children that ask, those are consequences whose children were told; the first one
/// never is.
#[test]
fn failures_have_a_first_one_that_is_no_consequence() {
    within_bounds(|| {
        let nursery = Nursery::with_children(2);
        let run = |nursery: &Nursery<()>| {
            // No nursery is around this one, nor a token: there is nothing else to look at.
            let was_told = nursery.mark.known().is_some();
            let is_late = planted::step("looks whether it was told after it has failed");
            if is_late {
                nursery.fail();
            }
            if was_told || is_late {
                nursery.remains.note_cancelled();
                nursery.remains.add(|left| left.late.push(()));
            } else {
                nursery.fail();
                nursery.remains.add(|left| left.failures.push(()));
            }
        };
        let others = [(); 2].map(|()| {
            let nursery = Arc::clone(&nursery);
            thread::spawn(move || run(&nursery))
        });
        for other in others {
            other.join().unwrap();
        }
        let left = nursery.remains.take();
        assert!(!left.failures.is_empty(), "a failure without a cause");
        assert_eq!(left.failures.len() + left.late.len(), 2, "none is lost");
        let are_some_cancelled = nursery.remains.are_some_cancelled();
        assert_eq!(
            are_some_cancelled,
            !left.late.is_empty(),
            "said of the late"
        );
        assert!(nursery.is_cancelled() && nursery.mark.has(FAILED));
    });
}

/// A sibling that takes what others have left so far, or a joiner, knows of the cancellation.
#[test]
fn failures_are_seen_in_a_cancelled_nursery_only() {
    exhaustively(|| {
        let nursery = Nursery::with_children(1);
        let child = {
            let nursery = Arc::clone(&nursery);
            thread::spawn(move || {
                let failure = nursery.failure(0);
                let is_late = planted::step("leaves its failure before it cancels");
                if is_late {
                    nursery.leave(failure);
                }
                nursery.fail();
                if !is_late {
                    nursery.leave(failure);
                }
                nursery.release();
            })
        };
        if nursery.remains.take().failures.is_empty() {
            nursery.wait();
            assert_eq!(nursery.remains.take().failures.len(), 1, "left at the end");
        } else {
            assert!(nursery.is_cancelled(), "the siblings know first");
        }
        child.join().unwrap();
    });
}

#[test]
fn failures_that_are_joined_are_seen_in_a_cancelled_nursery_only() {
    exhaustively(|| {
        let nursery = Nursery::<Failure>::with_children(1);
        let child = {
            let nursery = Arc::clone(&nursery);
            thread::spawn(move || {
                assert!(matches!(nursery.state.take_from_queue(), Taken::Run));
                let failure = nursery.failure(0);
                let is_late = planted::step("finishes before it cancels");
                if !is_late {
                    nursery.fail();
                }
                nursery.slot.write(Some(failure));
                if matches!(nursery.state.finish(Outcome::Done), Finished::Wake) {
                    nursery.home.unpark();
                }
                if is_late {
                    nursery.fail();
                }
                nursery.release();
            })
        };
        while nursery.state.outcome().is_none() {
            if nursery.state.ask_for_wake() {
                nursery.home.park();
            }
        }
        assert!(nursery.is_cancelled(), "the siblings know first");
        let failure = nursery.slot.read().expect("joined");
        assert!(failure.nursery == nursery.serial.get(), "of this nursery");
        nursery.wait();
        child.join().unwrap();
    });
}

twins! {
    failures_of_several_at_once_are_all_there_at_the_end {
        it_ends_too_early: step("counts as ended before it has left its failure")
            => Says("all have left what they had");
        two_serials_are_drawn: split("protocol/nursery_id.rs", "get", "compare_exchange") => Says("of one nursery");
    }
    failures_of_several_at_once_have_one_cause {
        several_find_it_not_cancelled: step("looks whether it is cancelled before it cancels") => Says("one cause");
        both_set_the_reason: split("protocol/mark.rs", "set", "fetch_update") => Says("one cause");
    }
    failures_have_a_first_one_that_is_no_consequence {
        its_own_failure_is_taken_for_another: step("looks whether it was told after it has failed")
            => Says("a failure without a cause");
        it_is_not_said_that_there_are_late_ones: skipped("protocol/remains.rs", "note_cancelled", "store")
            => Says("said of the late");
    }
    failures_are_seen_in_a_cancelled_nursery_only {
        it_cancels_too_late: step("leaves its failure before it cancels")
            => Says("the siblings know first");
    }
    failures_that_are_joined_are_seen_in_a_cancelled_nursery_only {
        it_cancels_too_late: step("finishes before it cancels") => Says("the siblings know first");
    }
}
