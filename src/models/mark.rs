//! Cancelling nurseries: nobody who knows of it is told otherwise, and the first reason stays.

use std::time::Instant;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::within_bounds;
use crate::engine::epoch::{Epoch, Switch};
use crate::engine::mark::{self, Cancellable, Mark};

const REQUESTED: u8 = 1;
const TOKEN: u8 = 2;
const FAILED: u8 = 4;

/// A nursery, and whether it heeds the token.
struct Nursery {
    mark: Mark,
    outer: Option<Arc<Nursery>>,
    token: Option<Arc<Switch>>,
}

impl Cancellable for Nursery {
    fn mark(&self) -> &Mark {
        &self.mark
    }

    fn outer(&self) -> Option<&Self> {
        self.outer.as_deref()
    }

    fn broken(&self) -> Option<(u8, Option<Instant>)> {
        let token = self.token.as_ref()?;
        token.is_on().then_some((TOKEN, None))
    }

    fn since(&self, _reason: u8) -> Option<Instant> {
        None
    }

    fn is_unwatched(&self) -> bool {
        false
    }
}

fn nursery(outer: Option<&Arc<Nursery>>, token: Option<&Arc<Switch>>) -> Arc<Nursery> {
    Arc::new(Nursery {
        mark: Mark::new(),
        outer: outer.cloned(),
        token: token.cloned(),
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
        let inner = nursery(Some(&outer), None);
        let canceller = {
            let (epoch, outer, is_known) = (epoch.clone(), outer.clone(), is_known.clone());
            thread::spawn(move || {
                assert!(mark::cancel(&*outer, &epoch, REQUESTED, 0));
                is_known.store(true, Ordering::Release);
            })
        };
        let sibling = {
            let (epoch, outer) = (epoch.clone(), outer.clone());
            // One that finds the outer one clean, on which the inner one relies then.
            thread::spawn(move || is_cancelled(&outer, &epoch))
        };
        is_cancelled(&inner, &epoch);
        if is_known.load(Ordering::Acquire) {
            assert!(is_cancelled(&inner, &epoch));
        }
        canceller.join().unwrap();
        sibling.join().unwrap();
        assert!(is_cancelled(&inner, &epoch));
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
    within_bounds(|| {
        let epoch = Arc::new(Epoch::new());
        let outer = nursery(None, None);
        let inner = nursery(Some(&outer), None);
        let others = [(outer, REQUESTED), (inner.clone(), FAILED)].map(|(nursery, reason)| {
            let epoch = epoch.clone();
            thread::spawn(move || mark::cancel(&*nursery, &epoch, reason, 0))
        });
        is_cancelled(&inner, &epoch);
        let [outer_is_first, inner_is_first] = others.map(|other| other.join().unwrap());
        let known = mark::look(&*inner, &epoch).unwrap();
        assert!(outer_is_first);
        assert_eq!(known.is_inherited, known.reason == REQUESTED);
        assert_eq!(inner_is_first, known.reason == FAILED);
    });
}
