//! Injector, and the two kinds of sleepers: a home parks for events of its own, workers sleep until they
//! are roused, and neither misses a stray.

use std::sync::Arc;

use loom::thread;

use super::nursery::Nursery;
use super::runs::Pool;
use super::{exhaustively, twins, within_bounds};
use crate::platform::sync::atomic::Ordering;
use crate::task::list::PendingList;

const HOME: usize = 0;
const WORKER: usize = 1;
const SPAWNER: usize = 2;

/// A child that was taken along spawns a sibling where no frame of the nursery is, and ends.
fn spawn_and_end(pool: &Arc<Pool>, nursery: &Arc<Nursery>) -> thread::JoinHandle<()> {
    let spawner = pool.seat(SPAWNER);
    let nursery = Arc::clone(nursery);
    nursery.count.add(1);
    thread::spawn(move || {
        spawner.spawn_elsewhere(&nursery, nursery.spawn_unjoined(0));
        spawner.release(&nursery);
    })
}

/// All workers are busy, so nobody but the home comes for it.
#[test]
fn injector_home_that_parks_or_looks_gets_it() {
    exhaustively(|| {
        let pool = Pool::new(3, 0);
        let nursery = Nursery::new(&pool.seat(HOME), 1);
        let spawner = spawn_and_end(&pool, &nursery);
        pool.seat(HOME).wait_for_end(&nursery, &PendingList::new());
        nursery.close();
        spawner.join().unwrap();
    });
}

/// The home blocks in its body, so nobody but the worker comes for it.
#[test]
fn injector_worker_that_sleeps_or_looks_gets_it() {
    exhaustively(|| {
        let pool = Pool::new(2, 0);
        pool.idle.search();
        let nursery = Nursery::new(&pool.seat(HOME), 1);
        let worker = pool.seat(WORKER);
        let worker = thread::spawn(move || {
            worker.sleep_and_work(|worker| worker.pool.injector.take(|_| true))
        });
        let home = pool.seat(HOME);
        home.spawn_elsewhere(&nursery, nursery.spawn_unjoined(0));
        worker.join().unwrap();
        home.wait_for_end(&nursery, &PendingList::new());
        nursery.close();
    });
}

/// A worker sleeps and the home parks: one of them gets it, and the other one is no hindrance.
#[test]
fn injector_are_run_by_one_of_two_sleepers() {
    within_bounds(|| {
        let pool = Pool::new(3, 0);
        let nursery = Nursery::new(&pool.seat(HOME), 1);
        pool.idle.vacate(&**pool);
        pool.slots[WORKER].asleep.store(true, Ordering::Relaxed);
        pool.idle.enlist(WORKER);
        let spawner = spawn_and_end(&pool, &nursery);
        let worker = pool.seat(WORKER);
        let worker = thread::spawn(move || {
            worker.sleep();
            if let Some(run) = worker.pool.injector.take(|_| true) {
                worker.execute(run);
            }
        });
        pool.seat(HOME).wait_for_end(&nursery, &PendingList::new());
        nursery.close();
        worker.join().unwrap();
        spawner.join().unwrap();
    });
}

/// It is the turn of a stray, so the home hands on what it has; a worker takes that, or the stray.
#[test]
fn injector_what_is_handed_on_for_a_turn_is_run() {
    within_bounds(|| {
        let pool = Pool::new(3, 0);
        let nursery = Nursery::new(&pool.seat(HOME), 2);
        let home = pool.seat(HOME);
        let list = PendingList::of(nursery.spawn_unjoined(1));
        let spawner = spawn_and_end(&pool, &nursery);
        let worker = pool.seat(WORKER);
        let worker = thread::spawn(move || {
            if let Some(run) = worker.pool.injector.take(|_| true) {
                worker.execute(run);
            }
        });
        home.help_others(&nursery, &list);
        home.wait_for_end(&nursery, &list);
        nursery.close();
        worker.join().unwrap();
        spawner.join().unwrap();
    });
}

twins! {
    injector_what_is_handed_on_for_a_turn_is_run {
        it_is_not_counted: step("what is handed on is not counted") => Says("every child has run");
    }
    injector_home_that_parks_or_looks_gets_it {
        the_home_is_told_too_early: step("the home is told before the stray is there")
            => Deadlock;
        a_token_says_nothing: relaxed("platform/parker.rs", "unpark", "swap") => Deadlock;
        their_number_is_not_raised: skipped("protocol/injector.rs", "push", "store") => Deadlock;
    }
    injector_worker_that_sleeps_or_looks_gets_it {
        no_worker_is_told: step("no worker is told of the stray") => Deadlock;
        looking_for_sleepers_is_not_ordered: relaxed("protocol/idle.rs", "wake_one", "fence")
            => Deadlock;
    }
    injector_are_run_by_one_of_two_sleepers {
        it_is_visible_before_it_is_counted: step("a stray is visible before it is counted")
            => Race;
        what_the_other_did_is_not_published: relaxed("protocol/count.rs", "release", "fetch_sub")
            => Race;
    }
}
