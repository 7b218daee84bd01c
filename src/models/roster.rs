//! Slots of guests: nobody shares one, and what is in a new one is found.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;

use super::{Memory, exhaustively, twins, within_bounds};
use crate::engine::idle::{Field, Idle};
use crate::engine::roster::Roster;
use crate::platform::parker::Parker;
use crate::platform::planted;

/// A slot, as far as its owners write to it and others look for work there.
struct Slot {
    /// Also in the private half.
    number: usize,
    visits: Memory<u32>,
    work: AtomicUsize,
}

type Slots = Roster<Slot, usize>;

/// What `Roster::check_in` does; a new slot has this number.
fn check_in(roster: &Slots, number: usize) -> (Arc<Slot>, usize) {
    let new = || {
        let slot = Slot {
            number,
            visits: Memory::new(0),
            work: AtomicUsize::new(0),
        };
        roster.add_slot(slot, number)
    };
    roster.take_free().unwrap_or_else(new)
}

/// A guest comes, uses its slot, and goes.
fn visit(roster: &Slots, number: usize) {
    let (slot, private) = check_in(roster, number);
    assert_eq!(slot.number, private, "its own private half");
    let is_too_early = planted::step("gives its slot back before it has done with it");
    if is_too_early {
        roster.put_free(Arc::clone(&slot), private);
    }
    slot.visits.write(slot.visits.read() + 1);
    if !is_too_early {
        roster.put_free(slot, private);
    }
}

#[test]
fn roster_a_slot_has_one_owner_at_a_time() {
    within_bounds(|| {
        let roster = Arc::new(Slots::default());
        visit(&roster, 0);
        let others = [1, 2].map(|number| {
            let roster = Arc::clone(&roster);
            thread::spawn(move || visit(&roster, number))
        });
        visit(&roster, 3);
        for other in others {
            other.join().unwrap();
        }
        let visits = |slots: &[Arc<Slot>]| slots.iter().map(|slot| slot.visits.read()).sum::<u32>();
        assert_eq!(roster.read(visits), 4, "no visit is lost");
        let slots = roster.read(<[_]>::len);
        assert!(slots <= 3, "no more than were there at a time");
        let free = std::iter::from_fn(|| roster.take_free()).count();
        assert_eq!(free, slots, "all are free");
    });
}

/// Guests that come and go twice find what was there before.
#[test]
fn roster_a_slot_is_used_again() {
    exhaustively(|| {
        let roster = Arc::new(Slots::default());
        let other = {
            let roster = Arc::clone(&roster);
            thread::spawn(move || {
                visit(&roster, 0);
                visit(&roster, 1);
            })
        };
        visit(&roster, 2);
        visit(&roster, 3);
        other.join().unwrap();
        assert!(roster.read(<[_]>::len) <= 2, "one for each");
    });
}

/// A pool of which one worker may sleep, and guests may come.
struct Pool {
    idle: Idle,
    roster: Slots,
    is_asleep: AtomicBool,
    parker: Parker,
}

impl Field for Pool {
    #[track_caller]
    fn has_visible_work(&self) -> bool {
        if planted::skips() {
            return false;
        }
        let has_work = |slot: &Arc<Slot>| slot.work.load(Ordering::Relaxed) > 0;
        self.roster.read(|slots| slots.iter().any(has_work))
    }

    fn arm_all(&self) {}

    fn rouse(&self, _worker: usize) {
        self.is_asleep.store(false, Ordering::Release);
        self.parker.unpark();
    }

    fn start_spare(&self) -> bool {
        false
    }
}

#[test]
fn roster_work_in_a_new_slot_is_found() {
    exhaustively(|| {
        let pool = Arc::new(Pool {
            idle: Idle::new(2, 0),
            roster: Slots::default(),
            is_asleep: AtomicBool::new(false),
            parker: Parker::new(),
        });
        pool.idle.take_place_anyway();
        pool.idle.search();
        let worker = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                while !pool.has_visible_work() {
                    pool.is_asleep.store(true, Ordering::Relaxed);
                    pool.idle.announce(0, &*pool);
                    while pool.is_asleep.load(Ordering::Acquire) {
                        pool.parker.park();
                    }
                }
            })
        };
        let is_too_late = planted::step("is added after it was told of");
        if is_too_late {
            pool.idle.wake_one(&*pool);
        }
        let (slot, _) = check_in(&pool.roster, 0);
        slot.work.store(1, Ordering::Release);
        if !is_too_late {
            pool.idle.wake_one(&*pool);
        }
        worker.join().unwrap();
    });
}

twins! {
    roster_a_slot_has_one_owner_at_a_time {
        it_is_given_back_too_early: step("gives its slot back before it has done with it") => Race;
    }
    roster_a_slot_is_used_again {
        it_is_given_back_too_early: step("gives its slot back before it has done with it") => Race;
    }
    roster_work_in_a_new_slot_is_found {
        it_is_added_too_late: step("is added after it was told of") => Deadlock;
        the_sleeper_does_not_look: skipped("engine/idle.rs", "announce", "self.look") => Deadlock;
    }
}
