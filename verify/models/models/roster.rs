//! Slots of guests: nobody shares one, what is in a new one is found, and nothing in it is counted twice.

use crate::platform::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use loom::sync::Arc;
use loom::thread;

use super::{Memory, exhaustively, twins, within_bounds};
use crate::platform::parker::Parker;
use crate::platform::planted;
use crate::protocol::idle::{Field, Idle};
use crate::protocol::requests::Requests;
use crate::protocol::roster::Roster;

/// A slot, as far as its holders write to it and others look for work there.
struct Slot {
    /// Also in the private half.
    number: usize,
    visits: Memory<u32>,
    /// What its holder has counted, for all to read.
    count: AtomicUsize,
    work: AtomicUsize,
    requests: Requests<()>,
}

type Slots = Roster<Slot, usize, usize>;

/// What `Roster::check_in` does; a new slot has this number.
fn check_in(roster: &Slots, number: usize) -> (Arc<Slot>, usize) {
    let renew = |slot: &Slot| {
        if !planted::step("does not ask itself") {
            slot.requests.renew();
        }
    };
    roster.take_free(renew).unwrap_or_else(|| {
        let slot = Slot {
            number,
            visits: Memory::new(0),
            count: AtomicUsize::new(0),
            work: AtomicUsize::new(0),
            requests: Requests::new(),
        };
        roster.add_slot(slot, number)
    })
}

/// What `Roster::check_out` does.
fn check_out(roster: &Slots, slot: Arc<Slot>, private: usize) {
    roster.put_free(slot, private, |slot, departed| {
        *departed += slot.count.load(Ordering::Relaxed);
        if !planted::step("leaves behind what it has counted") {
            slot.count.store(0, Ordering::Relaxed);
        }
    });
}

/// What all have counted.
fn counted(roster: &Slots) -> usize {
    roster.read_with_departed(|slots, departed| {
        let counts = slots.iter().map(|slot| slot.count.load(Ordering::Relaxed));
        departed + counts.sum::<usize>()
    })
}

/// A guest comes, uses its slot, and goes.
fn visit(roster: &Slots, number: usize) {
    let (slot, private) = check_in(roster, number);
    assert_eq!(slot.number, private, "its own private half");
    let is_too_early = planted::step("gives its slot back before it has done with it");
    if is_too_early {
        check_out(roster, Arc::clone(&slot), private);
    }
    slot.visits.write(slot.visits.read() + 1);
    let count = slot.count.load(Ordering::Relaxed);
    slot.count.store(count + 1, Ordering::Relaxed);
    if !is_too_early {
        check_out(roster, slot, private);
    }
}

/// The free slots, of which each is there once.
fn all_free(roster: &Slots) -> Vec<Arc<Slot>> {
    assert_eq!(roster.held().count(), 0, "nobody is here");
    let free = std::iter::from_fn(|| roster.take_free(|_| ()));
    free.map(|(slot, _)| slot).collect()
}

#[test]
fn roster_a_slot_has_one_holder_at_a_time() {
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
        assert_eq!(counted(&roster), 4, "no visit is lost");
        let free = all_free(&roster);
        assert!(free.len() <= 3, "no more than were there at a time");
        let visits = free.iter().map(|slot| slot.visits.read());
        assert_eq!(visits.sum::<u32>(), 4, "no visit is lost");
    });
}

/// A thread that comes and goes twice.
fn visitor(roster: &Arc<Slots>) -> thread::JoinHandle<()> {
    let roster = Arc::clone(roster);
    thread::spawn(move || {
        visit(&roster, 0);
        visit(&roster, 1);
    })
}

/// Guests that come and go twice find what was there before.
#[test]
fn roster_a_slot_is_used_again() {
    exhaustively(|| {
        let roster = Arc::new(Slots::default());
        let other = visitor(&roster);
        visit(&roster, 2);
        visit(&roster, 3);
        other.join().unwrap();
        assert!(all_free(&roster).len() <= 2, "one for each");
    });
}

/// Whoever asks for the numbers sees them grow, while guests come and go.
#[test]
fn roster_what_a_guest_has_counted_is_there_when_it_has_gone() {
    exhaustively(|| {
        let roster = Arc::new(Slots::default());
        let other = visitor(&roster);
        let [before, after] = [counted(&roster), counted(&roster)];
        assert!(before <= after && after <= 2, "{before}, then {after}");
        other.join().unwrap();
        assert_eq!(counted(&roster), 2, "each visit once");
    });
}

/// The numbers of the slots that a walk finds.
fn walk(roster: &Slots) -> Vec<usize> {
    roster.held().map(|slot| slot.number).collect()
}

/// The front slot leaves, the last slot moves to its place, and a new slot comes where the last one stood.
#[test]
fn roster_a_slot_that_moves_is_found() {
    exhaustively(|| {
        let roster = Arc::new(Slots::default());
        let (front, private) = check_in(&roster, 0);
        let _last = check_in(&roster, 1);
        let other = {
            let roster = Arc::clone(&roster);
            thread::spawn(move || {
                check_out(&roster, front, private);
                check_in(&roster, 2)
            })
        };
        let walk = walk(&roster);
        assert!(walk.contains(&1), "missed by {walk:?}");
        other.join().unwrap();
    });
}

/// Slots come while others walk, and the table has room for two.
#[test]
fn roster_a_table_is_replaced_while_it_is_walked() {
    exhaustively(|| {
        let roster = Arc::new(Slots::default());
        let (front, private) = check_in(&roster, 0);
        let _held = check_in(&roster, 1);
        let other = {
            let roster = Arc::clone(&roster);
            thread::spawn(move || {
                let third = check_in(&roster, 2);
                check_out(&roster, front, private);
                third
            })
        };
        let walk = walk(&roster);
        assert!(walk.contains(&1), "missed by {walk:?}");
        other.join().unwrap();
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
        let has_work = |slot: &Slot| slot.work.load(Ordering::Relaxed) > 0;
        self.roster.held().any(has_work)
    }

    #[track_caller]
    fn arm_all(&self) {
        if !planted::skips() {
            self.roster.held().for_each(|slot| slot.requests.arm());
        }
    }

    fn rouse(&self, _worker: usize) -> bool {
        self.is_asleep.store(false, Ordering::Release);
        self.parker.unpark();
        true
    }

    fn start_spare(&self) -> bool {
        false
    }
}

impl Pool {
    /// With one worker that searches, and another place.
    fn new() -> Arc<Self> {
        let pool = Arc::new(Self {
            idle: Idle::new(2, 0),
            roster: Slots::default(),
            is_asleep: AtomicBool::new(false),
            parker: Parker::new(),
        });
        pool.idle.take_place_anyway();
        pool.idle.search();
        pool
    }

    fn announce(&self) {
        self.is_asleep.store(true, Ordering::Relaxed);
        self.idle.announce(0, self);
    }
}

/// The guest's slot is new, or free.
fn work_is_found(pool: &Arc<Pool>) {
    let worker = {
        let pool = Arc::clone(pool);
        thread::spawn(move || {
            while !pool.has_visible_work() {
                pool.announce();
                while pool.is_asleep.load(Ordering::Acquire) {
                    pool.parker.park();
                }
            }
        })
    };
    let is_too_late = planted::step("is held after it was told of");
    if is_too_late {
        pool.idle.wake_one(&**pool);
    }
    let (slot, _) = check_in(&pool.roster, 0);
    slot.work.store(1, Ordering::Release);
    if !is_too_late {
        pool.idle.wake_one(&**pool);
    }
    worker.join().unwrap();
}

#[test]
fn roster_work_in_a_new_slot_is_found() {
    exhaustively(|| work_is_found(&Pool::new()));
}

#[test]
fn roster_work_in_a_slot_that_was_free_is_found() {
    exhaustively(|| {
        let pool = Pool::new();
        visit(&pool.roster, 0);
        work_is_found(&pool);
    });
}

/// A guest comes to a slot whose last holder has answered all requests, while a worker goes to sleep.
#[test]
fn roster_a_new_holder_looks_for_the_hungry() {
    within_bounds(|| {
        let pool = Pool::new();
        pool.idle.take_place_anyway();
        let (slot, private) = check_in(&pool.roster, 0);
        slot.requests.clear();
        check_out(&pool.roster, slot, private);
        let worker = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.announce())
        };
        let (slot, _) = check_in(&pool.roster, 0);
        // One spawn into a private list.
        if slot.requests.are_made() {
            slot.requests.clear();
            if slot.requests.are_wanted(&pool.idle) {
                slot.work.store(1, Ordering::Relaxed);
                pool.idle.wake_one(&*pool);
            }
        }
        worker.join().unwrap();
        fence(Ordering::SeqCst);
        let is_visible = slot.work.load(Ordering::Relaxed) > 0;
        let is_asked_again = slot.requests.are_made();
        assert!(is_visible || is_asked_again, "shown or asked again");
        let is_asleep = pool.is_asleep.load(Ordering::Relaxed);
        assert!(!is_visible || !is_asleep, "shown to somebody");
    });
}

twins! {
    roster_a_slot_has_one_holder_at_a_time {
        it_is_given_back_too_early: step("gives its slot back before it has done with it") => Race;
    }
    roster_a_slot_is_used_again {
        it_is_given_back_too_early: step("gives its slot back before it has done with it") => Race;
    }
    roster_what_a_guest_has_counted_is_there_when_it_has_gone {
        it_is_counted_twice: step("leaves behind what it has counted") => Says("each visit once");
    }
    roster_a_slot_that_moves_is_found {
        its_move_is_not_told: relaxed("protocol/roster.rs", "put", "store") => Says("missed");
        the_length_comes_before_the_move: relaxed("protocol/roster.rs", "set_len", "store") => Says("missed");
        the_move_is_not_heard: relaxed("protocol/roster.rs", "follow", "load") => Says("missed");
    }
    roster_a_table_is_replaced_while_it_is_walked {
        it_is_not_told: relaxed("protocol/roster.rs", "replace_table", "store") => Race;
        it_is_not_heard: relaxed("protocol/roster.rs", "walk", "load") => Race;
    }
    roster_work_in_a_new_slot_is_found {
        it_is_held_too_late: step("is held after it was told of") => Deadlock;
        the_sleeper_does_not_look: skipped("protocol/idle.rs", "announce", "self.look") => Deadlock;
    }
    roster_work_in_a_slot_that_was_free_is_found {
        it_is_held_too_late: step("is held after it was told of") => Deadlock;
        the_sleeper_does_not_look: skipped("protocol/idle.rs", "announce", "self.look") => Deadlock;
    }
    roster_a_new_holder_looks_for_the_hungry {
        it_does_not: step("does not ask itself") => Says("asked again");
        the_sleeper_asks_nobody: skipped("protocol/idle.rs", "announce", "arm_all") => Says("asked again");
    }
}
