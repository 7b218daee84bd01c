//! Workers that leave their places, and come back: all are counted.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU8, Ordering};
use loom::thread;

use super::idle::{Pool, SLEEPER};
use super::{exhaustively, spawn_with, twins, within_bounds};
use crate::platform::planted::step;

/// A worker blocks and comes back while a spare is started for it: all are counted, and the one too
/// many stands down.
#[test]
fn absent_a_worker_that_comes_back_and_a_spare_are_counted() {
    within_bounds(|| {
        let pool = Pool::with_spares(1, 1);
        pool.idle.take_place_anyway();
        let worker = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                pool.idle.leave(&*pool);
                pool.idle.take_place_anyway();
                pool.idle.note_return();
            })
        };
        let pusher = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.expose())
        };
        worker.join().unwrap();
        pusher.join().unwrap();
        let spares = pool.spares.load(Ordering::Relaxed);
        let expected = [1 + spares, spares, 0, 0, spares];
        assert_eq!(pool.idle.snapshot(), expected, "computing to spare");
        assert_eq!(pool.idle.is_crowded(), spares == 1, "one too many");
        if spares == 1 {
            // It stands down, and nobody comes for what is visible: the worker is there.
            pool.idle.announce(SLEEPER, &*pool);
            assert!(!pool.idle.is_crowded());
            assert!(pool.is_asleep.load(Ordering::Relaxed), "no place for it");
            // Until that leaves again.
            pool.idle.leave(&*pool);
            assert!(!pool.is_asleep.load(Ordering::Relaxed), "woken");
        }
    });
}

/// A worker's place is lent while the worker gives it up, or not, and takes a place again: all are counted.
#[test]
fn absent_a_place_is_lent_or_given_up() {
    const NONE: u8 = 0;
    const HELD: u8 = 1;
    const LENT: u8 = 2;
    exhaustively(|| {
        let shared = Arc::new((Pool::with_spares(1, 1), AtomicU8::new(HELD)));
        let (pool, place) = &*shared;
        pool.idle.take_place_anyway();
        let watcher = spawn_with(&shared, |(pool, place)| {
            let lend = || {
                // ORDERING: as in `Slot::lend`.
                let is_lent =
                    place.compare_exchange(HELD, LENT, Ordering::Relaxed, Ordering::Relaxed);
                is_lent.is_ok()
            };
            _ = pool.idle.lend(&**pool, true, lend);
        });
        // As in `Seat::give_up_place` and `Seat::take_place`.
        let come_back = || {
            pool.idle.take_place_anyway();
            place.store(HELD, Ordering::Relaxed);
            pool.idle.note_return();
        };
        if place.swap(NONE, Ordering::Relaxed) != LENT || step("it does not look") {
            pool.idle.leave(&**pool);
        }
        come_back();
        watcher.join().unwrap();
        if place.load(Ordering::Relaxed) == LENT {
            come_back();
        }
        assert_eq!(pool.idle.snapshot(), [1, 0, 0, 0, 0], "computing to spare");
    });
}

twins! {
    absent_a_place_is_lent_or_given_up {
        it_is_given_up_twice: step("it does not look") => Says("computing to spare");
    }
    absent_a_worker_that_comes_back_and_a_spare_are_counted {
        a_place_is_lost: split("protocol/idle.rs", "take_place_anyway", "fetch_add")
            => Says("computing to spare");
        the_absent_are_never_back: skipped("protocol/idle.rs", "note_return", "fetch_sub")
            => Says("computing to spare");
    }
}
