//! Limits: whoever wants a permit is told of it, nobody is forgotten between two limits, and nobody waits
//! for the turn of another.
//!
//! What threads do here mirrors `limit::with_permits`, `run_or_hold_back`, `Limiter::give_back`, and what
//! `Seat::wait` does about limits.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;

use super::harness::within;
use super::{Memory, twins, within_bounds};
use crate::platform::parker::Parker;
use crate::platform::planted;
use crate::protocol::injector::Injector;
use crate::protocol::permits::{Permits, Waiters};

/// One permit, and a waiter that would run its child itself: it does not stand in line.
struct Wanted {
    permits: Permits<u32>,
    waiters: Waiters<u32>,
    waiter: Parker,
    last: Memory<u32>,
}

impl Wanted {
    /// What `Limiter::give_back` does.
    fn give_back(&self) {
        let is_early = planted::step("looks who is to be told before it gives the permit back");
        let early = if is_early {
            self.waiters.take()
        } else {
            Vec::new()
        };
        assert_eq!(self.permits.give_back(), None);
        let late = if is_early {
            Vec::new()
        } else {
            self.waiters.take()
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
        let is_left = || self.waiters.is_left_for(&self.permits, |_| true, || 0);
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
            waiters: Waiters::new(),
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
                if permits.take_or_stand_in_line(item).is_none() {
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

/// One permit, and two homes that wait for a run each: those are their numbers.
struct Turns {
    permits: Permits<usize>,
    waiters: Waiters<usize>,
    injector: [Injector<usize>; 2],
    homes: [Parker; 2],
    have_ended: [AtomicBool; 2],
}

impl Turns {
    /// Both runs are held back, that of home 1 first.
    fn held_back() -> Arc<Self> {
        let turns = Arc::new(Self {
            permits: Permits::new(1),
            waiters: Waiters::new(),
            injector: [Injector::new(), Injector::new()],
            homes: [Parker::new(), Parker::new()],
            have_ended: [AtomicBool::new(false), AtomicBool::new(false)],
        });
        assert!(turns.permits.take());
        turns.run(1, 1);
        turns.run(0, 0);
        turns
    }

    /// What `Seat::inject` does on the thread of home `by`.
    fn inject(&self, run: usize, by: usize) {
        self.injector[run].push(run);
        if run != by || !planted::step("leaves no token for itself") {
            self.homes[run].unpark();
        }
    }

    fn give_back(&self, by: usize) {
        let first = self.permits.give_back();
        for home in self.waiters.take() {
            self.homes[home].unpark();
        }
        first.into_iter().for_each(|run| self.inject(run, by));
    }

    /// What `limit::run_or_hold_back` does.
    fn run(&self, run: usize, by: usize) {
        if self.permits.take_or_stand_in_line(run).is_some() {
            self.have_ended[run].store(true, Ordering::Release);
            self.give_back(by);
        } else if run != by {
            self.homes[run].unpark();
        }
    }

    /// Takes a permit, and finds that there is nothing to run.
    fn look_in_vain(&self, by: usize) {
        if self.permits.take() {
            self.give_back(by);
        }
    }

    /// What `Seat::wait` does.
    fn wait(&self, home: usize, looks_in_vain: bool) {
        let is_own = |run: &usize| *run == home;
        while !self.have_ended[home].load(Ordering::Acquire) {
            if let Some(run) = self.injector[home].take(is_own) {
                self.run(run, home);
                continue;
            }
            let takes_turns = planted::step("waits for its turn");
            if !takes_turns
                && self.permits.is_left()
                && let Some(run) = self.permits.take_out(is_own)
            {
                self.run(run, home);
                continue;
            }
            if looks_in_vain {
                self.look_in_vain(home);
            }
            if !takes_turns
                && self.permits.has(is_own)
                && self.waiters.is_left_for(&self.permits, is_own, || home)
            {
                continue;
            }
            self.homes[home].park();
        }
    }
}

/// The home lets go of its own run after its last look, while the first in line has not asked yet.
#[test]
fn limits_a_vain_look_loses_nothing() {
    within(5, || {
        let turns = Turns::held_back();
        let other = {
            let turns = Arc::clone(&turns);
            thread::spawn(move || {
                let first = turns.permits.give_back();
                first.into_iter().for_each(|run| turns.run(run, 1));
            })
        };
        turns.wait(0, true);
        other.join().unwrap();
        turns.wait(1, false);
        assert!(turns.permits.is_left(), "all are given back");
    });
}

/// Who is let go lies where nobody looks, for its home waits for who stands behind it.
#[test]
fn limits_nobody_waits_for_a_turn() {
    within_bounds(|| {
        let turns = Turns::held_back();
        let holder = {
            let turns = Arc::clone(&turns);
            thread::spawn(move || turns.give_back(1))
        };
        let passer_by = {
            let turns = Arc::clone(&turns);
            thread::spawn(move || turns.look_in_vain(1))
        };
        turns.wait(0, false);
        holder.join().unwrap();
        passer_by.join().unwrap();
        turns.wait(1, false);
        assert!(turns.permits.is_left(), "all are given back");
    });
}

twins! {
    limits_whoever_wants_one_is_told {
        it_looks_too_early: step("looks who is to be told before it gives the permit back") => Deadlock;
        it_is_not_said: skipped("protocol/permits.rs", "is_left_for", "are_some.store") => Deadlock;
    }
    limits_who_was_let_go_and_does_not_ask_passes_it_on {
        it_is_not_passed_on: step("does not pass on what it was let go of for")
            => Says("nobody stands in line while a permit is left");
    }
    limits_a_vain_look_loses_nothing {
        it_leaves_no_token_for_itself: step("leaves no token for itself") => Deadlock;
    }
    limits_nobody_waits_for_a_turn {
        the_turns_are_kept: step("waits for its turn") => Deadlock;
        it_is_not_said_either: skipped("protocol/permits.rs", "is_left_for", "are_some.store")
            => Deadlock;
    }
}
