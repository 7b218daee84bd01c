//! Rings: a worker that was rung answers, whether it looks for work, falls asleep or waits.

use loom::sync::Arc;
use loom::thread;

use super::runs::{Pool, Thread};
use super::{Memory, exhaustively, twins};
use crate::platform::planted;

const WORKER: usize = 0;

/// What a worker is rung for.
type Errand = Arc<Memory<u32>>;

/// Rings, for something that was written before.
fn ring(pool: &Pool, errand: &Errand) {
    errand.write(7);
    pool.ring(WORKER);
}

fn answer(errand: &Errand) {
    assert_eq!(errand.read(), 7, "what it was rung for is there");
}

/// As `worker::work`, of a worker that searches and finds nothing but a ring.
fn search(worker: &Thread, errand: &Errand) {
    while !worker.take_ring() {
        worker.announce();
        if !planted::step("a worker that goes to sleep does not look for a ring") {
            worker.rouse_if_rung(WORKER);
        }
        worker.sleep();
    }
    answer(errand);
    worker.core.idle.found(&*worker.core);
    worker.core.idle.vacate(&*worker.core);
}

/// The worker falls asleep while somebody rings.
#[test]
fn rings_wake_or_are_seen() {
    exhaustively(|| {
        let pool = Pool::with_jobs(1);
        pool.idle.search();
        let errand = Arc::new(Memory::new(0));
        let worker = {
            let (worker, errand) = (pool.seat(WORKER), errand.clone());
            thread::spawn(move || search(&worker, &errand))
        };
        ring(&pool, &errand);
        worker.join().unwrap();
        let [computing, searching, asleep, ..] = pool.idle.snapshot();
        assert_eq!([computing, searching, asleep], [0; 3], "given back");
    });
}

/// The worker waits in a nursery, and is not among the sleepers.
#[test]
fn rings_reach_a_worker_that_waits() {
    exhaustively(|| {
        let pool = Pool::with_jobs(1);
        let errand = Arc::new(Memory::new(0));
        let worker = {
            let (worker, errand) = (pool.seat(WORKER), errand.clone());
            thread::spawn(move || {
                // As `Seat::wait`.
                while !worker.take_ring() {
                    worker.slot().parker.park();
                }
                answer(&errand);
            })
        };
        ring(&pool, &errand);
        worker.join().unwrap();
    });
}

twins! {
    rings_wake_or_are_seen {
        who_rings_does_not_note_it: skipped("engine/ring.rs", "ring", "rung.store") => Deadlock;
        who_sleeps_does_not_look: step("a worker that goes to sleep does not look for a ring") => Deadlock;
        what_it_is_for_is_not_published: relaxed("engine/ring.rs", "ring", "rung.store") => Race;
        what_it_is_for_is_not_read: relaxed("engine/ring.rs", "take_ring", "rung.swap") => Race;
    }
    rings_reach_a_worker_that_waits {
        who_rings_does_not_note_it: skipped("engine/ring.rs", "ring", "rung.store") => Deadlock;
    }
}
