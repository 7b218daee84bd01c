//! Limits: whoever wants a permit is told of it, and nobody is forgotten between two limits.
//!
//! What threads do here mirrors `limit::with_permits`, `run_or_hold_back`, and `Limiter::give_back`.

use std::collections::VecDeque;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::{Memory, twins, within_bounds};
use crate::engine::permits::{Permits, Wanting};
use crate::platform::parker::Parker;
use crate::platform::planted;

/// One permit, and a waiter that would run its child itself: it does not stand in line.
struct Wanted {
    permits: Permits<u32>,
    wanting: Wanting<u32>,
    waiter: Parker,
    last: Memory<u32>,
}

impl Wanted {
    /// What `Limiter::give_back` does.
    fn give_back(&self) {
        let is_early = planted::step("looks who is to be told before it gives the permit back");
        let early = if is_early {
            self.wanting.take()
        } else {
            Vec::new()
        };
        assert_eq!(self.permits.give_back(), None);
        let late = if is_early {
            Vec::new()
        } else {
            self.wanting.take()
        };
        for _who in early.into_iter().chain(late) {
            self.waiter.unpark();
        }
    }

    /// What `limit::with_permits` does, and what runs under the permit.
    fn try_run(&self, number: u32) -> bool {
        if !self.permits.take() {
            return false;
        }
        self.last.write(number);
        self.give_back();
        true
    }

    /// What a waiter does, as in `Seat::wait`.
    fn wait_and_run(&self, number: u32) {
        let is_left = || self.wanting.is_left_for(&self.permits, |_| true, || 0);
        while !(is_left() && self.try_run(number)) {
            // Whoever takes it meanwhile tells when it is there again.
            if !is_left() {
                self.waiter.park();
            }
        }
    }
}

#[test]
fn limits_whoever_wants_one_is_told() {
    within_bounds(|| {
        let wanted = Arc::new(Wanted {
            permits: Permits::new(1),
            wanting: Wanting::new(),
            waiter: Parker::new(),
            last: Memory::new(0),
        });
        assert!(wanted.permits.take());
        let holder = {
            let wanted = Arc::clone(&wanted);
            thread::spawn(move || {
                wanted.last.write(1);
                wanted.give_back();
            })
        };
        let other = {
            let wanted = Arc::clone(&wanted);
            thread::spawn(move || wanted.try_run(2))
        };
        wanted.wait_and_run(3);
        holder.join().unwrap();
        other.join().unwrap();
        assert!(wanted.permits.is_left(), "all are given back");
    });
}

/// Two limits: what one lets go of may be held back by the other.
struct Both {
    inner: Permits<u32>,
    outer: Permits<u32>,
    done: AtomicUsize,
}

/// Needs a permit of both; the other items need one of the outer limit only.
const OF_BOTH: u32 = 1;

impl Both {
    /// What `run_or_hold_back` does with an item, and with what is let go of.
    fn run(&self, item: u32) {
        let mut items = vec![item];
        while let Some(item) = items.pop() {
            let limits: &[&Permits<u32>] = if item == OF_BOTH {
                &[&self.inner, &self.outer]
            } else {
                &[&self.outer]
            };
            let mut taken = Vec::new();
            let mut missing = limits.iter();
            let mut is_held_back = false;
            for permits in missing.by_ref() {
                let none = |_: &u32| false;
                let admitted = permits.take_or_stand_in_line(item, none, &mut VecDeque::new());
                if admitted.is_none() {
                    is_held_back = true;
                    break;
                }
                taken.push(permits);
            }
            if is_held_back {
                items.extend(taken.iter().filter_map(|permits| permits.give_back()));
                // One of these may have let it go.
                if !planted::step("does not pass on what it was let go of for") {
                    items.extend(missing.filter_map(|permits| permits.let_go()));
                }
            } else {
                self.done.fetch_add(1, Ordering::Relaxed);
                items.extend(taken.iter().filter_map(|permits| permits.give_back()));
            }
        }
    }
}

#[test]
fn limits_who_was_let_go_and_does_not_ask_passes_it_on() {
    within_bounds(|| {
        let both = Arc::new(Both {
            inner: Permits::new(1),
            outer: Permits::new(1),
            done: AtomicUsize::new(0),
        });
        // The outer one is taken, and the inner one is not: both items stand in line for the outer one.
        assert!(both.outer.take());
        both.run(OF_BOTH);
        both.run(2);
        // And it stays taken.
        assert!(both.inner.take());
        let other = {
            let both = Arc::clone(&both);
            thread::spawn(move || both.run(3))
        };
        let last = {
            let both = Arc::clone(&both);
            thread::spawn(move || both.run(4))
        };
        let first = both.outer.give_back();
        first.into_iter().for_each(|item| both.run(item));
        other.join().unwrap();
        last.join().unwrap();
        let done = both.done.load(Ordering::Relaxed);
        assert_eq!(done, 3, "nobody stands in line while a permit is left");
        let first = both.inner.give_back();
        first.into_iter().for_each(|item| both.run(item));
        assert_eq!(both.done.load(Ordering::Relaxed), 4, "all have run");
        let are_left = both.inner.is_left() && both.outer.is_left();
        assert!(are_left, "all are given back");
    });
}

twins! {
    limits_whoever_wants_one_is_told {
        it_looks_too_early: step("looks who is to be told before it gives the permit back") => Deadlock;
        it_is_not_said: skipped("engine/permits.rs", "is_left_for", "are_some.store") => Deadlock;
    }
    limits_who_was_let_go_and_does_not_ask_passes_it_on {
        it_is_not_passed_on: step("does not pass on what it was let go of for")
            => Says("nobody stands in line while a permit is left");
    }
}
