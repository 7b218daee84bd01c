//! Cancelling nurseries: nobody who knows of it is told otherwise, and the first reason stays.

use std::time::Instant;

use crate::platform::sync::atomic::{AtomicBool, Ordering};
use loom::sync::Arc;
use loom::thread;

use super::harness::within;
use super::{Memory, exhaustively, twins, within_bounds};
use crate::platform::planted;
use crate::protocol::epoch::{Epoch, Switch};
use crate::protocol::mark::{self, Cancellable, Mark};

const REQUESTED: u8 = 1;
const TOKEN: u8 = 2;
const DEADLINE: u8 = 3;
const FAILED: u8 = 4;

/// A nursery, and whether it heeds the token.
struct Nursery {
    mark: Mark,
    outer: Option<Arc<Nursery>>,
    token: Option<Arc<Switch>>,
    /// Whether its deadline has passed.
    is_due: AtomicBool,
}

impl Cancellable for Nursery {
    fn mark(&self) -> &Mark {
        &self.mark
    }

    fn outer(&self) -> Option<&Self> {
        self.outer.as_deref()
    }

    fn broken(&self) -> Option<(u8, Option<Instant>)> {
        if self.is_due.load(Ordering::Relaxed) {
            return Some((DEADLINE, None));
        }
        let token = self.token.as_ref()?;
        token.is_on().then_some((TOKEN, None))
    }

    const DEADLINE: u8 = DEADLINE;

    fn since(&self) -> Option<Instant> {
        None
    }

    fn note_since(&self, _since: Instant) {}

    fn is_unwatched(&self) -> bool {
        false
    }
}

fn nursery(outer: Option<&Arc<Nursery>>, token: Option<&Arc<Switch>>) -> Arc<Nursery> {
    Arc::new(Nursery {
        mark: Mark::new(),
        outer: outer.cloned(),
        token: token.cloned(),
        is_due: AtomicBool::new(false),
    })
}

/// What whoever asks does.
fn is_cancelled(nursery: &Nursery, epoch: &Epoch) -> bool {
    !nursery.mark.is_known_clean(epoch) && mark::look(nursery, epoch).is_some()
}

#[test]
fn mark_whoever_knows_of_a_cancellation_further_out_is_told_of_it() {
    within_bounds(|| {
        let epoch = Arc::new(Epoch::new());
        let is_known = Arc::new(AtomicBool::new(false));
        let outer = nursery(None, None);
        let middle = nursery(Some(&outer), None);
        let inner = nursery(Some(&middle), None);
        assert!(!is_cancelled(&inner, &epoch));
        let canceller = {
            let (epoch, is_known) = (epoch.clone(), is_known.clone());
            thread::spawn(move || {
                assert!(mark::cancel(&*outer, &epoch, REQUESTED, 0));
                is_known.store(true, Ordering::Release);
            })
        };
        let sibling = {
            let epoch = epoch.clone();
            // One that may find those around clean, on which the inner one relies then.
            thread::spawn(move || is_cancelled(&middle, &epoch))
        };
        if is_known.load(Ordering::Acquire) {
            assert!(is_cancelled(&inner, &epoch), "told of it");
        }
        canceller.join().unwrap();
        sibling.join().unwrap();
        assert!(is_cancelled(&inner, &epoch), "told of it");
    });
}

/// The nursery around was found clean by the one that is inside, which does not look there again.
#[test]
fn mark_whoever_is_told_finds_those_further_in_cancelled() {
    exhaustively(|| {
        let epoch = Arc::new(Epoch::new());
        let outer = nursery(None, None);
        let inner = nursery(Some(&outer), None);
        assert!(!is_cancelled(&inner, &epoch));
        let cause = Arc::new(Memory::new(0));
        let canceller = {
            let (epoch, outer, cause) = (epoch.clone(), outer.clone(), cause.clone());
            thread::spawn(move || {
                cause.write(1);
                mark::cancel(&*outer, &epoch, REQUESTED, 0)
            })
        };
        if is_cancelled(&outer, &epoch) {
            assert_eq!(cause.read(), 1);
            assert!(is_cancelled(&inner, &epoch), "the inner one, too");
        }
        assert!(canceller.join().unwrap());
    });
}

/// The same, told by way of another nursery inside.
#[test]
fn mark_whoever_is_told_further_in_finds_those_beside_cancelled() {
    exhaustively(|| {
        let epoch = Arc::new(Epoch::new());
        let outer = nursery(None, None);
        let [inner, beside] = [(); 2].map(|()| nursery(Some(&outer), None));
        assert!(!is_cancelled(&inner, &epoch));
        let canceller = {
            let (epoch, outer) = (epoch.clone(), outer.clone());
            thread::spawn(move || mark::cancel(&*outer, &epoch, REQUESTED, 0))
        };
        if is_cancelled(&beside, &epoch) {
            assert!(is_cancelled(&inner, &epoch), "the other one, too");
        }
        assert!(canceller.join().unwrap());
    });
}

/// A token that is turned on while somebody looks is seen the next time at the latest.
#[test]
fn mark_a_look_at_the_present_epoch_has_seen_the_token() {
    exhaustively(|| {
        let epoch = Arc::new(Epoch::new());
        let token = Arc::new(Switch::default());
        let nursery = nursery(None, Some(&token));
        let cause = Arc::new(Memory::new(0));
        let other = {
            let (epoch, token, cause) = (epoch.clone(), token.clone(), cause.clone());
            thread::spawn(move || {
                cause.write(1);
                assert!(token.turn_on(&epoch));
            })
        };
        if is_cancelled(&nursery, &epoch) {
            assert_eq!(cause.read(), 1);
        }
        other.join().unwrap();
        assert!(is_cancelled(&nursery, &epoch), "seen at last");
    });
}

/// Two tokens: who has seen the epoch of the second has seen the first one, too.
#[test]
fn mark_a_later_epoch_answers_for_an_earlier_one() {
    within_bounds(|| {
        let epoch = Arc::new(Epoch::new());
        let tokens = [(); 2].map(|()| Arc::new(Switch::default()));
        let nursery = nursery(None, Some(&tokens[0]));
        let others = tokens.map(|token| {
            let epoch = epoch.clone();
            thread::spawn(move || token.turn_on(&epoch))
        });
        is_cancelled(&nursery, &epoch);
        for other in others {
            assert!(other.join().unwrap());
        }
        assert!(is_cancelled(&nursery, &epoch), "seen at last");
    });
}

/// Who fails has found those around clean, and notes that they still are, while one of them is cancelled.
#[test]
fn mark_who_fails_hides_no_cancellation_further_out() {
    within_bounds(|| {
        let epoch = Arc::new(Epoch::new());
        let is_known = Arc::new(AtomicBool::new(false));
        let outer = nursery(None, None);
        let middle = nursery(Some(&outer), None);
        let inner = nursery(Some(&middle), None);
        assert!(!is_cancelled(&inner, &epoch));
        let canceller = {
            let (epoch, is_known) = (epoch.clone(), is_known.clone());
            thread::spawn(move || {
                assert!(mark::cancel(&*outer, &epoch, REQUESTED, 0));
                is_known.store(true, Ordering::Release);
            })
        };
        let failing = {
            let epoch = epoch.clone();
            thread::spawn(move || mark::cancel(&*inner, &epoch, FAILED, 0))
        };
        if is_known.load(Ordering::Acquire) {
            assert!(is_cancelled(&middle, &epoch), "told of it");
        }
        canceller.join().unwrap();
        failing.join().unwrap();
        assert!(is_cancelled(&middle, &epoch), "told of it");
    });
}

/// A nursery learns of it by a look of one further in, and one beside that one has been found clean.
#[test]
fn mark_who_is_told_between_finds_those_further_in_cancelled() {
    within_bounds(|| {
        let epoch = Arc::new(Epoch::new());
        let outer = nursery(None, None);
        let middle = nursery(Some(&outer), None);
        let [inner, beside] = [(); 2].map(|()| nursery(Some(&middle), None));
        assert!(!is_cancelled(&inner, &epoch));
        assert!(!is_cancelled(&beside, &epoch));
        let other = {
            let epoch = epoch.clone();
            thread::spawn(move || {
                assert!(mark::cancel(&*outer, &epoch, REQUESTED, 0));
                assert!(is_cancelled(&inner, &epoch), "the inner one");
            })
        };
        if is_cancelled(&middle, &epoch) {
            let known = middle.mark.known().expect("it is told");
            assert_eq!((known.reason, known.is_inherited), (REQUESTED, true));
            assert!(is_cancelled(&beside, &epoch), "the one beside, too");
        }
        other.join().unwrap();
    });
}

/// What moves it mirrors `Scope::set_deadline`.
#[test]
fn mark_a_deadline_that_was_moved_is_seen() {
    exhaustively(|| {
        let epoch = Arc::new(Epoch::new());
        let is_moved = Arc::new(AtomicBool::new(false));
        let nursery = nursery(None, None);
        let other = {
            let (epoch, nursery) = (epoch.clone(), nursery.clone());
            let is_moved = is_moved.clone();
            thread::spawn(move || {
                let is_early = planted::step("the epoch advances before the deadline is moved");
                if is_early {
                    epoch.advance();
                }
                nursery.is_due.store(true, Ordering::Relaxed);
                if !is_early {
                    epoch.advance();
                }
                is_moved.store(true, Ordering::Release);
            })
        };
        is_cancelled(&nursery, &epoch);
        if is_moved.load(Ordering::Acquire) {
            assert!(is_cancelled(&nursery, &epoch), "it has passed");
        }
        other.join().unwrap();
        assert!(is_cancelled(&nursery, &epoch), "it has passed");
    });
}

#[test]
fn mark_what_led_to_it_is_seen_by_whoever_is_told() {
    exhaustively(|| {
        let epoch = Arc::new(Epoch::new());
        let outer = nursery(None, None);
        let inner = nursery(Some(&outer), None);
        let cause = Arc::new(Memory::new(0));
        let canceller = {
            let (epoch, outer, cause) = (epoch.clone(), outer.clone(), cause.clone());
            thread::spawn(move || {
                cause.write(1);
                assert!(mark::cancel(&*outer, &epoch, REQUESTED, 0));
            })
        };
        if is_cancelled(&inner, &epoch) {
            assert_eq!(cause.read(), 1);
        }
        canceller.join().unwrap();
        assert!(is_cancelled(&inner, &epoch), "seen at last");
    });
}

#[test]
fn mark_one_of_two_reasons_is_the_first_and_stays() {
    // Not to the end, which takes hours.
    within(4, || {
        let epoch = Arc::new(Epoch::new());
        let nursery = nursery(None, None);
        let other = {
            let (epoch, nursery) = (epoch.clone(), nursery.clone());
            thread::spawn(move || mark::cancel(&*nursery, &epoch, FAILED, mark::SKIPS))
        };
        let is_first = mark::cancel(&*nursery, &epoch, REQUESTED, 0);
        assert_ne!(is_first, other.join().unwrap(), "exactly one is the first");
        let expected = if is_first { REQUESTED } else { FAILED };
        assert_eq!(nursery.mark.known().unwrap().reason, expected, "it stays");
        assert!(nursery.mark.has(mark::SKIPS), "flags are set in any case");
    });
}

/// A flag that comes while a reason does.
#[test]
fn mark_a_flag_and_a_reason_do_not_undo_each_other() {
    exhaustively(|| {
        let epoch = Arc::new(Epoch::new());
        let nursery = nursery(None, None);
        let cause = Arc::new(Memory::new(0));
        let other = {
            let (nursery, cause) = (nursery.clone(), cause.clone());
            thread::spawn(move || {
                cause.write(1);
                nursery.mark.add(mark::FAILED);
            })
        };
        assert!(mark::cancel(&*nursery, &epoch, REQUESTED, 0));
        if nursery.mark.has(mark::FAILED) {
            assert_eq!(cause.read(), 1);
        }
        other.join().unwrap();
        let known = nursery.mark.known().expect("the reason is there");
        assert_eq!(known.reason, REQUESTED);
        assert!(nursery.mark.has(mark::FAILED), "the flag is there");
    });
}

#[test]
fn mark_whoever_has_turned_the_token_on_first_or_not_knows_of_it() {
    within_bounds(|| {
        let epoch = Arc::new(Epoch::new());
        let token = Arc::new(Switch::default());
        let nursery = nursery(None, Some(&token));
        let other = {
            let (epoch, token) = (epoch.clone(), token.clone());
            thread::spawn(move || token.turn_on(&epoch))
        };
        is_cancelled(&nursery, &epoch);
        let is_first = token.turn_on(&epoch);
        assert!(is_cancelled(&nursery, &epoch));
        assert_ne!(is_first, other.join().unwrap(), "exactly one is the first");
    });
}

#[test]
fn mark_a_reason_is_inherited_if_and_only_if_it_is_that_of_another_one() {
    // Not to the end, which takes hours.
    within(4, || {
        let epoch = Arc::new(Epoch::new());
        let outer = nursery(None, None);
        let inner = nursery(Some(&outer), None);
        let other = {
            let (epoch, inner) = (epoch.clone(), inner.clone());
            thread::spawn(move || {
                assert!(mark::cancel(&*outer, &epoch, REQUESTED, 0));
                is_cancelled(&inner, &epoch)
            })
        };
        let inner_is_first = mark::cancel(&*inner, &epoch, FAILED, 0);
        assert!(other.join().unwrap());
        let known = mark::look(&*inner, &epoch).unwrap();
        assert_eq!(known.is_inherited, known.reason == REQUESTED);
        assert_eq!(inner_is_first, known.reason == FAILED);
    });
}

twins! {
    mark_whoever_is_told_finds_those_further_in_cancelled {
        the_state_is_read_without_its_cause: relaxed("protocol/mark.rs", "state", "load") => Race;
        who_cancels_has_not_spread_it_before: relaxed("protocol/mark.rs", "spread", "load") => Says("the inner one, too");
        it_is_said_to_be_spread_too_early: relaxed("protocol/mark.rs", "spread", "store") => Says("the inner one, too");
    }
    mark_whoever_is_told_further_in_finds_those_beside_cancelled {
        it_is_said_to_be_spread_too_early: relaxed("protocol/mark.rs", "spread", "store") => Says("the other one, too");
    }
    mark_a_look_at_the_present_epoch_has_seen_the_token {
        the_number_is_read_without_what_came_before: relaxed("protocol/epoch.rs", "now", "load") => Says("seen at last");
        it_advances_without_what_came_before: relaxed("protocol/epoch.rs", "advance", "fetch_add") => Says("seen at last");
        the_token_is_seen_without_its_cause: relaxed("protocol/epoch.rs", "is_on", "load") => Race;
        the_token_is_on_without_its_cause: relaxed("protocol/epoch.rs", "turn_on", "swap") => Race;
    }
    mark_a_later_epoch_answers_for_an_earlier_one {
        two_advances_are_one: split("protocol/epoch.rs", "advance", "fetch_add") => Says("seen at last");
    }
    mark_who_fails_hides_no_cancellation_further_out {
        two_advances_are_one: split("protocol/epoch.rs", "advance", "fetch_add") => Says("told of it");
    }
    mark_who_is_told_between_finds_those_further_in_cancelled {
        the_epoch_does_not_advance: skipped("protocol/epoch.rs", "advance", "fetch_add") => Says("the inner one");
    }
    mark_a_deadline_that_was_moved_is_seen {
        it_is_moved_too_late: step("the epoch advances before the deadline is moved") => Says("it has passed");
        the_epoch_does_not_advance: skipped("protocol/epoch.rs", "advance", "fetch_add") => Says("it has passed");
        the_number_is_read_without_what_came_before: relaxed("protocol/epoch.rs", "now", "load") => Says("it has passed");
    }
    mark_what_led_to_it_is_seen_by_whoever_is_told {
        the_reason_is_set_without_its_cause: relaxed("protocol/mark.rs", "set", "fetch_update") => Race;
    }
    mark_one_of_two_reasons_is_the_first_and_stays {
        both_are_the_first: split("protocol/mark.rs", "set", "fetch_update") => Says("the first");
    }
    mark_a_flag_and_a_reason_do_not_undo_each_other {
        the_reason_undoes_the_flag: split("protocol/mark.rs", "add", "fetch_or") => Says("the flag is there");
        the_flag_undoes_the_reason: split("protocol/mark.rs", "set", "fetch_update") => Says("the reason is there");
        the_flag_comes_without_its_cause: relaxed("protocol/mark.rs", "add", "fetch_or") => Race;
    }
    mark_whoever_knows_of_a_cancellation_further_out_is_told_of_it {
        the_epoch_does_not_advance: skipped("protocol/epoch.rs", "advance", "fetch_add") => Says("told of it");
        the_number_is_read_without_what_came_before: relaxed("protocol/epoch.rs", "now", "load") => Says("told of it");
    }
    mark_whoever_has_turned_the_token_on_first_or_not_knows_of_it {
        the_epoch_does_not_advance: skipped("protocol/epoch.rs", "advance", "fetch_add") => Says("is_cancelled");
        both_are_the_first: split("protocol/epoch.rs", "turn_on", "swap") => Says("exactly one is the first");
    }
    mark_a_reason_is_inherited_if_and_only_if_it_is_that_of_another_one {
        a_reason_is_set_over_another: split("protocol/mark.rs", "set", "fetch_update") => Says("left");
    }
}
