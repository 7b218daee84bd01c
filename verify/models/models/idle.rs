//! Places and wake-ups: nobody sleeps while work is visible and a place is free.

use crate::platform::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::Arc;
use loom::thread;

use super::{exhaustively, spawn_with, twins, within_bounds};
use crate::platform::parker::Parker;
use crate::platform::planted;
use crate::protocol::idle::{Field, Idle};

pub(super) const SLEEPER: usize = 0;
/// A worker that has not started, and whose thread the system refuses.
pub(super) const REFUSED: usize = 1;

/// A pool with one public queue, one thread that may be asked, and one that may sleep.
pub(super) struct Pool {
    pub(super) idle: Idle,
    pub(super) visible: AtomicUsize,
    pub(super) asked: AtomicBool,
    pub(super) is_asleep: AtomicBool,
    parker: Parker,
    /// Spares that were started, and how many more the system refuses.
    pub(super) spares: AtomicUsize,
    pub(super) refusals: AtomicUsize,
}

impl Field for Pool {
    #[track_caller]
    fn has_visible_work(&self) -> bool {
        !planted::skips() && self.visible.load(Ordering::Relaxed) > 0
    }

    #[track_caller]
    fn arm_all(&self) {
        if !planted::skips() {
            self.asked.store(true, Ordering::Relaxed);
        }
    }

    fn rouse(&self, worker: usize) -> bool {
        if worker == REFUSED {
            return false;
        }
        assert_eq!(worker, SLEEPER);
        self.is_asleep.store(false, Ordering::Release);
        self.parker.unpark();
        true
    }

    fn start_spare(&self) -> bool {
        let next = |n: usize| n.checked_sub(1);
        let (all, refusals) = (Ordering::Relaxed, &self.refusals);
        let is_refused = refusals.fetch_update(all, all, next).is_ok();
        if !is_refused {
            self.spares.fetch_add(1, all);
        }
        !is_refused
    }
}

impl Pool {
    pub(super) fn new(places: usize) -> Arc<Self> {
        Self::with_spares(places, 0)
    }

    /// A pool in which this thread computes and another thread searches.
    pub(super) fn searched(places: usize) -> Arc<Self> {
        let pool = Self::new(places);
        pool.idle.take_place_anyway();
        pool.idle.take_place_anyway();
        pool.idle.search();
        pool
    }

    pub(super) fn with_spares(places: usize, spares: usize) -> Arc<Self> {
        Arc::new(Self {
            idle: Idle::new(places, spares),
            spares: AtomicUsize::new(0),
            refusals: AtomicUsize::new(0),
            visible: AtomicUsize::new(0),
            asked: AtomicBool::new(true),
            is_asleep: AtomicBool::new(true),
            parker: Parker::new(),
        })
    }

    pub(super) fn expose(&self) {
        self.visible.fetch_add(1, Ordering::Release);
        self.idle.wake_one(self);
    }

    pub(super) fn take(&self) -> bool {
        self.visible
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |n| n.checked_sub(1))
            .is_ok()
    }

    /// One spawn into a private list, with the request flag still set from before.
    pub(super) fn answer_request(&self) {
        self.asked.store(false, Ordering::Relaxed);
        if self.idle.is_hungry() {
            self.expose();
        }
    }

    /// As `Seat::give_to_the_hungry`: like [`Self::answer_request`], but what was shown before may still be there.
    pub(super) fn answer_unless_it_shows(&self) {
        let shows_enough = self.visible.load(Ordering::Relaxed) > 0 && self.idle.seems_hungry();
        if !shows_enough {
            self.answer_request();
        } else if planted::step("the request is lowered and nothing is given") {
            self.asked.store(false, Ordering::Relaxed);
        }
    }

    /// What was spawned is shown to somebody, or is asked for again.
    pub(super) fn assert_answered(&self) {
        let is_visible = self.visible.load(Ordering::Relaxed) > 0;
        let is_asked_again = self.asked.load(Ordering::Relaxed);
        assert!(is_visible || is_asked_again, "shown or asked again");
        let is_asleep = self.is_asleep.load(Ordering::Relaxed);
        assert!(!is_visible || !is_asleep, "shown to somebody");
    }

    /// Sleeps until roused; a lost wake-up is a deadlock that the model reports.
    pub(super) fn sleep(&self) {
        while self.is_asleep.load(Ordering::Acquire) {
            self.parker.park();
        }
    }

    /// A worker that searches with a place, and sleeps between looks, until it has one entry.
    pub(super) fn work_once(&self) {
        while !self.take() {
            self.is_asleep.store(true, Ordering::Relaxed);
            self.idle.announce(SLEEPER, self);
            self.sleep();
        }
        self.idle.found(self);
    }
}

#[test]
fn idle_push_wakes_or_is_seen() {
    exhaustively(|| {
        let pool = Pool::searched(2);
        let worker = spawn_with(&pool, |pool| pool.work_once());
        pool.expose();
        worker.join().unwrap();
    });
}

/// A worker that stood aside sees what was pushed meanwhile.
#[test]
fn idle_aside_ends_with_a_look() {
    exhaustively(|| {
        let pool = Pool::searched(2);
        let worker = spawn_with(&pool, |pool| {
            pool.idle.stand_aside(pool);
            pool.is_asleep.store(true, Ordering::Relaxed);
            pool.idle.join_sleepers(SLEEPER, pool);
            pool.sleep();
            pool.work_once();
        });
        pool.expose();
        worker.join().unwrap();
    });
}

/// Private work is exposed on request, also where the worker that asks stood aside before.
#[test]
fn idle_aside_asks_when_it_ends() {
    exhaustively(|| {
        let pool = Pool::searched(2);
        let worker = spawn_with(&pool, |pool| {
            pool.idle.stand_aside(pool);
            pool.is_asleep.store(true, Ordering::Relaxed);
            pool.idle.join_sleepers(SLEEPER, pool);
            pool.asked.load(Ordering::Relaxed)
        });
        // What a thread does that is asked.
        pool.asked.store(false, Ordering::Relaxed);
        let is_hungry = pool.idle.is_hungry();
        worker.join().unwrap();
        assert!(
            is_hungry || pool.asked.load(Ordering::Relaxed),
            "asked again"
        );
    });
}

#[test]
fn idle_place_passes_on() {
    within_bounds(|| {
        let pool = Pool::new(1);
        pool.idle.take_place_anyway();
        pool.idle.take_place_anyway();
        pool.idle.enlist(SLEEPER);
        let leaver = spawn_with(&pool, |pool| pool.idle.vacate(pool));
        let pusher = spawn_with(&pool, |pool| {
            pool.expose();
            pool.idle.vacate(pool);
        });
        pool.sleep();
        pool.work_once();
        leaver.join().unwrap();
        pusher.join().unwrap();
    });
}

#[test]
fn idle_failed_waker_looks_again() {
    // A waker that finds no place hides the place given back meanwhile from the one who gives it.
    within_bounds(|| {
        let pool = Pool::new(1);
        pool.idle.take_place_anyway();
        pool.idle.enlist(SLEEPER);
        let waker = spawn_with(&pool, |pool| pool.idle.wake_one(pool));
        let pusher = spawn_with(&pool, |pool| {
            pool.expose();
            pool.idle.vacate(pool);
        });
        pool.sleep();
        pool.work_once();
        waker.join().unwrap();
        pusher.join().unwrap();
    });
}

/// One of this many threads that compute searches, and finds one of two entries.
fn searcher_leaves(computing: usize) {
    let pool = Pool::new(4);
    for _ in 1..computing {
        pool.idle.take_place_anyway();
    }
    pool.visible.store(1, Ordering::Relaxed);
    pool.idle.enlist(SLEEPER);
    pool.idle.take_place_anyway();
    pool.idle.search();
    let searcher = spawn_with(&pool, |pool| {
        // Takes one of the two entries and is busy with it for ever.
        assert!(pool.take());
        pool.idle.found(pool);
    });
    let pusher = spawn_with(&pool, |pool| pool.expose());
    pool.sleep();
    pool.work_once();
    searcher.join().unwrap();
    pusher.join().unwrap();
}

#[test]
fn idle_last_searcher_looks_again() {
    within_bounds(|| searcher_leaves(2));
}

/// The pusher would have another thread search besides that searcher, and finds that it has left.
#[test]
fn idle_pusher_that_sees_a_searcher_leave_keeps_quiet() {
    within_bounds(|| searcher_leaves(3));
}

/// A worker that falls asleep while the pool shuts down rouses itself.
#[test]
fn idle_shutdown_leaves_nobody_asleep() {
    exhaustively(|| {
        let pool = Pool::new(2);
        let is_over = Arc::new(AtomicBool::new(false));
        pool.idle.take_place_anyway();
        pool.idle.search();
        let worker = {
            let (pool, is_over) = (Arc::clone(&pool), Arc::clone(&is_over));
            thread::spawn(move || {
                while !is_over.load(Ordering::Acquire) {
                    pool.is_asleep.store(true, Ordering::Relaxed);
                    pool.idle.announce(SLEEPER, &*pool);
                    let looks_again = !planted::step("does not look whether it is over");
                    if looks_again && is_over.load(Ordering::Acquire) {
                        pool.idle.rouse_all(&*pool);
                    }
                    pool.sleep();
                }
            })
        };
        is_over.store(true, Ordering::Release);
        pool.idle.rouse_all(&*pool);
        worker.join().unwrap();
    });
}

twins! {
    idle_push_wakes_or_is_seen {
        the_sleeper_does_not_look: skipped("protocol/idle.rs", "announce", "self.look") => Deadlock;
        the_pusher_has_no_fence: acqrel("protocol/idle.rs", "wake_one", "fence") => Deadlock;
        the_sleeper_is_not_counted: skipped("protocol/idle.rs", "enlist", "fetch_add") => Deadlock;
    }
    idle_aside_ends_with_a_look {
        it_does_not: skipped("protocol/idle.rs", "join_sleepers", "self.look") => Deadlock;
        it_has_no_fence: relaxed("protocol/idle.rs", "join_sleepers", "fence") => Deadlock;
        the_pusher_has_no_fence: acqrel("protocol/idle.rs", "wake_one", "fence") => Deadlock;
    }
    idle_aside_asks_when_it_ends {
        it_asks_nobody: skipped("protocol/idle.rs", "join_sleepers", "arm_all") => Says("asked again");
        it_has_no_fence: acqrel("protocol/idle.rs", "join_sleepers", "fence") => Says("asked again");
        who_is_asked_has_no_fence: acqrel("protocol/idle.rs", "is_hungry", "fence") => Says("asked again");
    }
    idle_place_passes_on {
        who_leaves_does_not_look: skipped("protocol/idle.rs", "hand_over", "self.look") => Deadlock;
        the_flag_is_cleared_without_a_fence: relaxed("protocol/idle.rs", "hand_over", "fence") => Deadlock;
        nobody_says_that_it_was_refused: skipped("protocol/idle.rs", "has_place", "store") => Deadlock;
    }
    idle_failed_waker_looks_again {
        it_does_not: skipped("protocol/idle.rs", "wake_one", "has_visible_work") => Deadlock;
        it_has_no_fence: acqrel("protocol/idle.rs", "wake_one", "fence#2") => Deadlock;
    }
    idle_last_searcher_looks_again {
        it_does_not: skipped("protocol/idle.rs", "leave_search", "has_visible_work") => Deadlock;
        it_has_no_fence: acqrel("protocol/idle.rs", "leave_search", "fence") => Deadlock;
    }
    idle_pusher_that_sees_a_searcher_leave_keeps_quiet {
        the_searcher_does_not_look: skipped("protocol/idle.rs", "leave_search", "has_visible_work") => Deadlock;
        the_searcher_has_no_fence: acqrel("protocol/idle.rs", "leave_search", "fence") => Deadlock;
    }
    idle_shutdown_leaves_nobody_asleep {
        it_does_not_look_whether_it_is_over: step("does not look whether it is over") => Deadlock;
    }
}
