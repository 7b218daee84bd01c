//! Cancellation through three levels of nurseries, with a token further out.

use std::time::Instant;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::{Memory, exhaustively, twins, within_bounds};
use crate::platform::parker::Parker;
use crate::platform::planted;
use crate::protocol::count::Count;
use crate::protocol::epoch::{Epoch, Switch};
use crate::protocol::mark::{self, Cancellable, FAILED, Known, Mark};

const REQUESTED: u8 = 1;
const TOKEN: u8 = 2;
const CHILD_FAILED: u8 = 4;

/// A nursery that stands in a frame, and is gone when that ends.
struct Nursery {
    mark: Mark,
    outer: Option<Arc<Nursery>>,
    token: Option<Arc<Switch>>,
    is_gone: Memory<bool>,
    count: Count,
    home: Parker,
}

impl Nursery {
    fn new(outer: Option<&Arc<Self>>, token: Option<&Arc<Switch>>) -> Arc<Self> {
        Arc::new(Self {
            mark: Mark::new(),
            outer: outer.cloned(),
            token: token.cloned(),
            is_gone: Memory::new(false),
            count: Count::new(),
            home: Parker::new(),
        })
    }

    fn below(outer: &Arc<Self>) -> Arc<Self> {
        Self::new(Some(outer), None)
    }

    /// What a task that asks is told.
    fn ask(&self, epoch: &Epoch) -> Option<Known> {
        if self.mark().is_known_clean(epoch) {
            return None;
        }
        mark::look(self, epoch)
    }

    /// What a child does at its end.
    fn release(&self) {
        if self.count.release() {
            self.home.unpark();
        }
    }

    /// What the home does at the end.
    fn close(&self) {
        while !self.count.is_zero() {
            self.home.park();
        }
        self.is_gone.write(true);
    }
}

impl Cancellable for Nursery {
    fn mark(&self) -> &Mark {
        assert!(!self.is_gone.read(), "a nursery is looked at that is over");
        &self.mark
    }

    fn outer(&self) -> Option<&Self> {
        self.outer.as_deref()
    }

    fn broken(&self) -> Option<(u8, Option<Instant>)> {
        let token = self.token.as_ref()?;
        token.is_on().then_some((TOKEN, None))
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

#[test]
fn tree_whoever_is_first_gives_the_reason_to_all_below() {
    exhaustively(|| {
        let epoch = Arc::new(Epoch::new());
        let token = Arc::new(Switch::default());
        let outer = Nursery::new(None, Some(&token));
        let middle = Nursery::below(&outer);
        let inner = Nursery::below(&middle);
        let canceller = {
            let (epoch, middle) = (epoch.clone(), middle.clone());
            thread::spawn(move || mark::cancel(&*middle, &epoch, REQUESTED, 0))
        };
        token.turn_on(&epoch);
        let is_first = canceller.join().unwrap();
        let of_inner = inner.ask(&epoch).expect("told at last");
        assert!(of_inner.is_inherited, "nobody has cancelled the inner one");
        let of_middle = middle.ask(&epoch).expect("cancelled");
        let of_outer = outer.ask(&epoch).expect("its token is on");
        let known = |reason, is_inherited| Known {
            reason,
            is_inherited,
        };
        let expected = match is_first {
            true => known(REQUESTED, false),
            false => known(TOKEN, true),
        };
        assert_eq!(of_middle, expected, "of the middle one");
        assert_eq!(of_outer, known(TOKEN, false), "of the outer one");
        assert_eq!(of_inner.reason, expected.reason, "that of the first");
    });
}

/// A nursery that is opened while one around it is cancelled.
#[test]
fn tree_a_nursery_opened_meanwhile_is_cancelled_too() {
    exhaustively(|| {
        let epoch = Arc::new(Epoch::new());
        let outer = Nursery::new(None, None);
        let is_known = Arc::new(AtomicBool::new(false));
        let canceller = {
            let (epoch, outer, is_known) = (epoch.clone(), outer.clone(), is_known.clone());
            thread::spawn(move || {
                assert!(mark::cancel(&*outer, &epoch, REQUESTED, 0));
                is_known.store(true, Ordering::Release);
            })
        };
        let middle = Nursery::below(&outer);
        let of_middle = middle.ask(&epoch);
        let inner = Nursery::below(&middle);
        let was_known = is_known.load(Ordering::Acquire);
        let of_inner = inner.ask(&epoch);
        if was_known || of_middle.is_some() {
            assert!(of_inner.is_some(), "told further out, or cancelled before");
        }
        canceller.join().unwrap();
        for nursery in [middle, inner] {
            let known = nursery.ask(&epoch).expect("told at last");
            assert!(known.is_inherited);
        }
    });
}

/// Who was told of the outer one tells somebody else, who asks two levels further in.
#[test]
fn tree_who_hears_from_one_who_was_told_is_told_too() {
    within_bounds(|| {
        let epoch = Arc::new(Epoch::new());
        let token = Arc::new(Switch::default());
        let outer = Nursery::new(None, Some(&token));
        let middle = Nursery::below(&outer);
        let inner = Nursery::below(&middle);
        let has_heard = Arc::new(AtomicBool::new(false));
        // Clean as of now, all three.
        assert_eq!(inner.ask(&epoch), None);
        let switch = {
            let (epoch, token) = (epoch.clone(), token.clone());
            thread::spawn(move || {
                token.turn_on(&epoch);
            })
        };
        let asker = {
            let (epoch, middle, has_heard) = (epoch.clone(), middle.clone(), has_heard.clone());
            thread::spawn(move || {
                if middle.ask(&epoch).is_some() {
                    has_heard.store(true, Ordering::Release);
                }
            })
        };
        if has_heard.load(Ordering::Acquire) {
            assert!(inner.ask(&epoch).is_some(), "heard of it, but was not told");
        }
        switch.join().unwrap();
        asker.join().unwrap();
        assert!(inner.ask(&epoch).is_some(), "told at last");
    });
}

/// The last child of an inner nursery fails, looks outwards, and ends; then the nursery is gone, and
/// the one around it after that.
#[test]
fn tree_nobody_looks_at_a_nursery_that_is_over() {
    within_bounds(|| {
        let epoch = Arc::new(Epoch::new());
        let outer = Nursery::new(None, None);
        let canceller = {
            outer.count.add(1);
            let (epoch, outer) = (epoch.clone(), outer.clone());
            thread::spawn(move || {
                mark::cancel(&*outer, &epoch, REQUESTED, 0);
                outer.release();
            })
        };
        let inner = Nursery::below(&outer);
        inner.count.add(1);
        let child = {
            let (epoch, inner) = (epoch.clone(), inner.clone());
            thread::spawn(move || {
                let is_late = planted::step("fails after it counts as ended");
                if is_late {
                    inner.release();
                }
                mark::cancel(&*inner, &epoch, CHILD_FAILED, FAILED);
                if !is_late {
                    inner.release();
                }
                if planted::step("asks after it counts as ended") {
                    inner.ask(&epoch);
                }
            })
        };
        while !inner.count.is_zero() {
            inner.home.park();
        }
        let known = inner.ask(&epoch).expect("a child has failed");
        assert!(inner.mark.has(FAILED), "that it has failed is known");
        assert_eq!(known.is_inherited, known.reason == REQUESTED);
        inner.close();
        outer.close();
        canceller.join().unwrap();
        child.join().unwrap();
    });
}

twins! {
    tree_whoever_is_first_gives_the_reason_to_all_below {
        two_advances_are_one: split("protocol/epoch.rs", "advance", "fetch_add")
            => Says("its token is on");
    }
    tree_a_nursery_opened_meanwhile_is_cancelled_too {
        the_epoch_does_not_advance: skipped("protocol/epoch.rs", "advance", "fetch_add")
            => Says("told at last");
        the_number_is_read_without_what_came_before: relaxed("protocol/epoch.rs", "now", "load")
            => Says("told at last");
    }
    tree_who_hears_from_one_who_was_told_is_told_too {
        the_number_is_read_without_what_came_before: relaxed("protocol/epoch.rs", "now", "load")
            => Says("told at last");
        the_epoch_advances_without_what_came_before: relaxed("protocol/epoch.rs", "advance", "fetch_add")
            => Says("told at last");
    }
    tree_nobody_looks_at_a_nursery_that_is_over {
        it_fails_too_late: step("fails after it counts as ended") => Says("a child has failed");
        it_asks_too_late: step("asks after it counts as ended") => Race;
    }
}
