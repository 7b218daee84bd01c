//! Requests: what a thread holds in private is shown to those that sleep, or asked for again.

use crate::platform::sync::atomic::{Ordering, fence};
use loom::thread;

use super::idle::{Pool, SLEEPER};
use super::{exhaustively, spawn_with, twins, within_bounds};

#[test]
fn idle_request_is_answered() {
    exhaustively(|| {
        let pool = Pool::searched(2);
        let worker = spawn_with(&pool, |pool| pool.idle.announce(SLEEPER, pool));
        pool.answer_request();
        worker.join().unwrap();
        fence(Ordering::SeqCst);
        pool.assert_answered();
    });
}

/// A searcher takes what was shown to it. The thread that showed it has lowered its request for that, and
/// another worker sleeps still.
#[test]
fn idle_searcher_that_finds_asks_again() {
    within_bounds(|| {
        let pool = Pool::searched(3);
        pool.idle.enlist(SLEEPER);
        let searcher = spawn_with(&pool, |pool| {
            while !pool.take() {
                thread::yield_now();
            }
            pool.idle.found(pool);
        });
        pool.answer_request();
        searcher.join().unwrap();
        let is_asked_again = pool.asked.load(Ordering::Relaxed);
        let is_asleep = pool.is_asleep.load(Ordering::Relaxed);
        assert!(is_asked_again || !is_asleep, "asked again");
    });
}

/// A searcher takes what a thread shows, while that thread looks whether to give more; another worker sleeps still.
#[test]
fn idle_request_stands_beside_what_is_shown() {
    within_bounds(|| {
        let pool = Pool::searched(3);
        pool.idle.enlist(SLEEPER);
        pool.visible.store(1, Ordering::Relaxed);
        let searcher = spawn_with(&pool, |pool| {
            assert!(pool.take());
            pool.idle.found(pool);
        });
        pool.answer_unless_it_shows();
        searcher.join().unwrap();
        pool.assert_answered();
    });
}

#[test]
fn idle_request_refused_for_want_of_a_place_is_repeated() {
    exhaustively(|| {
        let pool = Pool::new(1);
        pool.idle.take_place_anyway();
        pool.idle.take_place_anyway();
        pool.idle.enlist(SLEEPER);
        let leaver = spawn_with(&pool, |pool| {
            pool.idle.vacate(pool);
            pool.idle.vacate(pool);
        });
        pool.answer_request();
        leaver.join().unwrap();
        pool.assert_answered();
    });
}

twins! {
    idle_request_is_answered {
        the_sleeper_asks_nobody: skipped("protocol/idle.rs", "announce", "arm_all") => Says("asked again");
        the_sleeper_has_no_fence: acqrel("protocol/idle.rs", "announce", "fence") => Says("asked again");
        who_is_asked_has_no_fence: acqrel("protocol/idle.rs", "is_hungry", "fence") => Says("asked again");
    }
    idle_searcher_that_finds_asks_again {
        it_does_not: skipped("protocol/idle.rs", "leave_search", "arm_all") => Says("asked again");
    }
    idle_request_stands_beside_what_is_shown {
        it_does_not: step("the request is lowered and nothing is given") => Says("shown or asked again");
    }
    idle_request_refused_for_want_of_a_place_is_repeated {
        it_is_not: skipped("protocol/idle.rs", "hand_over", "arm_all") => Says("asked again");
        who_leaves_has_no_fence: acqrel("protocol/idle.rs", "vacate", "fence") => Says("asked again");
        who_is_refused_has_no_fence: acqrel("protocol/idle.rs", "has_place", "fence") => Says("asked again");
    }
}
