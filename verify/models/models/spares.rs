//! Absent workers: nothing stays visible while a place is free and a spare could be had.

use crate::platform::sync::atomic::Ordering;
use loom::sync::Arc;

use super::idle::{Pool, SLEEPER};
use super::{exhaustively, spawn_with, twins, within_bounds};

/// A pool of one place, whose worker computes and will leave, and that may have one spare.
fn pool() -> Arc<Pool> {
    let pool = Pool::with_spares(1, 1);
    pool.idle.take_place_anyway();
    pool
}

#[test]
fn idle_absent_worker_is_replaced() {
    exhaustively(|| {
        let pool = pool();
        let worker = spawn_with(&pool, |pool| pool.idle.leave(pool));
        pool.expose();
        worker.join().unwrap();
        assert_eq!(pool.spares.load(Ordering::Relaxed), 1, "one has come");
    });
}

#[test]
fn idle_long_wait_is_noticed() {
    exhaustively(|| {
        let pool = pool();
        let worker = spawn_with(&pool, |pool| {
            pool.idle.vacate(pool);
            pool.idle.note_absent(pool);
        });
        pool.expose();
        worker.join().unwrap();
        assert_eq!(pool.spares.load(Ordering::Relaxed), 1, "one has come");
    });
}

/// What is private is asked for on behalf of a spare, too.
#[test]
fn idle_absent_worker_asks() {
    exhaustively(|| {
        let pool = pool();
        let worker = spawn_with(&pool, |pool| pool.idle.leave(pool));
        pool.answer_request();
        worker.join().unwrap();
        let has_come = pool.spares.load(Ordering::Relaxed) == 1;
        assert!(
            has_come || pool.asked.load(Ordering::Relaxed),
            "asked again"
        );
    });
}

#[test]
fn idle_as_many_spares_come_as_workers_are_absent() {
    within_bounds(|| {
        let pool = Pool::with_spares(2, 3);
        pool.idle.take_place_anyway();
        pool.idle.take_place_anyway();
        let workers = [(); 2].map(|()| spawn_with(&pool, |pool| pool.idle.leave(pool)));
        pool.expose();
        for worker in workers {
            worker.join().unwrap();
        }
        let spares = pool.spares.load(Ordering::Relaxed);
        // The first one searches, and nobody else comes until it has found something.
        assert_eq!(spares, 1);
        pool.idle.found(&*pool);
        assert_eq!(pool.spares.load(Ordering::Relaxed), 2, "the next one");
        pool.idle.found(&*pool);
        assert_eq!(pool.spares.load(Ordering::Relaxed), 2);
    });
}

/// A spare that retires while it is wanted is woken, or replaced.
#[test]
fn idle_retired_spare_is_replaced() {
    exhaustively(|| {
        let pool = pool();
        pool.visible.store(1, Ordering::Relaxed);
        pool.idle.leave(&*pool);
        // It has come, and taken what there was; now it sleeps.
        assert_eq!(pool.spares.swap(0, Ordering::Relaxed), 1);
        pool.visible.store(0, Ordering::Relaxed);
        pool.idle.announce(SLEEPER, &*pool);
        let spare = spawn_with(&pool, |pool| pool.idle.retire(SLEEPER, true, pool));
        pool.expose();
        let is_gone = spare.join().unwrap();
        let is_awake = !pool.is_asleep.load(Ordering::Relaxed);
        assert_eq!(is_gone, !is_awake, "either");
        assert_eq!(
            pool.spares.load(Ordering::Relaxed),
            usize::from(is_gone),
            "replaced"
        );
    });
}

/// A waker that is refused a spare sees a worker that falls asleep meanwhile.
#[test]
fn idle_refused_spare_is_not_waited_for() {
    within_bounds(|| {
        let pool = Pool::with_spares(2, 1);
        pool.refusals.store(usize::MAX, Ordering::Relaxed);
        pool.idle.take_place_anyway();
        pool.idle.take_place_anyway();
        pool.idle.search();
        let leaver = spawn_with(&pool, |pool| pool.idle.leave(pool));
        let worker = spawn_with(&pool, |pool| pool.idle.announce(SLEEPER, pool));
        pool.expose();
        leaver.join().unwrap();
        worker.join().unwrap();
        assert!(!pool.is_asleep.load(Ordering::Relaxed), "woken");
    });
}

twins! {
    idle_absent_worker_is_replaced {
        who_leaves_does_not_look: skipped("protocol/idle.rs", "look_for_spare", "self.look") => Says("one has come");
        the_pusher_has_no_fence: acqrel("protocol/idle.rs", "wake_one", "fence") => Says("one has come");
        who_leaves_has_no_fence: acqrel("protocol/idle.rs", "vacate", "fence") => Says("one has come");
    }
    idle_long_wait_is_noticed {
        it_does_not_look: skipped("protocol/idle.rs", "look_for_spare", "self.look") => Says("one has come");
        it_has_no_fence: acqrel("protocol/idle.rs", "note_absent", "fence") => Says("one has come");
    }
    idle_absent_worker_asks {
        it_does_not: skipped("protocol/idle.rs", "look_for_spare", "arm_all") => Says("asked again");
        who_is_asked_has_no_fence: acqrel("protocol/idle.rs", "is_hungry", "fence") => Says("asked again");
    }
    idle_as_many_spares_come_as_workers_are_absent {
        who_has_found_something_does_not_look: skipped("protocol/idle.rs", "leave_search", "has_visible_work") => Says("the next one");
        absences_are_lost: split("protocol/idle.rs", "count_absent", "fetch_add") => Says("the next one");
    }
    idle_retired_spare_is_replaced {
        it_does_not_look: skipped("protocol/idle.rs", "retire", "self.look") => Says("replaced");
        it_has_no_fence: acqrel("protocol/idle.rs", "retire", "fence") => Says("replaced");
        it_is_still_counted: skipped("protocol/idle.rs", "retire", ".spares") => Says("replaced");
    }
    idle_refused_spare_is_not_waited_for {
        the_waker_does_not_look_again: skipped("protocol/idle.rs", "wake_one", "has_visible_work") => Says("woken");
    }
}
